"""A farm whose job cache is damaged: whoever looks is told, the next pass sets it aside and the store makes it anew."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import diskcache
import pytest

from tests.adapters.cache_on_disk import change_entry, meddle, set_aside_in
from tests.adapters.flips import Flips
from tests.cli import InProcessCli
from tests.clips import Clips

pytestmark = pytest.mark.slow  # each goes through several processes


Jobs = list[dict[str, Any]]


@pytest.fixture
def farm(here: InProcessCli, clips: Clips) -> InProcessCli:
    """Two jobs that wait, on a farm that may launch no node; everything has been learnt."""
    here.settings["SCALE_MAX_NODES"] = "0"
    source = here.cwd / "film.mp4"
    source.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(source, (1, 1))
    for number in range(2):
        submit(here, f"{number}.mp4")
    here.run("refresh")
    return here


def submit(farm: InProcessCli, dest: str) -> None:
    farm.run("submit", "film.mp4", "--dest", dest, "--preset", "web-480p")


def jobs(farm: InProcessCli) -> Jobs:
    """The listed jobs, but for how long each has waited."""
    return timeless(farm.run("list", "--json").json["jobs"])


def timeless(listed: Jobs) -> Jobs:
    return [{name: value for name, value in job.items() if name != "reason"} for job in listed]


def cache_of(farm: InProcessCli) -> Path:
    return farm.state_dir / "cache"


# --- damages; each is given the cache's folder


def cut_to(length: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        os.truncate(folder / "cache.db", length)

    damage.__name__ = f"cut_to_{length}"
    return damage


def garbage(folder: Path) -> None:
    (folder / "cache.db").write_bytes(b"no database at all. " * 2000)


def another_format(folder: Path) -> None:
    meddle(folder, "PRAGMA user_version = 1")


def another_application(folder: Path) -> None:
    (folder / "cache.db").unlink()
    meddle(folder, "CREATE TABLE recipes (name)")
    meddle(folder, "PRAGMA user_version = 7")


def another_cache(folder: Path) -> None:
    (folder / "cache.db").unlink()
    with diskcache.Cache(str(folder)) as theirs:
        theirs.set("key", {"a": "value"})
    meddle(folder, "PRAGMA user_version = 2")


def a_pickled_entry(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "cache.db")) as connection:
        (key,) = connection.execute("SELECT key FROM Cache WHERE tag IS NOT NULL").fetchone()
    change_entry(folder, key, mode=4, value=b"cos\nsystem\n(S'true'\ntR.")


def a_lost_entry(folder: Path) -> None:
    meddle(folder, "DELETE FROM Cache WHERE rowid = (SELECT max(rowid) FROM Cache WHERE tag IS NOT NULL)")


def a_changed_word(folder: Path) -> None:
    meddle(folder, "UPDATE Cache SET value = replace(value, 'film.mp4', 'fi1m.mp4')")


def a_changed_head(folder: Path) -> None:
    meddle(folder, "UPDATE Cache SET value = replace(value, '1', '2') WHERE key = 'head'")


def a_file_for_a_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("not a folder")


def a_pipe_for_a_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    os.mkfifo(folder)


def a_folder_for(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    damage.__name__ = f"a_folder_for_{name}"
    return damage


def a_pipe_for(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    damage.__name__ = f"a_pipe_for_{name}"
    return damage


def a_link_for(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        elsewhere = folder.parent.parent / "elsewhere"
        elsewhere.write_bytes((folder / name).read_bytes() if (folder / name).exists() else b"")
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(elsewhere)

    damage.__name__ = f"a_link_for_{name}"
    return damage


def a_device(folder: Path) -> None:
    (folder / "cache.db").unlink()
    try:
        os.mknod(folder / "cache.db", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


NOTICED = [
    *map(cut_to, (15, 99, 100, 4096, 20_000)),
    garbage,
    another_format,
    another_application,
    another_cache,
    a_pickled_entry,
    a_lost_entry,
    a_changed_word,
    a_changed_head,
    a_file_for_a_folder,
    a_pipe_for_a_folder,
    *map(a_folder_for, ("cache.db", "cache.db-wal", "cache.db-shm")),
    *map(a_pipe_for, ("cache.db", "cache.db-wal", "cache.db-shm", "cache.db-journal")),
    *map(a_link_for, ("cache.db", "cache.db-wal", "cache.db-shm")),
    a_device,
]


def snapshot(folder: Path) -> list[tuple[str, int, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*"))


@pytest.mark.parametrize("damage", NOTICED)
def test_a_damaged_cache_is_said_by_who_looks_and_made_anew_by_the_next_passes(
    farm: InProcessCli, damage: Callable[[Path], None]
) -> None:
    before = jobs(farm)
    damage(cache_of(farm))
    left = snapshot(farm.state_dir)

    said = farm.run("list", code=69)
    assert said.stdout == ""
    (line,) = said.stderr.splitlines()
    assert line.startswith("nommerctl: the job cache is damaged (")
    assert line.endswith("): run `nommerctl refresh --rebuild`")
    assert farm.run("scale", "--dry-run", code=None).code in {0, 69}  # the counts may be sound
    assert farm.run("show", before[0]["id"], "--json").json["job"]["dest"] == before[0]["dest"]
    assert snapshot(farm.state_dir) == left

    farm.run("scale")
    farm.run("refresh", "--rebuild")
    assert jobs(farm) == before
    assert len(set_aside_in(cache_of(farm))) == 1


@pytest.mark.parametrize(
    "damage", [garbage, cut_to(50), a_changed_word, a_changed_head, a_lost_entry, a_folder_for("cache.db")]
)
@pytest.mark.parametrize("verb", ["refresh", "submit", "cancel", "abandon", "prune", "run"])
def test_every_verb_that_acts_does_its_work_beside_a_damaged_cache(
    farm: InProcessCli, verb: str, damage: Callable[[Path], None]
) -> None:
    first, second = jobs(farm)
    damage(cache_of(farm))

    if verb == "submit":
        submit(farm, "new.mp4")
    else:
        farm.run(verb, *([first["id"]] if verb == "cancel" else []))

    farm.run("refresh", "--rebuild")
    found = {job["id"]: job["state"] for job in jobs(farm)}
    assert found.pop(first["id"]) == ("ABANDONED" if verb == "cancel" else "PENDING")
    assert found.pop(second["id"]) == "PENDING"
    assert len(found) == (verb == "submit")


def nothing_at_all(folder: Path) -> None:
    shutil.rmtree(folder)


def another_make(folder: Path) -> None:
    """As a pass leaves it that is killed while it makes the cache, and as another program does."""
    (folder / "cache.db").unlink()
    meddle(folder, "CREATE TABLE Settings (key, value)")


@pytest.mark.parametrize("damage", [nothing_at_all, cut_to(0), cut_to(1), another_make])
def test_a_cache_in_which_nothing_was_made_yet_is_cold(farm: InProcessCli, damage: Callable[[Path], None]) -> None:
    before = jobs(farm)
    damage(cache_of(farm))

    assert jobs(farm) == []
    assert "the job cache is empty: run `nommerctl refresh` first" in farm.run("scale", "--dry-run").stdout

    farm.run("refresh")
    assert jobs(farm) == before


def no_index_of_the_log(folder: Path) -> None:
    (folder / "cache.db-shm").unlink()


def garbage_for_the_index_of_the_log(folder: Path) -> None:
    (folder / "cache.db-shm").write_bytes(b"\xa5" * 32768)


def garbage_after_the_log(folder: Path) -> None:
    with (folder / "cache.db-wal").open("ab") as log:
        log.write(b"\xa5" * 10_000)


@pytest.mark.parametrize("damage", [no_index_of_the_log, garbage_for_the_index_of_the_log, garbage_after_the_log])
def test_what_a_killed_pass_left_is_taken_up_whatever_became_of_its_log(
    farm: InProcessCli, damage: Callable[[Path], None]
) -> None:
    before = jobs(farm)
    folder = cache_of(farm)
    with closing(sqlite3.connect(folder / "cache.db")) as killed:
        killed.execute("UPDATE Settings SET value = 7 WHERE key = 'hits'")
        killed.commit()
        left = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(left) == 3
    for name, content in left.items():
        (folder / name).write_bytes(content)
    damage(folder)

    looked = farm.run("list", "--json", code=None)
    if looked.code:
        assert "the next pass that writes takes it up" in looked.stderr
        assert looked.code == 75
    else:
        assert timeless(looked.json["jobs"]) == before
    farm.run("refresh")

    assert jobs(farm) == before
    assert set_aside_in(folder) == []


def test_the_log_of_another_database_makes_it_another_one_which_is_set_aside(farm: InProcessCli) -> None:
    before = jobs(farm)
    other = farm.cwd / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE recipes (name)")
        connection.commit()
        (cache_of(farm) / "cache.db-wal").write_bytes(other.with_name("other.db-wal").read_bytes())

    farm.run("refresh")

    assert jobs(farm) == before
    assert len(set_aside_in(cache_of(farm))) == 1


def elsewhere(folder: Path) -> None:
    folder.rename(folder.parent.parent / "elsewhere")
    folder.symlink_to(folder.parent.parent / "elsewhere")


def nowhere(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder.parent.parent / "nowhere")


def to_itself(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder)


@pytest.mark.parametrize("damage", [elsewhere, nowhere, to_itself])
def test_a_link_in_its_place_is_not_followed(farm: InProcessCli, damage: Callable[[Path], None]) -> None:
    before = jobs(farm)
    damage(cache_of(farm))

    for verb in ("list", "scale", "refresh"):
        said = farm.run(verb, code=77).stderr
        assert (
            said == f"nommerctl: the job cache {cache_of(farm)} is a symbolic link, which is not followed: remove it\n"
        )

    cache_of(farm).unlink()
    farm.run("refresh")
    assert jobs(farm) == before


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_a_lock_that_is_no_file_is_named(farm: InProcessCli, kind: str) -> None:
    lock = farm.state_dir / "cache.lock"
    lock.unlink()
    if kind == "link":
        lock.symlink_to(farm.cwd / "victim")
    else:
        lock.mkdir()

    result = farm.run("refresh", code=77 if kind == "link" else 69)

    assert str(lock) in result.stderr
    assert not (farm.cwd / "victim").exists()
    assert len(jobs(farm)) == 2


def test_a_few_dozen_flips_leave_no_command_without_words(farm: InProcessCli) -> None:
    before = jobs(farm)
    submit(farm, "later.mp4")
    farm.run("refresh")
    after = jobs(farm)
    flips = Flips(cache_of(farm), seed=1)
    for _ in range(36):
        where = flips.flip("cache.db")
        looked = farm.run("list", "--json", code=None)
        assert looked.code in {0, 69}, where
        assert looked.code == 69 or timeless(looked.json["jobs"]) == after, where
        assert farm.run("scale", "--dry-run", code=None).code in {0, 69}, where
        farm.run("scale")
        farm.run("refresh", "--rebuild")
        assert jobs(farm) == after, where
    assert before == after[:2]
