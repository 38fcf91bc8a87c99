"""Tab-separated text for pipes: a header, one line for each record, nothing shortened."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from nommerctl.domain.text import tsv_cell

Cell: TypeAlias = str | int | float | bool | None


def _written(value: Cell) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return tsv_cell(value)
        case _:
            return str(value)


def tsv_line(row: Iterable[Cell]) -> str:
    """Return one line, without its end; what is unknown (None) is an empty cell."""
    return "\t".join(_written(value) for value in row)


def tsv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a header line and a line for each row; what is unknown (None) is an empty cell."""
    lines = ["\t".join(header), *map(tsv_line, rows)]
    return "\n".join(lines) + "\n"
