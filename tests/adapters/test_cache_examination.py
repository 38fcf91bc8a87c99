"""The job cache examined from end to end, sound and damaged, against what the store knows."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from nommerctl.adapters.cache_examination import CacheExamination
from nommerctl.adapters.cache_table import CacheDamagedError
from nommerctl.domain.job import JobId
from nommerctl.domain.soundness import CacheFacts
from nommerctl.errors import PermissionDeniedError, TimeLimitError, UnreachableError
from tests.adapters.cache_on_disk import change_entry, make_cache, meddle
from tests.builders import job_id
from tests.fakes.clock import START

SOUND = CacheFacts(jobs=10, unfinished=10, refreshed=START)
STORED = {job_id(number): 1 for number in range(1, 11)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_cache(tmp_path / "cache")
    return tmp_path / "cache"


def examined(folder: Path, stored: Mapping[JobId, int] = STORED) -> CacheFacts:
    def versions(ids: Sequence[JobId]) -> dict[JobId, int]:
        return {job: stored[job] for job in ids if job in stored}

    return CacheExamination(folder, versions=versions, heed=lambda: None).examine()


def test_a_sound_cache(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]}
    assert examined(folder) == SOUND
    assert {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]} == before


def test_a_cache_that_is_not_there_is_cold(tmp_path: Path) -> None:
    assert examined(tmp_path / "cache") == CacheFacts()
    assert list(tmp_path.iterdir()) == []


def test_jobs_are_compared_with_the_store(folder: Path) -> None:
    stored = {**STORED, job_id(1): 2, job_id(2): 3, job_id(3): 0}
    del stored[job_id(4)]
    assert examined(folder, stored) == CacheFacts(jobs=10, unfinished=10, refreshed=START, behind=2, ahead=1, unknown=1)


def test_a_store_that_cannot_be_read_leaves_it_uncompared(folder: Path) -> None:
    def away(_: Sequence[JobId]) -> dict[JobId, int]:
        msg = "it is gone"
        raise UnreachableError(msg)

    facts = CacheExamination(folder, versions=away, heed=lambda: None).examine()
    assert facts == CacheFacts(jobs=10, unfinished=10, refreshed=START, compared=False)


def test_a_truncated_cache(folder: Path) -> None:
    database = folder / "cache.db"
    database.write_bytes(database.read_bytes()[:5000])
    with pytest.raises(CacheDamagedError, match="malformed"):
        examined(folder)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE Settings SET value = 'least-recently-used' WHERE key = 'eviction_policy'", "settings are not ours"),
        ("CREATE TABLE more (x)", "tables are not those"),
        ("PRAGMA user_version = 7", "format 7, not 3"),
    ],
)
def test_what_no_pass_has_written(folder: Path, statement: str, said: str) -> None:
    meddle(folder, statement)
    with pytest.raises(CacheDamagedError, match=said):
        examined(folder)


def test_an_entry_that_is_no_record(folder: Path) -> None:
    change_entry(folder, job_id(7), value="{half a rec")
    with pytest.raises(CacheDamagedError, match="is not as it was written"):
        examined(folder)


def test_an_entry_that_is_gone(folder: Path) -> None:
    meddle(folder, f"DELETE FROM Cache WHERE key = '{job_id(7)}'")  # noqa: S608 - ours
    with pytest.raises(CacheDamagedError, match="its entries are not those that its head counts"):
        examined(folder)


def test_an_index_that_does_not_fit_its_table(folder: Path) -> None:
    """Damage that no query comes across: an index that lost an entry."""
    with closing(sqlite3.connect(folder / "cache.db")) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'Cache_tag_rowid'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    database = folder / "cache.db"
    data = bytearray(database.read_bytes())
    data[(page - 1) * size + 4] -= 1  # the lower byte of the page's number of entries
    database.write_bytes(data)
    assert examined(folder).complaints


def test_a_link_is_not_followed(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")
    with pytest.raises(PermissionDeniedError, match="symbolic link, which is not followed"):
        examined(folder)


def test_a_long_look_can_be_broken_off(folder: Path) -> None:
    def heed() -> None:
        raise TimeLimitError

    with pytest.raises(TimeLimitError):
        CacheExamination(folder, versions=lambda _: STORED, heed=heed).examine()
