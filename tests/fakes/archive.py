"""An archive in memory."""

from collections.abc import Sequence

from nommerctl.domain.job import EncodingJob


class FakeArchive:
    """A ports.Archive; `jobs` is what it holds."""

    def __init__(self) -> None:
        self.jobs: list[EncodingJob] = []

    def append(self, jobs: Sequence[EncodingJob]) -> None:
        self.jobs.extend(jobs)
