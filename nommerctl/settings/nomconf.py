"""Media-nommer's settings file, nomconf.py: a Python module that is read and not executed.

Its assignments of plain values are understood: numbers, text, True, False, None, tuples and lists of these, sums,
differences and products (`60 * 5`), and names that were assigned before. What else there is stays undone, and is named.
No value of an AWS key is kept, nor of what it is made of, or what is made of it.
"""

import ast
import math
import warnings
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from nommerctl.domain.text import shown, storable
from nommerctl.errors import SettingsError
from nommerctl.settings.nomconf_keys import Keys

Scalar: TypeAlias = bool | int | float | str | None
Plain: TypeAlias = Scalar | tuple[Scalar, ...]

MOST_BYTES = 256 * 1024

_MOST_CHARACTERS = 10_000
_MOST_ITEMS = 1_000
_HIGHEST = 10**15
_DEEPEST = 50


class Assigned(NamedTuple):
    """The last value of a name, and the line of its assignment. `passed_on`: another value was made of it."""

    line: int
    value: Plain
    passed_on: bool = False


class Unread(NamedTuple):
    """Why there is no value of a name, or of a whole statement, in this line."""

    line: int
    why: str


class Nomconf(NamedTuple):
    """What a file says. `named` is what to call it; `undone` are the statements that are no assignments."""

    named: str
    assigned: Mapping[str, Assigned]
    unread: Mapping[str, Unread]
    undone: tuple[Unread, ...]


class _NotPlainError(Exception):
    """The value is more than a plain one; its text goes on after 'its value is'."""


def parse_nomconf(content: bytes, named: str) -> Nomconf:
    """Return what the file of this content, called so in sentences, says.

    Raises:
        SettingsError: it is no text, or no Python that is understood today.
    """
    module = _parsed(content, named)
    reader = _Reader(Keys(module))
    for statement in module.body:
        reader.read(statement)
    return Nomconf(named, reader.assigned, reader.unread, tuple(reader.undone))


def _parsed(content: bytes, named: str) -> ast.Module:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{named} is not UTF-8 text: see its byte {error.start + 1}"
        raise SettingsError(msg) from error
    if "\0" in text:
        msg = f"{named} cannot be read as Python 3: it holds a NUL character"
        raise SettingsError(msg)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what it would do if it were executed
            return ast.parse(text)
    except SyntaxError as error:
        msg = f"{named} cannot be read as Python 3: line {error.lineno or 1}: {shown(error.msg)}"
        raise SettingsError(msg) from error
    except (RecursionError, MemoryError) as error:
        msg = f"{named} is nested too deep to be read"
        raise SettingsError(msg) from error


class _Reader:
    """Goes through the statements of a module in their order."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.assigned: dict[str, Assigned] = {}
        self.unread: dict[str, Unread] = {}
        self.undone: list[Unread] = []

    def read(self, statement: ast.stmt) -> None:
        """Note what a statement assigns, or that it is not carried out."""
        match statement:
            case ast.Assign(targets=targets, value=value) if all(isinstance(each, ast.Name) for each in targets):
                self._assign(statement, value)
            case ast.AnnAssign(target=ast.Name(), value=ast.expr() as value):
                self._assign(statement, value)
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.Import():
                pass
            case _:
                self._pass_over(statement)

    def _assign(self, statement: ast.stmt, value: ast.expr) -> None:
        try:
            plain = self._open(statement, value)
        except _NotPlainError as error:
            self._forget(_bound(statement), Unread(statement.lineno, f"its value is {error}"))
            return
        for name in _bound(statement):
            self.unread.pop(name, None)
            self.assigned[name] = Assigned(statement.lineno, plain)

    def _open(self, statement: ast.stmt, value: ast.expr) -> Plain:
        if self._keys.hide(statement):
            msg = "made of an AWS key, or a part of one"
            raise _NotPlainError(msg)
        return self._plain(value)

    def _pass_over(self, statement: ast.stmt) -> None:
        self.undone.append(Unread(statement.lineno, f"{_kind(statement)} is not carried out"))
        lists = {
            each.id
            for each in ast.walk(statement)
            if isinstance(each, ast.Name) and each.id in self.assigned
            if isinstance(self.assigned[each.id].value, tuple)  # it may grow, as by append
        }
        why = f"{_kind(statement)} that is not carried out may change it"
        self._forget({*_bound(statement), *lists}, Unread(statement.lineno, why))

    def _forget(self, names: set[str], unread: Unread) -> None:
        for name in names:
            self.assigned.pop(name, None)
            self.unread[name] = unread

    def _plain(self, node: ast.expr, depth: int = 0) -> Plain:
        if depth > _DEEPEST:
            msg = "nested too deep"
            raise _NotPlainError(msg)
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return _limited(value)
            case ast.Name(id=name):
                return self._earlier(name)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return _limited(tuple(_scalar(self._plain(item, depth + 1)) for item in items))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _calculated(ast.Sub(), 0, self._plain(operand, depth + 1))
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() as op, right=right):
                return _calculated(op, self._plain(left, depth + 1), self._plain(right, depth + 1))
            case _:
                msg = "more than a plain one"
                raise _NotPlainError(msg)

    def _earlier(self, name: str) -> Plain:
        if name not in self.assigned:
            msg = f"made of '{shown(name)}', whose value is not known"
            raise _NotPlainError(msg)
        found = self.assigned[name]
        self.assigned[name] = found._replace(passed_on=True)
        return found.value


def _scalar(value: Plain) -> Scalar:
    if isinstance(value, tuple):
        msg = "a list of lists"
        raise _NotPlainError(msg)
    return value


def _calculated(op: ast.operator, left: Plain, right: Plain) -> Plain:
    match op, left, right:
        case ast.Add(), str(), str():
            return _limited(left + right)
        case ast.Add(), tuple(), tuple():
            return _limited((*left, *right))
        case ast.Add(), int() | float(), int() | float():
            return _limited(left + right)
        case ast.Sub(), int() | float(), int() | float():
            return _limited(left - right)
        case ast.Mult(), int() | float(), int() | float():
            return _limited(left * right)
        case _:
            msg = "calculated in a way that is not followed"
            raise _NotPlainError(msg)


def _limited(value: Plain) -> Plain:
    """Return a value of a size that settings have; so nothing that is made of it takes long either."""
    match value:
        case str():
            fits = len(value) <= _MOST_CHARACTERS and storable(value) == value
        case tuple():
            fits = len(value) <= _MOST_ITEMS
        case int() | float():
            fits = math.isfinite(value) and abs(value) <= _HIGHEST
        case None:
            fits = True
    if not fits:
        msg = "no proper text, or larger than any setting"
        raise _NotPlainError(msg)
    return value


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a statement may give another value, or take away, wherever they stand in it."""
    return {name for node in ast.walk(statement) for name in _bound_by(node)}


def _bound_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.alias(name=name, asname=other):
            yield other or name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case _:
            pass


def _kind(statement: ast.stmt) -> str:
    match statement:
        case ast.ImportFrom():
            return "an import from elsewhere"
        case ast.Expr():
            return "a call or expression"
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return "a definition"
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Delete():
            return "another change than 'NAME = value'"
        case _:
            return f"a block ('{type(statement).__name__.lower()}')"
