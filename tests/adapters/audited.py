"""A process that uses job caches while Python tells it what it does: what it should not do comes out as JSON.

Run as `python -m tests.adapters.audited SOUND PLANTED...`, each the folder of a cache. The sound one is used first, so
that all is imported that is needed.
"""

import json
import os
import sys
from contextlib import closing, suppress
from pathlib import Path

from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.disk_cache import open_cache
from nommerctl.domain.states import JobState
from nommerctl.errors import NommerctlError
from tests.builders import job_id, make_job
from tests.fakes.clock import START

RUNS_CODE = (
    "pickle.",
    "marshal.",
    "compile",
    "exec",
    "import",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.",
    "ctypes.",
    "socket.",
    "sqlite3.load_extension",
    "sqlite3.enable_load_extension",
)
"""Events, by how they begin, that mean that code is run, or made, or that somebody else is asked to."""

NAMES_FILES = ("open", "os.", "shutil.", "sqlite3.connect", "pathlib.", "glob.")
"""Events whose arguments name files."""


def use(folder: Path) -> None:
    """Do with a cache all that can be done with one; damage is what is expected."""
    reader = CachedJobs(folder)
    for read in (
        reader.get_cached_jobs,
        reader.count_by_state,
        reader.states,
        reader.status,
        lambda: reader.get_job(job_id(1)),
        lambda: reader.get_jobs_with_state(JobState.PENDING),
    ):
        with suppress(NommerctlError):
            read()
    for _ in range(2):
        with suppress(NommerctlError), closing(open_cache(folder)) as cache:
            cache.update_jobs([make_job(1, version=2), make_job(99)])
            cache.remove_jobs([job_id(1), job_id(2)])
            cache.reset([make_job(3)], as_of=START * 2)
            cache.get_cached_jobs()


class Auditor:
    """Notes what is done while `home` is set: that is where files may be used, and nowhere else."""

    def __init__(self) -> None:
        self.home: str | None = None
        self.misdeeds: list[str] = []

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.home is None:
            return
        if event.startswith(RUNS_CODE) or (event.startswith(NAMES_FILES) and not all(map(self._allowed, arguments))):
            self.misdeeds.append(f"{event} {arguments!r}"[:300])

    def _allowed(self, argument: object) -> bool:
        if isinstance(argument, bytes):
            argument = os.fsdecode(argument)
        if not isinstance(argument, str) or self.home is None:
            return True  # a mode, a flag, a descriptor
        path = argument.removeprefix("file:").partition("?")[0]
        named = "/" in path or path.endswith((".val", "victim"))
        return not named or os.path.normpath(path).startswith(self.home)


def main() -> None:
    auditor = Auditor()
    sys.addaudithook(auditor)
    sound, *planted = map(Path, sys.argv[1:])
    use(sound)
    for folder in planted:
        auditor.home = str(folder.parent)
        use(folder)
        auditor.home = None
    print(json.dumps(auditor.misdeeds))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
