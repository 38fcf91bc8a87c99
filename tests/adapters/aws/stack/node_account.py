"""An account, on servers of this machine, in which the parts of nodes are made and unmade."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex

import pytest
from botocore.retries.standard import ExponentialBackoff
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.stack.blueprint import node_parts
from nommerctl.adapters.aws.stack.facts import AccountFacts, account_facts
from nommerctl.adapters.aws.stack.network import SecurityGroups
from nommerctl.adapters.aws.stack.profiles import InstanceProfiles
from nommerctl.adapters.aws.stack.roles import Roles
from nommerctl.adapters.aws.stack.stack import AwsStack
from nommerctl.adapters.aws.stack.templates import LaunchTemplates
from nommerctl.domain.config import FarmSettings, Settings
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.domain.stack import Difference, Found, Resource, differences, with_resolved
from tests.aws_servers import CREDENTIALS
from tests.cloud import Cloud
from tests.cloud import cloud as serving_cloud

BOOT = "#!/usr/bin/python3\nprint('boot')\n"


@dataclass
class Slept:
    """Waits for nothing, and notes for how long it was to wait."""

    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


class Farm:
    """One farm in the account: `wanted` are the parts of its nodes, `stack` makes and unmakes them."""

    def __init__(self, account: "NodeAccount", name: str) -> None:
        self.account = account
        self.name = name
        self.settings = Settings(
            farm=FarmSettings(name=name),
            aws=AwsSettings(instance_types=("c7i.large",), buckets=("films", "masters/in")),
        )
        self.boot = BOOT
        self.slept = Slept()
        kinds = (SecurityGroups, Roles, InstanceProfiles, LaunchTemplates)
        self.stack = AwsStack(name, [kind(account.clients, name, self.slept) for kind in kinds])

    def set(self, **aws: object) -> None:
        """Change settings of [aws]."""
        self.settings = structs.replace(self.settings, aws=structs.replace(self.settings.aws, **aws))

    @property
    def wanted(self) -> list[Resource]:
        """The parts in their order, as the settings want them, with references."""
        return node_parts(self.settings, self.account.facts, self.boot)

    def bring_up(self) -> None:
        """Make what is missing and change what is not as it is wanted, part by part."""
        made: dict[str, Found] = {}
        for part in self.wanted:
            resource = with_resolved(part, made)
            found = self.stack.find(resource)
            if found is None:
                found = self.stack.create(resource)
            if gaps := differences(found.properties, resource.properties):
                self.stack.update(resource, found, gaps)
            made[part.logical] = found

    def differences(self) -> list[Difference]:
        """What is not as it is wanted; every part has to be there."""
        made: dict[str, Found] = {}
        gaps: list[Difference] = []
        for part in self.wanted:
            resource = with_resolved(part, made)
            found = self.stack.find(resource)
            assert found is not None, part.logical
            made[part.logical] = found
            gaps += differences(found.properties, resource.properties)
        return gaps

    def tear_down(self) -> None:
        """Delete all parts, the template first."""
        for part in sorted(self.stack.parts(), key=lambda part: _UNMADE.index(part.kind)):
            self.stack.delete(part)

    def part(self, logical: str) -> Resource:
        """One of the parts, with what it refers to replaced as far as that is there."""
        made: dict[str, Found] = {}
        for each in self.wanted:
            resource = with_resolved(each, made)
            if each.logical == logical:
                return resource
            found = self.stack.find(resource)
            if found is not None:
                made[each.logical] = found
        raise AssertionError(logical)

    def found(self, logical: str) -> Found:
        """One of the parts as it is."""
        found = self.stack.find(self.part(logical))
        assert found is not None
        return found


_UNMADE: Sequence[str] = [kind.kind for kind in (LaunchTemplates, InstanceProfiles, Roles, SecurityGroups)]


@dataclass
class NodeAccount:
    """The account: `cloud` counts calls and lets them fail."""

    cloud: Cloud
    clients: Clients
    facts: AccountFacts

    def farm(self, name: str = "") -> Farm:
        """Return a farm, of which nothing is there yet."""
        return Farm(self, name or f"t{token_hex(6)}")


@contextmanager
def node_account(moto_url: str) -> Iterator[NodeAccount]:
    """Run a cloud on moto alone, where a repeated call is repeated at once."""
    with serving_cloud(moto_url, moto_url) as cloud, pytest.MonkeyPatch.context() as patch:
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": cloud.url}).items():
            patch.setenv(name, value)
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
        clients = Clients()
        assert {each.meta.endpoint_url for each in (clients.ec2, clients.iam, clients.sts)} == {cloud.url}
        yield NodeAccount(cloud, clients, account_facts(clients, AwsSettings(instance_types=("c7i.large",))))
        clients.close()
