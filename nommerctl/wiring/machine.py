"""What a worker's machine knows of itself: on EC2 which instance it is and what it costs, elsewhere nothing."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from nommerctl.domain.config_aws import AwsSettings, Market
from nommerctl.errors import NommerctlError
from nommerctl.wiring import process
from nommerctl.wiring.farm import Farm

if TYPE_CHECKING:
    from nommerctl.adapters.aws.imds import InstanceMetadata, NodeIdentity
    from nommerctl.ports import Notices

ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
DISABLED_VARIABLE = "AWS_EC2_METADATA_DISABLED"
"""The variables that every AWS SDK knows."""


class Machine(Struct, frozen=True):
    """`identity` is None on a machine that is no EC2 instance; `notices` too where nobody takes it back."""

    identity: "NodeIdentity | None" = None
    notices: "Notices | None" = None

    def leaves_to_on_demand(self, aws: AwsSettings) -> bool:
        """Whether it is a spot instance of a farm that has on-demand instances too."""
        return self.identity is not None and self.identity.market == "spot" and aws.market is Market.SPOT_FIRST


TRIES = 5
PAUSE = 1.0
"""Seconds between two of them."""


def this_machine(farm: Farm, *, must_know: bool = False) -> Machine:
    """Ask the metadata service; only for a farm on AWS, or if a variable says where it is.

    Whoever `must_know` asks TRIES times: an instance that comes up may do so before the service answers, and costs
    money until it is ended, whether it knows who it is or not.
    """
    metadata = _metadata(expected=not farm.is_local)
    identity = _identity(metadata, TRIES if must_know else 1) if metadata else None
    if identity is None:
        return Machine()
    return Machine(identity, metadata if identity.market == "spot" else None)


def this_instance() -> "NodeIdentity | None":
    """Ask the metadata service, whatever farm this is; None on a machine that is no EC2 instance."""
    metadata = _metadata(expected=True)
    return _identity(metadata, TRIES) if metadata else None


def _identity(metadata: "InstanceMetadata", tries: int) -> "NodeIdentity | None":
    identity = metadata.identity()
    for _ in range(tries - 1):
        if identity is None:
            time.sleep(PAUSE)
            identity = metadata.identity()
    return identity


def _metadata(*, expected: bool) -> "InstanceMetadata | None":
    environment = process.environment()
    endpoint = environment.get(ENDPOINT_VARIABLE)
    if environment.get(DISABLED_VARIABLE, "").lower() == "true":
        return None
    if not endpoint and not expected:
        return None
    from nommerctl.adapters.aws.imds import ENDPOINT, InstanceMetadata

    return InstanceMetadata(endpoint or ENDPOINT)


def hourly_price(farm: Farm, machine: Machine, log: Callable[[str], None]) -> float | None:
    """Return what it costs by the hour, None, and a line in the log, if that cannot be known."""
    if machine.identity is None:
        return None
    from nommerctl.adapters.aws import prices
    from nommerctl.adapters.aws.clients import Clients

    aws = farm.settings.aws
    clients = Clients(region=aws.region or machine.identity.region, profile=aws.profile)
    try:
        return prices.hourly_price(
            clients,
            machine.identity,
            listed=prices.listed_prices(aws.prices),
            disk_gb=process.root_disk_gb(),
            now=farm.clock(),
            log=log,
        )
    except (NommerctlError, OSError) as error:  # that costs money too, but no job
        log(f"the price of this node is not known: {error}")
        return None
    finally:
        clients.close()
