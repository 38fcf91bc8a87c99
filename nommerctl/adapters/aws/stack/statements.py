"""Statements of IAM policies, and the ARNs of what they are about."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from nommerctl.adapters.aws.names import jobs_table, ledger_table, node_role

Policy: TypeAlias = Mapping[str, Any]
"""A policy document, or part of one, as JSON."""


class Names(Struct, frozen=True, kw_only=True):
    """Whose policies. `buckets` are media buckets, or parts of them (`films/out`).

    `package_bucket` is the farm's own bucket, '' if it has none. `role` is the role of nodes, with its path if it has
    one (`team/nodes`), '' for that which 'aws bootstrap' makes.
    """

    farm: str
    account: str
    region: str
    partition: str = "aws"
    buckets: tuple[str, ...] = ()
    package_bucket: str = ""
    role: str = ""

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of something in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    @property
    def jobs(self) -> str:
        """The table of jobs."""
        return self.arn("dynamodb", f"table/{jobs_table(self.farm)}")

    @property
    def ledger(self) -> str:
        """The table of the ledger."""
        return self.arn("dynamodb", f"table/{ledger_table(self.farm)}")

    def queue(self, name: str) -> str:
        """A queue by its name."""
        return self.arn("sqs", name)

    def ec2(self, *kinds: str) -> list[str]:
        """All resources of these kinds."""
        return [self.arn("ec2", f"{kind}/*") for kind in kinds]

    def public(self, *kinds: str) -> list[str]:
        """All images, or snapshots: their ARNs name no account."""
        return [f"arn:{self.partition}:ec2:{self.region}::{kind}/*" for kind in kinds]

    def s3(self, place: str) -> str:
        """A bucket, or objects of it."""
        return f"arn:{self.partition}:s3:::{place}"

    @property
    def node_role(self) -> str:
        """The role of nodes."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role or node_role(self.farm)}"

    @property
    def service(self) -> str:
        """EC2, as who may assume a role."""
        return "ec2.amazonaws.com.cn" if self.partition == "aws-cn" else "ec2.amazonaws.com"


def named(service: str, *actions: str) -> list[str]:
    """Return actions by their full names."""
    return [f"{service}:{action}" for action in actions]


def allow(
    sid: str,
    actions: Iterable[str],
    *resources: str,
    condition: Policy | None = None,
    principal: Policy | None = None,
) -> Policy:
    """Return a statement; without resources it is one of a trust policy."""
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow"}
    if principal:
        statement["Principal"] = principal
    statement["Action"] = sorted(set(actions))
    if resources:
        statement["Resource"] = list(resources)
    if condition:
        statement["Condition"] = condition
    return statement


def document(statements: Sequence[Policy]) -> Policy:
    """Return a whole policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}
