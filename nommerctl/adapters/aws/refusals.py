"""Why EC2 launches no nodes, or fewer than were ordered: capacity, limits of the account, and what has to be mended."""

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.errors import code_of, message_of, status_of, translated
from nommerctl.adapters.aws.orders import Order
from nommerctl.domain.fleet import Pool, Spawned
from nommerctl.domain.text import shown
from nommerctl.errors import ItemError, NommerctlError, PermissionDeniedError, SettingsError, TryAgainError

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import CreateFleetErrorTypeDef, CreateFleetResultTypeDef

_CAPACITY = frozenset(
    {
        "InsufficientCapacity",
        "InsufficientFreeAddressesInSubnet",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "InsufficientVolumeCapacity",
        "SpotMaxPriceTooLow",
        "UnfulfillableCapacity",
    }
)
"""Of a pool: AWS has nothing left in it for now. Some of them come with status 500."""

_LIMITS = ("LimitExceeded", "CountExceeded")
"""How the codes end that say that the account may not have more."""

_LIMITS_OF_CALLS = frozenset({"BandwidthLimitExceeded", "RequestLimitExceeded"})
"""They end so too, and are a matter of seconds."""

_SPOT_LIMIT = "MaxSpotInstanceCountExceeded"

_THEIRS = frozenset({"InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"})

_SERVER_ERROR = 500

_UNAUTHORIZED = "UnauthorizedOperation"

_NO_ROLE = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"

_ACTION = re.compile(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)")

_SETTINGS = (
    (re.compile(r"LaunchTemplate"), "aws.launch_template"),
    (re.compile(r"InvalidSubnet|InvalidZone|Subnet"), "aws.subnets"),
    (re.compile(r"InvalidInstanceType|^Unsupported"), "aws.instance_types"),
)
"""By their codes: what both ways to launch nodes take from the settings."""

_TEMPLATED = (
    (re.compile(r"InvalidAMI"), "aws.ami"),
    (re.compile(r"InvalidGroup|SecurityGroup"), "aws.security_groups"),
    (re.compile(r"InvalidKeyPair"), "aws.key_name"),
    (re.compile(r"IamInstanceProfile|IAM Instance Profile", re.IGNORECASE), "aws.instance_profile"),
)
"""By their codes or AWS's sentences: what stands in the launch template, where there is one."""

_SHARED = frozenset({"aws.launch_template", *(setting for _, setting in _TEMPLATED)})
"""What all pools have in common."""


def is_capacity(code: str) -> bool:
    """Whether it is a matter of capacity or of the account's limits: another time, or another pool, may do."""
    return code in _CAPACITY or is_limit(code)


def is_limit(code: str) -> bool:
    """Whether the account has as much as it may."""
    return code.endswith(_LIMITS) and code not in _LIMITS_OF_CALLS


def without_room(order: Order, error: ClientError) -> Spawned:
    """Return what came of an order that was refused as a whole for want of capacity."""
    fault = _limit(error) if is_limit(code_of(error)) else None
    return Spawned(refused=order.pools, fault=fault, certain=False)


def answered(order: Order, answer: "CreateFleetResultTypeDef") -> Spawned:
    """Return what came of an order for a fleet.

    A pool that failed for another reason than capacity is gone around like the others. If no node came up, that reason
    is the fault.
    """
    nodes = tuple(sorted(node for part in answer.get("Instances", []) for node in part.get("InstanceIds", [])))
    errors = answer.get("Errors", [])
    refused = {pool for error in (errors if nodes else _of_pools(order, errors)) for pool in _pools_of(order, error)}
    return Spawned(nodes, tuple(sorted(refused)), None if nodes else _first_fault(order, errors))


def mistaken(order: Order, error: ClientError, fault: SettingsError) -> Spawned:
    """Return what came of an order that was refused as a whole for what is wrong in the settings.

    If it asks one pool, others may do, unless all have in common what is wrong.
    """
    refused = () if len(order.pools) > 1 or _is_common(order, error) else order.pools
    return Spawned(refused=refused, fault=fault, certain=False)


def _of_pools(order: Order, errors: "list[CreateFleetErrorTypeDef]") -> "list[CreateFleetErrorTypeDef]":
    """Return the errors after which other pools may do: not those of a moment, nor what is the same with all pools."""
    found = [(error, _as_client_error(order, error)) for error in errors]
    lasting = [(error, each) for error, each in found if not _is_of_a_moment(order, each)]
    return [] if all(_is_common(order, each) for _, each in lasting) else [error for error, _ in lasting]


