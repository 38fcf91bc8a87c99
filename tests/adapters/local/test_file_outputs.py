"""Outputs beside their destination: a destination is never anything but the old file or the whole new one."""

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nommerctl.adapters.local.files import FileStorage
from nommerctl.errors import LeaseLostError, TransferError
from nommerctl.ports import Output, Storage
from tests.adapters.local.folders import ODD_NAMES, names

STORAGE: Storage = FileStorage()


def permit() -> None:
    """The lease is still held."""


def refuse() -> None:
    msg = "the job is another worker's now"
    raise LeaseLostError(msg)


def leftovers(folder: Path) -> list[str]:
    return [name for name in names(folder) if name.startswith(".nommerctl-")]


def encode(output: Output, content: bytes = b"encoded") -> None:
    output.path.write_bytes(content)


@pytest.mark.parametrize("name", [*ODD_NAMES, "x" * 255])
def test_an_output_appears_at_its_destination_when_it_is_placed_and_not_before(tmp_path: Path, name: str) -> None:
    dest = tmp_path / name
    with STORAGE.output(str(dest), "0123456789abcdef-1") as output:
        assert output.path.parent == tmp_path
        encode(output)
        assert not dest.exists()
        output.place(permit)
        assert dest.read_bytes() == b"encoded"
    assert names(tmp_path) == [name]


def test_an_output_replaces_what_was_there_as_a_new_file_of_usual_permissions(tmp_path: Path) -> None:
    dest = tmp_path / "a.mp4"
    dest.write_bytes(b"old, and longer than the new one")
    dest.chmod(0o600)
    with STORAGE.output(str(dest), "job-1") as output:
        output.path.unlink()
        encode(output)
        output.path.chmod(0o600)
        output.place(permit)
    (tmp_path / "usual").touch()
    assert dest.read_bytes() == b"encoded"
    assert stat.S_IMODE(dest.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_an_output_takes_the_place_of_a_symbolic_link_not_of_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "pointed-to").write_bytes(b"precious")
    (tmp_path / "link.mp4").symlink_to("pointed-to")
    with STORAGE.output(str(tmp_path / "link.mp4"), "job-1") as output:
        encode(output)
        output.place(permit)
    assert not (tmp_path / "link.mp4").is_symlink()
    assert (tmp_path / "link.mp4").read_bytes() == b"encoded"
    assert (tmp_path / "pointed-to").read_bytes() == b"precious"


