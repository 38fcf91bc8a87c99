"""An AWS account as it is once a farm was brought up there, and as IAM, SSM and Service Quotas speak of it."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

from nommerctl.adapters.aws.names import launch_template
from tests.answering import Answer
from tests.aws_farm import AMI, AwsFarm
from tests.cloud import Cloud, answered

ACCOUNT = "123456789012"
USER = f"arn:aws:iam::{ACCOUNT}:user/anna"
PARAMETER = "/aws/service/debian/release/12/latest/amd64"

TEMPLATE: Mapping[str, Any] = {
    "ImageId": f"resolve:ssm:{PARAMETER}",
    "InstanceInitiatedShutdownBehavior": "terminate",
    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
    "UserData": base64.b64encode(b"#!/usr/bin/python3\n").decode(),
}


@contextmanager
def brought_up(aws: AwsFarm) -> Iterator[AwsFarm]:
    """Make the launch template, and let AWS answer what no emulator does; the caller is a user who may do all."""
    aws.here.settings |= {"AWS_AMI": ""}
    name = launch_template(aws.name)
    aws.clients.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={**TEMPLATE})  # type: ignore[typeddict-item]
    called(aws, USER)
    simulating(aws, {})
    quotas(aws, {"L-34B43A08": 32.0, "L-1216C47A": 64.0})
    parameters(aws, {PARAMETER: AMI})
    try:
        yield aws
    finally:
        ec2 = aws.clients.ec2
        left = ec2.describe_launch_templates(Filters=[{"Name": "launch-template-name", "Values": [name]}])
        for each in left["LaunchTemplates"]:
            ec2.delete_launch_template(LaunchTemplateId=each["LaunchTemplateId"])


def with_template(aws: AwsFarm, **changed: Any) -> None:  # noqa: ANN401 - fields of the request
    """Make another default version of the launch template; a field that is None is left out."""
    data = {name: value for name, value in {**TEMPLATE, **changed}.items() if value is not None}
    ec2, name = aws.clients.ec2, launch_template(aws.name)
    made = ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData=data)  # type: ignore[arg-type]
    version = str(made["LaunchTemplateVersion"]["VersionNumber"])
    ec2.modify_launch_template(LaunchTemplateName=name, DefaultVersion=version)


def called(aws: AwsFarm | Cloud, arn: str, *, seconds: float = 0) -> None:
    """Let AWS take us for that one, and its clock be so many seconds ahead of ours."""
    body = (
        "<GetCallerIdentityResponse><GetCallerIdentityResult>"
        f"<Arn>{arn}</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    _cloud_of(aws).stand_in("sts", "GetCallerIdentity", lambda _: dated(answered(body), seconds))


def _cloud_of(farm: AwsFarm | Cloud) -> Cloud:
    return farm if isinstance(farm, Cloud) else farm.cloud


def dated(answer: Answer, seconds: float) -> Answer:
    """Date an answer so many seconds after now."""
    date = datetime.now(UTC) + timedelta(seconds=seconds)
    return answer._replace(headers={**answer.headers, "Date": format_datetime(date, usegmt=True)})


def simulating(aws: AwsFarm, denied: Mapping[str, str], asked: list[dict[str, list[str]]] | None = None) -> None:
    """Let IAM's simulator allow all but what is `denied`: by action what is said instead; note what it is asked."""

    def answer(body: bytes) -> Answer:
        form = parse_qs(body.decode())
        if asked is not None:
            asked.append(form)
        (action,) = form["ActionNames.member.1"]
        return answered(
            "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>"
            f"<EvaluationResults><member><EvalActionName>{action}</EvalActionName>"
            f"<EvalDecision>{denied.get(action, 'allowed')}</EvalDecision></member></EvaluationResults>"
            "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        )

    aws.cloud.stand_in("iam", "SimulatePrincipalPolicy", answer)


def quotas(aws: AwsFarm | Cloud, values: Mapping[str, float]) -> None:
    """Let Service Quotas tell these values by code."""
    _cloud_of(aws).stand_in(
        "servicequotas",
        "GetServiceQuota",
        lambda body: answered({"Quota": {"Value": values[json.loads(body)["QuotaCode"]]}}),
    )


def parameters(aws: AwsFarm, values: Mapping[str, str]) -> None:
    """Let SSM have these parameters, and no others."""

    def answer(body: bytes) -> Answer:
        names = json.loads(body)["Names"]
        found = [{"Name": name, "Value": values[name]} for name in names if name in values]
        return answered({"Parameters": found, "InvalidParameters": [name for name in names if name not in values]})

    aws.cloud.stand_in("ssm", "GetParameters", answer)
