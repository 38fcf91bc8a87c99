"""Text broken into lines for a terminal, by cells: wide characters count as two."""

from collections.abc import Sequence

from nommerctl.render.shorten import cells, pieces
from nommerctl.render.styled import Line, Span


def wrapped(text: str, width: int) -> list[str]:
    """Return a text as lines of at most `width` cells, broken at blanks, and within words that are longer than that."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cells(joined) <= width:
            lines[-1] = joined
            continue
        if not lines[-1]:
            lines.pop()
        lines += _broken(word, width)
    return lines


def _broken(word: str, width: int) -> list[str]:
    parts = [""]
    for piece in pieces(word):
        if parts[-1] and cells(parts[-1] + piece) > width:
            parts.append("")
        parts[-1] += piece
    return parts


def hanging(head: Line, lines: Sequence[str], indent: int) -> list[Line]:
    """Return lines of text beside a head that is `indent` cells wide, the further ones below the first."""
    first, *further = lines
    return [(*head, Span(first)), *((Span(" " * indent + line),) for line in further)]
