"""The AWS account of a farm: what it stands on is brought up, and taken down, from here."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import structs

from nommerctl import __version__
from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.ec2 import EC2InstanceManager
from nommerctl.adapters.aws.job_reads import DynamoJobReads
from nommerctl.adapters.aws.names import ledger_table
from nommerctl.adapters.aws.node.packages import WheelFile, hashes_in_index, wheel_file
from nommerctl.adapters.aws.node.user_data import BucketPackage, IndexPackage, NodeBoot, user_data
from nommerctl.adapters.aws.stack.blueprint import has_own_template, node_parts
from nommerctl.adapters.aws.stack.bucket import Buckets
from nommerctl.adapters.aws.stack.cloudformation import document
from nommerctl.adapters.aws.stack.facts import AccountFacts, account_facts
from nommerctl.adapters.aws.stack.network import SecurityGroups
from nommerctl.adapters.aws.stack.own_bucket import WHEELS, OwnBucket, package_bucket
from nommerctl.adapters.aws.stack.policies import bootstrap_policy, operator_policy, worker_policy
from nommerctl.adapters.aws.stack.profiles import InstanceProfiles, role_in
from nommerctl.adapters.aws.stack.queues import Queues
from nommerctl.adapters.aws.stack.roles import Roles
from nommerctl.adapters.aws.stack.stack import AwsStack
from nommerctl.adapters.aws.stack.statements import Names, Policy
from nommerctl.adapters.aws.stack.storage_blueprint import storage_parts
from nommerctl.adapters.aws.stack.tables import Tables
from nommerctl.adapters.aws.stack.templates import LaunchTemplates
from nommerctl.adapters.aws.stack.wheel import Wheels
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.stack import Resource
from nommerctl.errors import AWAY, NommerctlError, SettingsError
from nommerctl.passes.bring_up import bring_up
from nommerctl.passes.means import AccountReads, AccountWrites
from nommerctl.passes.performing import DoerOf, RehearsalOf
from nommerctl.passes.tear_down import LEFT, tear_down
from nommerctl.wiring.farm import Farm
from nommerctl.wiring.limits import Limits

TIME_LIMIT = 1200.0
"""Seconds that bringing a farm up or taking it down may take: instances take minutes to end, and indexes to be made."""

PAUSE = 3.0
"""Seconds between two looks at what takes its time."""

KINDS = (Tables, Queues, Buckets, Wheels, SecurityGroups, Roles, InstanceProfiles, LaunchTemplates)

Begins: TypeAlias = Callable[[Change], None]

_Acting: TypeAlias = DoerOf[AccountWrites] | RehearsalOf[AccountWrites]


def _nothing(_: Change) -> None:
    """Tell nobody."""


def bring_account_up(farm: Farm, *, dry_run: bool, begins: Begins = _nothing) -> Outcome:
    """Make what the farm stands on; in a dry run, say what would be made. `begins` is told of each step."""
    with _account(farm, begins) as account:
        parts = account.parts()
        return account.made("bootstrap", dry_run, lambda perform: bring_up(account.stack, perform, parts))


def take_account_down(farm: Farm, *, force: bool, dry_run: bool, begins: Begins = _nothing) -> Outcome:
    """End the farm's nodes and delete what carries its tag; in a dry run, say what would go.

    `begins` is told of each step.

    Raises:
        UsageError: there are unfinished jobs, and nothing forces it.
    """
    with _account(farm, begins) as account:
        pause = partial(time.sleep, PAUSE)
        outcome = account.made(
            "teardown", dry_run, lambda perform: tear_down(account.reads, perform, force=force, pause=pause)
        )
    if outcome.ended_by is None and outcome.facts.get(LEFT) == 0:
        with suppress(*AWAY):  # it is a hint: the next resync finds out
            farm.forget_jobs()
    return outcome


def cloudformation(farm: Farm) -> str:
    """Return the farm as a document for CloudFormation."""
    with _account(farm) as account:
        return document(account.parts(), farm.settings.farm.name)


def policy(farm: Farm, role: str) -> str:
    """Return the policy of `operator`, `worker` or `bootstrap`, as JSON."""
    make: dict[str, Callable[[Names], Policy]] = {
        "operator": operator_policy,
        "worker": worker_policy,
        "bootstrap": bootstrap_policy,
    }
    with _account(farm) as account:
        names = account.names
        if role == "bootstrap":  # teardown looks for a bucket whatever aws.package says now
            bucket = OwnBucket(account.clients, account.name).name or ""
            names = structs.replace(names, package_bucket=bucket)
        elif role == "operator" and account.aws.instance_profile:
            names = structs.replace(names, role=role_in(account.clients, account.aws.instance_profile))
        return msgspec.json.format(msgspec.json.encode(make[role](names)), indent=2).decode()


@contextmanager
def _account(farm: Farm, begins: Begins = _nothing) -> Iterator["_Account"]:
    limits = Limits(TIME_LIMIT)
    with limits.in_force(), farm.heeding(limits.heed):
        account = _Account(farm, limits, begins)
        try:
            yield account
        finally:
            account.clients.close()


@dataclass
class _Account:
    """One farm's account, asked by clients that know all of AWS's models."""

    farm: Farm
    limits: Limits
    begins: Begins

    @property
    def name(self) -> str:
        return self.farm.settings.farm.name

    @property
    def aws(self) -> AwsSettings:
        return self.farm.settings.aws

    @cached_property
    def clients(self) -> Clients:
        return Clients(region=self.farm.aws.region, profile=self.aws.profile, keep_on=self.limits.heed)

    @cached_property
    def facts(self) -> AccountFacts:
        return account_facts(self.clients, self.aws)

    @cached_property
    def wheel(self) -> WheelFile | None:
        return wheel_file(Path(self.aws.package), __version__) if self.aws.package else None

    @property
    def names(self) -> Names:
        facts = self.facts
        return Names(
            farm=self.name,
            account=facts.account,
            region=facts.region,
            partition=facts.partition,
            buckets=self.aws.buckets,
            package_bucket=self._bucket if self.aws.package else "",
        )

    @property
    def _bucket(self) -> str:
        return package_bucket(self.name, self.facts.account, self.facts.region)

    def parts(self) -> list[Resource]:
        """Return all that the farm stands on, each after what it refers to."""
        if not has_own_template(self.farm.settings):
            return storage_parts(self.name, self.facts.account, self.facts.region, None)
        if not self.aws.buckets and not self.aws.instance_profile:
            msg = "aws.buckets is empty: name the buckets that nodes read sources from and write outputs to"
            raise SettingsError(msg)
        boot = user_data(self._boot())
        bucket = self._bucket if self.wheel else ""
        return [
            *storage_parts(self.name, self.facts.account, self.facts.region, self.wheel),
            *node_parts(self.farm.settings, self.facts, boot, package_bucket=bucket),
        ]

    def _boot(self) -> NodeBoot:
        wheel = self.wheel
        if wheel is None:
            digests = hashes_in_index(self.aws.index_url, __version__, keep_on=self.limits.heed)
            package: IndexPackage | BucketPackage = IndexPackage(__version__, digests)
        else:
            package = BucketPackage(self._bucket, f"{WHEELS}{wheel.name}", wheel.name, wheel.sha256)
        return NodeBoot(
            farm=self.name,
            region=self.facts.region,
            ledger_table=ledger_table(self.name),
            package=package,
            index_url=self.aws.index_url,
        )

    @cached_property
    def stack(self) -> AwsStack:
        return AwsStack(self.name, [kind(self.clients, self.name, time.sleep) for kind in KINDS])

    @cached_property
    def fleet(self) -> EC2InstanceManager:
        return EC2InstanceManager(lambda: self.clients.ec2, self.name, self.aws, self.farm.clock)

    @property
    def reads(self) -> AccountReads:
        return AccountReads(self.stack, self.fleet, DynamoJobReads(self.clients, self.name, time.sleep))

    def made(self, command: str, dry_run: bool, make: Callable[[_Acting], Outcome]) -> Outcome:  # noqa: FBT001 - as it was typed
        """Make a pass upon the account; if an error ends it, return what it did until then, and the error."""
        perform: _Acting = (
            RehearsalOf[AccountWrites](heed=self.limits.heed)
            if dry_run
            else DoerOf(AccountWrites(self.stack, self.fleet), heed=self.limits.heed, begins=self.begins)
        )
        try:
            return make(perform)
        except NommerctlError as error:
            return structs.replace(perform.outcome(command), ended_by=error)
