"""Checks of a farm on AWS: its account, what is in it, whether it answers, the cache against the store, the clock."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from nommerctl.adapters.aws.checkup.examination import queue_form, table_facts, wanted_table
from nommerctl.adapters.aws.names import changes_queue, dead_letters, jobs_table, ledger_table, new_jobs_queue
from nommerctl.adapters.cache_examination import CacheExamination
from nommerctl.domain.aws_account import ATTACH
from nommerctl.domain.aws_parts import QueueForm, judge_changes, no_queue, queue_troubles, table_troubles
from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.job import JobId
from nommerctl.domain.soundness import QueueFacts, judge_cache, judge_queue
from nommerctl.domain.text import counted
from nommerctl.domain.timekeeping import judge_clock
from nommerctl.errors import AWAY, PermissionDeniedError, SettingsError, UnreachableError
from nommerctl.passes.doctor import Check
from nommerctl.wiring.aws_account_checks import Account
from nommerctl.wiring.aws_launch_checks import LaunchChecks
from nommerctl.wiring.farm import Farm


def aws_checks(farm: Farm, heed: Callable[[], None]) -> list[Check]:
    """Return the checks; `heed` raises what ends a long one before its time."""
    account = Account(farm)
    return [
        *account.checks(),
        Check("store", account.asked(partial(_store, account))),
        Check("ledger", account.asked(partial(_ledger, account))),
        Check("queue", account.asked(partial(_queue, account))),
        Check("changes", account.asked(partial(_changes, account))),
        *LaunchChecks(account).checks(),
        Check("cache", partial(look_at_cache, account, heed)),
        Check("clock", partial(look_at_clock, account)),
    ]


def _store(account: Account) -> Iterator[Finding]:
    if (yield from _table(account, "store", jobs_table(account.name))):
        account.farm.look().store.find("0", 1)
        yield Finding("store", Verdict.OK, "the table of jobs answers")


def _ledger(account: Account) -> Iterator[Finding]:
    if (yield from _table(account, "ledger", ledger_table(account.name))):
        reads = account.farm.look()
        known, shown = len(reads.ledger.overview().heartbeats), len(reads.fleet.get_instances())
        yield Finding("ledger", Verdict.OK, f"the table answers; {counted(known, 'heartbeat')}, EC2 shows {shown}")


def _table(account: Account, check: str, name: str) -> Generator[Finding, None, bool]:
    """Yield what is wrong with a table; return whether it may answer all the same."""
    try:
        troubles = list(
            table_troubles(check, name, table_facts(account.clients, name), wanted_table(account.name, name))
        )
    except PermissionDeniedError as error:  # it may be read by those who may not look at its form
        troubles = [Finding(check, Verdict.WARNING, f"not looked at as a whole: {error}", ATTACH)]
    yield from troubles
    return all(trouble.verdict is not Verdict.FAILED for trouble in troubles)


def _queue(account: Account) -> Iterator[Finding]:
    name = new_jobs_queue(account.name)
    form = queue_form(account.clients, name)
    yield from _troubles("queue", name, form)
    if form is not None:
        depth = account.farm.look().new_jobs.depth()
        yield judge_queue(QueueFacts(depth=depth, dead=form.dead or 0))


def _changes(account: Account) -> Iterator[Finding]:
    name = changes_queue(account.name)
    form = queue_form(account.clients, name)
    yield from _troubles("changes", name, form)
    if form is not None:
        yield judge_changes(form, account.farm.look().changes.depth().total)


def _troubles(check: str, name: str, form: QueueForm | None) -> Iterable[Finding]:
    return [no_queue(check, name)] if form is None else queue_troubles(check, name, form, dead_letters(name))


def look_at_cache(account: Account, heed: Callable[[], None]) -> Iterator[Finding]:
    """Compare the cache with the store."""
    farm = account.farm

    def versions(ids: Sequence[JobId]) -> Mapping[JobId, int]:
        if not account.answers:
            msg = "AWS is not asked"
            raise UnreachableError(msg)
        return {job_id: job.version for job_id, job in farm.look().store.get(ids).items()}

    facts = CacheExamination(farm.cache_folder, versions=versions, heed=heed).examine()
    yield judge_cache(str(farm.cache_folder), facts, max_age=farm.settings.cache.max_age, now=farm.clock())


def look_at_clock(account: Account) -> Iterator[Finding]:
    """Compare the clock with what was dated by it: media-nommer's workers go by clocks, and in zones, of their own."""
    farm = account.farm
    dated = {
        f"the last {record.name}": max(record.started, record.succeeded or 0, record.unattended_since or 0)
        for record in farm.records.read()
    }
    with suppress(*AWAY):
        dated["the last refresh of the cache"] = farm.cached_jobs.status().refreshed or 0
    if account.answers:
        with suppress(*AWAY, SettingsError):  # each has a check of its own
            beats = farm.look().ledger.overview().heartbeats.values()
            dated |= {f"the heartbeat of {beat.node}": beat.at for beat in beats if beat.takes_leases}
    yield judge_clock(dated, farm.clock())
