"""Text cut to the cells that a terminal has for it. Wide characters count as two; a cut never splits a character."""

ELLIPSIS = "…"


def cells(text: str) -> int:
    """How many cells a text takes on a terminal."""
    from rich.cells import cell_len

    return cell_len(text)


def pieces(text: str) -> list[str]:
    """The text as characters that people see: what takes no cell of its own stays with what it follows."""
    pieces: list[str] = []
    for character in text:
        if pieces and cells(character) == 0:
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _head(text: str, width: int) -> str:
    """As much of the beginning as fits."""
    kept = ""
    for piece in pieces(text):
        if cells(kept + piece) > width:
            break
        kept += piece
    return kept


def _tail(text: str, width: int) -> str:
    """As much of the end as fits."""
    kept = ""
    for piece in reversed(pieces(text)):
        if cells(piece + kept) > width:
            break
        kept = piece + kept
    return kept


def shorten_end(text: str, width: int) -> str:
    """Keep the beginning: `no room left on dev…`."""
    if cells(text) <= width:
        return text
    return _head(text, width - 1) + ELLIPSIS if width > 0 else ""


def shorten_middle(text: str, width: int) -> str:
    """Keep both ends, a little more of the beginning: `holiday-in-…e-04.mov`."""
    if cells(text) <= width:
        return text
    if width <= 0:
        return ""
    end = _tail(text, (width - 1) // 2)
    return _head(text, width - 1 - cells(end)) + ELLIPSIS + end


def shorten_path(path: str, width: int) -> str:
    """Keep the name rather than the folders before it: `…/2024/holiday.mov`; cut the name only if it is too long."""
    if cells(path) <= width:
        return path
    parts = path.rstrip("/").split("/")
    for first in range(1, len(parts)):
        shorter = "/".join((ELLIPSIS, *parts[first:]))
        if cells(shorter) <= width:
            return shorter
    return shorten_middle(parts[-1], width)
