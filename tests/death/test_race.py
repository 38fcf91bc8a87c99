"""Two workers and the end of a lease race for one job, in a thousand orders (I3)."""

import random
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp

import pytest
from msgspec import structs

from nommerctl.domain.job import EncodingJob, lease_live
from nommerctl.domain.moves import submitted
from nommerctl.domain.states import JobState
from tests.builders import make_job
from tests.death.racers import LEASE, Race, Racer
from tests.death.turns import Player, Trace, take_turns

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


@pytest.fixture
def race(tmp_path: Path) -> Iterator[Race]:
    """A store in memory where there is such a thing: it is written to tens of thousands of times."""
    folder = Path(mkdtemp(dir=MEMORY if MEMORY.is_dir() else tmp_path))
    yield Race(folder, folder / "farm.db")
    shutil.rmtree(folder)


def submit(race: Race, racer: Racer, number: int) -> EncodingJob:
    """Submit a job, whose message comes twice."""
    source = race.folder / "source"
    source.write_text("film")
    job = submitted(make_job(number, source=str(source), dest=str(race.folder / f"{number}.mp4")), by="somebody")
    (stored,) = racer.store.submit([job])
    racer.new_jobs.send([job.id] * 2)
    return stored


def ended(race: Race, racer: Racer, job: EncodingJob) -> EncodingJob:
    """The job when it is finished: by one worker more, if need be, who finds what the others have left."""
    for _ in range(2):  # the first time it gives whoever holds the job a last call
        race.clock.advance(LEASE + 1)
        racer.work()
    return racer.store.get([job.id])[job.id]


def is_last_call(before: EncodingJob, after: EncodingJob) -> bool:
    """Whether a write says to the holder that another one wants the job, and nothing else."""
    if before.lease is None or after.lease is None:
        return False
    called = structs.replace(before.lease, last_call=after.lease.last_call)
    return after.lease.last_call > 0 and after == structs.replace(before, lease=called, version=after.version)


def must_have_had_one_owner_at_a_time(race: Race, job: EncodingJob) -> None:
    """Every write was a claim of what nobody held, or by who had claimed last, or a last call to them."""
    owner = ""
    claims = 0
    for write in race.written:
        if is_last_call(write.before, write.after):
            assert not lease_live(write.before, write.at)
            continue
        if write.after.attempt > write.before.attempt:
            assert not lease_live(write.before, write.at)
            owner = write.by
            claims += 1
        assert write.by == owner
        assert write.after.lease is None or write.after.lease.owner == owner
    assert job.attempt == claims
    assert job.version == 1 + len(race.written)
    assert [entry.state for entry in job.history].count(JobState.FINISHED) == 1
    assert job.state is JobState.FINISHED
    assert [each.by for each in race.written if each.after.state is JobState.FINISHED] == [job.history[-1].by]


def race_again_and_again(race: Race, first: Racer, second: Racer, chance: random.Random, interleavings: int) -> int:
    """Have so many races, no two of them the same, and judge each; return in how many the job was taken over."""
    seen: set[Trace] = set()
    taken_over = 0
    number = 0
    while len(seen) < interleavings:
        number += 1
        job = submit(race, first, number)
        race.written.clear()
        race.steps_within = number % 10 == 0

        def pass_time(player: Player) -> None:
            for _ in range(chance.randint(0, 30)):
                player.step("let a lease end")
                race.clock.advance(LEASE + 1)

        seen.add(take_turns({"first": first, "second": second, "time": pass_time}, chance))
        job = ended(race, first, job)
        must_have_had_one_owner_at_a_time(race, job)
        # and the output is that of the owner who finished
        assert Path(job.dest).read_text() == job.history[-1].by
        assert list(race.folder.glob(".nommerctl-*")) == []
        assert first.new_jobs.depth().total == 0
        taken_over += job.attempt > 1
    return taken_over


@pytest.mark.parametrize("interleavings", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_i3_in_every_interleaving_a_job_has_one_owner_at_a_time(
    race: Race, chance: random.Random, interleavings: int
) -> None:
    first, second = Racer("first", race), Racer("second", race)
    with closing(first.database), closing(second.database):
        taken_over = race_again_and_again(race, first, second, chance, interleavings)
    assert taken_over > interleavings // 10
