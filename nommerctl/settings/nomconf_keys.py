"""Which assignments of a nomconf.py have to do with its AWS keys, so that nothing of these is ever kept."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

_KEYS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})


class _Flow(NamedTuple):
    """Names that get a value, and the names that stand in what it is made of."""

    to: frozenset[str]
    of: frozenset[str]


class Keys:
    """The names in a module that a key is made of, and those that are made of any of these."""

    def __init__(self, module: ast.Module) -> None:
        flows = [flow for node in ast.walk(module) for flow in _flows(node)]
        assigned = frozenset[str]().union(*(flow.to for flow in flows))
        self._parts = _closure(_KEYS, [_Flow(to=flow.to | (flow.of & assigned), of=flow.to) for flow in flows])
        self._secrets = _closure(self._parts, flows)

    def hide(self, statement: ast.stmt) -> bool:
        """Whether an assignment is one of a key, or of a part of one, or of what is made of these."""
        return any(flow.to & self._parts or flow.of & self._secrets for flow in _flows(statement))


def _closure(names: frozenset[str], flows: list[_Flow]) -> frozenset[str]:
    """Return the names, and all that these flow to."""
    found = names
    while more := frozenset[str]().union(*(flow.to for flow in flows if flow.of & found)) - found:
        found |= more
    return found


def _flows(node: ast.AST) -> Iterator[_Flow]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield _Flow(frozenset(name for each in targets for name in _names(each)), frozenset(_names(value)))
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.AugAssign(target=target, value=value):
            yield _Flow(frozenset(_names(target)), frozenset(_names(value)))
        case ast.NamedExpr(target=target, value=value):
            yield _Flow(frozenset(_names(target)), frozenset(_names(value)))
        case _:
            pass


def _names(node: ast.AST) -> Iterator[str]:
    return (each.id for each in ast.walk(node) if isinstance(each, ast.Name))
