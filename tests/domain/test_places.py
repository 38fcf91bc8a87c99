import pytest
from msgspec import structs

from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.places import (
    FileLook,
    FileSystem,
    FolderLook,
    Place,
    judge_file_system,
    judge_room,
    judge_settings_file,
    judge_state_folder,
    size_text,
)

SOUND = FolderLook(
    path="/srv/farm",
    above="/srv/farm",
    above_writable=True,
    mode=0o700,
    is_folder=True,
    owner="ann",
    is_ours=True,
    writable=True,
)
DISK = FileSystem(device=1, kind="ext4", read_only=False, free=10**11, free_files=10**6)


def judged(**how: object) -> list[Finding]:
    return judge_state_folder(structs.replace(SOUND, **how), user="ann")


def test_a_folder_for_its_owner_alone_is_sound() -> None:
    assert judged() == [Finding("state folder", Verdict.OK, "'/srv/farm' is yours alone")]


def test_a_folder_that_is_not_there_is_no_fault() -> None:
    (finding,) = judged(mode=None, above="/srv")
    assert finding == Finding("state folder", Verdict.OK, "'/srv/farm' is not made yet: the first submit makes it")


@pytest.mark.parametrize(
    ("how", "verdict", "found", "advice"),
    [
        (
            {"mode": None, "above": "/srv", "above_writable": False},
            Verdict.FAILED,
            "'/srv/farm' cannot be made: '/srv' is nothing that you may write in",
            "as root, 'install -d -m 700 -o ann /srv/farm', or name another with --state-dir or farm.state_dir",
        ),
        (
            {"mode": None, "link_to": "/gone"},
            Verdict.FAILED,
            "'/srv/farm' is a symbolic link to '/gone', where nothing is",
            "rm /srv/farm",
        ),
        (
            {"is_folder": False},
            Verdict.FAILED,
            "'/srv/farm' is not a folder",
            "name another with --state-dir or farm.state_dir",
        ),
        (
            {"is_ours": False, "owner": "bob"},
            Verdict.FAILED,
            "'/srv/farm' belongs to bob, and you are ann",
            "run nommerctl as bob, or name another folder with --state-dir or farm.state_dir",
        ),
        (
            {"link_to": "/data/farm"},
            Verdict.WARNING,
            "'/srv/farm' is a symbolic link to '/data/farm': whoever changes it gives the farm another folder",
            "name that folder itself with --state-dir or farm.state_dir",
        ),
        ({"mode": 0o720}, Verdict.FAILED, "others may write in '/srv/farm'", "chmod 700 /srv/farm"),
        (
            {"mode": 0o755},
            Verdict.WARNING,
            "others may read in '/srv/farm', which names sources, destinations and listeners",
            "chmod 700 /srv/farm",
        ),
        ({"writable": False}, Verdict.FAILED, "'/srv/farm' cannot be written by you", "chmod u+rwx /srv/farm"),
        (
            {"barred": ("'/srv/farm/farm.db' belongs to root", "'/srv/farm/cache' belongs to root")},
            Verdict.FAILED,
            "'/srv/farm/farm.db' belongs to root, and 1 more like it",
            "chown -R ann /srv/farm; chmod -R u+rwX /srv/farm",
        ),
    ],
)
def test_what_may_be_wrong_with_a_folder(how: dict[str, object], verdict: Verdict, found: str, advice: str) -> None:
    assert judged(**how) == [Finding("state folder", verdict, found, advice)]


def test_everything_that_is_wrong_is_said_at_once_and_quoted_for_a_shell() -> None:
    findings = judged(path="/srv/my farm", mode=0o777, writable=False)
    assert [finding.advice for finding in findings] == ["chmod 700 '/srv/my farm'", "chmod u+rwx '/srv/my farm'"]


