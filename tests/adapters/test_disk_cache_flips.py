"""A job cache in which one byte is not what was written: whoever reads it gets what was, or is told of the damage."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec import structs

from nommerctl.adapters.cache_table import CacheDamagedError
from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.disk_cache import JobCache, open_cache
from nommerctl.domain.cached import CacheStatus
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState
from nommerctl.errors import TryAgainError
from nommerctl.ports import CachedJobs as Reads
from tests.adapters.flips import Flips
from tests.builders import job_id, make_job
from tests.fakes.clock import START

COMMITS = 5
JOBS = {
    job_id(number): make_job(number, version=1, state=list(JobState)[number % 7], details="é" * (number % 250))
    for number in range(120)
}

Answers = dict[str, object]


def answers(cache: Reads) -> Iterator[tuple[str, Callable[[], object]]]:
    """All that can be asked of a cache, each question by a name."""
    yield "all", cache.get_cached_jobs
    yield "counts", cache.count_by_state
    yield "status", cache.status
    for state in JobState:
        yield state, lambda state=state: cache.get_jobs_with_state(state)  # type: ignore[misc]
    yield "one", lambda: cache.get_job(job_id(77))


def commits(cache: JobCache) -> Iterator[Answers]:
    """Fill a cache in five transactions; what it answers after each."""
    yield {name: ask() for name, ask in answers(cache)}
    for number in range(COMMITS):
        some = list(JOBS.values())[24 * number : 24 * number + 24]
        cache.update_jobs([*some, structs.replace(JOBS[job_id(77)], version=number + 1)])
        yield {name: ask() for name, ask in answers(cache)}
        cache.set_status(lambda _, at=START + number: CacheStatus(refreshed=at, resynced=START))  # type: ignore[misc]
        yield {name: ask() for name, ask in answers(cache)}


class Damaged(NamedTuple):
    """A cache to be damaged, and all that it may answer: what passes wrote, by what can be asked."""

    folder: Path
    given: list[Answers]


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]
"""Two hundred flips for each: one for every day, a thousand with the slow ones."""


@pytest.fixture
def closed(tmp_path: Path) -> Damaged:
    """A cache that passes closed: one file."""
    folder = tmp_path / "cache"
    with closing(open_cache(folder)) as cache:
        given = list(commits(cache))[-1:]
    return Damaged(folder, given)


@pytest.fixture
def killed(tmp_path: Path) -> Damaged:
    """A cache whose writer was killed: all since it was opened stands in its -wal."""
    open_cache(tmp_path / "open").close()
    with closing(open_cache(tmp_path / "open")) as cache:
        given = list(commits(cache))
        folder = tmp_path / "cache"
        folder.mkdir(mode=0o700)
        for path in (tmp_path / "open").iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
    return Damaged(folder, given)


def check_answers(cache: Reads, given: list[Answers], where: str) -> int:
    """Fail unless all that can be asked is answered as it may be, or with damage; return how often with damage."""
    damaged = 0
    for name, ask in answers(cache):
        try:
            answer = ask()
        except CacheDamagedError:
            damaged += 1
        else:
            may_be_unknown = name == "one" and answer is None
            assert may_be_unknown or any(answer == each[name] for each in given), f"{name} after {where}"
    return damaged


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flipped_byte_is_noticed_or_changes_no_answer(closed: Damaged, seed: int) -> None:
    flips, noticed = Flips(closed.folder, seed), 0
    for _ in range(200):
        where = flips.flip("cache.db")
        noticed += bool(check_answers(CachedJobs(closed.folder), closed.given, where))
    assert noticed > 50


@pytest.mark.parametrize("seed", SEEDS)
def test_after_a_flip_in_its_log_the_cache_is_as_it_was_at_some_commit(killed: Damaged, seed: int) -> None:
    flips, older = Flips(killed.folder, seed), 0
    for _ in range(200):
        where = flips.flip("cache.db-wal")
        check_answers(CachedJobs(killed.folder), killed.given, where)
        older += CachedJobs(killed.folder).status() != killed.given[-1]["status"]
    assert older > 50


@pytest.mark.slow  # SQLite itself looks for ten seconds whether somebody writes a new one
def test_while_the_head_of_its_log_is_damaged_a_reader_leaves_the_cache_to_the_next_pass(killed: Damaged) -> None:
    log = killed.folder / "cache.db-wal"
    log.write_bytes(b"\xff" + log.read_bytes()[1:])

    with pytest.raises(TryAgainError, match="the next pass that writes takes it up"):
        CachedJobs(killed.folder).status()
    with closing(open_cache(killed.folder)) as cache:
        check_answers(cache, killed.given[:1], "the head of its log")


def rebuilt(folder: Path, jobs: list[EncodingJob]) -> Answers:
    """Do as refresh does: rebuild the cache, once more if it turns out damaged; return what it then answers."""
    for _ in range(2):
        with closing(open_cache(folder)) as cache:
            try:
                cache.update_jobs(jobs[:20])
                cache.remove_job(jobs[3])
                cache.reset(jobs, as_of=START * 2)
                cache.set_status(lambda _: CacheStatus(refreshed=START))
                return {name: ask() for name, ask in answers(cache)}
            except CacheDamagedError:
                continue
    return pytest.fail("damaged twice")


def check_rebuilding(damaged: Damaged, name: str, count: int, seed: int = 0) -> None:
    newer = [structs.replace(job, version=9, state=JobState.ERROR) for job in list(JOBS.values())[::3]]
    with closing(open_cache(damaged.folder.with_name("other"))) as sound:
        sound.reset(newer, as_of=START * 2)
        sound.set_status(lambda _: CacheStatus(refreshed=START))
        right = {name: ask() for name, ask in answers(sound)}
    flips = Flips(damaged.folder, seed)
    for _ in range(count):
        where = flips.flip(name)
        assert rebuilt(damaged.folder, newer) == right, where


def test_what_a_flip_damaged_is_rebuilt(closed: Damaged) -> None:
    check_rebuilding(closed, "cache.db", 25)


def test_what_a_flip_in_its_log_damaged_is_rebuilt(killed: Damaged) -> None:
    check_rebuilding(killed, "cache.db-wal", 10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_what_a_thousand_flips_damaged_is_rebuilt(closed: Damaged, seed: int) -> None:
    check_rebuilding(closed, "cache.db", 250, seed)


def test_a_cache_that_calls_itself_read_only_is_damaged(closed: Damaged) -> None:
    whole = bytearray((closed.folder / "cache.db").read_bytes())
    whole[18] = 3  # the version of SQLite's format that a writer has to know
    (closed.folder / "cache.db").write_bytes(whole)

    assert rebuilt(closed.folder, list(JOBS.values()))["all"] == JOBS
