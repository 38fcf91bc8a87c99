"""What nodes install: wheels of the right version, pinned by what is really in them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from nommerctl.adapters.aws.node.packages import hashes_in_index, wheel_file
from nommerctl.errors import SettingsError, UnreachableError
from tests.web import Web, reply, serving
from tests.wheels import empty_wheel

PATH = "/simple/nommerctl/"


def nothing() -> None:
    """Go on."""


def listed(*files: tuple[str, str]) -> bytes:
    return json.dumps({"files": [{"filename": name, "hashes": {"sha256": digest}} for name, digest in files]}).encode()


@contextmanager
def index(status: int, body: bytes) -> Iterator[Web]:
    with serving({PATH: reply(status, body)}) as web:
        yield web


def test_an_index_tells_the_hashes_of_the_wheels_of_a_version() -> None:
    files = (
        ("nommerctl-1.2.0-py3-none-any.whl", "aa"),
        ("nommerctl-1.2.0.tar.gz", "bb"),
        ("nommerctl-1.2.1-py3-none-any.whl", "cc"),
    )
    with index(200, listed(*files)) as web:
        assert hashes_in_index(web.url("/simple/"), "1.2.0", keep_on=nothing) == ("aa",)
    assert web.asked[0].headers["Accept"] == "application/vnd.pypi.simple.v1+json"


@pytest.mark.parametrize("status", [200, 404])
def test_a_version_that_the_index_does_not_have_is_said_with_what_to_do(status: int) -> None:
    another = listed(("nommerctl-1.2.1-py3-none-any.whl", "cc"))
    with index(status, another) as web, pytest.raises(SettingsError) as refused:
        hashes_in_index(web.url("/simple"), "1.2.0", keep_on=nothing)
    assert str(refused.value) == (
        f"the package index {web.url('/simple')} does not have nommerctl 1.2.0 as a wheel: set aws.package to one that"
        " 'pip wheel --no-deps' made of it, or aws.index_url to an index that has it"
    )


def test_what_is_no_index_is_said() -> None:
    said = "answers with something else than a package index does"
    with index(200, b"<html>") as web, pytest.raises(UnreachableError, match=said):
        hashes_in_index(web.url("/simple"), "1.2.0", keep_on=nothing)


def test_an_index_that_is_away_is_said() -> None:
    with pytest.raises(UnreachableError, match=r"the package index cannot be asked for nommerctl 1\.2\.0: "):
        hashes_in_index("http://127.0.0.1:9/simple", "1.2.0", keep_on=nothing)


def test_a_wheel_is_pinned_by_what_is_in_it(tmp_path: Path) -> None:
    wheel = empty_wheel(tmp_path, "1.2.0")
    found = wheel_file(wheel, "1.2.0")
    assert (found.name, found.sha256) == (wheel.name, sha256(wheel.read_bytes()).hexdigest())


def test_what_is_only_called_like_a_wheel_is_refused_before_nodes_get_it(tmp_path: Path) -> None:
    wheel = empty_wheel(tmp_path, "1.2.0")
    sound = wheel.read_bytes()
    other_package = empty_wheel(tmp_path, "1.2.1").read_bytes()
    for content in (b"", b"a wheel", sound[:-1], sound.replace(b"Name: nommerctl", b"Name: nommercTL"), other_package):
        wheel.write_bytes(content)
        with pytest.raises(
            SettingsError, match=r"aws\.package, '.*', is called like a wheel and is none, or a damaged"
        ):
            wheel_file(wheel, "1.2.0")


@pytest.mark.parametrize("name", ["nommerctl-1.1.0-py3-none-any.whl", "nommerctl-1.2.0.tar.gz", "x.whl", "a b.whl"])
def test_another_version_and_what_is_no_wheel_are_refused(tmp_path: Path, name: str) -> None:
    wheel = tmp_path / name
    wheel.write_bytes(b"a wheel")
    with pytest.raises(SettingsError, match=r"aws\.package, '.*', is no wheel of nommerctl 1\.2\.0: name one"):
        wheel_file(wheel, "1.2.0")


def test_a_wheel_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"aws\.package, '.*', cannot be read: No such file or directory"):
        wheel_file(tmp_path / "nommerctl-1.2.0-py3-none-any.whl", "1.2.0")
