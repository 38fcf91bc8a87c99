"""What store, queue and cache must be like, and what is said of them if they are not."""

import shlex
from collections.abc import Sequence

from msgspec import Struct

from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.fleet import Depth
from nommerctl.domain.text import counted
from nommerctl.domain.times import Instant, age, seconds_between

_SHOWN = 2
"""Complaints that are shown; the others are only counted."""

_RESTORE = "restore it from a backup"


class StoreFacts(Struct, frozen=True, kw_only=True):
    """The job store as a whole: how many jobs are in it, and what is wrong with it, a phrase each.

    `size` is that of its file in bytes, None if there is none.
    """

    size: int | None
    jobs: int = 0
    complaints: tuple[str, ...] = ()


class QueueFacts(Struct, frozen=True, kw_only=True):
    """The queue of new jobs: its depth, and how many of its messages are dead, or of jobs that are over.

    `unannounced` counts the PENDING jobs that no message in it names.
    """

    depth: Depth
    dead: int = 0
    needless: int = 0
    unannounced: int = 0


class CacheFacts(Struct, frozen=True, kw_only=True):
    """The job cache against the store: how many of its jobs the store does not know, or only in a lower version.

    `behind` counts those of which the store has a higher version: changes not yet learnt. `compared` is False if the
    store could not be asked. `unfinished` counts the cached jobs that are not over.
    """

    jobs: int = 0
    unfinished: int = 0
    refreshed: Instant | None = None
    complaints: tuple[str, ...] = ()
    compared: bool = True
    unknown: int = 0
    ahead: int = 0
    behind: int = 0


def lost_store(path: str, folder: str, size: int | None, known: int | None) -> tuple[str, str] | None:
    """Return what is wrong and what to do if the store has gone, or was emptied, though the cache was filled from one.

    `size` is the store's in bytes, None if there is none; `known` is how many jobs the cache knows, None if it was
    never filled, as on a new farm. None if all is well. `path` and `folder` are the store's and the cache's.
    """
    if size or known is None:
        return None
    how = "is gone" if size is None else "is empty"
    trace = f"the cache knows {counted(known, 'job')}" if known else "the cache was filled from it"
    advice = f"move its -wal and -shm away, then {_RESTORE}; to begin anew without it: rm -r {shlex.quote(folder)}"
    return f"'{path}' {how}, and {trace}", advice


def judge_store(path: str, facts: StoreFacts, *, folder: str, known: int | None) -> Finding:
    """Judge the store: anything wrong with it is a failure, for it is the truth about the jobs.

    `folder` is the cache's, and `known` how many jobs that knows, as for `lost_store`.
    """
    lost = lost_store(path, folder, facts.size, known)
    if lost is not None:
        return Finding("store", Verdict.FAILED, *lost)
    if not facts.size:
        return Finding("store", Verdict.OK, "none yet")
    if facts.complaints:
        advice = f"restore it from a backup; without one, 'sqlite3 {shlex.quote(path)} .recover' saves what is whole"
        return Finding("store", Verdict.FAILED, f"'{path}' is damaged: {_some(facts.complaints)}", advice)
    return Finding("store", Verdict.OK, f"sound, {counted(facts.jobs, 'job')}")


def judge_queue(facts: QueueFacts) -> Finding:
    """Judge the queue of new jobs. It is a hint: refresh puts right what is wrong with it, but for dead letters."""
    found = f"{facts.depth.visible} waiting, {facts.depth.in_flight} in work"
    if facts.needless:
        found += f", {facts.needless} of jobs that are over (workers drop them)"
    if facts.dead:
        advice = "see 'nommerctl queue dead list', then 'nommerctl queue dead retry'"
        return Finding("queue", Verdict.WARNING, f"{found}, {facts.dead} dead", advice)
    if facts.unannounced:
        lost = f"{found}; {counted(facts.unannounced, 'PENDING job')} without a message"
        return Finding("queue", Verdict.WARNING, lost, "refresh sends new ones after upkeep.requeue_after")
    return Finding("queue", Verdict.OK, found)


def judge_cache(folder: str, facts: CacheFacts, *, max_age: float, now: Instant) -> Finding:
    """Judge the cache: it may be behind the store, but never ahead of it."""
    jobs = counted(facts.jobs, "job")
    verdict, trouble = _trouble_with(folder, facts, jobs)
    if trouble:
        advice = f"rm -r {shlex.quote(folder)}; nommerctl refresh"
        if facts.unknown and facts.unknown == facts.jobs:
            advice = f"restore the store first; only if these jobs are to be forgotten: {advice}"
        return Finding("cache", verdict, trouble, advice)
    if facts.refreshed is None:
        return Finding("cache", Verdict.OK, f"cold, {jobs}: the next refresh fills it")
    old = seconds_between(facts.refreshed, now)
    found = f"sound, {jobs}, refreshed {age(old)} ago"
    if facts.behind:
        found += f", {facts.behind} behind the store"
    if not facts.compared:
        return Finding("cache", Verdict.WARNING, f"{found}; the store cannot be read to compare them")
    if old > max_age and facts.unfinished:
        return Finding("cache", Verdict.WARNING, f"{found}: too old for scale to launch anything", "nommerctl refresh")
    return Finding("cache", Verdict.OK, found)


def _trouble_with(folder: str, facts: CacheFacts, jobs: str) -> tuple[Verdict, str]:
    if facts.complaints:
        return Verdict.FAILED, f"'{folder}' is damaged: {_some(facts.complaints)}"
    if facts.ahead:
        return Verdict.FAILED, f"{facts.ahead} of {jobs} newer than in the store: it was set back, or is another farm's"
    if facts.unknown:
        return Verdict.WARNING, f"{facts.unknown} of {jobs} not in the store"
    return Verdict.OK, ""


def _some(phrases: Sequence[str]) -> str:
    more = f"; and {len(phrases) - _SHOWN} more" if len(phrases) > _SHOWN else ""
    return "; ".join(phrases[:_SHOWN]) + more
