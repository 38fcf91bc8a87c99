"""What a user who may not do it sees: never a cache thrown away. root, whom nothing is refused, plays nobody here."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.disk_cache import open_cache
from tests.adapters.processes import run
from tests.builders import job_id, make_job

AS_NOBODY = """
import os, sys
from pathlib import Path
from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.disk_cache import open_cache
from nommerctl.errors import NommerctlError
from tests.builders import make_job
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
folder = Path(sys.argv[1])
try:
"""

OTHERWISE = """
except NommerctlError as error:
    print(error.kind)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A cache of one job, under a path that every user may follow (pytest's own folders are their owner's alone)."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        folder = Path(home) / "state" / "cache"
        with closing(open_cache(folder)) as cache:
            cache.update_job(make_job(1))
        folder.parent.chmod(0o755)
        folder.with_name("cache.lock").chmod(0o666)
        yield folder
        for path in (folder.parent, folder):
            path.chmod(0o700)


def as_nobody(statement: str, folder: Path) -> str:
    return run(f"{AS_NOBODY}    {statement}{OTHERWISE}", folder)


def assert_untouched(folder: Path) -> None:
    for path in (folder.parent, folder):
        path.chmod(0o700)
    (folder / "cache.db").chmod(0o600)
    assert {path.name for path in folder.parent.iterdir()} <= {"cache", "cache.lock"}
    assert CachedJobs(folder).get_cached_jobs() == {job_id(1): make_job(1)}


def test_a_cache_that_may_only_be_read_is_read(folder: Path) -> None:
    (folder / "cache.db").chmod(0o444)
    folder.chmod(0o555)

    assert as_nobody("print(len(CachedJobs(folder).get_cached_jobs()))", folder) == "1\n"

    assert_untouched(folder)


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_may_not_be_written_is_left_as_it_is(folder: Path, mode: int) -> None:
    (folder / "cache.db").chmod(0o444)
    folder.chmod(mode)

    assert as_nobody("open_cache(folder, timeout=1)", folder) == "permission\n"

    assert_untouched(folder)


def test_a_database_that_may_not_be_written_is_left_as_it_is(folder: Path) -> None:
    (folder / "cache.db").chmod(0o444)
    folder.chmod(0o700)
    if os.getuid() == 0:
        os.chown(folder, 65534, 65534)

    assert as_nobody("open_cache(folder, timeout=1).update_job(make_job(2))", folder) == "permission\n"

    assert_untouched(folder)


def test_a_state_folder_that_may_not_be_written_is_left_as_it_is(folder: Path) -> None:
    folder.with_name("cache.lock").unlink()
    folder.parent.chmod(0o555)

    assert as_nobody("open_cache(folder, timeout=1)", folder) == "permission\n"

    assert_untouched(folder)


@pytest.mark.parametrize("path", ["", "cache.db"])
def test_a_cache_that_may_not_be_read_says_so(folder: Path, path: str) -> None:
    folder.chmod(0o755)
    (folder / path).chmod(0o000)

    assert as_nobody("CachedJobs(folder).get_cached_jobs()", folder) == "permission\n"

    assert_untouched(folder)
