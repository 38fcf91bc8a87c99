"""The copy of AWS's models as files: made once, by who may, and not used at any doubt."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from botocore.loaders import Loader

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.model_copies import copy_folder
from nommerctl.adapters.aws.models import CutDownLoader
from nommerctl.adapters.aws.operations import OPERATIONS
from tests.adapters import processes
from tests.mounts import mounted

pytestmark = [pytest.mark.usefixtures("aws_account"), pytest.mark.slow]

NOBODY = 65534


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy."""
    folder = tmp_path_factory.mktemp("state") / "aws-models"
    CutDownLoader(folder, may_write=True).load_data("endpoints")
    return folder


@pytest.fixture
def folder(tmp_path: Path, made: Path) -> Path:
    """A copy of a test's own, that it may damage."""
    folder = tmp_path / "aws-models"
    shutil.copytree(made, folder)
    return folder


def use_copy(folder: Path | None, *, makes: bool) -> bool:
    """Make a client; return whether its model is cut down. It has what is needed in any case."""
    with closing(Clients(models=folder, makes_models=makes)) as clients:
        assert hasattr(clients.sqs, "receive_message")
        return not hasattr(clients.sqs, "list_queues")


def content(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


# --- made, or not ----------------------------------------------------------------------------------------------------


def test_who_may_write_makes_it_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "aws-models"
    assert use_copy(folder, makes=True)
    copy = copy_folder(folder)
    assert content(folder) == {copy.name, *(f"{copy.name}/{name}.json" for name in [*OPERATIONS, "shared"])}
    assert {oct(path.stat().st_mode & 0o777) for path in (folder, copy)} == {"0o700"}
    assert {oct(path.stat().st_mode & 0o777) for path in copy.iterdir()} == {"0o600"}


def test_a_dry_run_uses_it_and_makes_none(tmp_path: Path, folder: Path) -> None:
    assert use_copy(folder, makes=False)
    assert not use_copy(tmp_path / "none", makes=False)
    assert not (tmp_path / "none").exists()


def test_without_a_folder_the_models_are_botocores(folder: Path) -> None:
    assert not use_copy(None, makes=True)
    assert use_copy(folder, makes=False)


def test_it_is_made_once(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert use_copy(folder, makes=True)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_that_of_another_version_gives_way_and_so_does_an_unfinished_one(tmp_path: Path, made: Path) -> None:
    folder = tmp_path / "aws-models"
    for name in ("1.40.0-1-0123456789ab", f".{copy_folder(folder).name}-abcdefgh"):
        shutil.copytree(copy_folder(made), folder / name)
    assert not use_copy(folder, makes=False)
    assert use_copy(folder, makes=True)
    assert [path.name for path in folder.iterdir()] == [copy_folder(folder).name]


def test_another_botocore_has_another_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.__version__", "1.40.0")
    assert not use_copy(folder, makes=False)


MAKE = """
import pathlib, sys
from nommerctl.adapters.aws.clients import Clients
print("ready", flush=True)
sys.stdin.readline()
print(hasattr(Clients(models=pathlib.Path(sys.argv[1]), makes_models=True).sqs, "list_queues"))
"""


@pytest.mark.slow
def test_several_processes_make_it_at_once_and_one_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "aws-models"
    crowd = [processes.start(MAKE, folder) for _ in range(4)]
    for each in crowd:
        assert each.stdout
        assert each.stdout.readline() == "ready\n"
    said = [each.communicate("go\n", timeout=60)[0] for each in crowd]
    assert said == ["False\n"] * 4
    assert [path.name for path in folder.iterdir()] == [copy_folder(folder).name]
    assert use_copy(folder, makes=False)


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


def test_a_folder_that_cannot_be_written_to_is_no_error(shared: Path) -> None:
    shared.chmod(0o555)
    with unprivileged():
        assert not use_copy(shared / "aws-models", makes=True)
    assert content(shared) == set()


def test_a_folder_that_cannot_be_looked_into_is_no_error(shared: Path, made: Path) -> None:
    closed = shared / "closed"
    shutil.copytree(made, closed / "aws-models")
    closed.chmod(0)
    with unprivileged():
        assert not use_copy(closed / "aws-models", makes=True)
    closed.chmod(0o700)


@pytest.mark.parametrize("name", ["no/state/folder", "file/within", "x" * 300])
def test_a_folder_that_cannot_be_is_no_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    assert not use_copy(tmp_path / name, makes=True)
    assert content(tmp_path) == {"file"}


def test_a_full_disk_is_no_error(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", size="100k") as disk:
        assert not use_copy(disk.path / "aws-models", makes=True)
        assert content(disk.path) == {"aws-models"}


@pytest.mark.parametrize("lost", ["pricing", "ec2"])
def test_a_botocore_that_brings_less_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    own, less, folder = Path(Loader.BUILTIN_DATA_PATH), tmp_path / "data", tmp_path / "aws-models"
    less.mkdir()
    for path in own.iterdir():
        if path.name != lost:
            (less / path.name).symlink_to(path)
    monkeypatch.setattr(Loader, "BUILTIN_DATA_PATH", str(less))
    assert not use_copy(folder, makes=True)
    assert content(folder) == set()


# --- doubt -----------------------------------------------------------------------------------------------------------


def _flip(path: Path) -> None:
    text = bytearray(path.read_bytes())
    text[len(text) // 2] ^= 1
    path.write_bytes(text)


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _be_another(path: Path) -> None:
    path.write_bytes(path.with_name("ec2.json").read_bytes())


def _be_no_file(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _go_in_a_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _text(text: bytes) -> Callable[[Path], object]:
    """Have a text with the right checksum, as none would after damage: whatever it was, it is no model."""
    return lambda path: path.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a bit is another": _flip,
    "the end is missing": _cut_off,
    "it is empty": lambda path: path.write_bytes(b""),
    "it is zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "it is gone": Path.unlink,
    "it is that of another service": _be_another,
    "it is a folder": _be_no_file,
    "it is a link to itself": _go_in_a_circle,
    "it is no JSON": _text(b"{"),
    "it is another JSON": _text(b"[]"),
    "it has no models": _text(b'{"name":"sqs","api_version":"1"}'),
    "it is too deep": _text(b'{"name":"sqs","api_version":"1","models":' + b'{"a":' * 100_000),
}


@pytest.mark.parametrize("name", ["sqs", "shared"])
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_not_used_and_the_copy_goes(folder: Path, name: str, kind: str) -> None:
    DAMAGE[kind](copy_folder(folder) / f"{name}.json")
    before = content(folder)
    assert uses_botocores(folder, name, makes=False)
    assert content(folder) == before, "who may not write lets it be"
    assert uses_botocores(folder, name, makes=True)
    assert content(folder) == set()


def test_after_damage_the_next_command_makes_a_new_one(folder: Path) -> None:
    before = content(folder)
    _cut_off(copy_folder(folder) / "sqs.json")
    assert [use_copy(folder, makes=True) for _ in range(2)] == [False, True]
    assert content(folder) == before


def uses_botocores(folder: Path, name: str, *, makes: bool) -> bool:
    """Whether what this file has is botocore's own."""
    loader = CutDownLoader(folder, may_write=makes)
    if name == "shared":
        return "lambda" in loader.load_data("endpoints")["partitions"][0]["services"]
    return "ListQueues" in loader.load_service_model(name, "service-2")["operations"]


def test_what_was_read_before_the_damage_was_found_goes_on_being_used(folder: Path) -> None:
    _flip(copy_folder(folder) / "ec2.json")
    with closing(Clients(models=folder, makes_models=True)) as clients:
        assert not hasattr(clients.sqs, "list_queues")
        assert hasattr(clients.ec2, "describe_volumes")
        assert hasattr(clients.dynamodb, "list_tables")
        assert not hasattr(clients.sqs, "list_queues")


def test_a_copy_that_others_may_write_in_is_made_anew(folder: Path) -> None:
    copy_folder(folder).chmod(0o770)
    assert not use_copy(folder, makes=False)
    assert not use_copy(folder, makes=True)
    assert use_copy(folder, makes=True)
    assert oct(copy_folder(folder).stat().st_mode & 0o777) == "0o700"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_copy_of_another_user_is_not_used(folder: Path) -> None:
    os.chown(copy_folder(folder), NOBODY, NOBODY)
    assert not use_copy(folder, makes=False)


def test_a_link_to_a_copy_is_not_used(tmp_path: Path, made: Path) -> None:
    folder = tmp_path / "aws-models"
    folder.mkdir()
    copy_folder(folder).symlink_to(copy_folder(made))
    assert not use_copy(folder, makes=False)


# --- models that a user gave botocore --------------------------------------------------------------------------------


def test_a_folder_of_models_in_the_settings_of_aws_goes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", "/srv/models")
    assert not use_copy(folder, makes=True)


def test_models_in_the_home_go_first(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ask = (
        "import pathlib, sys; from nommerctl.adapters.aws.clients import Clients;"
        "print(hasattr(Clients(models=pathlib.Path(sys.argv[1])).sqs, 'list_queues'))"
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert processes.run(ask, folder) == "False\n"
    (tmp_path / "home" / ".aws" / "models").mkdir(parents=True)
    assert processes.run(ask, folder) == "True\n"
