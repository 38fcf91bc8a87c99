"""What policies allow, and to whom they allow more than is used: IAM, as far as our policies go.

Source: IAM's user guide on how policies are evaluated. Only what our policies use of it is here; anything else in them
is an error. What requests need is in tests/iam_needs.py.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeAlias

Policy: TypeAlias = Mapping[str, Any]


class Need(NamedTuple):
    """An action on a resource, and what is known of the circumstances: pairs, several where a key has more values."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


def allowed(policy: Policy, need: Need) -> bool:
    """Whether a policy allows something. No policy of ours denies anything."""
    return any(_grants(statement, need) for statement in policy["Statement"])


def unused(policy: Policy, needed: Iterable[Need], implied: Iterable[str]) -> Iterator[str]:
    """Yield what a policy grants and nothing needs: `Sid: action`, and `Sid: resource` of those that it names whole.

    What is `implied` counts as needed.
    """
    needed, implied = list(needed), set(implied)
    for statement in policy["Statement"]:
        sid, actions = statement["Sid"], [each for each in _listed(statement["Action"]) if each not in implied]
        for action in actions:
            if not any(need.action == action and _grants(statement, need) for need in needed):
                yield f"{sid}: {action}"
        for resource in _listed(statement["Resource"]) if actions else ():
            narrowed = {**statement, "Resource": resource}
            if "*" not in resource and not any(_grants(narrowed, need) for need in needed):
                yield f"{sid}: {resource}"


def _grants(statement: Mapping[str, Any], need: Need) -> bool:
    assert statement["Effect"] == "Allow"
    return (
        need.action in _listed(statement["Action"])
        and any(fnmatchcase(need.resource, pattern) for pattern in _listed(statement["Resource"]))
        and all(
            _holds(operator, key, _listed(values), [value for named, value in need.context if named == key])
            for operator, condition in statement.get("Condition", {}).items()
            for key, values in condition.items()
        )
    )


_TOLD = ("aws:RequestTag/", "aws:TagKeys", "dynamodb:LeadingKeys", "ec2:CreateAction", "s3:prefix")
"""The keys that a request tells of, or else lacks."""

_UNTOLD = ("ec2:ResourceTag/", "ec2:SourceInstanceARN", "iam:AWSServiceName", "iam:PassedToService")
"""Those of which a request tells nothing: what they are to be is taken to be so."""


def _holds(operator: str, key: str, wanted: Sequence[str], values: Sequence[str]) -> bool:
    if key.startswith(_UNTOLD):
        return True
    assert key.startswith(_TOLD), key
    match operator:
        case "ForAllValues:StringEquals":
            return set(values) <= set(wanted)
        case "StringEquals":
            return any(value in wanted for value in values)
        case "StringLike":
            return any(fnmatchcase(value, pattern) for value in values for pattern in wanted)
        case _:
            raise AssertionError(operator)


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