def test_a_folder_reached_by_a_symbolic_link_gets_the_output(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with STORAGE.output(str(tmp_path / "link" / "a.mp4"), "job-1") as output:
        encode(output)
        output.place(permit)
    assert (tmp_path / "real" / "a.mp4").read_bytes() == b"encoded"


def test_an_output_that_is_not_permitted_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    dest = tmp_path / "a.mp4"
    dest.write_bytes(b"old")
    before = dest.stat()
    with STORAGE.output(str(dest), "job-1") as output:
        encode(output)
        with pytest.raises(LeaseLostError):
            output.place(refuse)
    assert dest.read_bytes() == b"old"
    assert (dest.stat().st_ino, dest.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert leftovers(tmp_path) == []


def test_an_output_that_is_not_placed_is_thrown_away(tmp_path: Path) -> None:
    with STORAGE.output(str(tmp_path / "a.mp4"), "job-1") as output:
        encode(output)
    output.discard()
    assert names(tmp_path) == []


def test_an_output_that_nothing_was_written_to_replaces_nothing(tmp_path: Path) -> None:
    dest = tmp_path / "a.mp4"
    dest.write_bytes(b"old")
    with pytest.raises(TransferError) as refused, STORAGE.output(str(dest), "job-1") as output:
        output.place(permit)
    assert str(refused.value) == f"'{dest}' is not replaced: what was to be put there is empty"
    assert dest.read_bytes() == b"old"


def test_a_destination_that_has_become_a_folder_stays_one(tmp_path: Path) -> None:
    dest = tmp_path / "a.mp4"
    with STORAGE.output(str(dest), "job-1") as output:
        encode(output)
        dest.mkdir()
        (dest / "precious").touch()
        with pytest.raises(TransferError) as refused:
            output.place(permit)
    assert str(refused.value) == f"'{dest}' cannot be written: it is a folder"
    assert names(dest) == ["precious"]
    assert leftovers(tmp_path) == []


def test_a_folder_that_is_gone_by_then_is_told(tmp_path: Path) -> None:
    with pytest.raises(TransferError) as refused, STORAGE.output(f"{tmp_path}/gone/a.mp4", "job-1"):
        pass
    assert str(refused.value) == f"'{tmp_path}/gone/a.mp4' cannot be written: its folder does not exist"


def test_a_worker_whose_output_was_removed_places_nothing(tmp_path: Path) -> None:
    dest = tmp_path / "a.mp4"
    with STORAGE.output(str(dest), "job-2") as output:
        encode(output, b"of this worker")
        output.path.unlink()
        with pytest.raises(TransferError) as refused:
            output.place(permit)
    assert str(refused.value) == f"'{dest}' cannot be written: what was to be put there has been removed"
    assert not dest.exists()


def test_an_attempt_takes_away_what_earlier_ones_still_write(tmp_path: Path) -> None:
    dest = tmp_path / "a.mp4"
    with STORAGE.output(str(dest), "job-9-lease") as presumed_dead:
        encode(presumed_dead, b"of the first worker")
        with STORAGE.output(str(dest), "job-10-lease"):
            assert leftovers(tmp_path) == [".nommerctl-job-10-lease.part"]
    assert leftovers(tmp_path) == []


def test_an_attempt_that_comes_late_leaves_alone_what_its_successor_writes(tmp_path: Path) -> None:
    dest = tmp_path / "a.mp4"
    with STORAGE.output(str(dest), "job-10-lease") as successor:
        encode(successor)
        with STORAGE.output(str(dest), "job-9-lease"):
            pass
        successor.place(permit)
    assert dest.read_bytes() == b"encoded"


def test_a_successor_stops_even_what_has_been_permitted(tmp_path: Path) -> None:
    # given an attempt that is stopped when it was permitted to move its output, and has not done so
    dest = tmp_path / "a.mp4"

    def be_succeeded() -> None:
        with STORAGE.output(str(dest), "job-2") as successor:
            encode(successor, b"of the successor")
            successor.place(permit)

    with STORAGE.output(str(dest), "job-1") as output:
        encode(output)
        # when it goes on after a successor has done its work
        with pytest.raises(TransferError):
            output.place(be_succeeded)
    # then
    assert dest.read_bytes() == b"of the successor"
    assert names(tmp_path) == ["a.mp4"]


def test_word_of_an_output_is_left_before_it_is_there(tmp_path: Path) -> None:
    found: list[tuple[Path, bool]] = []
    with STORAGE.output(str(tmp_path / "a.mp4"), "job-1", lambda path: found.append((path, path.exists()))) as output:
        assert found == [(output.path, False)]


def test_what_another_job_writes_to_the_same_folder_is_left_alone(tmp_path: Path) -> None:
    with STORAGE.output(str(tmp_path / "a.mp4"), "job-1"), STORAGE.output(str(tmp_path / "b.mp4"), "job2-1"):
        assert leftovers(tmp_path) == [".nommerctl-job-1.part", ".nommerctl-job2-1.part"]


KILLED = """
import sys, time
from nommerctl.adapters.local.files import FileStorage
with FileStorage().output(sys.argv[1], "job-1") as output:
    output.path.write_bytes(b"half")
    print("written", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_worker_left_is_removed_by_the_next_attempt(tmp_path: Path) -> None:
    dest = tmp_path / "a.mp4"
    dest.write_bytes(b"old")
    with subprocess.Popen([sys.executable, "-c", KILLED, str(dest)], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        worker.send_signal(signal.SIGKILL)
    assert leftovers(tmp_path) == [".nommerctl-job-1.part"]
    assert dest.read_bytes() == b"old"
    with STORAGE.output(str(dest), "job-2") as output:
        encode(output)
        assert leftovers(tmp_path) == [".nommerctl-job-2.part"]
        output.place(permit)
    assert leftovers(tmp_path) == []
