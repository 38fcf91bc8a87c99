"""What `doctor` says of an AWS account: who asks, by which clock, and what they may do."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.times import Instant, micros

ATTACH = "attach the policy that 'nommerctl aws iam-policy operator' prints"

_SECOND = micros(1.0)
"""How exact a Date header is: it names the second that has begun."""

_WORRIES, _FAILS = 30.0, 240.0
"""Seconds that a clock may be off. AWS refuses what is signed 5 min off (IAM User Guide, "Troubleshoot SigV4")."""

_AWS_CLOCK = "AWS clock"
_PERMISSIONS = "permissions"


class Caller(Struct, frozen=True, kw_only=True):
    """Who AWS takes us for, and the region that is asked."""

    account: str
    arn: str
    region: str

    @property
    def partition(self) -> str:
        """What an ARN begins with after `arn:`."""
        return self.arn.split(":")[1] if self.arn.count(":") else "aws"

    @property
    def principal(self) -> str:
        """The ARN of the user or the role whose policies hold for the caller, '' if it has none of these.

        Of a role that is assumed it is known only without its path.
        """
        account, _, name = self.arn.partition(f":{self.account}:")
        if account.endswith(":iam:") and name.startswith("user/"):
            return self.arn
        if account.endswith(":sts:") and name.startswith("assumed-role/"):
            return f"arn:{self.partition}:iam::{self.account}:role/{name.split('/')[1]}"
        return ""

    @property
    def is_root(self) -> bool:
        """Whether it is the account itself, whom no policy keeps from anything."""
        return self.arn.endswith(f":{self.account}:root")


def judge_caller(caller: Caller) -> Finding:
    """Say who we are."""
    found = f"account {caller.account}, {caller.arn}, region {caller.region}"
    return Finding("credentials", Verdict.OK, found)


def judge_aws_clock(date: Instant | None, asked: Instant, came: Instant) -> Finding:
    """Judge this machine's clock by the date of an answer that was asked for and came at these instants.

    The way there and back took some of that time, and a date has no fractions: both speak for the clock.
    """
    if date is None:
        return Finding(_AWS_CLOCK, Verdict.WARNING, "AWS's answer bears no date, so the clock cannot be compared")
    ahead = asked - (date + _SECOND)
    behind = date - came
    off = max(ahead, behind, 0) / _SECOND
    where = "ahead of" if ahead > behind else "behind"
    if off > _FAILS:
        found = f"this machine's clock is {off:.0f} s {where} AWS's: AWS refuses what is 5 min off"
        return Finding(_AWS_CLOCK, Verdict.FAILED, found, "set the clock, and keep it set by NTP")
    if off > _WORRIES:
        found = f"this machine's clock is {off:.0f} s {where} AWS's"
        return Finding(_AWS_CLOCK, Verdict.WARNING, found, "set the clock: leases and heartbeats are dated by it")
    found = (
        f"this machine's clock is {off:.0f} s {where} AWS's" if off >= 1 else "this machine's clock agrees with AWS's"
    )
    return Finding(_AWS_CLOCK, Verdict.OK, found)


class Leave(StrEnum):
    """Whether an action is permitted."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Permission(Struct, frozen=True):
    """Whether an action, by its name in IAM, is permitted on something.

    `why` says why that could not be found out, if a try was made and failed.
    """

    action: str
    on: str
    leave: Leave
    why: str = ""


def judge_permissions(permissions: Sequence[Permission]) -> Iterator[Finding]:
    """Judge what the operator needs: a line for all that is granted, and one for each action that is denied."""
    granted, denied, unknown = (
        [each for each in permissions if each.leave is leave] for leave in (Leave.GRANTED, Leave.DENIED, Leave.UNKNOWN)
    )
    known = len(granted) + len(denied)
    if denied and not granted:
        yield Finding(_PERMISSIONS, Verdict.FAILED, f"none of {known} tried is granted", ATTACH)
    else:
        if granted:
            yield Finding(_PERMISSIONS, Verdict.OK, f"{len(granted)} of {known} tried are granted")
        for action in dict.fromkeys(each.action for each in denied):
            on = ", ".join(each.on for each in denied if each.action == action)
            yield Finding(_PERMISSIONS, Verdict.FAILED, f"{action} is denied on {on}", ATTACH)
    failed = [each for each in unknown if each.why]
    if failed:
        found = f"{len(failed)} could not be tried: {failed[0].why}"
        yield Finding(_PERMISSIONS, Verdict.WARNING, found, "run 'nommerctl doctor' again")
    left = ", ".join(dict.fromkeys(each.action for each in unknown if not each.why))
    if left:
        yield Finding(
            _PERMISSIONS, Verdict.OK, f"not tried, since a try would not be harmless, or not possible: {left}"
        )
