"""Checks of the AWS account that a farm is in: who asks, by which clock, and what they may do there."""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property, partial

from nommerctl.adapters.aws.checkup.caller import Answered, ask_caller
from nommerctl.adapters.aws.checkup.simulation import questions, simulated
from nommerctl.adapters.aws.checkup.trials import (
    Tried,
    tried_buckets,
    tried_end,
    tried_launch,
    tried_queues,
    tried_tables,
)
from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.domain.aws_account import ATTACH, Permission, judge_aws_clock, judge_caller, judge_permissions
from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.fleet import NodeId
from nommerctl.errors import AWAY, NommerctlError, PermissionDeniedError, SettingsError, UnreachableError
from nommerctl.passes.doctor import Check, Look
from nommerctl.wiring.farm import Farm


class Account:
    """The account of a farm. Where nobody can be asked who we are, nothing else is asked either."""

    def __init__(self, farm: Farm) -> None:
        self.farm = farm
        self.name = farm.settings.farm.name

    @cached_property
    def clients(self) -> Clients:
        """Clients that know all of AWS's operations."""
        return self.farm.aws.examining

    @cached_property
    def answered(self) -> Answered:
        """What came when AWS was asked who we are."""
        return ask_caller(self.clients, self.farm.clock)

    @property
    def answers(self) -> bool:
        """Whether AWS knows us."""
        return self.answered.caller is not None

    def checks(self) -> list[Check]:
        """Return those of the account itself."""
        return [
            Check("credentials", self._credentials),
            Check("AWS clock", self._clock),
            Check("permissions", self.asked(self._permissions)),
        ]

    def asked(self, look: Look) -> Look:
        """Return what looks only if AWS knows us."""
        return partial(self._if_it_answers, look)

    def told(self, check: str, look: Look) -> Look:
        """Return what looks, and only warns where that is not permitted: the farm does without that permission."""
        return self.asked(partial(self._if_permitted, check, look))

    def _if_it_answers(self, look: Look) -> Iterable[Finding]:
        return look() if self.answers else ()

    def _if_permitted(self, check: str, look: Look) -> Iterator[Finding]:
        try:
            yield from look()
        except PermissionDeniedError as error:
            yield Finding(check, Verdict.WARNING, f"not looked at: {error}", ATTACH)

    def _credentials(self) -> Iterator[Finding]:
        caller, error = self.answered.caller, self.answered.error
        if caller is not None:
            yield judge_caller(caller)
        elif error is not None:
            yield Finding("credentials", Verdict.FAILED, str(error), _advice(error))
            left = "permissions, tables, queues, launch template, image and limits are not looked at"
            yield Finding("account", Verdict.WARNING, left, "put right what is said of the credentials first")

    def _clock(self) -> Iterator[Finding]:
        if self.answers or self.answered.date is not None:
            yield judge_aws_clock(self.answered.date, self.answered.asked, self.answered.came)

    def _permissions(self) -> Iterator[Finding]:
        nodes = self._nodes()
        tried = [*self._tried(nodes)]
        yield from judge_permissions([*(each.permission for each in tried), *self._simulated(has_node=bool(nodes))])
        faults = [each.fault for each in tried if each.fault is not None]
        if faults:
            yield Finding("launch", Verdict.FAILED, str(faults[0]))

    def _nodes(self) -> list[NodeId]:
        """The nodes that could be ended; none where they cannot be seen, which the check of the ledger says."""
        with suppress(*AWAY):
            return [each.id for each in self.farm.look().fleet.get_instances() if each.ours and not each.gone]
        return []

    def _tried(self, nodes: list[NodeId]) -> Iterator[Tried]:
        name, settings, clients = self.name, self.farm.settings.aws, self.clients
        urls = QueueUrls(clients, self.farm.state_dir / "aws" / "queues.json", remember=False)
        yield from tried_tables(clients, name, time.sleep)
        yield from tried_queues(clients, name, urls)
        yield from tried_buckets(clients, settings)
        yield from tried_end(clients, nodes)
        yield from self._tried_launch()

    def _tried_launch(self) -> list[Tried]:
        with suppress(SettingsError):  # of which the check of the instance types speaks
            return tried_launch(self.clients, self.farm.settings.aws, self.name)
        return []

    def _simulated(self, *, has_node: bool) -> list[Permission]:
        caller = self.answered.caller
        if caller is None:
            return []
        asked = questions(caller, self.farm.settings.aws, self.name, has_node=has_node)
        return simulated(self.clients, caller, list(asked))


def _advice(error: NommerctlError) -> str:
    match error:
        case PermissionDeniedError():
            return "credentials come from aws.profile, variables AWS_*, 'aws configure' or the role of this machine"
        case UnreachableError():
            return "see the network, proxies, and AWS_ENDPOINT_URL"
        case _:
            return ""
