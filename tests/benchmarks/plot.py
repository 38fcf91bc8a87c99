"""Draws how times grow, both axes logarithmic: the slope is 1 where ten times the jobs take ten times as long."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from tests.benchmarks.growth import Growth

WIDTH, HEIGHT = 860, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 300, 56, 52
LINE_HEIGHT = 18

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#2a9fd6", "#7f56d9", "#808080")
"""Told apart by colour-blind people too, and seen on white as on black."""

_STYLE = """
.page { fill: #ffffff } .grid { stroke: #d0d7de } .text { fill: #1f2328 } .faint { fill: #59636e }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117 } .grid { stroke: #30363d } .text { fill: #f0f6fc } .faint { fill: #9198a1 }
}
text { font: 13px system-ui, sans-serif } .title { font-size: 15px; font-weight: 600 }
"""


def svg(growths: Sequence[Growth]) -> str:
    """Return the picture: a panel for each mix, one above the other."""
    height = HEIGHT * len(growths)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>How long commands take, by the number of jobs in the store</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
    ]
    for number, growth in enumerate(growths):
        parts += [f'<g transform="translate(0 {HEIGHT * number})">', *_Panel(growth).drawn(), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


class _Panel:
    def __init__(self, growth: Growth) -> None:
        self._growth = growth
        found = [second for line in growth.seconds.values() for second in line if math.isfinite(second)]
        self._lowest = math.floor(math.log10(min(found)))
        self._decades = math.ceil(math.log10(max(found))) - self._lowest
        self._first = math.log10(growth.sizes[0])
        self._span = math.log10(growth.sizes[-1]) - self._first

    def drawn(self) -> Iterator[str]:
        yield f'<text class="text title" x="{LEFT}" y="28">{escape(self._growth.title)}</text>'
        yield from self._grid()
        yield from self._lines()
        yield from self._names()

    def _x(self, jobs: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(jobs) - self._first) / self._span

    def _y(self, seconds: float) -> float:
        share = (math.log10(seconds) - self._lowest) / self._decades
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def _grid(self) -> Iterator[str]:
        for decade in range(self._decades + 1):
            seconds = 10.0 ** (self._lowest + decade)
            y = self._y(seconds)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="faint" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{seconds:g} s</text>'
        bottom = HEIGHT - BOTTOM
        for jobs in self._growth.sizes:
            x = self._x(jobs)
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>'
            yield f'<text class="faint" x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{jobs:,}</text>'
        middle = (LEFT + WIDTH - RIGHT) / 2
        yield f'<text class="faint" x="{middle}" y="{bottom + 38}" text-anchor="middle">jobs in the store</text>'

    def _points(self, name: str) -> list[tuple[float, float]]:
        line = zip(self._growth.sizes, self._growth.seconds[name], strict=True)
        return [(self._x(jobs), self._y(seconds)) for jobs, seconds in line if math.isfinite(seconds)]

    def _coloured(self) -> list[tuple[str, str]]:
        """The commands that were measured, each with its colour."""
        named = zip(self._growth.seconds, COLOURS, strict=False)
        return [(name, colour) for name, colour in named if self._points(name)]

    def _lines(self) -> Iterator[str]:
        for name, colour in self._coloured():
            points = self._points(name)
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)

    def _names(self) -> Iterator[str]:
        """The name of each line beside its end, its slope before it; moved where they would overlap."""
        ends = sorted(
            ((*self._points(name)[-1], name, colour) for name, colour in self._coloured()), key=lambda e: e[1]
        )
        left = WIDTH - RIGHT + 24
        yield f'<text class="faint" x="{left}" y="{HEIGHT - BOTTOM + 38}">with the slope over the last decade</text>'
        places = _apart([y for _, y, _, _ in ends], lowest=HEIGHT - BOTTOM)
        for (x, y, name, colour), place in zip(ends, places, strict=True):
            slope = self._growth.slope(name)
            yield f'<path d="M{x + 5:.1f} {y:.1f}L{left - 4} {place:.1f}" stroke="{colour}" opacity="0.5"/>'
            steepness = "" if slope is None else f"{round(slope, 1) + 0.0:.1f}"
            yield f'<text x="{left}" y="{place + 4:.1f}" fill="{colour}">{steepness}</text>'
            yield f'<text class="text" x="{left + 30}" y="{place + 4:.1f}">{escape(name)}</text>'


def _apart(heights: Sequence[float], lowest: float) -> list[float]:
    """Return places for texts at these heights, from the top down, a line apart and none below `lowest`."""
    places: list[float] = []
    for height in heights:
        places.append(max(height, places[-1] + LINE_HEIGHT if places else height))
    for number in reversed(range(len(places))):
        below = places[number + 1] - LINE_HEIGHT if number + 1 < len(places) else lowest
        places[number] = min(places[number], below)
    return places
