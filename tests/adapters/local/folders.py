"""Names that files may have, and what is in a folder."""

from pathlib import Path

ODD_NAMES = [
    "two words.mov",
    'it\'s "quoted".mov',
    "two\nlines.mov",
    "füße 映画.mov",
    "-rf.mov",
    "100%25.mov",
    "#1?.mov",
    "a:b.mov",
    "x" * 251 + ".mov",
]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
