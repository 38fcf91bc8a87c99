"""The command reference of the README, made from the help texts.

`python tests/readme_reference.py` writes it; `--check` fails if the README says something else.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from nommerctl.cli.app import build

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- reference: made by tests/readme_reference.py -->\n"
END = "<!-- end of the reference -->\n"


def commands() -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that help shows, the program itself first."""

    def below(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield words
        for name, inner in getattr(command, "commands", {}).items():
            if not inner.hidden:
                yield from below(inner, (*words, name))

    return below(typer.main.get_command(build()), ())


def help_of(words: tuple[str, ...]) -> str:
    """Return the help of a command, as a terminal of 100 columns shows it."""
    done = subprocess.run(
        [sys.executable, "-m", "nommerctl", *words, "--help"],
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def reference() -> str:
    """Return the whole reference in Markdown."""
    parts = [f"### {' '.join(('nommerctl', *words))}\n\n```\n{help_of(words)}\n```\n" for words in commands()]
    return "\n".join(parts)


def main() -> int:
    """Write the reference into the README, or check it."""
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = f"{before}{BEGIN}\n{reference()}\n{END}{after}"
    if text == wanted:
        return 0
    if "--check" in sys.argv:
        sys.stderr.write("README.md does not say what the help says: run tests/readme_reference.py\n")
        return 1
    README.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
