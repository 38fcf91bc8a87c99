"""Running one pass: its lock, its record, its limits, and a performer that does or only lists."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

from msgspec import structs

from nommerctl.adapters.cache_table import CacheDamagedError
from nommerctl.adapters.local.pass_files import pass_lock
from nommerctl.domain.outcome import Outcome
from nommerctl.domain.schedule import PassRecord
from nommerctl.errors import (
    AlreadyRunningError,
    ExitCode,
    InterruptedPassError,
    NommerctlError,
    TerminatedPassError,
    TimeLimitError,
)
from nommerctl.passes.abandon import abandon
from nommerctl.passes.news import ComparedNews, QueueNews
from nommerctl.passes.performing import Doer, Rehearsal
from nommerctl.passes.prune import prune
from nommerctl.passes.refresh import refresh
from nommerctl.passes.scale import scale
from nommerctl.ports import FarmReads, News, Performer
from nommerctl.wiring import process
from nommerctl.wiring.farm import Farm

OVERTIME = 10.0
"""Seconds past its limit after which a pass that hangs in the midst of an effect is broken off."""

Pass: TypeAlias = Callable[[Farm, FarmReads, Performer, News], Outcome]


def _refresh(farm: Farm, reads: FarmReads, perform: Performer, news: News, *, rebuild: bool = False) -> Outcome:
    settings = farm.settings
    return refresh(
        reads,
        perform,
        news,
        upkeep=settings.upkeep,
        cache_settings=settings.cache,
        clock=farm.clock,
        rebuild=rebuild,
    )


def _rebuild(farm: Farm, reads: FarmReads, perform: Performer, news: News) -> Outcome:
    return _refresh(farm, reads, perform, news, rebuild=True)


def _scale(farm: Farm, reads: FarmReads, perform: Performer, _news: News) -> Outcome:
    return scale(
        reads,
        perform,
        settings=farm.settings.scale,
        cache_settings=farm.settings.cache,
        clock=farm.clock,
        new_token=process.new_token,
    )


def _abandon(farm: Farm, reads: FarmReads, perform: Performer, _news: News) -> Outcome:
    return abandon(reads, perform, upkeep=farm.settings.upkeep, limits=farm.settings.worker.limits, clock=farm.clock)


def _prune(farm: Farm, reads: FarmReads, perform: Performer, _news: News) -> Outcome:
    return prune(reads, perform, upkeep=farm.settings.upkeep, cache_settings=farm.settings.cache, clock=farm.clock)


PASSES: dict[str, Pass] = {"refresh": _refresh, "abandon": _abandon, "scale": _scale, "prune": _prune}
"""The passes by their verbs, in the order in which `run` makes them."""


class Limits:
    """The time limit of a pass and the signals that end it, heeded between two effects."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._signal: int | None = None

    def heed(self) -> None:
        """Raise what ends the pass, or return."""
        if self._signal == signal.SIGINT:
            msg = "interrupted between two effects: what was done stands"
            raise InterruptedPassError(msg)
        if self._signal is not None:
            msg = "terminated between two effects: what was done stands"
            raise TerminatedPassError(msg)
        if time.monotonic() > self._deadline:
            raise TimeLimitError(self._overrun())

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Catch signals, and break off what hangs for too long in the midst of an effect."""
        before = {
            sign: signal.signal(sign, handler)
            for sign, handler in (
                (signal.SIGINT, self._note),
                (signal.SIGTERM, self._note),
                (signal.SIGALRM, self._break_off),
            )
        }
        signal.setitimer(signal.ITIMER_REAL, self._seconds + OVERTIME)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for sign, handler in before.items():
                signal.signal(sign, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number

    def _break_off(self, _number: int, _frame: FrameType | None) -> None:
        raise TimeLimitError(self._overrun())

    def _overrun(self) -> str:
        return f"the time limit of {self._seconds:g} s is over: what was done stands, the next run goes on"


def run_pass(
    farm: Farm,
    verb: str,
    *,
    dry_run: bool = False,
    time_limit: float | None = None,
    rebuild: bool = False,
    attended: bool = True,
) -> Outcome:
    """Make one pass of a verb in PASSES.

    A pass that acts takes the lock of its verb (AlreadyRunningError if it is taken) and leaves a record of how it went,
    with whether a person was there (`attended`); a dry run does neither, and has nothing to write with.
    """
    make = _rebuild if rebuild else PASSES[verb]
    limits = Limits(time_limit or farm.settings.farm.time_limit)
    with limits.in_force():
        if dry_run:
            reads = farm.look()
            return make(farm, reads, Rehearsal(heed=limits.heed), ComparedNews(reads))
        farm.prepare()
        with pass_lock(farm.locks, verb, now=farm.clock()), _recorded(farm, verb, attended=attended):
            try:
                return _do(farm, make, limits)
            except CacheDamagedError:
                farm.reopen_cache()
                return _do(farm, make, limits)


def _do(farm: Farm, make: Pass, limits: Limits) -> Outcome:
    writes = farm.writes
    news = QueueNews(writes.changes, visibility=farm.settings.farm.time_limit + OVERTIME)
    return make(farm, farm.reads(), Doer(writes, heed=limits.heed), news)


def run_passes(
    farm: Farm, verbs: Sequence[str], *, dry_run: bool, time_limit: float | None, rebuild: bool, attended: bool
) -> tuple[list[Outcome], list[str]]:
    """Make passes one after the other; return their outcomes, and a sentence for each that another process makes.

    A single pass that another process makes raises instead, so that its exit code is 75.
    """
    outcomes: list[Outcome] = []
    skipped: list[str] = []
    for verb in verbs:
        try:
            outcomes.append(
                run_pass(farm, verb, dry_run=dry_run, time_limit=time_limit, rebuild=rebuild, attended=attended)
            )
        except AlreadyRunningError as error:
            if len(verbs) == 1:
                raise
            skipped.append(str(error))
    return outcomes, skipped


@contextmanager
def _recorded(farm: Farm, verb: str, *, attended: bool) -> Iterator[None]:
    """Keep when the pass started, how it ended and when it last succeeded."""
    known = {record.name: record for record in farm.records.read()}
    started = farm.clock()
    record = structs.replace(known.get(verb) or PassRecord(name=verb, started=started), started=started)
    if not attended and record.unattended_since is None:
        record = structs.replace(record, unattended_since=started)
    code = int(ExitCode.BUG)
    try:
        yield
        code = int(ExitCode.DONE)
        record = structs.replace(record, succeeded=farm.clock())
    except NommerctlError as error:
        code = int(error.code)
        raise
    finally:
        farm.records.write(structs.replace(record, code=code))


def with_performer(farm: Farm, act: Callable[[FarmReads, Performer], Outcome], *, dry_run: bool = False) -> Outcome:
    """Do what a person asked for single jobs, by the same performers and limits as a pass, without its lock."""
    limits = Limits(farm.settings.farm.time_limit)
    with limits.in_force():
        if dry_run:
            return act(farm.look(), Rehearsal(heed=limits.heed))
        return act(farm.reads(), Doer(farm.writes, heed=limits.heed))


def outcome_code(outcomes: list[Outcome], *, detailed: bool) -> ExitCode:
    """Return the exit code for what passes did: 3 if an item failed, 10 if asked and something changed."""
    if any(outcome.failed for outcome in outcomes):
        return ExitCode.ITEMS_FAILED
    if detailed and any(outcome.changed for outcome in outcomes):
        return ExitCode.CHANGED
    return ExitCode.DONE
