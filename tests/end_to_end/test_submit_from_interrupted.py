"""A submit of many jobs that ends before its time says how far it came, and the same command goes on from there."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli import Cli, InProcessCli, eventually
from tests.clips import Clips
from tests.end_to_end.job_files import many, stored, submit, write
from tests.web import serving, stall

pytestmark = pytest.mark.slow

HANGS_AFTER = 60.0


@pytest.fixture
def film(clips: Clips, tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(path, (1, 1))
    return path


SIGNALLED = """
import os, signal, sys
from nommerctl.errors import NommerctlError
from nommerctl.wiring.bulk import FileSubmission, submit_file
from nommerctl.wiring.farm import Farm, Invocation, load
def moved(what, done, of):
    if [what, str(done)] == sys.argv[1:3]:
        os.kill(os.getpid(), int(sys.argv[3]))
farm = Farm(load(Invocation()))
try:
    submit_file(farm, FileSubmission(file="jobs.jsonl"), moved=moved)
except NommerctlError as error:
    farm.close()
    sys.exit(f"{int(error.code)} {error}")
"""
"""Submits the file, and is sent a signal by itself when it is just so far."""


def signalled(cli: Cli, what: str, done: int, number: int) -> str:
    command = [sys.executable, "-c", SIGNALLED, what, str(done), str(number)]
    ended = subprocess.run(
        command, cwd=cli.cwd, env=cli.environment(), capture_output=True, text=True, timeout=HANGS_AFTER, check=False
    )
    assert "Traceback" not in ended.stderr
    return ended.stderr.strip()


@pytest.mark.slow
@pytest.mark.usefixtures("film")
def test_interrupted_after_any_hundred_the_same_command_goes_on_there(cli: Cli) -> None:
    write(cli, *many(250))
    assert signalled(cli, "checking", 120, signal.SIGINT) == "130 interrupted: nothing was stored"
    assert stored(cli) == 0
    assert signalled(cli, "storing", 100, signal.SIGTERM) == (
        "143 terminated: 100 of 250 jobs are stored: the same command goes on from there"
    )
    assert stored(cli) == 100
    assert signalled(cli, "storing", 200, signal.SIGINT) == (
        "130 interrupted: 200 of 250 jobs are stored: the same command goes on from there"
    )
    assert stored(cli) == 200
    assert signalled(cli, "storing", 250, signal.SIGINT) == "130 interrupted: all 250 jobs are stored"
    assert submit(cli).stderr == "250 jobs stored, 250 of them were there before\n"
    assert stored(cli) == 250


@pytest.mark.usefixtures("film")
def test_interrupted_while_it_waits_for_the_store_it_says_that_it_does_not_know_of_the_next(cli: Cli) -> None:
    cli.run("refresh")
    write(cli, *many(250))
    with closing(sqlite3.connect(cli.state_dir / "farm.db", timeout=30, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        with cli.start("submit", "--from", "jobs.jsonl") as submitting:
            eventually(lambda: waits_for_the_store(submitting.pid, cli), every=0.05)
            submitting.send_signal(signal.SIGINT)
            _, said = submitting.communicate(timeout=HANGS_AFTER)
    assert submitting.returncode == 130
    assert said == (
        "nommerctl: interrupted: 0 of 250 jobs are stored, and perhaps some of the next: "
        "the same command goes on from there\n"
    )
    assert stored(cli) == 0


def waits_for_the_store(pid: int, cli: Cli) -> bool:
    """Whether a process has the store open, to write."""
    wal = cli.state_dir / "farm.db-wal"
    return any(link.exists() and wal.samefile(link) for link in Path(f"/proc/{pid}/fd").iterdir())


def test_interrupted_while_nobody_writes_into_its_pipe(cli: Cli) -> None:
    os.mkfifo(cli.cwd / "jobs.jsonl")
    with cli.start("submit", "--from", "jobs.jsonl") as submitting:
        pipe = os.open(cli.cwd / "jobs.jsonl", os.O_WRONLY)  # which waits for somebody who reads
        submitting.send_signal(signal.SIGINT)
        _, said = submitting.communicate(timeout=HANGS_AFTER)
        os.close(pipe)
    assert (submitting.returncode, said) == (130, "nommerctl: interrupted: nothing was stored\n")


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_interrupted_while_sources_do_not_answer(cli: Cli, number: int, code: int, said: str) -> None:
    with serving({"/film.mp4": stall}) as web:
        write(cli, *({"source": web.url("/film.mp4"), "dest": f"{at}.mp4", "preset": "web-480p"} for at in range(20)))
        with cli.start("submit", "--from", "jobs.jsonl") as submitting:
            eventually(lambda: len(web.asked) == 8, every=0.05)
            submitting.send_signal(number)
            _, told = submitting.communicate(timeout=HANGS_AFTER)
    assert (submitting.returncode, told) == (code, f"nommerctl: {said}: nothing was stored\n")
    assert stored(cli) == 0


def test_sources_that_do_not_answer_in_time(cli: Cli) -> None:
    cli.settings["FARM_TIME_LIMIT"] = "0.5"
    with serving({"/film.mp4": stall}) as web:
        write(cli, {"source": web.url("/film.mp4"), "dest": "a.mp4", "preset": "web-480p"})
        said = submit(cli, code=124).stderr
    assert said == "nommerctl: the time limit is over (farm.time_limit): nothing was stored\n"


@pytest.mark.usefixtures("film")
def test_a_store_that_fails_on_the_way_and_takes_the_rest_later(here: InProcessCli) -> None:
    write(here, *many(1))
    submit(here)
    meddle(here, FULL)
    write(here, *many(250))
    assert submit(here, code=69).stderr.endswith(
        "; 100 of 250 jobs are stored, and perhaps some of the next: the same command goes on from there\n"
    )
    assert stored(here) == 100
    meddle(here, "DROP TRIGGER full")
    assert submit(here).stderr == "250 jobs stored, 100 of them were there before\n"


FULL = """
CREATE TRIGGER full BEFORE INSERT ON jobs WHEN (SELECT COUNT(*) FROM jobs) > 150
BEGIN SELECT RAISE(ABORT, 'no more'); END
"""


def meddle(cli: Cli, statement: str) -> None:
    """Change the store behind the farm's back."""
    with closing(sqlite3.connect(cli.state_dir / "farm.db", timeout=30)) as database:
        database.execute(statement)
