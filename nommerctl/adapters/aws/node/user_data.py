"""The user data of nodes: the program boot.py, with what one farm's nodes have to know and the lock filled in.

Whoever may describe the launch template can read it, so nothing secret stands in it.
"""

import ast
import io
import json
import tokenize
from importlib.resources import files

from msgspec import Struct

from nommerctl.domain.credentials import has_credentials
from nommerctl.errors import SettingsError

FIRST_LINE = "#!/usr/bin/python3\n"
"""By which cloud-init knows a program, and what runs it."""

LARGEST = 16 * 1024
"""Bytes of user data before they are encoded (EC2 User Guide, "Run commands when you launch an EC2 instance")."""


class IndexPackage(Struct, frozen=True):
    """A release of nommerctl on the package index, and the sha256 of each of its files that may be installed."""

    version: str
    sha256s: tuple[str, ...]


class BucketPackage(Struct, frozen=True):
    """A wheel of nommerctl that lies in a bucket; `file_name` is what pip has to see it called."""

    bucket: str
    key: str
    file_name: str
    sha256: str


class NodeBoot(Struct, frozen=True, kw_only=True):
    """What the nodes of a farm have to know to come up. An empty `index_url` is that of pip."""

    farm: str
    region: str
    ledger_table: str
    package: IndexPackage | BucketPackage
    index_url: str = ""


def user_data(boot: NodeBoot) -> str:
    """Return the program that cloud-init runs on a node.

    Raises:
        SettingsError: aws.index_url has a password in it, or all of it is more than EC2 takes.
    """
    if has_credentials(boot.index_url):
        msg = "aws.index_url has credentials in it, and user data is no place for them: give nodes an index without"
        raise SettingsError(msg)
    place = files("nommerctl.adapters.aws.node")
    program = FIRST_LINE + bare(place.joinpath("boot.py").read_text())
    lock = place.joinpath("requirements.txt").read_text()
    for name, usual, value in (("CONFIGURATION", '"{}"', _configuration(boot)), ("LOCK", '""', lock)):
        before, found, after = program.partition(f"{name} = {usual}\n")
        if not found:
            msg = f"boot.py has no place for {name}"
            raise ValueError(msg)
        program = f"{before}{name} = {_literal(value)}\n{after}"
    size = len(program.encode())
    if size > LARGEST:
        msg = f"the user data of nodes has {size} bytes, and EC2 takes {LARGEST}: shorten aws.index_url or farm.name"
        raise SettingsError(msg)
    return program


def _configuration(boot: NodeBoot) -> str:
    told = {"farm": boot.farm, "region": boot.region, "ledger_table": boot.ledger_table, "index_url": boot.index_url}
    match boot.package:
        case IndexPackage(version, sha256s):
            package = {"bucket": "", "version": version, "hashes": _hashes(*sha256s)}
        case BucketPackage(bucket, key, file_name, sha256):
            package = {"bucket": bucket, "key": key, "file_name": file_name, "hashes": _hashes(sha256)}
    return json.dumps(told | package, sort_keys=True)


def _hashes(*sha256s: str) -> str:
    return " ".join(f"--hash=sha256:{each}" for each in sha256s)


def _literal(text: str) -> str:
    return f'"""\\\n{text}"""' if text.endswith("\n") else repr(text)


def bare(source: str) -> str:
    """Return a program without its comments, docstrings and blank lines: what runs, line by line as it was written."""
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        number, column = token.start
        if token.type == tokenize.COMMENT:
            lines[number - 1] = f"{lines[number - 1][:column].rstrip()}\n"
    for block in (node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)):
        for docstring in filter(_is_docstring, block.body):
            instead = "pass\n" if len(block.body) == 1 else "\n"
            here = slice(docstring.lineno - 1, docstring.end_lineno)
            lines[here] = [" " * docstring.col_offset + instead, *["\n"] * (len(lines[here]) - 1)]
    texts = {
        number
        for node in ast.walk(ast.parse("".join(lines)))
        if isinstance(node, ast.Constant | ast.JoinedStr)
        for number in range(node.lineno, node.end_lineno or node.lineno)
    }
    return "".join(line for number, line in enumerate(lines, 1) if line.strip() or number in texts)


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
