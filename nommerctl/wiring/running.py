"""Running one pass: its lock, its record, its limits, and a performer that does or only lists."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

from msgspec import structs

from nommerctl.adapters.cache_table import CacheDamagedError, CacheReplacedError
from nommerctl.adapters.local.pass_files import pass_lock
from nommerctl.domain.outcome import Notice, Outcome
from nommerctl.domain.schedule import PassRecord
from nommerctl.errors import AlreadyRunningError, ExitCode, NommerctlError
from nommerctl.passes.abandon import abandon
from nommerctl.passes.means import FarmReads, FarmWrites, News, Performer
from nommerctl.passes.news import ComparedNews, QueueNews
from nommerctl.passes.performing import Doer, Rehearsal
from nommerctl.passes.prune import prune
from nommerctl.passes.refresh import refresh
from nommerctl.passes.resume import resume
from nommerctl.passes.scale import scale
from nommerctl.settings.published import published_text
from nommerctl.wiring import process
from nommerctl.wiring.farm import Farm
from nommerctl.wiring.limits import OVERTIME, Limits

TOKEN_OF_AN_ACCOUNT = 16
"""Bytes of an order's token that nobody else in an AWS account has."""

Make: TypeAlias = Callable[[Farm, FarmReads, Performer, News], Outcome]


def _refresh(
    farm: Farm, reads: FarmReads, perform: Performer, news: News, *, rebuild: bool = False, telling: bool = True
) -> Outcome:
    settings = farm.settings
    return refresh(
        reads,
        perform,
        news,
        upkeep=settings.upkeep,
        cache_settings=settings.cache,
        notify=settings.notify,
        clock=farm.clock,
        rebuild=rebuild,
        telling=telling,
    )


def _scale(farm: Farm, reads: FarmReads, perform: Performer, _news: News) -> Outcome:
    return scale(
        reads,
        perform,
        settings=farm.settings.scale,
        cache_settings=farm.settings.cache,
        silence=farm.settings.worker.controller_silence,
        clock=farm.clock,
        new_token=partial(process.new_token, 4 if farm.is_local else TOKEN_OF_AN_ACCOUNT),
        node_settings="" if farm.is_local else published_text(farm.settings),
    )


def _abandon(farm: Farm, reads: FarmReads, perform: Performer, _news: News) -> Outcome:
    settings = farm.settings
    return abandon(
        reads,
        perform,
        upkeep=settings.upkeep,
        limits=settings.worker.limits,
        silent_after=settings.scale.silent_after,
        clock=farm.clock,
    )


def _prune(farm: Farm, reads: FarmReads, perform: Performer, _news: News) -> Outcome:
    return prune(reads, perform, upkeep=farm.settings.upkeep, cache_settings=farm.settings.cache, clock=farm.clock)


class Pass(NamedTuple):
    """A pass: its verb, which has the lock and the record, and how it is made."""

    verb: str
    make: Make


REFRESH = Pass("refresh", _refresh)
REBUILD = Pass("refresh", partial(_refresh, rebuild=True))
LEARN = Pass("refresh", partial(_refresh, telling=False))
ABANDON = Pass("abandon", _abandon)
SCALE = Pass("scale", _scale)
PRUNE = Pass("prune", _prune)

ALL = (REFRESH, ABANDON, SCALE, PRUNE)
"""What `run` makes, in its order."""


def run_pass(
    farm: Farm, which: Pass, *, dry_run: bool = False, time_limit: float | None = None, attended: bool = True
) -> Outcome:
    """Make one pass; what ends it before its time stands in its outcome.

    A pass that acts takes the lock of its verb (AlreadyRunningError comes out if it is taken) and leaves a record of
    how it went, with whether a person was there (`attended`); a dry run does neither, and has nothing to write with.
    """
    limits = Limits(time_limit or farm.settings.farm.time_limit)
    with limits.in_force(), farm.heeding(limits.heed):
        if dry_run:
            reads = farm.look()
            perform = Rehearsal(heed=limits.heed)
            news = ComparedNews(reads)
            outcome = _made(which.verb, perform, lambda: which.make(farm, reads, perform, news))
        else:
            farm.prepare()
            with pass_lock(farm.locks, which.verb, now=farm.clock()):
                outcome = _recorded(farm, which.verb, lambda: _act(farm, which, limits), attended=attended)
        return _interrupted(outcome, limits)


