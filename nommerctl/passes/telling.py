"""Telling those who asked: each job's history, from where it was told to. Media-nommer's job state notifier."""

from collections.abc import Iterable, Sequence
from functools import partial

from nommerctl.domain.batches import batches
from nommerctl.domain.credentials import masked
from nommerctl.domain.job import EncodingJob, HistoryEntry, JobId
from nommerctl.domain.moves import told
from nommerctl.domain.outcome import Change
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import UnansweredError
from nommerctl.passes.means import FarmReads, FarmWrites, Performer

TURN = 60.0
"""Seconds after which telling begins with another host."""

AT_ONCE = 25
"""Jobs whose listener is told one thing each before that is noted in the store, for all of them at once."""


def tell(reads: FarmReads, perform: Performer, now: Instant, *, learnt: Iterable[JobId] = ()) -> None:
    """Deliver what is untold: in order for each job, one after the other to each host, hosts side by side.

    Which jobs that are, the cache knows, and what was `learnt` just now; what is untold, the store. What a listener
    does not take stays untold, with all later changes of its job, and the next pass tries again. Each
    TURN begins with another host, so that some that hang do not keep the others waiting for ever.
    """
    ids = dict.fromkeys([*reads.cache.untold(now), *learnt])
    found = reads.store.get(ids) if ids else {}
    hosts: dict[str, list[EncodingJob]] = {}
    for job in sorted(found.values(), key=lambda job: (job.changed, job.id)):
        if job.untold:
            hosts.setdefault(_host(str(job.notify_url)), []).append(job)
    gone = [job_id for job_id, job in found.items() if not job.untold]
    heard: list[EncodingJob] = [found[job_id] for job_id in gone]  # the cache had not learnt it yet
    first = now // micros(TURN) % len(hosts) if hosts else 0
    tellers = [_Teller(perform, jobs, heard) for jobs in hosts.values()]
    try:
        perform.together([*tellers[first:], *tellers[:first]])
    finally:
        if heard:
            perform.in_any_case(lambda writes: writes.cache.update_jobs(heard))


def _host(url: str) -> str:
    """Return what stands before the path, whatever it is: the store may hold URLs that nobody checked."""
    return url.partition("://")[2].partition("/")[0]


class _Teller:
    """Tells one host of some jobs. Those whose `told` is advanced are added to `heard`."""

    def __init__(self, perform: Performer, jobs: Sequence[EncodingJob], heard: list[EncodingJob]) -> None:
        self._perform = perform
        self._jobs = jobs
        self._heard = heard
        self._silent = False

    def __call__(self) -> None:
        """Tell all there is to tell, until nobody answers."""
        for some in batches(self._jobs, AT_ONCE):
            left = some
            while left and not self._silent:
                left = self._told_one_more(left)

    def _told_one_more(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        """Tell the next thing of each job and note in the store what was taken; return the jobs that have more to tell.

        Whatever ends this, it is noted: else the next pass would tell the same again.
        """
        taken: list[tuple[EncodingJob, HistoryEntry]] = []
        after: list[EncodingJob] = []
        try:
            for job in jobs:
                entry = job.untold[0]
                if self._perform(Change("tell", job.id, entry.state.value), partial(self._tell, job, entry)):
                    taken.append((job, entry))
                elif self._silent:
                    break
        finally:
            after += self._noted(taken)
        return [job for job in after if job.untold]

    def _tell(self, job: EncodingJob, entry: HistoryEntry, writes: FarmWrites) -> None:
        details = masked(entry.details or "")
        fields = {"unique_id": job.id, "job_state": entry.state.value, "job_state_details": details}
        try:
            writes.notifier.tell(str(job.notify_url), fields)
        except UnansweredError:
            self._silent = True
            raise

    def _noted(self, taken: Sequence[tuple[EncodingJob, HistoryEntry]]) -> list[EncodingJob]:
        steps = [(job, partial(told, seq=entry.seq)) for job, entry in taken]
        after = [move(job) for job, move in steps]  # what a dry run goes on with

        def note(writes: FarmWrites) -> None:
            after[:] = writes.store.transitions(steps)
            self._heard.extend(after)

        if steps:
            self._perform.in_any_case(note)
        return after
