"""Submit: check everything first, store the jobs, then queue them. All or nothing."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from nommerctl.domain.job import EncodePass, EncodingJob
from nommerctl.domain.moves import submitted
from nommerctl.domain.options import muxer_for
from nommerctl.domain.text import shown, storable
from nommerctl.domain.times import Instant, micros
from nommerctl.domain.uris import LOCAL_SCHEMES, check_notify_url, file_name_stem, normalised
from nommerctl.errors import DestinationError, SourceError, UsageError
from nommerctl.ports import JobStore, Queue, SourceLook, Storage, Together

A = TypeVar("A")
R = TypeVar("R")

FRESH = 5.0
"""Seconds since its last change within which a source may still be being written."""

SECOND_LOOK = 0.5
"""Seconds between the two looks at fresh sources: one wait for all of them."""


class Each(Protocol):
    """Does something to each of many things and returns the results in their order; what it raises comes out."""

    def __call__(self, act: Callable[[A], R], things: Sequence[A], /) -> list[R]:
        """Do it."""


class Request(Struct, frozen=True, kw_only=True):
    """What somebody asks for. `dest` is a file, or a folder if it ends with a slash or is one (`dest_is_folder`).

    `schemes` are those of the sources and destinations that the backend takes; with `strip_credentials` the keys of AWS
    in them are dropped. `allow_private` are the networks besides the internet that a listener may be in.
    """

    sources: tuple[str, ...]
    dest: str
    dest_is_folder: bool
    cwd: str
    farm: str
    by: str
    options: tuple[EncodePass, ...]
    suffix: str
    preset: str | None = None
    client_id: str | None = None
    notify_url: str | None = None
    allow_private: tuple[str, ...] = ()
    schemes: frozenset[str] = LOCAL_SCHEMES
    strip_credentials: bool = False

    def place(self, text: str) -> str:
        """Return a source or destination as it is stored."""
        return normalised(text, self.cwd, self.schemes, strip_credentials=self.strip_credentials)


def plan_jobs(request: Request, *, now: Instant, new_id: Callable[[], str]) -> tuple[EncodingJob, ...]:
    """Return the jobs that a request asks for, in the order of its sources; UsageError for what cannot be asked."""
    if request.client_id is not None and len(request.sources) > 1:
        msg = "--client-id names one job: give it with one source"
        raise UsageError(msg)
    if request.client_id == "":
        msg = "--client-id is empty: give your own name for the job, or leave it out"
        raise UsageError(msg)
    if request.client_id is not None and storable(request.client_id) != request.client_id:
        msg = f"--client-id '{shown(request.client_id)}' is not valid UTF-8, and a job is stored as UTF-8"
        raise UsageError(msg)
    if len(request.sources) > 1 and not request.dest_is_folder:
        msg = f"--dest '{shown(request.dest)}' is one file for {len(request.sources)} sources: give a folder"
        raise UsageError(msg)
    if request.notify_url is not None:
        check_notify_url(request.notify_url, request.allow_private)
    if "/" in request.suffix:
        msg = f"--suffix '{shown(request.suffix)}' has a slash: it ends the name of a file in the folder of --dest"
        raise UsageError(msg)
    # a microsecond between them keeps the order of the sources, wherever jobs are listed by age
    jobs = tuple(
        _job(request, source, now=now + number, new_id=new_id) for number, source in enumerate(request.sources)
    )
    _check_pairs(jobs)
    return jobs


def _job(request: Request, source: str, *, now: Instant, new_id: Callable[[], str]) -> EncodingJob:
    source, dest = request.place(source), request.place(request.dest)
    if request.dest_is_folder:
        folder = dest if dest.endswith("/") else f"{dest}/"
        dest = request.place(f"{folder}{file_name_stem(source)}{request.suffix}")
    job = EncodingJob(
        id=new_id() if request.client_id is None else client_job_id(request.farm, request.client_id),
        source=source,
        dest=dest,
        created=now,
        changed=now,
        options=request.options,
        preset=request.preset,
        notify_url=request.notify_url,
        client_id=request.client_id,
    )
    return submitted(job, by=request.by)


def client_job_id(farm: str, client_id: str) -> str:
    """Return the id of the job that a client calls `client_id`: asking twice gives the same job."""
    return hashlib.sha256(f"{farm}\0{client_id}".encode()).hexdigest()[:50]


def _check_pairs(jobs: Sequence[EncodingJob]) -> None:
    taken: dict[str, str] = {}
    for job in jobs:
        muxer_for(job.dest)
        if job.dest in taken:
            msg = f"'{shown(taken[job.dest])}' and '{shown(job.source)}' would both be written to '{shown(job.dest)}'"
            raise UsageError(msg)
        taken[job.dest] = job.source


def check_files(jobs: Sequence[EncodingJob], storage: Storage, *, now: Instant, sleep: Callable[[float], None]) -> None:
    """UsageError with a sentence for each source that cannot be encoded and each destination that cannot be written.

    If there is one such fault, it is a SourceError or a DestinationError.
    """
    faults = [fault for fault in file_faults(jobs, storage, now=now, sleep=sleep) if fault is not None]
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise UsageError("; ".join(dict.fromkeys(map(str, faults))))


def one_by_one(act: Callable[[A], R], things: Sequence[A], /) -> list[R]:
    """Do it to each, one after the other: an `Each`."""
    return [act(thing) for thing in things]


def file_faults(
    jobs: Sequence[EncodingJob],
    storage: Storage,
    *,
    now: Instant,
    sleep: Callable[[float], None],
    each: Each = one_by_one,
) -> list[UsageError | None]:
    """Return for each job what is wrong with its source or destination, None for nothing.

    Sources that were changed just now are looked at twice.
    """
    looks = each(lambda job: _looked(job, storage), jobs)
    faults = [look if isinstance(look, UsageError) else None for look in looks]
    since = now - micros(FRESH)
    fresh = [at for at, look in enumerate(looks) if isinstance(look, SourceLook) and (look.modified or 0) > since]
    if fresh:
        sleep(SECOND_LOOK)
        again = each(lambda at: _grown(jobs[at].source, looks[at], storage), fresh)
        for at, fault in zip(fresh, again, strict=True):
            faults[at] = fault
    return faults


def _looked(job: EncodingJob, storage: Storage) -> SourceLook | UsageError:
    """Return what the source looks like, or what is wrong with it or the destination."""
    try:
        look = storage.look(job.source)
    except UsageError as error:
        return SourceError(str(error))
    if look.size == 0:
        return SourceError(f"source '{shown(job.source)}' is empty")
    try:
        storage.check_destination(job.dest)
        if storage.is_same(job.source, job.dest):
            return DestinationError(
                f"'{shown(job.dest)}' would be written over its own source: give another destination"
            )
    except UsageError as error:
        return DestinationError(str(error))
    return look


def _grown(source: str, before: SourceLook | UsageError, storage: Storage) -> UsageError | None:
    try:
        if storage.look(source) == before:
            return None
    except UsageError as error:
        return SourceError(str(error))
    return SourceError(f"source '{shown(source)}' is still being written: submit it when it is complete")


def store_jobs(
    jobs: Sequence[EncodingJob], *, store: JobStore, new_jobs: Queue, changes: Queue, together: Together
) -> list[EncodingJob]:
    """Store the jobs, then queue them, then announce them; return each as it stands in the store.

    A job that exists already (same client id) is not touched; its message is sent again, which is harmless (I3) and
    mends a submit that died half-way.
    """
    with together():
        stored = store.submit(jobs)
        unfinished = [job.id for job in stored if not job.finished]
        new_jobs.send(unfinished)
        changes.send(unfinished)
    return stored
