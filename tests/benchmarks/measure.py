"""How things are measured: in turns, so that whatever else the machine does meets both sides alike."""

import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

Measure: TypeAlias = Callable[[], float]
"""Does something once and returns what it took: set-up and clearing up are its own business, and not counted."""


class Settings(Struct, frozen=True, kw_only=True):
    """What is asked of every row: how often to measure (None: as often as is good for it), on how much, and where."""

    scratch: Path
    runs: int | None = None
    quick: bool = False
    million: bool = True

    def turns(self, usual: int, quick: int = 1) -> int:
        """How many measurements of each side a row makes."""
        return self.runs or (quick if self.quick else usual)

    def size(self, usual: int, quick: int) -> int:
        """How much a row is measured on."""
        return quick if self.quick else usual


class Row(Struct, frozen=True, kw_only=True):
    """One line of the table. `goal` is the highest ratio (or figure) that is good enough, as text."""

    what: str
    against: str
    ours: str
    theirs: str = ""
    ratio: str = ""
    goal: str = ""


def timed(action: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def in_turns(turns: int, *sides: Measure) -> list[list[float]]:
    """Measure each side once, then each again, and so on; return the figures of each side."""
    figures: list[list[float]] = [[] for _ in sides]
    for _ in range(turns):
        for side, found in zip(sides, figures, strict=True):
            found.append(side())
    return figures


def compared(
    what: str,
    against: str,
    ours: list[float],
    theirs: list[float],
    *,
    goal: str,
    pick: Callable[[Iterable[float]], float] = statistics.median,
) -> Row:
    """Return the row that compares two sides by their medians, or whatever `pick` picks."""
    return Row(
        what=what,
        against=against,
        ours=spread(ours, pick),
        theirs=spread(theirs, pick),
        ratio=f"{pick(ours) / pick(theirs):.2f}",
        goal=goal,
    )


def spread(seconds: list[float], pick: Callable[[Iterable[float]], float] = statistics.median) -> str:
    """Return the figure that counts, and between which others it was found."""
    middle = duration(pick(seconds))
    if len(seconds) == 1:
        return middle
    return f"{middle} ({duration(min(seconds))} to {duration(max(seconds))})"


def duration(seconds: float) -> str:
    """Return a time with three digits and its unit."""
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds * 1e6)} µs"


def _three_digits(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def head() -> str:
    """Return the first two lines of the table in Markdown."""
    heads = ("what", "against", "ours", "theirs", "ratio", "goal")
    return line(heads) + line(tuple("---" for _ in heads))


def body(rows: Iterable[Row]) -> str:
    """Return the lines of rows."""
    return "".join(line((row.what, row.against, row.ours, row.theirs, row.ratio, row.goal)) for row in rows)


def line(cells: Iterable[str]) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(cells)} |\n"
