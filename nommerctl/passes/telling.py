"""Telling those who asked: each job's history, from where it was told to. Media-nommer's job state notifier."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from nommerctl.domain.batches import batches
from nommerctl.domain.delivery import due, state_change
from nommerctl.domain.job import EncodingJob, HistoryEntry, JobId
from nommerctl.domain.moves import told, untaken
from nommerctl.domain.outcome import Change
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import GoneError, HostAwayError, TransferError, UnansweredError
from nommerctl.passes.means import FarmReads, FarmWrites, Performer
from nommerctl.ports import Clock, JobReads, Move

TURN = 60.0
"""Seconds after which telling begins with another host."""

AT_ONCE = 25
"""Jobs whose listener is told one thing each before that is noted in the store, for all of them at once."""

PHRASE = 200
"""Characters that are kept of how an attempt failed."""


def tell(reads: FarmReads, perform: Performer, clock: Clock, *, attempts: int, learnt: Iterable[JobId] = ()) -> None:
    """Deliver what is due: in order for each job, one after the other to each host, hosts side by side.

    Which jobs that are, the cache knows, and what was `learnt` just now; what is due, the store. What a listener does
    not take stays untold, with all later changes of its job, until its next attempt, of which there are so many
    `attempts`. Where there is something to tell, the store also says which URLs are gone: nobody is told there. Each
    TURN begins with another host, so that some that hang do not keep the others waiting for ever.
    """
    now = clock()
    ids = dict.fromkeys([*reads.cache.untold(now), *learnt])
    found = reads.store.get(ids) if ids else {}
    hosts: dict[str, list[EncodingJob]] = {}
    heard: list[EncodingJob] = []
    for job in sorted(found.values(), key=_rank):
        if due(job, now):
            hosts.setdefault(_host(str(job.notify_url)), []).append(job)
        else:
            heard.append(job)  # the cache had not learnt it yet
    first = now // micros(TURN) % len(hosts) if hosts else 0
    gone = _gone(reads.store, now) if hosts else {}
    tellers = [_Teller(perform, jobs, heard, clock, attempts=attempts, gone=gone) for jobs in hosts.values()]
    try:
        perform.together([*tellers[first:], *tellers[:first]])
    finally:
        if heard:
            perform.in_any_case(lambda writes: writes.cache.update_jobs(heard))


def _rank(job: EncodingJob) -> tuple[int, Instant, JobId]:
    """Whose turn it is on a host: those first that failed least, so that a listener that hangs comes after others."""
    return job.delivery.failures if job.delivery is not None else 0, job.changed, job.id


def _host(url: str) -> str:
    """Return what stands before the path, whatever it is: the store may hold URLs that nobody checked."""
    return url.partition("://")[2].partition("/")[0]


def _gone(store: JobReads, now: Instant) -> "dict[str, _Failed]":
    """Return the URLs that have said, of whatever job, that they are gone for good, and how."""
    deliveries = ((str(job.notify_url), job.delivery) for job in store.undelivered())
    return {url: _Failed(each.error, now, gone=True) for url, each in deliveries if each is not None and each.gone}


def _listener(url: str) -> str:
    """Return what of a URL says who listens: jobs are often told apart by its query."""
    return url.partition("?")[0]


class _Failed(NamedTuple):
    """How an attempt failed, and when; `gone` is for good."""

    error: str
    at: Instant
    gone: bool = False


class _Teller:
    """Tells one host of some jobs. Those of which something was noted are added to `heard`.

    What one job shows holds for others, and is noted of them without asking again: that the host is away for all of
    them, that a listener does not answer for those that it is to be told of, and that it is gone for those of its URL,
    as the URLs in `gone` were before.
    After one that does not answer, nobody on the host is asked any more in this pass: the next one asks others first.
    """

    def __init__(
        self,
        perform: Performer,
        jobs: Sequence[EncodingJob],
        heard: list[EncodingJob],
        clock: Clock,
        *,
        attempts: int,
        gone: Mapping[str, _Failed],
    ) -> None:
        self._perform = perform
        self._jobs = jobs
        self._heard = heard
        self._clock = clock
        self._attempts = attempts
        self._away: _Failed | None = None
        self._unanswered: dict[str, _Failed] = {}
        self._gone = dict(gone)
        self._last: _Failed | None = None
        self._given_up: list[EncodingJob] = []

    def __call__(self) -> None:
        """Tell all there is to tell, until nobody answers."""
        try:
            for some in batches(self._jobs, AT_ONCE):
                left = some
                while left:
                    left = self._told_one_more(left)
        finally:
            self._note_given_up()

    def _told_one_more(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        """Tell the next thing of each job, and note in the store what came of it; return the jobs with more to tell.

        Whatever ends this, it is noted: else the next pass would tell the same again.
        """
        self._perform.heed()
        steps: list[tuple[EncodingJob, Move]] = []
        after: list[EncodingJob] = []
        try:
            for job in jobs:
                step = self._step(job)
                if step is not None:
                    steps.append((job, step))
        finally:
            after += self._noted(steps)
        self._given_up += (job for job in after if job.undelivered)
        return [job for job in after if job.untold and job.delivery is None]

    def _step(self, job: EncodingJob) -> Move | None:
        """Tell a job's next change, if there is hope; return what that makes of the job, None if nothing was tried."""
        entry = job.untold[0]
        known = self._known(str(job.notify_url))
        if known is None and self._unanswered:
            return None
        if known is None and self._perform(Change("tell", job.id, entry.state.value), partial(self._tell, job, entry)):
            return partial(told, seq=entry.seq)
        failed = known or self._last
        return failed and partial(
            untaken, seq=entry.seq, error=failed.error, now=failed.at, attempts=self._attempts, gone=failed.gone
        )

    def _known(self, url: str) -> _Failed | None:
        """How telling this URL fails, as far as others have shown it."""
        return self._gone.get(url) or self._away or self._unanswered.get(_listener(url))

    def _tell(self, job: EncodingJob, entry: HistoryEntry, writes: FarmWrites) -> None:
        url = str(job.notify_url)
        try:
            writes.notifier.tell(url, state_change(job, entry, self._clock()))
        except TransferError as error:
            failed = _Failed(_phrase(error, url), self._clock(), gone=isinstance(error, GoneError))
            match error:
                case HostAwayError():
                    self._away = failed
                case UnansweredError():
                    self._unanswered[_listener(url)] = failed
                case GoneError():
                    self._gone[url] = failed
                case _:
                    pass
            self._last = failed
            raise

    def _noted(self, steps: Sequence[tuple[EncodingJob, Move]]) -> list[EncodingJob]:
        after = [move(job) for job, move in steps]  # what a dry run goes on with

        def note(writes: FarmWrites) -> None:
            after[:] = writes.store.transitions(steps)
            self._heard.extend(after)

        if steps:
            self._perform.in_any_case(note)
        return after

    def _note_given_up(self) -> None:
        """Say once of a host whose jobs are not told any more, however many there are."""
        if not self._given_up:
            return
        some, delivery = self._given_up[0], self._given_up[0].delivery
        whose = some.id if len(self._given_up) == 1 else counted(len(self._given_up), "job")
        why = delivery.error if delivery is not None else ""
        self._perform.note(Change("give up telling", whose, f"{why}; see 'nommerctl notify dead list'"))


def _phrase(error: TransferError, url: str) -> str:
    """Return how an attempt failed, without the URL that the sentence begins with."""
    return str(error).removeprefix(f"'{shown(url)}' ")[:PHRASE]
