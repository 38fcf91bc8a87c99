"""The line to tests/death/mortals.py: commands that are started, and die, as a test says."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from nommerctl.domain.states import JobState
from tests.death.mortals import End, Order

ROOT = Path(__file__).parents[2]


@dataclass
class Mortals:
    """Runs commands, one at a time, in this environment; what they print goes to files in `folder`."""

    process: subprocess.Popen[bytes]
    folder: Path
    environment: dict[str, str]
    started: int = field(default=0)

    def run(
        self,
        *argv: str | Path,
        sign: int | None = None,
        at_event: int | None = None,
        after: float | None = None,
        state: JobState | None = None,
    ) -> End:
        """Run a command to its end, which a signal may bring about; fail if it hangs, or shows a traceback."""
        self.started += 1
        order = Order(
            argv=tuple(map(str, argv)),
            environment=self.environment,
            cwd=str(self.folder),
            out=str(self.folder / f"said-{self.started}"),
            sign=sign,
            at_event=at_event,
            after=after,
            state=state,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(msgspec.json.encode(order) + b"\n")
        self.process.stdin.flush()
        end = msgspec.json.decode(self.process.stdout.readline(), type=End)
        assert not end.hung, f"{argv} hung: {self.said()}"
        assert "Traceback" not in self.said(), f"{argv}: {self.said()}"
        return end

    def said(self) -> str:
        """What the last command wrote to standard error."""
        path = self.folder / f"said-{self.started}.stderr"
        return path.read_text() if path.exists() else ""


@contextmanager
def mortals(folder: Path, environment: dict[str, str]) -> Iterator[Mortals]:
    """Commands of nommerctl, to be run and killed."""
    command = [sys.executable, "-m", "tests.death.mortals"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            yield Mortals(process, folder, environment)
        finally:
            process.kill()
