"""The command line as a user has it: in a process of its own, judged by what it prints and how it exits."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nommerctl.adapters.local.node_home import NodeHome


@dataclass(frozen=True)
class Result:
    """What a command printed and how it exited."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - a document
        return json.loads(self.stdout)


@dataclass
class Cli:
    """`nommerctl` on the farm in `state_dir`, with settings given as variables (`SCALE_MAX_NODES="3"`)."""

    state_dir: Path
    cwd: Path
    executable: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        named = {f"NOMMERCTL_{name}": value for name, value in self.settings.items()}
        return {**os.environ, "NOMMERCTL_STATE_DIR": str(self.state_dir), **named, **(more or {})}

    def run(self, *arguments: str | Path, code: int | None = 0, env: Mapping[str, str] | None = None) -> Result:
        """Run a command to its end; fail unless it exits with `code` (None: any)."""
        done = subprocess.run(
            [*self.executable, *map(str, arguments)],
            cwd=self.cwd,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        result = Result(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in result.stderr, result.stderr
        assert code is None or result.code == code, f"{arguments} exited with {result.code}\n{result}"
        return result

    def start(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command and let it run."""
        return subprocess.Popen(
            [*self.executable, *map(str, arguments)],
            cwd=self.cwd,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def listed(self) -> dict[str, dict[str, Any]]:
        """Return the listed jobs by id, in the order of their submission."""
        return {job["id"]: job for job in self.run("list", "--json").json["jobs"]}

    def listed_states(self) -> list[str]:
        """Return the states of the listed jobs."""
        return [job["state"] for job in self.listed().values()]

    def refreshed(self) -> dict[str, dict[str, Any]]:
        """Refresh, then return the listed jobs."""
        self.run("refresh", code=None)
        return self.listed()

    def refreshed_states(self) -> list[str]:
        """Refresh, then return the states of the listed jobs."""
        return [job["state"] for job in self.refreshed().values()]

    def worker_pids(self) -> dict[str, int]:
        """Return the process of each live node."""
        nodes = self.run("nodes", "--json").json["nodes"]
        return {node["id"]: node["pid"] for node in nodes if node["alive"]}

    def end_workers(self) -> None:
        """Kill what this farm started, so that no test leaves anything behind."""
        for home in map(NodeHome, (self.state_dir / "workers").glob("*")):
            pid = home.birth().pid
            if pid > 1 and home.alive():  # as long as it is, the number is that of no other process
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@contextmanager
def paused_worker(cli: Cli, state: str, *, stderr: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker that has taken a job and waits in a state: killed at the end, if it still lives then."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.end_to_end.paused_worker", state],
        env=cli.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=Path(__file__).parents[1],
    )
    with worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"here\n"
        try:
            yield worker
        finally:
            worker.kill()


def stop(worker: subprocess.Popen[bytes] | subprocess.Popen[str], cli: Cli) -> None:
    """Stop a process by SIGSTOP, but not while it holds the lock of the store: nobody could write until it goes on."""
    while True:
        worker.send_signal(signal.SIGSTOP)
        with closing(sqlite3.connect(cli.state_dir / "farm.db", timeout=1, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                worker.send_signal(signal.SIGCONT)
            else:
                return


@dataclass
class InProcessCli(Cli):
    """The same in this process, for commands that end at once: quicker, and judged alike."""

    def run(self, *arguments: str | Path, code: int | None = 0, env: Mapping[str, str] | None = None) -> Result:
        from nommerctl.cli.funnel import run

        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(self.cwd)
            for name, value in self.environment(env).items():
                patch.setenv(name, value)
            exited = run([str(argument) for argument in arguments])
        result = Result(exited, out.getvalue(), err.getvalue())
        assert code is None or result.code == code, f"{arguments} exited with {result.code}\n{result}"
        return result


def eventually(condition: Callable[[], object], *, within: float = 30.0, every: float = 0.1) -> None:
    """Wait until a condition holds; fail if it does not in time."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(every)
