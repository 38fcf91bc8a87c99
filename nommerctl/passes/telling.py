"""Telling those who asked: each job's history, from where it was told to. Media-nommer's job state notifier."""

from nommerctl.domain.credentials import masked
from nommerctl.domain.job import EncodingJob, HistoryEntry
from nommerctl.domain.moves import told
from nommerctl.domain.outcome import Change
from nommerctl.domain.times import Instant, micros
from nommerctl.passes.means import Effect, FarmReads, FarmWrites, Performer

TURN = 60.0
"""Seconds after which telling begins with another host."""


def tell(reads: FarmReads, perform: Performer, now: Instant) -> None:
    """Deliver what is untold: in order for each job, one after the other to each host, hosts side by side.

    What a listener does not take stays untold, with all later changes of its job, and the next pass tries again. Each
    TURN begins with another host, so that some that hang do not keep the others waiting for ever.
    """
    heard: list[str] = []
    hosts: dict[str, list[list[tuple[Change, Effect]]]] = {}
    for job in reads.store.untold():
        chain = [(Change("tell", job.id, entry.state.value), _tell(job, entry, heard)) for entry in job.untold]
        hosts.setdefault(_host(str(job.notify_url)), []).append(chain)
    if not hosts:
        return
    groups = list(hosts.values())
    first = now // micros(TURN) % len(groups)
    perform.together([*groups[first:], *groups[:first]])
    perform.quietly(lambda writes: writes.cache.update_jobs(writes.store.get(dict.fromkeys(heard)).values()))


def _host(url: str) -> str:
    """Return what stands before the path, whatever it is: the store may hold URLs that nobody checked."""
    return url.partition("://")[2].partition("/")[0]


def _tell(job: EncodingJob, entry: HistoryEntry, heard: list[str]) -> Effect:
    fields = {"unique_id": job.id, "job_state": entry.state.value, "job_state_details": masked(entry.details or "")}

    def effect(writes: FarmWrites) -> None:
        writes.notifier.tell(str(job.notify_url), fields)
        writes.store.transition(job.id, lambda current: told(current, seq=entry.seq))
        heard.append(job.id)

    return effect
