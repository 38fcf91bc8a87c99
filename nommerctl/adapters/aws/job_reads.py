"""What is read of the job store in DynamoDB: jobs from the table, lists by indexes that are a little behind."""

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby, islice

from nommerctl.adapters.aws.ahead import ahead
from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.job_items import (
    FINISHED_PHASE,
    IN_WORK_PHASE,
    PENDING_PHASE,
    UNDELIVERED_HEAD,
    UNTOLD_PHASE,
    job_of,
    key_of,
    phases_with,
)
from nommerctl.adapters.aws.names import jobs_table
from nommerctl.adapters.aws.resources import BY_CHANGE, BY_ID
from nommerctl.adapters.aws.tables import READ_AT_ONCE, Item, Table
from nommerctl.domain.batches import batches
from nommerctl.domain.job import EncodingJob, JobId, is_job_id
from nommerctl.domain.states import IN_WORK, JobState
from nommerctl.domain.times import Instant

LAG = 60.0
"""Seconds that the indexes are behind, at most: DynamoDB names no limit, and is within a second on all but bad days."""

_PREFIX = re.compile(r"[0-9a-f]{0,50}")
_HEADS = "0123456789abcdef"


class DynamoJobReads:
    """A ports.JobReads.

    The lists take the keys from an index and the jobs from the table, and leave out those that do not belong there any
    more. A job that changes while a list is read may come twice, the second time as it then stands.
    """

    lag = LAG

    def __init__(self, clients: Clients, farm: str, sleep: Callable[[float], None]) -> None:
        self._table = Table(clients, jobs_table(farm), sleep)

    def get(self, ids: Iterable[JobId]) -> dict[JobId, EncodingJob]:
        """Return those of the named jobs that exist, each as it is now."""
        wanted = filter(
            is_job_id, dict.fromkeys(ids)
        )  # of another form there are none, and DynamoDB may refuse to look
        found: dict[JobId, EncodingJob] = {}
        for jobs in ahead(self._batch, batches(wanted, READ_AT_ONCE)):
            found |= jobs
        return found

    def find(self, prefix: str, limit: int) -> list[EncodingJob]:
        """Return up to `limit` jobs whose id begins with `prefix`, by id."""
        if not _PREFIX.fullmatch(prefix) or limit <= 0:
            return []
        if is_job_id(prefix):
            return list(self.get([prefix]).values())
        found = heapq.merge(
            chain.from_iterable(self._ids(head, prefix, limit) for head in prefix[:1] or _HEADS),
            self._ids(UNDELIVERED_HEAD, prefix, limit),
        )
        each_once = (job_id for job_id, _ in groupby(found))
        return list(self.get(islice(each_once, limit)).values())

    def unfinished(self) -> Iterator[EncodingJob]:
        """Yield every unfinished job, oldest `created` first; the ids of all of them are in memory meanwhile."""
        phases = (
            PENDING_PHASE,
            IN_WORK_PHASE,
        )  # in this order a job that is claimed meanwhile is found twice, not missed
        found = chain.from_iterable(self._found(phase) for phase in phases)
        ids = [job_id for _, job_id in sorted((int(item["created"]["N"]), item["id"]["S"]) for item in found)]
        yield from self._read(ids, lambda job: not job.finished)

    def finished_untold(self) -> Iterator[EncodingJob]:
        """Yield every finished job that a `notify_url` still has to be told of, oldest `changed` first."""
        return self._listed([UNTOLD_PHASE], lambda job: job.finished and bool(job.untold))

    def undelivered(self) -> Iterator[EncodingJob]:
        """Yield every job whose listener was given up, oldest `changed` first; all of them are in memory meanwhile."""
        found = self._read(self._ids(UNDELIVERED_HEAD), lambda job: job.undelivered)
        yield from sorted(found, key=lambda job: (job.changed, job.id))

    def silent(self, *, in_work_before: Instant, pending_before: Instant) -> Iterator[EncodingJob]:
        """Yield every job in work, and every PENDING one, with `changed` before its instant, oldest first.

        Each kind is a query that finds no others.
        """
        before = dict.fromkeys(IN_WORK, in_work_before) | {JobState.PENDING: pending_before}
        found = self._found(PENDING_PHASE, before=pending_before), self._found(IN_WORK_PHASE, before=in_work_before)
        return self._in_order(found, lambda job: job.state in before and job.changed < before[job.state])

    def finished_since(self, since: Instant) -> Iterator[EncodingJob]:
        """Yield every finished job with `changed` at or after `since`, oldest first."""
        return self._listed(
            [UNTOLD_PHASE, FINISHED_PHASE], lambda job: job.finished and job.changed >= since, since=since
        )

    def finished_before(self, before: Instant) -> Iterator[EncodingJob]:
        """Yield every finished job with `changed` before `before` and nothing untold, oldest first."""
        return self._listed(
            [FINISHED_PHASE], lambda job: job.finished and not job.untold and job.changed < before, before=before
        )

    def in_state(self, state: JobState) -> Iterator[EncodingJob]:
        """Yield every job in this state, oldest `changed` first."""
        return self._listed(phases_with(state), lambda job: job.state is state, state=state)

    def _listed(
        self,
        phases: Sequence[str],
        belongs: Callable[[EncodingJob], bool],
        *,
        since: Instant | None = None,
        before: Instant | None = None,
        state: JobState | None = None,
    ) -> Iterator[EncodingJob]:
        """Yield the jobs of some phases that belong to a list, in the order of their last change."""
        found = (self._found(phase, since=since, before=before, state=state) for phase in phases)
        return self._in_order(found, belongs)

    def _in_order(
        self, found: Iterable[Iterator[Item]], belongs: Callable[[EncodingJob], bool]
    ) -> Iterator[EncodingJob]:
        """Yield the jobs of what was found that belong to a list, in the order of their last change."""
        in_order = heapq.merge(*found, key=lambda item: int(item["changed"]["N"]))
        return self._read((item["id"]["S"] for item in in_order), belongs)

    def _read(self, ids: Iterable[JobId], belongs: Callable[[EncodingJob], bool]) -> Iterator[EncodingJob]:
        for jobs in ahead(self._batch, batches(ids, READ_AT_ONCE)):
            yield from filter(belongs, jobs.values())

    def _batch(self, ids: Sequence[JobId]) -> dict[JobId, EncodingJob]:
        """Return those of up to READ_AT_ONCE jobs that exist, in the order of their ids as given."""
        keys = [key_of(job_id) for job_id in dict.fromkeys(ids)]
        if len(keys) == 1:
            item = self._table.get(keys[0])
            items = [] if item is None else [item]
        else:
            items = self._table.get_batch(keys)
        found = {item["id"]["S"]: item for item in items}
        return {job_id: job_of(job_id, found[job_id], self._table.name) for job_id in ids if job_id in found}

    def _found(
        self, phase: str, *, since: Instant | None = None, before: Instant | None = None, state: JobState | None = None
    ) -> Iterator[Item]:
        """Yield what the index has of the jobs of a phase, in the order of their last change."""
        condition, where, values = "#phase = :phase", "", {":phase": {"S": phase}}
        if since is not None:
            condition += " AND #changed >= :since"
            values[":since"] = {"N": str(since)}
        if before is not None:
            condition += " AND #changed < :before"
            values[":before"] = {"N": str(before)}
        if state is not None:
            where = "#state = :state"
            values[":state"] = {"S": state.value}
        return self._table.query(condition, values, index=BY_CHANGE, where=where)

    def _ids(self, head: str, prefix: str = "", limit: int = 0) -> Iterator[JobId]:
        """Yield the ids that stand under a head and begin with a prefix, in order."""
        condition, values = "#head = :head", {":head": {"S": head}}
        if prefix:
            condition += " AND begins_with(#id, :prefix)"
            values[":prefix"] = {"S": prefix}
        for item in self._table.query(condition, values, index=BY_ID, limit=limit):
            yield item["id"]["S"]
