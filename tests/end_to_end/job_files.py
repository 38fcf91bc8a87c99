"""Files of jobs, and what came of them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.cli import Cli, Result


def write(cli: Cli, *lines: dict[str, Any]) -> None:
    (cli.cwd / "jobs.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def many(count: int) -> Iterator[dict[str, Any]]:
    return ({"source": "film.mp4", "dest": f"{number}.mp4", "preset": "web-480p"} for number in range(count))


def submit(cli: Cli, *arguments: str | Path, code: int = 0) -> Result:
    return cli.run("submit", "--from", "jobs.jsonl", *arguments, code=code)


def stored(cli: Cli) -> int:
    """How many jobs there are; 0 if there is no store yet."""
    if not (cli.state_dir / "farm.db").exists():
        return 0
    with closing(sqlite3.connect(f"file:{cli.state_dir}/farm.db?mode=ro", uri=True, timeout=30)) as database:
        (count,) = database.execute("SELECT COUNT(*) FROM jobs").fetchone()
        return int(count)
