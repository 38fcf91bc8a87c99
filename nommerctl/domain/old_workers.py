"""Media-nommer's own workers, which take no leases: what they have in hand is known by its number alone."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.fleet import Heartbeat, NodeId
from nommerctl.domain.job import EncodingJob, JobId, held_without_lease
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import Instant, impossible, micros

CHECK = "old workers"

_NAMED = 3
"""Bad rows that are named; the others are only counted."""


def living(beats: Iterable[Heartbeat], *, silent_after: float, now: Instant) -> list[Heartbeat]:
    """Return the heartbeats of old workers that were given within `silent_after` seconds."""
    since = now - micros(silent_after)
    return [beat for beat in beats if not beat.takes_leases and beat.at >= since and not impossible(beat.at, now)]


def jobs_in_hand(beats: Iterable[Heartbeat], *, silent_after: float, now: Instant) -> int:
    """How many jobs old workers that live say that they have in hand."""
    return sum(beat.active for beat in living(beats, silent_after=silent_after, now=now))


def left_to_old_workers(stale: Sequence[EncodingJob], *, others: int, in_hand: int) -> frozenset[JobId]:
    """Which of the `stale` jobs are left to old workers that have so many `in_hand`.

    It may be any of those that have no lease; a job that changed last is the likeliest. So the `others`, which changed
    lately, come first, and then the stale ones, newest change first.
    """
    held = sorted((job for job in stale if held_without_lease(job)), key=lambda job: (-job.changed, job.id))
    return frozenset(job.id for job in held[: max(in_hand - others, 0)])


def judge_rows(domain: str, bad: Mapping[str, str]) -> Iterator[Finding]:
    """Judge the rows of heartbeats that cannot be understood, `bad` by their names, with why not."""
    if bad:
        some = "; ".join(f"{shown(name)}: {shown(why)}" for name, why in sorted(bad.items())[:_NAMED])
        more = f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        found = f"{counted(len(bad), 'item')} in domain '{domain}' cannot be understood: {some}{more}"
        yield Finding(CHECK, Verdict.WARNING, found, "they are left out; delete those that no worker writes any more")


def judge_old_workers(
    beats: Iterable[Heartbeat], *, shown_nodes: Collection[NodeId], silent_after: float, now: Instant
) -> Finding:
    """Judge whether those that live are seen where nodes are counted; `shown_nodes` are those that the fleet shows."""
    alive = living(beats, silent_after=silent_after, now=now)
    unseen = sorted(beat.node for beat in alive if beat.node not in shown_nodes)
    found = f"{len(alive)} alive, with {counted(sum(beat.active for beat in alive), 'job')} in hand"
    if unseen:
        some = ", ".join(map(shown, unseen[:_NAMED]))
        found += f"; of {len(unseen)} EC2 shows no node ({some}), so scale.max_nodes does not count them"
        return Finding(CHECK, Verdict.WARNING, found, "set simpledb.ami to the image that they run from")
    return Finding(CHECK, Verdict.OK, found)
