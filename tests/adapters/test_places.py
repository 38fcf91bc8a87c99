"""Looking at folders, files and disks; what only other users see is in tests/end_to_end/test_doctor.py."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nommerctl.adapters.places import file_system_of, look_at_file, look_at_folder, why_unwritable
from nommerctl.errors import UnreachableError

ROOT = Path(__file__).parents[2]

LOCKS = """
import sys
from pathlib import Path
from nommerctl.adapters.places import file_system_of
print(file_system_of(Path(sys.argv[1]), locking=True).lock_error)
"""


def test_a_folder_of_ours(tmp_path: Path) -> None:
    (tmp_path / "farm.db").touch()
    tmp_path.chmod(0o700)
    look = look_at_folder(tmp_path, inner=("cache", "locks"))
    assert (look.mode, look.is_folder, look.is_ours, look.writable) == (0o700, True, True, True)
    assert (look.link_to, look.barred) == (None, ())


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    look = look_at_folder(tmp_path / "one" / "two")
    assert (look.mode, look.above, look.above_writable) == (None, str(tmp_path), True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    look = look_at_folder(tmp_path / "file" / "state")
    assert (look.mode, look.above, look.above_writable) == (None, f"{tmp_path}/file", False)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    look = look_at_folder(tmp_path / "file")
    assert (look.mode is None, look.is_folder) == (False, False)


def test_links_are_told_with_what_they_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    for name, target in (("good", "real"), ("dangling", "gone"), ("circle", "circle")):
        (tmp_path / name).symlink_to(target)
    looks = {name: look_at_folder(tmp_path / name) for name in ("good", "dangling", "circle")}
    assert {name: look.link_to for name, look in looks.items()} == {
        "good": "real",
        "dangling": "gone",
        "circle": "circle",
    }
    assert {name: look.is_folder for name, look in looks.items()} == {"good": True, "dangling": False, "circle": False}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_another_is_named_one_folder_down_too(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    for name in ("farm.db", "locks/scale.lock", "locks/mine.lock"):
        (tmp_path / name).touch()
    os.chown(tmp_path / "farm.db", 65534, 65534)
    os.chown(tmp_path / "locks" / "scale.lock", 54321, 54321)
    assert look_at_folder(tmp_path, inner=("cache", "locks")).barred == (
        f"'{tmp_path}/farm.db' belongs to nobody",
        f"'{tmp_path}/locks/scale.lock' belongs to user 54321",
    )


def test_a_file_with_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.touch()
    file.chmod(0o640)
    assert (look_at_file(file).mode, look_at_file(file).stranger) == (0o640, None)
    with pytest.raises(UnreachableError, match="cannot be looked at: there is no such file"):
        look_at_file(tmp_path / "gone")


def test_where_an_archive_could_be_written(tmp_path: Path) -> None:
    (tmp_path / "jobs.jsonl").touch()
    (tmp_path / "file").touch()
    assert why_unwritable(tmp_path / "jobs.jsonl") is None
    assert why_unwritable(tmp_path / "new.jsonl") is None
    assert why_unwritable(tmp_path) == "it is no file"
    assert why_unwritable(tmp_path / "no" / "jobs.jsonl") == f"there is no folder '{tmp_path}/no'"
    assert why_unwritable(tmp_path / "file" / "jobs.jsonl") == f"'{tmp_path}/file' is no folder"
    assert not (tmp_path / "new.jsonl").exists()


def test_the_file_system_is_what_df_says(tmp_path: Path) -> None:
    system = file_system_of(tmp_path / "not" / "there" / "yet", locking=True)
    df = subprocess.run(["/bin/df", "--output=fstype", tmp_path], capture_output=True, text=True, check=True)
    assert system.kind == df.stdout.split()[-1]
    assert system.free > 0
    assert (system.device, system.read_only, system.lock_error) == (tmp_path.stat().st_dev, False, None)


@pytest.mark.skipif(not Path("/proc/self/mounts").exists(), reason="Linux names its mounts there")
def test_the_innermost_mount_counts() -> None:
    assert file_system_of(Path("/proc/self")).kind == "proc"
    assert file_system_of(Path("/sys")).kind == "sysfs"


def test_trying_locks_disturbs_nobody(tmp_path: Path) -> None:
    for _ in range(2):
        assert file_system_of(tmp_path, locking=True).lock_error is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace, to make flock fail")
@pytest.mark.parametrize(
    ("injected", "said"),
    [("error=ENOLCK", "no locks available"), ("retval=0", "a lock that one process holds does not keep others out")],
)
def test_locks_that_do_not_work_are_noticed(tmp_path: Path, injected: str, said: str) -> None:
    strace = [
        str(shutil.which("strace")),
        "-qq",
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "trace=flock",
        "-e",
        f"inject=flock:{injected}",
    ]
    done = subprocess.run(
        [*strace, sys.executable, "-c", LOCKS, tmp_path], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == f"{said}\n"
