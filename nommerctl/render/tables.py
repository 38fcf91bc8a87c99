"""Tables for a terminal: every record is one line, and under it, where there is something to say, one quiet note.

What rich's own Table would do otherwise: it wraps a record over many lines or cuts every column alike, and cannot let
a note run across the columns. Here columns that matter less are left out until the others have room.
"""

from collections.abc import Callable, Sequence
from textwrap import wrap

from msgspec import Struct

from nommerctl.render.shorten import cells, shorten_end
from nommerctl.render.styled import HEADING, QUIET, Line, Span, draw, trimmed

GAP = "  "


class Column(Struct, frozen=True):
    """A column: what stands over it, and what happens to it when there is little room.

    A column with a `floor` may be cut down to so many cells, by `shorten`. One with an `expendable` above 0 is left
    out when nothing is in it, and, the highest first, when the floors of all the columns do not fit.
    """

    title: str
    expendable: int = 0
    floor: int | None = None
    shorten: Callable[[str, int], str] = shorten_end
    right: bool = False


class Row(Struct, frozen=True):
    """A record: a cell for each column, all of them fit to be shown, and a note to stand below it."""

    cells: tuple[Span, ...]
    note: Span | None = None


def table(columns: Sequence[Column], rows: Sequence[Row], foot: str, *, width: int, color: bool) -> str:
    """Return the table, and after an empty line its foot; no line takes more than `width` cells."""
    lines: list[Line] = []
    if rows:
        lines = [*_drawn(columns, rows, width), ()]
    lines += [(Span(line, QUIET),) for line in wrap(foot, width)]
    return draw((_cut(line, width) for line in lines), color=color)


def _drawn(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[Line]:
    natural = [
        max(cells(column.title), *(cells(row.cells[place].text) for row in rows))
        for place, column in enumerate(columns)
    ]
    kept = _kept(columns, rows, natural, width)
    widths = _widths([columns[place] for place in kept], [natural[place] for place in kept], width)
    layout = [(place, columns[place], room) for place, room in zip(kept, widths, strict=True)]
    lines: list[Line] = [
        [span for _, column, room in layout for span in _padded(Span(column.title, HEADING), column, room)],
        [Span("─" * min(width, sum(widths) + len(GAP) * (len(widths) - 1)), QUIET)],
    ]
    indent = " " * (widths[0] + len(GAP))
    for row in rows:
        lines.append([span for place, column, room in layout for span in _padded(row.cells[place], column, room)])
        if row.note is not None:
            lines.append((Span(indent + "└ ", QUIET), row.note))
    return lines


def _kept(columns: Sequence[Column], rows: Sequence[Row], natural: Sequence[int], width: int) -> list[int]:
    """The places of the columns that have something to say and find room."""
    places = [
        place
        for place, column in enumerate(columns)
        if not column.expendable or any(row.cells[place].text for row in rows)
    ]
    while sum(_least(columns[place], natural[place]) + len(GAP) for place in places) - len(GAP) > width:
        expendable = max(places, key=lambda place: columns[place].expendable)
        if not columns[expendable].expendable:
            break
        places.remove(expendable)
    return places


def _least(column: Column, natural: int) -> int:
    return natural if column.floor is None else min(natural, column.floor)


def _widths(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """Start every column with the least it takes, and share what is left evenly among those that want more."""
    widths = [_least(column, wanted) for column, wanted in zip(columns, natural, strict=True)]
    rest = width - sum(widths) - len(GAP) * (len(columns) - 1)
    wanting = sorted(range(len(columns)), key=lambda place: natural[place] - widths[place])
    for done, place in enumerate(wanting):
        more = min(natural[place] - widths[place], max(rest, 0) // (len(wanting) - done))
        widths[place] += more
        rest -= more
    return widths


def _padded(cell: Span, column: Column, room: int) -> list[Span]:
    """The cell in its column: cut, pushed to its side, and parted from the next."""
    text = column.shorten(cell.text, room)
    blank = " " * (room - cells(text))
    before, after = (blank, "") if column.right else ("", blank)
    return [Span(before), Span(text, cell.style), Span(after + GAP)]


def _cut(line: Line, width: int) -> Line:
    """No more of a line than the terminal is wide."""
    kept: list[Span] = []
    room = width
    for span in trimmed(line):
        kept.append(Span(shorten_end(span.text, room), span.style))
        room -= cells(span.text)
        if room < 0:
            break
    return kept
