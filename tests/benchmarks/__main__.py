"""Measures nommerctl against what it could be compared with, and prints a table in Markdown.

    .venv/bin/pip install -q -e '.[local,bench]' && .venv/bin/python -m tests.benchmarks

Both sides of a row are measured in one run and in turns; medians stand in the table, with the lowest and the highest in
brackets. Nothing is asserted about any time. All of it takes an hour, and 20 GB in the folder for temporary files, on a
machine that should have nothing else to do; `--only NAME` and `--quick` are for a look.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks import aws, caches, claims, clips, growth, memory, plot, starts
from tests.benchmarks.measure import Row, Settings, body, head

ROWS: dict[str, Callable[[Settings], list[Row]]] = {
    "starts": starts.rows,
    "clips": clips.rows,
    "claims": claims.rows,
    "rebuild": caches.rebuild,
    "reading": caches.reading,
    "memory": memory.rows,
    "aws": aws.rows,
}


GROWTH = "growth"
"""The name of what is no row, but tables of its own."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    given = _parser().parse_args(arguments)
    scratch = Path(tempfile.mkdtemp(prefix="nommerctl-benchmarks-"))
    settings = Settings(scratch=scratch, runs=given.runs, quick=given.quick, million=given.million)
    wanted = given.only or [*ROWS, GROWTH]
    try:
        _show_rows([name for name in wanted if name != GROWTH], settings)
        if GROWTH in wanted:
            _show_growth(settings, given.plot)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _show_rows(names: Sequence[str], settings: Settings) -> None:
    """Print each row when it is measured: what comes after it may take long, or fail."""
    for number, name in enumerate(names):
        sys.stderr.write(f"{name} ...\n")
        rows = ROWS[name](settings)
        sys.stdout.write(("" if number else head()) + body(rows))
        sys.stdout.flush()


def _show_growth(settings: Settings, picture: Path | None) -> None:
    found = []
    for each in growth.measured(settings):
        sys.stdout.write(f"\n{growth.markdown(each)}")
        sys.stdout.flush()
        found.append(each)
    if picture is not None:
        picture.write_text(plot.svg(found))


def _parser() -> argparse.ArgumentParser:
    names = [*ROWS, GROWTH]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"only these of: {', '.join(names)}")
    parser.add_argument("--runs", type=int, metavar="N", help="measure each side N times (default: what the row needs)")
    parser.add_argument("--quick", action="store_true", help="measure once and on little: to see that it works")
    parser.add_argument(
        "--million",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether growth goes on to a million jobs (default: yes)",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw growth, as SVG, into this file")
    return parser


if __name__ == "__main__":
    main()
