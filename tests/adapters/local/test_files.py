"""Files as sources, and as destinations before anything is written: what is taken, and what is refused and why."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nommerctl.adapters.local.files import FileStorage
from nommerctl.adapters.os_errors import reason
from nommerctl.errors import LeaseLostError, TransferError, UsageError
from nommerctl.ports import Storage
from tests.adapters.local.folders import ODD_NAMES, names

STORAGE: Storage = FileStorage()
NOBODY = 65534


def permit() -> None:
    """The lease is still held."""


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be a user whom permission bits bind, as root is not."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


# --- sources ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_source_of_any_name_is_looked_at_and_staged_under_a_plain_one(tmp_path: Path, name: str) -> None:
    source, folder = tmp_path / name, tmp_path / "work"
    source.write_bytes(b"film")
    folder.mkdir()
    look = STORAGE.look(str(source))
    staged = STORAGE.fetch(str(source), folder, permit)
    assert (look.size, look.modified) == (4, source.stat().st_mtime_ns // 1000)
    assert (staged, staged.read_bytes()) == (folder / "source", b"film")


def test_an_empty_source_has_size_0(tmp_path: Path) -> None:
    (tmp_path / "empty.mov").touch()
    assert STORAGE.look(str(tmp_path / "empty.mov")).size == 0


def test_a_source_is_staged_again_by_a_later_attempt(tmp_path: Path) -> None:
    (tmp_path / "a.mov").write_bytes(b"film")
    for _ in range(2):
        assert STORAGE.fetch(str(tmp_path / "a.mov"), tmp_path, permit).read_bytes() == b"film"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing.mov", "there is no such file"),
        ("folder", "it is a folder"),
        ("pipe", "it is neither a file nor a folder"),
        ("dangling", "there is no such file"),
        ("circle", "its symbolic links go in a circle"),
        ("film.mov/", "a part of the path is not a folder"),
        ("x" * 256, "the name is too long"),
    ],
)
def test_a_source_that_is_no_readable_file_is_refused_at_a_look_and_at_work(
    tmp_path: Path, name: str, why: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "film.mov").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    sentence = f"'{tmp_path}/{name}' cannot be read: {why}"
    with pytest.raises(UsageError) as at_submit:
        STORAGE.look(f"{tmp_path}/{name}")
    with pytest.raises(TransferError) as at_work:
        STORAGE.fetch(f"{tmp_path}/{name}", tmp_path, permit)
    assert [str(at_submit.value), str(at_work.value)] == [sentence, sentence]


def test_a_source_that_this_user_may_not_read_is_refused(shared: Path) -> None:
    (shared / "secret.mov").write_bytes(b"film")
    (shared / "secret.mov").chmod(0)
    with unprivileged(), pytest.raises(UsageError) as refused:
        STORAGE.look(str(shared / "secret.mov"))
    assert str(refused.value) == f"'{shared}/secret.mov' cannot be read: permission denied"


def test_a_message_shows_control_characters_as_escapes(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        STORAGE.look(f"{tmp_path}/\x1b[2J\n.mov")
    assert str(refused.value) == rf"'{tmp_path}/\x1b[2J\n.mov' cannot be read: there is no such file"


def test_staging_stops_when_the_job_is_to_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "a.mov").touch()

    def refuse() -> None:
        msg = "the job is another worker's now"
        raise LeaseLostError(msg)

    with pytest.raises(LeaseLostError):
        STORAGE.fetch(str(tmp_path / "a.mov"), tmp_path, refuse)


# --- checks of destinations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ODD_NAMES, "old.mp4", "link-to-file", "dangling"])
def test_a_destination_that_can_be_written_passes_and_nothing_is_left_behind(tmp_path: Path, name: str) -> None:
    (tmp_path / "old.mp4").touch()
    (tmp_path / "link-to-file").symlink_to("old.mp4")
    (tmp_path / "dangling").symlink_to("nowhere")
    before = names(tmp_path), tmp_path.stat().st_mtime_ns
    STORAGE.check_destination(str(tmp_path / name))
    assert (names(tmp_path), tmp_path.stat().st_mtime_ns) == before


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no/a.mp4", "there is no folder '{}/no': make it first"),
        ("file/a.mp4", "'{}/file' is not a folder"),
        ("file/x/a.mp4", "'{}/file/x/a.mp4' cannot be written: a part of the path is not a folder"),
        ("folder", "'{}/folder' is a folder: name the file to write in it"),
        ("link-to-folder", "'{}/link-to-folder' is a folder: name the file to write in it"),
        ("new/", "'{}/new/' is a folder: name the file to write in it"),
        ("pipe", "'{}/pipe' is neither a file nor a folder and is not replaced"),
        ("circle", "'{}/circle' cannot be written: its symbolic links go in a circle"),
        ("x" * 256, f"'{'x' * 256}' is too long for a file name: 256 bytes, the limit is 255"),
    ],
)
def test_a_destination_that_cannot_be_written_is_refused_with_the_reason(
    tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link-to-folder").symlink_to("folder")
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError) as refused:
        STORAGE.check_destination(f"{tmp_path}/{name}")
    assert str(refused.value) == sentence.format(tmp_path)


def test_a_device_is_no_destination() -> None:
    with pytest.raises(UsageError, match="'/dev/null' is neither a file nor a folder and is not replaced"):
        STORAGE.check_destination("/dev/null")


def test_a_folder_that_this_user_may_not_write_to_is_refused_by_check_and_at_work(shared: Path) -> None:
    shared.chmod(0o555)
    with unprivileged():
        with pytest.raises(UsageError) as at_submit:
            STORAGE.check_destination(str(shared / "a.mp4"))
        with pytest.raises(TransferError) as at_work, STORAGE.output(str(shared / "a.mp4"), "job-1"):
            pass
    assert str(at_submit.value) == f"folder '{shared}' cannot be written to: permission denied"
    assert str(at_work.value) == f"'{shared}/a.mp4' cannot be written: permission denied"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a file of another user")
def test_a_file_of_another_user_in_a_folder_like_tmp_is_refused(shared: Path) -> None:
    shared.chmod(0o1777)
    (shared / "theirs.mp4").touch()
    with unprivileged():
        STORAGE.check_destination(str(shared / "mine.mp4"))
        with pytest.raises(UsageError) as refused:
            STORAGE.check_destination(str(shared / "theirs.mp4"))
    assert str(refused.value) == f"'{shared}/theirs.mp4' cannot be written: permission denied"


def read_only_folders() -> Iterator[Path]:
    for mount in Path("/proc/self/mounts").read_text().splitlines():
        folder = Path(mount.split()[1])
        if folder.is_dir() and os.statvfs(folder).f_flag & os.ST_RDONLY:
            yield folder


@pytest.mark.skipif(not Path("/proc/self/mounts").exists(), reason="does not tell what is mounted")
def test_a_read_only_file_system_is_refused() -> None:
    folder = next(read_only_folders(), None)
    if folder is None:
        pytest.skip("nothing is mounted read-only")
    with pytest.raises(UsageError) as refused:
        STORAGE.check_destination(f"{folder}/a.mp4")
    assert str(refused.value) == f"'{folder}/a.mp4' cannot be written: the file system is read-only"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space is left on the disk"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EIO, "input/output error"),
    ],
)
def test_what_is_hard_to_provoke_has_its_words_too(number: int, words: str) -> None:
    assert reason(OSError(number, os.strerror(number))) == words