@pytest.mark.parametrize(
    ("how", "verdict", "found"),
    [
        ({}, Verdict.OK, "ext4, and locks work"),
        ({"kind": ""}, Verdict.OK, "a file system of unknown kind, and locks work"),
        ({"read_only": True}, Verdict.FAILED, "'/srv/farm' is on a read-only file system (ext4)"),
        (
            {"kind": "nfs4"},
            Verdict.FAILED,
            "'/srv/farm' is on a network file system (nfs4), where SQLite's log does not work",
        ),
        (
            {"lock_error": "no locks available"},
            Verdict.FAILED,
            "files on '/srv/farm' (ext4) cannot be locked: no locks available",
        ),
        (
            {"kind": "tmpfs"},
            Verdict.WARNING,
            "'/srv/farm' is in memory (tmpfs): a restart of the machine loses all jobs",
        ),
    ],
)
def test_what_a_state_folder_may_stand_on(how: dict[str, object], verdict: Verdict, found: str) -> None:
    finding = judge_file_system("/srv/farm", structs.replace(DISK, **how))
    advice = "name a folder on a local disk with --state-dir or farm.state_dir"
    assert finding == Finding("file system", verdict, found, "" if verdict is Verdict.OK else advice)


def place(purpose: str, enough: int = 10**9, **how: int | None) -> Place:
    return Place(purpose=purpose, path=f"/{purpose}", system=structs.replace(DISK, **how), enough=enough)


@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        ({}, Verdict.OK),
        ({"free": 10**9}, Verdict.OK),
        ({"free": 10**9 - 1}, Verdict.WARNING),
        ({"free": 16_000_000}, Verdict.WARNING),
        ({"free": 15_999_999}, Verdict.FAILED),
        ({"free_files": 999}, Verdict.WARNING),
        ({"free_files": 64}, Verdict.WARNING),
        ({"free_files": 63}, Verdict.FAILED),
    ],
)
def test_how_much_room_there_has_to_be(how: dict[str, int], verdict: Verdict) -> None:
    (finding,) = judge_room([place("farm", **how)])
    assert finding.verdict is verdict
    assert bool(finding.advice) == (verdict is not Verdict.OK)


def test_a_disk_may_have_no_number_of_files() -> None:
    assert judge_room([place("farm", free_files=None)])[0].found == "100 GB free for farm '/farm'"


def test_places_on_one_disk_are_judged_together_by_the_one_that_needs_most() -> None:
    places = [place("farm", free=5 * 10**8), place("tmp", 10**8, device=2, free=5 * 10**8)]
    places += [place(f"out{number}", free=5 * 10**8) for number in range(4)]
    first, second = judge_room(places)
    assert (first.verdict, first.found) == (
        Verdict.WARNING,
        "500 MB and 1000000 files free for farm '/farm', out0 '/out0', out1 '/out1' and 2 more",
    )
    assert (second.verdict, second.found) == (Verdict.OK, "500 MB and 1000000 files free for tmp '/tmp'")


def test_sizes_are_said_in_two_digits() -> None:
    sizes = (0, 999, 1000, 9_949, 512_000, 3_200_000_000, 12_000_000_000, 1_400_000_000_000)
    assert [size_text(size) for size in sizes] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "9.9 kB",
        "512 kB",
        "3.2 GB",
        "12 GB",
        "1.4 TB",
    ]


def settings_file(mode: int, stranger: str | None = None) -> FileLook:
    return FileLook(path="/etc/farm.toml", mode=mode, stranger=stranger)


@pytest.mark.parametrize(
    ("look", "verdict", "found"),
    [
        (None, Verdict.OK, "no settings file: defaults"),
        (settings_file(0o600), Verdict.OK, "'/etc/farm.toml', readable by its owner alone"),
        (settings_file(0o640), Verdict.OK, "'/etc/farm.toml', readable by its group"),
        (settings_file(0o644), Verdict.OK, "'/etc/farm.toml', readable by everybody"),
        (settings_file(0o664), Verdict.FAILED, "others may write in '/etc/farm.toml', and so choose what workers run"),
        (
            settings_file(0o600, "bob"),
            Verdict.WARNING,
            "'/etc/farm.toml' belongs to bob, who so chooses what workers run",
        ),
    ],
)
def test_who_may_read_and_write_the_settings(look: FileLook | None, verdict: Verdict, found: str) -> None:
    finding = judge_settings_file(look, [])
    assert (finding.verdict, finding.found) == (verdict, found)


def test_variables_are_named_for_cron_does_not_have_them() -> None:
    assert judge_settings_file(None, ["NOMMERCTL_SCALE_MAX_NODES", "NOMMERCTL_FARM_NAME"]) == Finding(
        "settings",
        Verdict.OK,
        "no settings file: defaults; besides NOMMERCTL_SCALE_MAX_NODES, NOMMERCTL_FARM_NAME",
        "cron gets no variable that its crontab does not set: settings belong in the file",
    )