def _act(farm: Farm, which: Pass, limits: Limits) -> Outcome:
    """Make a pass that acts; once more from the start if its cache turns out damaged, or gone."""
    for _ in range(2):
        try:
            writes = farm.writes(limits.heed)
        except NommerctlError as error:
            return Outcome(command=which.verb, ended_by=error)
        outcome = _acted(farm, which, limits, writes)
        if not isinstance(outcome.ended_by, CacheDamagedError | CacheReplacedError):
            break
        farm.reopen_cache()
    return outcome


def _acted(farm: Farm, which: Pass, limits: Limits, writes: FarmWrites) -> Outcome:
    perform = Doer(writes, heed=limits.heed)
    news = QueueNews(writes.changes, visibility=limits.seconds + OVERTIME, enough=limits.half_over)
    return _made(which.verb, perform, lambda: which.make(farm, writes.reads, perform, news))


def _made(command: str, perform: Performer, make: Callable[[], Outcome]) -> Outcome:
    """Make a pass; if an error ends it, return what it did until then, and the error."""
    try:
        return make()
    except NommerctlError as error:
        return structs.replace(perform.outcome(command), ended_by=error)


def _interrupted(outcome: Outcome, limits: Limits) -> Outcome:
    """The outcome, ended by a signal if one came, even after the last effect or while something was waited for."""
    interruption = limits.interruption()
    return outcome if interruption is None else structs.replace(outcome, ended_by=interruption)


def _recorded(farm: Farm, verb: str, make: Callable[[], Outcome], *, attended: bool) -> Outcome:
    """Make a pass and keep when it started, how it ended and when it last succeeded."""
    known = {record.name: record for record in farm.records.read()}
    started = farm.clock()
    record = structs.replace(known.get(verb) or PassRecord(name=verb, started=started), started=started)
    if not attended and record.unattended_since is None:
        record = structs.replace(record, unattended_since=started)
    farm.records.write(structs.replace(record, code=int(ExitCode.BUG)))  # so it says if we do not get to write again
    outcome = make()
    if outcome.notice is not None:
        record = _noticing(record, outcome.notice)
    succeeded = record.succeeded if outcome.ended_by else farm.clock()
    try:
        farm.records.write(structs.replace(record, code=int(outcome.code()), succeeded=succeeded))
    except NommerctlError as error:
        return structs.replace(outcome, ended_by=outcome.ended_by or error)
    return outcome


def _noticing(record: PassRecord, notice: Notice) -> PassRecord:
    return structs.replace(record, notice=notice.text, notice_until=notice.until)


def run_resume(farm: Farm, *, dry_run: bool = False) -> Outcome:
    """Close the breaker, and take back what scale left for every command to say of it."""
    outcome = with_performer(
        farm, "resume", lambda reads, perform: resume(reads, perform, clock=farm.clock), dry_run=dry_run
    )
    if dry_run or outcome.notice is None:
        return outcome
    try:
        with pass_lock(farm.locks, SCALE.verb, now=farm.clock()):
            for record in farm.records.read():
                if record.name == SCALE.verb and record.notice:
                    farm.records.write(_noticing(record, outcome.notice))
    except AlreadyRunningError:
        pass  # it leaves a notice of its own
    return outcome


def with_performer(
    farm: Farm, command: str, act: Callable[[FarmReads, Performer], Outcome], *, dry_run: bool = False
) -> Outcome:
    """Do what a person asked for single jobs, by the same performers and limits as a pass, without its lock."""
    limits = Limits(farm.settings.farm.time_limit)
    with limits.in_force(), farm.heeding(limits.heed):
        reads, perform = _looking(farm, limits) if dry_run else _acting(farm, limits)
        return _interrupted(_made(command, perform, lambda: act(reads, perform)), limits)


def _looking(farm: Farm, limits: Limits) -> tuple[FarmReads, Performer]:
    return farm.look(), Rehearsal(heed=limits.heed)


def _acting(farm: Farm, limits: Limits) -> tuple[FarmReads, Performer]:
    writes = farm.writes(limits.heed)
    return writes.reads, Doer(writes, heed=limits.heed)
