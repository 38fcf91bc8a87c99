"""The unit of the worker, as systemd judges it."""

import os
import subprocess
from pathlib import Path

import pytest

from nommerctl.adapters.aws.node.boot import PROGRAM, UNIT, UNIT_TEXT
from tests.aws_servers import NoServerError, skipped_unless_in_ci

pytestmark = pytest.mark.slow

EXPOSURE = 20
"""Tenths: systemd calls up to 2 "ok", the best but for being cut off from the network."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit in a file; the program that it starts is one that is here."""
    text = UNIT_TEXT.format(farm="films", ledger_table="nommerctl-films-ledger", region="eu-central-1")
    path = tmp_path / UNIT
    path.write_text(text.replace(PROGRAM, "/bin/true"))
    return path


def analyzed(*arguments: str | Path) -> tuple[int, str]:
    try:
        done = subprocess.run(
            ["/usr/bin/systemd-analyze", *map(str, arguments)],
            env={**os.environ, "SYSTEMD_PAGER": ""},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        skipped_unless_in_ci(NoServerError(str(error)))
        raise
    return done.returncode, done.stdout + done.stderr


def test_systemd_understands_every_line(unit: Path) -> None:
    assert analyzed("verify", "--man=no", unit) == (0, "")


def test_systemd_finds_little_that_the_worker_could_do_beyond_its_work(unit: Path) -> None:
    code, said = analyzed("security", "--offline=true", f"--threshold={EXPOSURE}", unit)
    assert code == 0, said
