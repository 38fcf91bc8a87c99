"""Passes that are killed, or told to end, at fifty points of their run, each with something of everything to do."""

import json
import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec import structs

from nommerctl.domain.job import HistoryEntry
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from tests.death.strikes import ENDINGS, strikes
from tests.death.yard import Yard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DAY = micros(24 * 3600)


def news(yard: Yard, chance: random.Random) -> None:
    """Something to learn and to tell, and now and then messages that are gone."""
    yard.submit(1)
    if chance.random() < 0.2:
        yard.lose_messages()


def demand(yard: Yard, chance: random.Random) -> None:
    """Nodes to end, because they died, and to launch, because jobs wait."""
    del chance
    for home in yard.homes():
        with suppress(ProcessLookupError):
            if home.alive() and home.birth().pid:
                os.kill(home.birth().pid, signal.SIGKILL)
    yard.submit(1)


def silence(yard: Yard, chance: random.Random) -> None:
    """Jobs that wait for longer than anybody should."""
    yard.submit(chance.randint(1, 3), at=yard.farm.clock() - 15 * DAY)


def age(yard: Yard, chance: random.Random) -> None:
    """Jobs that finished long ago."""
    at = yard.farm.clock() - 40 * DAY
    course = (JobState.PENDING, JobState.DOWNLOADING, JobState.ENCODING, JobState.UPLOADING, JobState.FINISHED)
    history = tuple(HistoryEntry(seq=seq, state=state, at=at, by="old") for seq, state in enumerate(course, start=1))
    jobs = [
        structs.replace(job, state=JobState.FINISHED, history=history, told=len(history), attempt=1)
        for job in yard.plan(chance.randint(1, 3), at=at)
    ]
    yard.writes.cache.update_jobs(yard.writes.store.submit(jobs))


def everything(yard: Yard, chance: random.Random) -> None:
    """A little of all that."""
    chance.choice([news, demand, silence, age])(yard, chance)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
@pytest.mark.parametrize(
    ("verb", "prepare"),
    [("refresh", news), ("scale", demand), ("abandon", silence), ("prune", age), ("run", everything)],
)
def test_a_pass_that_is_struck_loses_nothing_and_the_next_ones_end_it(  # noqa: PLR0917 - pytest passes them by name
    open_yard: Callable[..., Yard],
    chance: random.Random,
    tmp_path: Path,
    verb: str,
    prepare: Callable[[Yard, random.Random], None],
    sign: signal.Signals,
) -> None:
    archive = tmp_path / "archive.jsonl"
    yard = open_yard(UPKEEP_ARCHIVE=str(archive))
    made: set[str] = set()

    def command() -> tuple[str, ...]:
        prepare(yard, chance)
        made.update(yard.jobs())
        return (verb,)

    for end in strikes(yard, chance, sign, command):
        assert sign is signal.SIGKILL or end.code in ENDINGS
    yard.must_end_well()
    # and a job is in the store, or was archived before it was removed
    archived = {json.loads(line)["id"] for line in archive.read_text().splitlines()} if archive.exists() else set()
    assert yard.jobs().keys() == made - archived
    assert all(job.state is JobState.FINISHED for job in yard.jobs().values() if verb in {"refresh", "scale"})
