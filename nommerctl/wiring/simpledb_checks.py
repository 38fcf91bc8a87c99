"""Checks of a farm that goes on with what media-nommer left: its domains and queues, its workers and their clocks."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property, partial

from msgspec import structs

from nommerctl.adapters.aws.checkup.examination import queue_form
from nommerctl.adapters.aws.checkup.simpledb_examination import (
    is_domain_there,
    tried_domains,
    tried_old_queues,
    tried_own_domains,
)
from nommerctl.adapters.aws.checkup.trials import Tried, tried_buckets, tried_end
from nommerctl.adapters.aws.names import dead_letters, jobs_table, ledger_table
from nommerctl.adapters.aws.simpledb.heartbeats import BadRow, OldHeartbeats
from nommerctl.adapters.aws.simpledb.job_reads import SimpledbJobReads
from nommerctl.domain.aws_account import ATTACH, Permission
from nommerctl.domain.aws_parts import BOOTSTRAP, QueueForm, judge_changes
from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.config_aws import SimpledbSettings
from nommerctl.domain.fleet import Heartbeat, Instance, NodeId
from nommerctl.domain.job import short_id
from nommerctl.domain.old_queues import no_old_queue, old_queue_troubles
from nommerctl.domain.old_workers import judge_old_workers, judge_rows
from nommerctl.domain.old_zone import judge_zone
from nommerctl.domain.soundness import QueueFacts, judge_queue
from nommerctl.domain.text import counted, shown
from nommerctl.errors import SettingsError
from nommerctl.passes.doctor import Check, Look
from nommerctl.wiring.aws_account_checks import Account
from nommerctl.wiring.aws_checks import look_at_cache, look_at_clock
from nommerctl.wiring.aws_launch_checks import LaunchChecks
from nommerctl.wiring.farm import Farm

_HERE = {
    ATTACH: "allow it in IAM to the user, or the role, that is named under credentials",
    BOOTSTRAP: "make a launch template for nodes, or set aws.ami",
}
"""What is to be done where 'nommerctl aws' makes nothing."""


def simpledb_checks(farm: Farm, heed: Callable[[], None]) -> list[Check]:
    """Return the checks; `heed` raises what ends a long one before its time."""
    account = OldAccount(farm)
    looks: dict[str, Look] = {
        "store": account.look_at_store,
        "ledger": account.look_at_ledger,
        "old workers": account.look_at_old_workers,
        "old zone": account.look_at_zone,
        "queue": account.look_at_new_jobs,
        "changes": account.look_at_changes,
    }
    checks = [
        *account.checks(),
        *(Check(name, account.asked(look)) for name, look in looks.items()),
        *LaunchChecks(account).checks(),
        Check("cache", partial(look_at_cache, account, heed)),
        Check("clock", partial(look_at_clock, account)),
    ]
    return [Check(check.name, partial(_advised, check.look)) for check in checks]


def _advised(look: Look) -> list[Finding]:
    return [structs.replace(each, advice=_HERE.get(each.advice, each.advice)) for each in look()]


class OldAccount(Account):
    """The account that media-nommer's farm is in. What several checks go by is looked at once."""

    @property
    def _simpledb(self) -> SimpledbSettings:
        return self.farm.settings.simpledb

    def _tried(self, nodes: list[NodeId]) -> Iterator[Tried]:
        clients, settings, old = self.clients, self.farm.settings.aws, self._simpledb
        urls = self.farm.aws.urls(clients, remember=False)
        yield from tried_domains(clients, [old.job_domain, old.heartbeat_domain])
        yield from tried_own_domains(clients, jobs=jobs_table(self.name), ledger=ledger_table(self.name))
        yield from tried_old_queues(clients, new_jobs=old.new_jobs_queue, changes=old.changes_queue, urls=urls)
        yield from tried_buckets(clients, settings)
        yield from tried_end(clients, nodes)
        yield from self._tried_launch()

    def _simulated(self, *, has_node: bool) -> list[Permission]:  # noqa: ARG002 - nothing is asked of the simulator
        return []

    def look_at_store(self) -> Iterator[Finding]:
        """See whether the jobs can be read, and what is there that was written badly."""
        strays: list[str] = []
        reads = SimpledbJobReads(self.clients, self.name, self._simpledb, self.farm.clock, strays.append)
        faults = [job for job in reads.unfinished() if job.fault is not None]
        for stray in strays:
            yield Finding("store", Verdict.WARNING, stray, "see what wrote it there")
        if faults:
            first = f"{short_id(faults[0].id)}: {shown(faults[0].fault or '')}"
            advice = "'nommerctl list' says what is wrong with each: put its item right, or cancel it"
            yield Finding("store", Verdict.WARNING, f"{counted(len(faults), 'job')} badly written, as {first}", advice)
        ours = self._said_of(jobs_table(self.name))
        yield Finding("store", Verdict.OK, f"domain '{self._simpledb.job_domain}' answers; {ours}")

    def look_at_ledger(self) -> Iterator[Finding]:
        """See whether the ledger can be read, and EC2."""
        known = sum(beat.takes_leases for beat in self._beats)
        ours = self._said_of(ledger_table(self.name))
        found = (
            f"{counted(known, 'heartbeat')} of our workers, EC2 shows {counted(len(self._instances), 'node')}; {ours}"
        )
        yield Finding("ledger", Verdict.OK, found)

    def _said_of(self, name: str) -> str:
        there = is_domain_there(self.clients, name)
        return f"domain '{name}' is there" if there else f"domain '{name}' is made by the first pass that writes to it"

    def look_at_old_workers(self) -> Iterator[Finding]:
        """See what media-nommer's workers say, and whether EC2 shows them."""
        beats, bad = self._old_rows
        yield from judge_rows(self._simpledb.heartbeat_domain, {row.node: row.why for row in bad})
        yield judge_old_workers(
            beats,
            shown_nodes={instance.id for instance in self._instances},
            silent_after=self.farm.settings.scale.silent_after,
            now=self.farm.clock(),
        )

    def look_at_zone(self) -> Iterator[Finding]:
        """See whether the clocks of their hosts agree with the zone that is set."""
        running = {instance.id for instance in self._instances if instance.alive}
        with suppress(SettingsError):  # of a domain that is not there the check before speaks
            dated = {beat.node: beat.at for beat in self._old_rows[0] if beat.node in running}
            yield judge_zone(self._simpledb.old_zone, self._old.zone_offset(), dated, self.farm.clock())

    def look_at_new_jobs(self) -> Iterator[Finding]:
        """See whether the queue of new jobs answers, and what is dead in it."""
        name = self._simpledb.new_jobs_queue
        form = queue_form(self.clients, name)
        yield from _troubles("queue", "simpledb.new_jobs_queue", name, form)
        if form is not None:
            queue = self.farm.look().new_jobs
            yield judge_queue(QueueFacts(depth=queue.depth(), dead=queue.dead_count()))

    def look_at_changes(self) -> Iterator[Finding]:
        """See whether the queue of changes answers."""
        name = self._simpledb.changes_queue
        form = queue_form(self.clients, name)
        yield from _troubles("changes", "simpledb.changes_queue", name, form)
        if form is not None:
            yield judge_changes(form, self.farm.look().changes.depth().total)

    @cached_property
    def _old(self) -> OldHeartbeats:
        slots = self.farm.settings.scale.jobs_per_node
        return OldHeartbeats(self.clients, self._simpledb, self.farm.clock, slots=slots)

    @cached_property
    def _old_rows(self) -> tuple[list[Heartbeat], list[BadRow]]:
        """The rows of workers that are not ours."""
        ours = {beat.node for beat in self._beats if beat.takes_leases}
        beats, bad = self._old.examine()
        return [beat for beat in beats if beat.node not in ours], [row for row in bad if row.node not in ours]

    @cached_property
    def _beats(self) -> list[Heartbeat]:
        return list(self.farm.look().ledger.overview().heartbeats.values())

    @cached_property
    def _instances(self) -> list[Instance]:
        return [instance for instance in self.farm.look().fleet.get_instances() if not instance.gone]


def _troubles(check: str, setting: str, name: str, form: QueueForm | None) -> list[Finding]:
    if form is None:
        return [no_old_queue(check, setting, name)]
    return list(old_queue_troubles(check, name, form, dead_letters(name)))
