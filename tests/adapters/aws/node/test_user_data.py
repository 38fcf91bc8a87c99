"""What nodes are given to run when they come up."""

import ast
import json
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import structs

from nommerctl.adapters.aws.node.user_data import LARGEST, BucketPackage, IndexPackage, NodeBoot, bare, user_data
from nommerctl.errors import SettingsError
from tests import node_lock

WHEEL = "nommerctl-0.1.0-py3-none-any.whl"
BOOT = NodeBoot(
    farm="films",
    region="ap-southeast-1",
    ledger_table="nommerctl-films-ledger",
    package=BucketPackage("nommerctl-films-123456789012-ap-southeast-1", f"wheels/{WHEEL}", WHEEL, "a" * 64),
    index_url="https://packages.example.org/repository/python/simple",
)


@dataclass
class Program:
    """User data, read again: what its constants are."""

    text: str

    def constant(self, name: str) -> Any:  # noqa: ANN401 - a constant
        for node in ast.parse(self.text).body:
            match node:
                case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                    return ast.literal_eval(value)
                case _:
                    pass
        raise KeyError(name)


def test_it_is_a_program_with_what_the_farm_is_and_the_lock_in_it() -> None:
    program = Program(user_data(BOOT))
    assert program.text.startswith("#!/usr/bin/python3\n")
    assert json.loads(program.constant("CONFIGURATION")) == {
        "farm": "films",
        "region": "ap-southeast-1",
        "ledger_table": "nommerctl-films-ledger",
        "index_url": "https://packages.example.org/repository/python/simple",
        "bucket": "nommerctl-films-123456789012-ap-southeast-1",
        "key": f"wheels/{WHEEL}",
        "file_name": WHEEL,
        "hashes": f"--hash=sha256:{'a' * 64}",
    }
    assert program.constant("LOCK") == node_lock.LOCK.read_text()


def test_a_release_on_the_index_is_named_with_all_its_hashes() -> None:
    package = IndexPackage("0.1.0", ("a" * 64, "b" * 64))
    told = json.loads(Program(user_data(structs.replace(BOOT, package=package))).constant("CONFIGURATION"))
    assert (told["bucket"], told["version"]) == ("", "0.1.0")
    assert told["hashes"] == f"--hash=sha256:{'a' * 64} --hash=sha256:{'b' * 64}"


def test_the_longest_names_leave_room() -> None:
    longest = structs.replace(BOOT, farm="f" * 40, ledger_table=f"nommerctl-{'f' * 40}-ledger")
    assert len(user_data(longest).encode()) < LARGEST


def test_what_ec2_would_not_take_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^the user data of nodes has \d{5} bytes, and EC2 takes 16384: shorten"):
        user_data(structs.replace(BOOT, index_url=f"https://example.org/{'x' * 3000}"))


def test_a_password_of_the_index_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^aws\.index_url has credentials in it") as refused:
        user_data(structs.replace(BOOT, index_url="https://reader:hunter2@packages.example.org/simple"))
    assert "hunter2" not in str(refused.value)


def test_nothing_of_whoever_makes_it_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "AWS_ACCESS_KEY_ID": "AKIACANARY",
        "AWS_SECRET_ACCESS_KEY": "canary/secret",
        "AWS_SESSION_TOKEN": "canary=",
    }
    before = user_data(BOOT)
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    text = user_data(BOOT)
    assert text == before
    assert not any(value in text for value in secrets.values())


def test_comments_and_docstrings_stay_behind_and_nothing_else() -> None:
    source = '''"""A program
of two lines."""

import sys  # for exit

# A comment.

TEXT = """\\
# no comment

"no docstring"
"""


class Wrong(Exception):
    """Alone."""


def main() -> str:
    """Do it.

    And more.
    """
    # another
    return f"# {TEXT}"
'''
    assert (
        bare(source)
        == '''import sys
TEXT = """\\
# no comment

"no docstring"
"""
class Wrong(Exception):
    pass
def main() -> str:
    return f"# {TEXT}"
'''
    )
