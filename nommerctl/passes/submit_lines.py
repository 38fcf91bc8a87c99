"""Submit a file of jobs: check all of its lines, then store them by the hundred."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import structs

from nommerctl.domain.batches import batches
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.job_lines import Faults, JobLine, Planned, content_client_id, parse_job_line
from nommerctl.domain.options import encoders
from nommerctl.domain.text import shown
from nommerctl.domain.times import Instant
from nommerctl.errors import UsageError
from nommerctl.passes.submit import Each, Request, client_job_id, file_faults, plan_jobs, store_jobs
from nommerctl.ports import Clock, JobReads, JobStore, Queue, Storage, Together

AT_ONCE = 100
"""Jobs that are stored together: as many as DynamoDB takes in one transaction."""


def plan_lines(
    lines: Iterable[tuple[int, bytes]], ask: Callable[[JobLine], Request], faults: Faults, *, clock: Clock
) -> list[Planned]:
    """Return the jobs that numbered lines ask for, in their order; FaultyLinesError if something is wrong with any.

    No two of them are one job, or are written to one destination.
    """
    planned: list[Planned] = []
    by_id: dict[str, int] = {}
    by_dest: dict[str, int] = {}
    now = 0
    for number, text in lines:
        now = max(clock(), now + 1)  # apart, so that they keep their order wherever jobs are listed by age
        try:
            line = parse_job_line(text)
            job = _planned(ask(line), now)
        except UsageError as error:
            faults.add(number, str(error))
            continue
        like = by_id.setdefault(job.id, number)
        beside = by_dest.setdefault(job.dest, number)
        if like != number:
            faults.add(number, _same(line, like))
        elif beside != number:
            faults.add(number, f"it would be written to '{shown(job.dest)}', as the job of line {beside} would")
        else:
            planned.append(Planned(number, job))
    faults.check()
    return planned


def _planned(request: Request, now: Instant) -> EncodingJob:
    """Return the job; without a client id it gets one from its content, so that asking again is the same job."""
    (job,) = plan_jobs(request, now=now, new_id=str)
    if job.client_id is not None:
        return job
    client_id = content_client_id(job)
    return structs.replace(job, client_id=client_id, id=client_job_id(request.farm, client_id))


def _same(line: JobLine, other: int) -> str:
    if line.client_id is None:
        return f"it is the same job as line {other}: leave one out, or give one of them a client_id"
    return f"its client_id '{shown(line.client_id)}' is that of line {other} too"


def check_lines(
    planned: Sequence[Planned],
    storage: Storage,
    store: JobReads,
    faults: Faults,
    *,
    now: Instant,
    sleep: Callable[[float], None],
    each: Each,
) -> None:
    """FaultyLinesError unless every source can be encoded and every destination be written.

    A job that is in the store already needs neither: its source may have been encoded and cleared away since.
    """
    found = file_faults([job for _, job in planned], storage, now=now, sleep=sleep, each=each)
    faulty = [(line, fault) for line, fault in zip(planned, found, strict=True) if fault is not None]
    for some in batches(faulty, AT_ONCE):
        there = store.get([job.id for (_, job), _ in some])
        for (number, job), fault in some:
            if job.id not in there:
                faults.add(number, str(fault))
    faults.check()


def check_encoders(planned: Sequence[Planned], faults: Faults, check: Callable[[frozenset[str]], None]) -> None:
    """FaultyLinesError if `check` refuses, by a UsageError, the encoders of any line; it is asked once for each set."""
    first: dict[frozenset[str], int] = {}
    seen: set[int] = set()
    for number, job in planned:
        if id(job.options) not in seen:  # equal options are one object, and ten thousand jobs have few of them
            seen.add(id(job.options))
            first.setdefault(encoders(job.options), number)
    for needed, number in first.items():
        try:
            check(needed)
        except UsageError as error:
            faults.add(number, str(error))
    faults.check()


def store_by_hundreds(
    jobs: Iterable[EncodingJob],
    *,
    store: JobStore,
    new_jobs: Queue,
    changes: Queue,
    together: Together,
    heed: Callable[[], None],
) -> Iterator[list[EncodingJob]]:
    """Store, queue and announce the jobs, and yield each hundred as it stands in the store.

    `heed` is called before each, and ends it by raising. Whoever calls this again, with the same jobs, goes on where
    it ended: those that are there are left as they are.
    """
    for some in batches(jobs, AT_ONCE):
        heed()
        yield store_jobs(some, store=store, new_jobs=new_jobs, changes=changes, together=together)