def _is_of_a_moment(order: Order, error: ClientError) -> bool:
    return not is_capacity(code_of(error)) and isinstance(fault(order, error), TryAgainError)


def _is_common(order: Order, error: ClientError) -> bool:
    """Whether it is a matter of who asks, or of a setting that says the same for all pools."""
    if is_capacity(code_of(error)):
        return False
    return isinstance(fault(order, error), PermissionDeniedError) or _setting(error) in _SHARED


def _first_fault(order: Order, errors: "list[CreateFleetErrorTypeDef]") -> NommerctlError | None:
    """Return what the user has to be told of: what is wrong with the order, or else a limit."""
    found = [_as_client_error(order, error) for error in errors]
    wrong = next((error for error in found if not is_capacity(code_of(error))), None)
    limit = next((error for error in found if is_limit(code_of(error))), None)
    if wrong is not None:
        return fault(order, wrong)
    return None if limit is None else _limit(limit)


def _as_client_error(order: Order, error: "CreateFleetErrorTypeDef") -> ClientError:
    code, said = error.get("ErrorCode", ""), error.get("ErrorMessage", "")
    return ClientError({"Error": {"Code": code, "Message": said}}, order.operation)


def _pools_of(order: Order, error: "CreateFleetErrorTypeDef") -> tuple[Pool, ...]:
    """Return the pools of the order that an error is about: all, if it names none of them.

    Of a pool without a place, it names the subnet that EC2 chose.
    """
    override = error.get("LaunchTemplateAndOverrides", {}).get("Overrides", {})
    instance_type, subnet = str(override.get("InstanceType", "")), override.get("SubnetId", "")
    meant = tuple(
        pool
        for pool in order.pools
        if pool.instance_type == instance_type and (not subnet or pool.place in {subnet, ""})
    )
    return order.pools if error.get("ErrorCode") == _SPOT_LIMIT else meant or order.pools


def fault(order: Order, error: ClientError) -> NommerctlError:
    """Return what is wrong, where it is not capacity.

    PermissionDeniedError with the action that is missing, SettingsError with what to set; TryAgainError or
    UnreachableError if it is AWS that has to mend it.
    """
    code, said = code_of(error), shown(message_of(error)).rstrip(". ")
    if code == _NO_ROLE:
        msg = (
            "AWS refuses spot instances: the credentials lack iam:CreateServiceLinkedRole, which an account needs once"
            f" for them ({said})"
        )
        return PermissionDeniedError(msg)
    found = translated(error, _action(order, code, said), "new nodes")
    if isinstance(found, PermissionDeniedError | TryAgainError) or _is_theirs(error):
        return found
    return SettingsError(f"AWS launches no nodes: {said} ({code}): check {_to_check(order, error)}")


def _action(order: Order, code: str, said: str) -> str:
    """Return what the credentials may not do: an order takes more than the permission for its own call."""
    named = _ACTION.search(said)
    if named:
        return named[1]
    action = f"ec2:{order.operation}"
    return f"{action} (or ec2:RunInstances, ec2:CreateTags, iam:PassRole)" if code == _UNAUTHORIZED else action


def _is_theirs(error: ClientError) -> bool:
    return code_of(error) in _THEIRS or status_of(error) >= _SERVER_ERROR


def _setting(error: ClientError) -> str:
    """Return the setting that an error is about, empty if that is not known."""
    said = f"{code_of(error)} {message_of(error)}"
    return next((setting for pattern, setting in (*_SETTINGS, *_TEMPLATED) if pattern.search(said)), "")


def _to_check(order: Order, error: ClientError) -> str:
    template, setting = _template(order), _setting(error)
    if template and setting in _SHARED:
        return f"launch template {template!r} (aws.launch_template)"
    return setting or "the settings in [aws]"


def _template(order: Order) -> str:
    if order.operation == "RunInstances":
        return ""
    named = order.parameters["LaunchTemplateConfigs"][0]["LaunchTemplateSpecification"]
    return str(named.get("LaunchTemplateName") or named["LaunchTemplateId"])


def _limit(error: ClientError) -> ItemError:
    said = shown(message_of(error)).rstrip(". ")
    return ItemError(
        f"the account has reached a limit: {said} ({code_of(error)}): have it raised in Service Quotas,"
        " or lower scale.max_nodes"
    )
