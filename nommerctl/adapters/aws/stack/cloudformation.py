"""The parts of a farm as a CloudFormation document, for those who may not create them by hand."""

from collections.abc import Sequence

import msgspec

from nommerctl.domain.stack import Resource, present

FORMAT = "2010-09-09"
"""The only version of the format that there is."""

OURS = "nommerctl::"
"""What kinds begin with that CloudFormation does not know."""


def document(resources: Sequence[Resource], farm: str) -> str:
    """Return the document as JSON text. What it does not know is left out: 'aws bootstrap' makes that afterwards."""
    known = [resource for resource in resources if not resource.kind.startswith(OURS)]
    content = {
        "AWSTemplateFormatVersion": FORMAT,
        "Description": f"The nommerctl farm {farm}. It names its role: deploy it with CAPABILITY_NAMED_IAM.",
        "Resources": {each.logical: {"Type": each.kind, "Properties": present(each.properties)} for each in known},
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"
