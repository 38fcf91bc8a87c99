"""The sections [aws] and [simpledb] of the settings, as frozen records; the others stand in config.py."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from nommerctl.domain.config_kinds import Words

_DOMAIN = r"^[a-zA-Z0-9_.-]{3,255}\Z"
_QUEUE = r"^[a-zA-Z0-9_-]{1,80}\Z"


class Market(StrEnum):
    """Where EC2 instances are bought."""

    SPOT_FIRST = "spot-first"
    SPOT = "spot"
    ON_DEMAND = "on-demand"


class AwsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[aws]: the farm of backend aws. Credentials come from the usual chain and never stand here."""

    region: Annotated[str, Meta(description="Region. Empty: that of the usual chain, such as $AWS_REGION.")] = ""
    profile: Annotated[str, Meta(description="Profile of the AWS settings. Empty: that of the usual chain.")] = ""
    launch_template: Annotated[
        str,
        Meta(
            description="Name or id of the launch template of nodes. Empty: nommerctl-FARM, as 'aws bootstrap' makes"
            " it; where ami is set, none: they are launched from it, as set here."
        ),
    ] = ""
    instance_types: Annotated[Words, Meta(description="Instance types that a node may have.")] = (
        "c7i.large",
        "c6i.large",
        "m7i.large",
    )
    subnets: Annotated[
        Words, Meta(description="Subnets that a node may be in, each in its zone. Empty: the account's default ones.")
    ] = ()
    market: Annotated[
        Market, Meta(description="spot-first (on-demand when there is no spot capacity), spot, or on-demand.")
    ] = Market.SPOT_FIRST
    ami: Annotated[
        str,
        Meta(description="Image of nodes. What runs from it counts as a node, unless it carries another farm's tag."),
    ] = ""
    key_name: Annotated[str, Meta(description="Key pair for SSH. Empty: none.")] = ""
    security_groups: Annotated[
        Words, Meta(description="Ids of the security groups of nodes that have no launch template.")
    ] = ()
    instance_profile: Annotated[
        str, Meta(description="Name of the instance profile of nodes that have no launch template.")
    ] = ""
    buckets: Annotated[
        Words,
        Meta(
            description='Buckets, or parts of them ("films", "films/out"), that nodes may read sources from and write'
            " outputs to: 'aws bootstrap' gives them that permission and no more."
        ),
    ] = ()
    disk_gb: Annotated[
        Annotated[int, Meta(ge=8)],
        Meta(description="Size of a node's disk, in GB: room for sources and outputs, slot by slot."),
    ] = 50
    package: Annotated[
        str,
        Meta(
            description="Wheel of nommerctl that nodes install: 'aws bootstrap' puts it into a bucket of the farm."
            " Empty: they install this version from the package index."
        ),
    ] = ""
    index_url: Annotated[
        str, Meta(description="Package index that nodes install from. Empty: that of pip, https://pypi.org/simple.")
    ] = ""
    prices: Annotated[
        Words,
        Meta(description='On-demand prices that the Pricing API need not be asked for: "TYPE=DOLLARS_AN_HOUR" each.'),
    ] = ()


class SimpledbSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[simpledb]: what a farm of backend simpledb takes over from media-nommer; region and nodes stand in [aws]."""

    job_domain: Annotated[str, Meta(pattern=_DOMAIN, description="SimpleDB domain of media-nommer's jobs.")] = (
        "media_nommer"
    )
    heartbeat_domain: Annotated[
        str, Meta(pattern=_DOMAIN, description="SimpleDB domain of the heartbeats of media-nommer's workers.")
    ] = "media_nommer_ec2nommer_state"
    new_jobs_queue: Annotated[str, Meta(pattern=_QUEUE, description="SQS queue of media-nommer's new jobs.")] = (
        "media_nommer"
    )
    changes_queue: Annotated[
        str, Meta(pattern=_QUEUE, description="SQS queue of the changes of state of media-nommer's jobs.")
    ] = "media_nommer_jstate"
    old_zone: Annotated[
        str,
        Meta(
            description='Time zone of the hosts that media-nommer runs on, such as "America/New_York": it wrote local'
            " times without their zone."
        ),
    ] = "UTC"
    ami: Annotated[
        str,
        Meta(
            description="Image of media-nommer's own workers. What runs from it counts as a node, and is left alone;"
            " none is launched from it."
        ),
    ] = ""
