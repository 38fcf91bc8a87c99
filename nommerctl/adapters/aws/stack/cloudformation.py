"""The parts of a farm as a CloudFormation document, for those who may not create them by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from nommerctl.domain.stack import Resource, present

FORMAT = "2010-09-09"
"""The only version of the format that there is."""

OURS = "nommerctl::"
"""What kinds begin with that CloudFormation does not know."""

UNTAGGED = frozenset({"AWS::IAM::InstanceProfile"})
"""Kinds that it gives no tags, though IAM would: 'aws bootstrap' adds them."""


def document(resources: Sequence[Resource], farm: str) -> str:
    """Return the document as JSON text. What it does not know is left out: 'aws bootstrap' makes that afterwards."""
    content = {
        "AWSTemplateFormatVersion": FORMAT,
        "Description": f"The nommerctl farm {farm}. It names its role: deploy it with CAPABILITY_NAMED_IAM.",
        "Resources": {
            each.logical: {"Type": each.kind, "Properties": _properties(each)}
            for each in resources
            if not each.kind.startswith(OURS)
        },
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def _properties(resource: Resource) -> Mapping[str, Any]:
    left_out = {"Tags"} if resource.kind in UNTAGGED else set()
    properties: Mapping[str, Any] = present(
        {name: value for name, value in resource.properties.items() if name not in left_out}
    )
    return properties
