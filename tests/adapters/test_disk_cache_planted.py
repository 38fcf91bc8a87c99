"""A job cache in which somebody has planted entries: nothing of them is obeyed, and all of it is rebuilt."""

import os
import pickle
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nommerctl.adapters.cache_table import LONGEST, CacheDamagedError, Head
from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.disk_cache import JobCache, open_cache
from nommerctl.adapters.seal import sealed
from nommerctl.domain.states import JobState
from tests.adapters.cache_on_disk import change_entry, make_cache, meddle, set_aside_in
from tests.builders import job_id, make_job
from tests.fakes.clock import START


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "state" / "cache"
    make_cache(folder)
    return folder


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


def pickled_canary(folder: Path) -> bytes:
    return pickle.dumps(Canary(folder.parent / "canary"))


def plant_a_pickle(folder: Path) -> None:
    change_entry(folder, job_id(1), mode=4, value=pickled_canary(folder))


def plant_a_pickle_in_a_file(folder: Path) -> None:
    (folder / "planted.val").write_bytes(pickled_canary(folder))
    change_entry(folder, job_id(1), mode=4, value=None, filename="planted.val")


def plant_a_file_name(folder: Path) -> None:
    change_entry(folder, job_id(1), mode=3, value=None, filename="../../victim")


def plant_an_absolute_file_name(folder: Path) -> None:
    change_entry(folder, job_id(1), mode=2, value=None, filename=str(folder.parent.parent / "victim"))


def plant_a_file_name_to_be_removed(folder: Path) -> None:
    change_entry(folder, job_id(1), filename="../../victim")


def plant_bytes(folder: Path) -> None:
    change_entry(folder, job_id(1), value=b"{}")


def plant_text_that_is_not_utf8(folder: Path) -> None:
    meddle(folder, "UPDATE Cache SET value = CAST(x'7bff7d' AS TEXT) WHERE tag IS NOT NULL")


def cut_a_record_short(folder: Path) -> None:
    change_entry(folder, job_id(1), value='{"id":"0000')


def plant_another_kind_of_record(folder: Path) -> None:
    change_entry(folder, job_id(1), value="[]")


UNREADABLE = [
    plant_a_pickle,
    plant_a_pickle_in_a_file,
    plant_a_file_name,
    plant_an_absolute_file_name,
    plant_a_file_name_to_be_removed,
    plant_bytes,
    plant_text_that_is_not_utf8,
    cut_a_record_short,
    plant_another_kind_of_record,
]

CALLS: dict[str, Callable[[JobCache], object]] = {
    "get": lambda cache: cache.get_job(job_id(1)),
    "all": lambda cache: cache.get_cached_jobs(),
    "by state": lambda cache: cache.get_jobs_with_state(JobState.PENDING),
    "update": lambda cache: cache.update_jobs([make_job(2, version=2), make_job(1, version=2)]),
    "reset": lambda cache: cache.reset([], as_of=START * 2),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("damage", UNREADABLE)
def test_a_damaged_entry_is_obeyed_by_no_call_and_the_cache_set_aside(
    folder: Path, damage: Callable[[Path], None], call: str
) -> None:
    victim = folder.parent.parent / "victim"
    victim.write_text("still here")
    damage(folder)

    with closing(open_cache(folder)) as cache, pytest.raises(CacheDamagedError):
        CALLS[call](cache)

    assert victim.read_text() == "still here"
    assert not (folder.parent / "canary").exists()
    assert len(set_aside_in(folder)) == 1
    with closing(open_cache(folder)) as new:
        assert new.get_cached_jobs() == {}


@pytest.mark.parametrize("damage", UNREADABLE)
def test_a_damaged_entry_is_reported_by_inspecting_verbs(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder)
    before = (folder / "cache.db").read_bytes()

    with pytest.raises(CacheDamagedError, match="run `nommerctl refresh --rebuild`"):
        CachedJobs(folder).get_job(job_id(1))

    assert (folder / "cache.db").read_bytes() == before
    assert not (folder.parent / "canary").exists()


@pytest.mark.parametrize("damage", [plant_a_file_name, plant_a_file_name_to_be_removed, plant_an_absolute_file_name])
def test_removing_an_entry_removes_no_file_by_a_planted_name(folder: Path, damage: Callable[[Path], None]) -> None:
    victim = folder.parent.parent / "victim"
    victim.write_text("still here")
    damage(folder)

    with closing(open_cache(folder)) as cache, pytest.raises(CacheDamagedError):
        cache.remove_job(job_id(1))

    assert victim.read_text() == "still here"


@pytest.mark.parametrize("call", ["all", "by state", "reset"])
def test_a_pickled_key_is_not_unpickled(folder: Path, call: str) -> None:
    change_entry(folder, job_id(1), raw=0, key=pickled_canary(folder))

    with closing(open_cache(folder)) as cache, pytest.raises(CacheDamagedError):
        CALLS[call](cache)

    assert not (folder.parent / "canary").exists()


def test_an_entry_under_the_id_of_another_is_damage(folder: Path) -> None:
    change_entry(folder, job_id(1), key=job_id(99))

    with pytest.raises(CacheDamagedError, match="another job"):
        CachedJobs(folder).get_job(job_id(99))


@pytest.mark.parametrize("tag", ["LOST", "FINISHED"])
def test_an_entry_that_is_missing_under_its_state_is_damage(folder: Path, tag: str) -> None:
    change_entry(folder, job_id(1), tag=tag)

    with pytest.raises(CacheDamagedError, match="9 jobs of 10 are found"):
        CachedJobs(folder).get_jobs_with_state(JobState.PENDING)


def test_a_head_that_counts_other_jobs_is_damage(folder: Path) -> None:
    change_entry(folder, "head", value=sealed(Head(counts={JobState.ERROR: 9})))

    for reads in (CachedJobs(folder).get_cached_jobs, lambda: CachedJobs(folder).get_jobs_with_state(JobState.ERROR)):
        with pytest.raises(CacheDamagedError, match="jobs of 9 are found"):
            reads()


@pytest.mark.parametrize("value", ["{", sealed(Head()).replace("null", "1234")])
def test_a_damaged_head_is_damage(folder: Path, value: str) -> None:
    change_entry(folder, "head", value=value)

    for read in (CachedJobs(folder).status, CachedJobs(folder).count_by_state):
        with pytest.raises(CacheDamagedError, match="'head' cannot be read: it is not as it was"):
            read()
    with closing(open_cache(folder)) as cache, pytest.raises(CacheDamagedError, match="head"):
        cache.set_status(lambda status: status)
    assert len(set_aside_in(folder)) == 1


def test_an_entry_too_long_to_be_one_of_ours_is_not_even_read(folder: Path) -> None:
    meddle(folder, f"UPDATE Cache SET value = zeroblob({LONGEST + 1}) WHERE key = '{job_id(1)}'")  # noqa: S608 - ours

    with pytest.raises(CacheDamagedError, match="too big"):
        CachedJobs(folder).get_job(job_id(1))
    with closing(open_cache(folder)) as cache, pytest.raises(CacheDamagedError, match="too big"):
        cache.get_job(job_id(1))


def test_a_missing_head_is_damage(folder: Path) -> None:
    meddle(folder, "DELETE FROM Cache WHERE key = 'head'")

    with pytest.raises(CacheDamagedError, match="head"):
        CachedJobs(folder).status()
