"""Every check of `doctor`, failing for real. The judgements themselves are tested in tests/domain."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from nommerctl.adapters.disk_cache import open_cache
from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.ledger import SqliteLedger
from nommerctl.domain.fleet import Heartbeat
from tests.cli import Cli, InProcessCli
from tests.clips import Clips, ffmpeg
from tests.end_to_end.checkups import Found, checkup, failed, read

pytestmark = pytest.mark.slow  # each encodes with every preset


HOUR = 3_600_000_000
"""In microseconds."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do that to files and mounts")


@pytest.fixture
def used(here: InProcessCli, clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InProcessCli:
    """A farm with a job that waits, whose passes are made by cron."""
    monkeypatch.delenv("TERM", raising=False)
    here.settings = {"SCALE_MAX_NODES": "0"}
    (tmp_path / "out").mkdir()
    here.run("submit", clips["tone.wav"], "--dest", tmp_path / "out" / "tone.m4a", "--preset", "audio-m4a")
    here.run("run")
    return here


def outside(cli: Cli, *prefix: str) -> Cli:
    """The same farm's command line in a process of its own, started by another program."""
    program = shutil.which(prefix[0])
    if program is None:
        pytest.skip(f"needs {prefix[0]}")
    return Cli(cli.state_dir, cli.cwd, (program, *prefix[1:], *cli.executable), cli.settings)


def within(cli: Cli, namespaces: str, before: str, *, code: int) -> dict[str, Found]:
    """Run `doctor` in namespaces of its own, after a line of shell that changes them."""
    lines = f'{before} && exec "$@"'
    return checkup(outside(cli, "unshare", namespaces, "sh", "-ec", lines, "sh"), code=code)


def script(folder: Path, text: str) -> Path:
    """A program of shell that is called as ffmpeg is."""
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def sql(cli: Cli, statement: str) -> None:
    """Change the store behind the farm's back."""
    with closing(sqlite3.connect(cli.state_dir / "farm.db")) as connection, connection:
        assert connection.execute(statement).rowcount


def set_back(cli: Cli, name: str, by: int) -> None:
    """Date a pass's record earlier, or, by a negative number, later."""
    record = cli.state_dir / "locks" / f"{name}.json"
    record.write_text(re.sub(r"\d{16}", lambda found: str(int(found[0]) - by), record.read_text()))


# --- ffmpeg ---


def test_what_is_no_ffmpeg(here: InProcessCli) -> None:
    here.settings = {"FFMPEG_PATH": "/bin/true"}
    findings = checkup(here, code=3)
    assert findings["ffmpeg"].found == "/bin/true does not answer as an ffmpeg: it does not say its version"
    assert findings["ffmpeg"].advice == "set ffmpeg.path to an ffmpeg, or leave it empty for that of '[local]'"
    assert findings["preset web-480p"].found == "not tried, for want of an ffmpeg"
    assert failed(findings) == [
        "ffmpeg",
        "preset audio-m4a",
        "preset web-1080p",
        "preset web-480p",
        "preset web-720p",
    ]


def test_an_ffmpeg_that_is_not_there(here: InProcessCli) -> None:
    here.settings = {"FFMPEG_PATH": "/no/ffmpeg"}
    assert "/no/ffmpeg does not answer as an ffmpeg" in checkup(here, code=3)["ffmpeg"].found


def test_an_ffmpeg_without_an_encoder(here: InProcessCli, tmp_path: Path) -> None:
    poor = script(tmp_path, f'case "$*" in *-encoders*) {ffmpeg()} "$@" | grep -v 264;; *) exec {ffmpeg()} "$@";; esac')
    here.settings = {"FFMPEG_PATH": str(poor)}
    findings = checkup(here, code=3)
    assert failed(findings) == ["preset web-1080p", "preset web-480p", "preset web-720p"]
    assert findings["preset web-720p"].found == f"no encoder libx264 in {poor} (ffmpeg.path)"
    assert "set ffmpeg.path" in findings["preset web-720p"].advice


def test_an_ffmpeg_whose_encoder_fails_when_it_is_used(here: InProcessCli, tmp_path: Path) -> None:
    failing = 'case "$*" in *libx264*) echo "[error] Cannot load libx264" >&2; exit 1;; esac'
    broken = script(tmp_path, f'{failing}\nexec {ffmpeg()} "$@"')
    here.settings = {"FFMPEG_PATH": str(broken)}
    findings = checkup(here, code=3)
    assert failed(findings) == ["preset web-1080p", "preset web-480p", "preset web-720p"]
    assert "Cannot load libx264" in findings["preset web-480p"].found


def test_a_system_that_gives_no_network_namespace(here: InProcessCli) -> None:
    findings = within(here, "-Ur", "echo 0 > /proc/sys/user/max_net_namespaces", code=0)
    assert findings["sandbox"].verdict == "warning"
    assert findings["sandbox"].found.startswith("ffmpeg cannot be cut off from the network: ")


# --- the state folder and its disk ---


@as_root
def test_a_state_folder_of_somebody_else(used: InProcessCli) -> None:
    os.chown(used.state_dir, 65534, 65534)
    finding = checkup(used, code=3)["state folder"]
    assert finding.found == f"'{used.state_dir}' belongs to nobody, and you are root"
    assert finding.advice.startswith("run nommerctl as nobody")


@as_root
def test_a_file_of_somebody_else_in_it(used: InProcessCli) -> None:
    os.chown(used.state_dir / "locks" / "scale.lock", 65534, 65534)
    finding = checkup(used, code=3)["state folder"]
    assert finding.found == f"'{used.state_dir}/locks/scale.lock' belongs to nobody"


def test_a_state_folder_that_others_may_write_in(used: InProcessCli) -> None:
    used.state_dir.chmod(0o777)
    assert checkup(used, code=3)["state folder"].advice == f"chmod 700 {used.state_dir}"


def test_a_state_folder_behind_a_link(used: InProcessCli, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(used.state_dir)
    used.state_dir = link
    assert checkup(used)["state folder"].verdict == "warning"
    link.unlink()
    link.symlink_to(tmp_path / "gone")
    assert checkup(used, code=3)["state folder"].advice == f"rm {link}"


def without_privileges(cli: Cli) -> Cli:
    """The command line for which file permissions count even if root runs these tests."""
    return outside(cli, "setpriv", "--bounding-set=-dac_override,-dac_read_search", "--") if os.geteuid() == 0 else cli


def test_a_state_folder_that_cannot_be_written(used: InProcessCli) -> None:
    used.state_dir.chmod(0o500)
    try:
        finding = checkup(without_privileges(used), code=3)["state folder"]
    finally:
        used.state_dir.chmod(0o700)
    assert (finding.found, finding.advice) == (
        f"'{used.state_dir}' cannot be written by you",
        f"chmod u+rwx {used.state_dir}",
    )


def test_a_store_that_cannot_be_written(used: InProcessCli) -> None:
    (used.state_dir / "farm.db").chmod(0o400)
    finding = checkup(without_privileges(used), code=3)["state folder"]
    assert finding.found == f"'{used.state_dir}/farm.db' cannot be read and written by you"


@pytest.mark.parametrize(
    ("mode", "found"),
    [(0o500, "cannot be made: '{home}' is nothing that you may write in"), (0o000, "cannot be looked at")],
)
def test_a_state_folder_that_cannot_be_made_or_reached(
    here: InProcessCli, tmp_path: Path, mode: int, found: str
) -> None:
    (home := tmp_path / "home").mkdir()
    here.state_dir = home / "farm"
    home.chmod(mode)
    try:
        finding = checkup(without_privileges(here), code=3)["state folder"]
    finally:
        home.chmod(0o700)
    assert finding.found.startswith(f"'{home}/farm' {found.format(home=home)}")


@as_root
@pytest.mark.parametrize(
    ("options", "filling", "found"),
    [("size=1m", "head -c 2000000 /dev/zero > fill || true", "0 B"), ("nr_inodes=20", "true", "files free for")],
)
def test_a_disk_that_is_full(here: InProcessCli, options: str, filling: str, found: str) -> None:
    here.state_dir.mkdir(mode=0o700)
    where = shlex.quote(str(here.state_dir))
    mount = f"mount -t tmpfs -o mode=700,{options} tmpfs {where} && (cd {where} && {filling}) 2>&-"
    findings = within(here, "-m", mount, code=3)
    assert failed(findings) == ["disk room"]
    assert found in findings["disk room"].found
    assert (
        findings["file system"].found
        == f"'{here.state_dir}' is in memory (tmpfs): a restart of the machine loses all jobs"
    )


@as_root
def test_a_read_only_disk(here: InProcessCli) -> None:
    here.state_dir.mkdir(mode=0o700)
    findings = within(here, "-m", f"mount -t tmpfs -o ro,mode=700 tmpfs {shlex.quote(str(here.state_dir))}", code=3)
    assert findings["file system"].found == f"'{here.state_dir}' is on a read-only file system (tmpfs)"
    assert findings["state folder"].found == f"'{here.state_dir}' cannot be written by you"


def test_a_disk_without_locks(here: InProcessCli) -> None:
    without_locks = outside(
        here, "strace", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"
    )
    finding = checkup(without_locks, code=3)["file system"]
    assert finding.found.endswith("cannot be locked: no locks available")


def test_a_folder_of_outputs_that_is_gone(used: InProcessCli, tmp_path: Path) -> None:
    (tmp_path / "out").rmdir()
    finding = checkup(used)["disk room"]
    assert finding.verdict == "warning"
    assert finding.found == f"there is no folder '{tmp_path}/out', where unfinished jobs write their outputs"


def test_an_archive_that_cannot_be_written(here: InProcessCli, tmp_path: Path) -> None:
    here.settings = {"UPKEEP_ARCHIVE": f"{tmp_path}/no/jobs.jsonl"}
    finding = checkup(here, code=3)["archive"]
    assert finding.found == (
        f"upkeep.archive '{tmp_path}/no/jobs.jsonl' cannot be written: there is no folder '{tmp_path}/no'"
    )
    (tmp_path / "no").mkdir()
    assert checkup(here)["archive"].verdict == "ok"
    assert list((tmp_path / "no").iterdir()) == []


@pytest.mark.parametrize(("path", "why"), [("", "you may not write in '{}'"), ("jobs.jsonl", "permission denied")])
def test_an_archive_that_this_user_may_not_write(here: InProcessCli, tmp_path: Path, path: str, why: str) -> None:
    (folder := tmp_path / "archive").mkdir()
    (folder / "jobs.jsonl").touch(0o400)
    here.settings = {"UPKEEP_ARCHIVE": f"{folder}/{path or 'new.jsonl'}"}
    folder.chmod(0o500)
    try:
        finding = checkup(without_privileges(here), code=3)["archive"]
    finally:
        folder.chmod(0o700)
    assert finding.found.endswith(f" cannot be written: {why.format(folder)}")


def test_settings_that_others_may_write(here: InProcessCli, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.touch()
    file.chmod(0o666)
    assert checkup(here, "--config", file, code=3)["settings"].advice == f"chmod go-w {file}"
    file.chmod(0o600)
    assert checkup(here, "--config", file)["settings"].found == f"'{file}', readable by its owner alone"


def test_variables_that_cron_will_not_have(here: InProcessCli) -> None:
    here.settings = {"SCALE_MAX_NODES": "3"}
    finding = checkup(here, env={"TERM": "xterm"})["settings"]
    assert finding.found == "no settings file: defaults; besides NOMMERCTL_SCALE_MAX_NODES"


# --- passes and clock ---


def test_an_overdue_pass(used: InProcessCli) -> None:
    set_back(used, "refresh", HOUR)
    result = used.run("doctor", "--json", code=3)
    findings = read(result)
    assert failed(findings) == ["pass refresh"]
    assert findings["pass refresh"].found == "refresh has not succeeded for 60 min (it should every minute)"
    assert findings["pass refresh"].advice.endswith("see that cron or its timer still runs it")
    assert result.stderr == "", "it is said once"


LATER_JOB = "UPDATE jobs SET changed = changed + 3600000000"


@pytest.mark.parametrize(
    ("statement", "name"),
    [(None, "the last prune"), (LATER_JOB, "the last change of a job")],
)
def test_a_record_of_the_future(used: InProcessCli, statement: str | None, name: str) -> None:
    if statement is None:
        set_back(used, "prune", -HOUR)
    else:
        sql(used, statement)
    finding = checkup(used, code=3)["clock"]
    assert re.match(rf"it went back: {name} is dated (60|59) min after now", finding.found)


def test_a_heartbeat_of_the_future(used: InProcessCli) -> None:
    later = time.time_ns() // 1000 + HOUR
    with closing(Database(used.state_dir / "farm.db")) as database:
        SqliteLedger(database, lambda: later).beat(Heartbeat(node="n1", started=later, at=later, slots=1))
    finding = checkup(used, code=3)["clock"]
    assert re.match(r"it went back: the heartbeat of n1 is dated (60|59) min after now", finding.found)


def test_a_refresh_of_the_future(used: InProcessCli) -> None:
    with closing(open_cache(used.state_dir / "cache")) as cache:
        cache.set_status(lambda status: structs.replace(status, refreshed=(status.refreshed or 0) + HOUR))
    assert "the last refresh of the cache is dated" in checkup(used, code=3)["clock"].found


# --- store, queue and cache ---


@pytest.mark.parametrize("damage", ["garbage", "truncated", "flipped"])
def test_a_damaged_store(used: InProcessCli, damage: str) -> None:
    store = used.state_dir / "farm.db"
    data = bytearray(store.read_bytes())
    if damage == "garbage":
        data[:] = b"garbage" * 1000
    elif damage == "truncated":
        del data[len(data) // 2 :]
    else:
        data[data.rindex(b'"source":')] ^= 0x01
    store.write_bytes(data)
    finding = checkup(used, code=3)["store"]
    assert finding.found.startswith(f"'{store}' is damaged: ")
    assert finding.advice == f"restore it from a backup; without one, 'sqlite3 {store} .recover' saves what is whole"


def test_a_store_of_a_later_version(used: InProcessCli) -> None:
    sql(used, "PRAGMA user_version = 99")
    assert "use the nommerctl that made it, or a newer one" in checkup(used, code=3)["store"].found


def test_a_store_that_lost_everything(used: InProcessCli) -> None:
    (used.state_dir / "farm.db").write_bytes(b"")
    findings = checkup(used, code=3)
    assert findings["store"].found == f"'{used.state_dir}/farm.db' is empty, and the cache knows 1 job"
    assert findings["store"].advice.startswith("move its -wal and -shm away, then restore it")
    assert findings["cache"].found == "1 of 1 job not in the store"
    assert findings["cache"].advice.startswith("restore the store first")


def test_a_store_that_was_set_back(used: InProcessCli, tmp_path: Path) -> None:
    shutil.copy(used.state_dir / "farm.db", tmp_path / "backup.db")
    Cli(used.state_dir, used.cwd, used.executable).run("worker", "--once")
    used.run("refresh")
    shutil.copy(tmp_path / "backup.db", used.state_dir / "farm.db")
    finding = checkup(used, code=3)["cache"]
    assert finding.found == "1 of 1 job newer than in the store: it was set back, or is another farm's"
    # and what it says to do helps
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    subprocess.run(["/bin/sh", "-ec", finding.advice], env=used.environment({"PATH": path}), check=True)
    assert checkup(used)["cache"].verdict == "ok"


def test_a_damaged_cache(used: InProcessCli) -> None:
    cache = used.state_dir / "cache" / "cache.db"
    cache.write_bytes(cache.read_bytes()[:5000])
    finding = checkup(used, code=3)["cache"]
    assert finding.found.startswith("the job cache is damaged (")
    assert finding.found.endswith("run `nommerctl refresh --rebuild`")
    used.run("refresh")
    assert checkup(used)["cache"].verdict == "ok"


def test_a_cache_behind_a_link(used: InProcessCli) -> None:
    folder = used.state_dir / "cache"
    folder.rename(used.state_dir / "elsewhere")
    folder.symlink_to("elsewhere")
    assert "is a symbolic link, which is not followed: remove it" in checkup(used, code=3)["cache"].found


def test_a_job_without_a_message_and_a_dead_letter(used: InProcessCli) -> None:
    sql(used, "DELETE FROM messages WHERE queue = 'new-jobs'")
    assert checkup(used)["queue"].found == "0 waiting, 0 in work; 1 PENDING job without a message"
    sql(used, "INSERT INTO messages (queue, body, visible_at, dead) SELECT 'new-jobs', id, 0, 1 FROM jobs")
    finding = checkup(used)["queue"]
    assert (finding.verdict, finding.found) == ("warning", "0 waiting, 0 in work, 1 dead")
