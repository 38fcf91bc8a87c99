"""Text in styled pieces, made into plain text or into text with colours for a terminal."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from nommerctl.domain.states import JobState


class Span(NamedTuple):
    """A piece of a line in one style. `text` is fit to be shown; `style` is one of rich's, "" for none."""

    text: str
    style: str = ""


Line: TypeAlias = Sequence[Span]

HEADING = "bold"
QUIET = "dim"
TROUBLE = "bold red"

STATE_STYLES = {
    JobState.PENDING: "yellow",
    JobState.DOWNLOADING: "blue",
    JobState.ENCODING: "cyan",
    JobState.UPLOADING: "blue",
    JobState.FINISHED: "green",
    JobState.ERROR: TROUBLE,
    JobState.ABANDONED: "magenta",
}


def _coloured(line: Line) -> str:
    from rich.color import ColorSystem
    from rich.style import Style

    return "".join(Style.parse(span.style).render(span.text, color_system=ColorSystem.STANDARD) for span in line)


def _plain(line: Line) -> str:
    return "".join(span.text for span in line)


def trimmed(line: Line) -> list[Span]:
    """Return the line without blanks at its end."""
    rest = list(line)
    while rest and not rest[-1].text.strip():
        rest.pop()
    if rest:
        rest[-1] = Span(rest[-1].text.rstrip(), rest[-1].style)
    return rest


def draw(lines: Iterable[Line], *, color: bool) -> str:
    """Return the lines as text, each ended by a newline; without colour there is no escape code in it.

    No piece is ever read as markup. Lines are not wrapped: that is the terminal's business.
    """
    write = _coloured if color else _plain
    return "".join(write(trimmed(line)) + "\n" for line in lines)


def pairs(labelled: Sequence[tuple[str, Span]], *, indent: int = 2) -> list[Line]:
    """Return lines of two columns, labels and values, with the values one below the other."""
    width = max((len(label) for label, _ in labelled), default=0)
    return [(Span(" " * indent + label.ljust(width + 2), QUIET), value) for label, value in labelled]
