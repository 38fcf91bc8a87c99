"""Whether what cannot be tried without doing it is permitted: IAM's simulator says so, if we may ask it."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling
from nommerctl.adapters.aws.names import FARM_TAG, changes_queue, dead_letters, new_jobs_queue, node_role
from nommerctl.adapters.aws.orders import template_of
from nommerctl.domain.aws_account import Caller, Leave, Permission
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.domain.s3_uris import S3
from nommerctl.errors import AWAY


class Question(Struct, frozen=True, kw_only=True):
    """An action on something that is named by `on` and by its ARN; what is asked by the way is in the context."""

    action: str
    on: str
    arn: str
    context: Mapping[str, str] = {}


def questions(caller: Caller, settings: AwsSettings, farm: str, *, has_node: bool) -> Iterator[Question]:
    """Yield what to ask of an operator; `has_node` is whether there is a node on which its end could be tried."""
    here = f"{caller.region}:{caller.account}"
    aws = f"arn:{caller.partition}"
    new_jobs, changes, dead = new_jobs_queue(farm), changes_queue(farm), dead_letters(new_jobs_queue(farm))
    for action, queues in (("sqs:SendMessage", (new_jobs, changes)), ("sqs:ReceiveMessage", (changes, dead))):
        for name in queues:
            yield Question(action=action, on=f"queue '{name}'", arn=f"{aws}:sqs:{here}:{name}")
    for named in settings.buckets:
        place = named.removeprefix(f"{S3}://").rstrip("/")
        yield Question(action="s3:GetObject", on=f"bucket '{place}'", arn=f"{aws}:s3:::{place}/film")
    if template_of(settings, farm) and not settings.launch_template and not settings.instance_profile:
        yield Question(
            action="iam:PassRole",
            on="the role of nodes",
            arn=f"{aws}:iam::{caller.account}:role/{node_role(farm)}",
            context={"iam:PassedToService": "ec2.amazonaws.com"},
        )
    if not has_node:
        yield Question(
            action="ec2:TerminateInstances",
            on="nodes",
            arn=f"{aws}:ec2:{here}:instance/i-00000000000000000",
            context={f"ec2:ResourceTag/{FARM_TAG}": farm, f"aws:ResourceTag/{FARM_TAG}": farm},
        )


def simulated(clients: Clients, caller: Caller, asked: Sequence[Question]) -> list[Permission]:
    """Ask all of it; it stays unknown where IAM does not tell, or has nothing to go by."""
    if caller.is_root:
        return [Permission(each.action, each.on, Leave.GRANTED) for each in asked]
    answered: list[Permission] = []
    for each in asked if caller.principal else ():
        leave = _simulated(clients, caller.principal, each)
        if leave is None:
            break
        answered.append(Permission(each.action, each.on, leave))
    return answered + [Permission(each.action, each.on, Leave.UNKNOWN) for each in asked[len(answered) :]]


def _simulated(clients: Clients, principal: str, question: Question) -> Leave | None:
    """Return the answer to one question, None if IAM gives us none: no pass needs IAM, or the way to it."""
    try:
        with calling("iam:SimulatePrincipalPolicy", f"'{principal}'"):
            (result,) = clients.iam.simulate_principal_policy(
                PolicySourceArn=principal,
                ActionNames=[question.action],
                ResourceArns=[question.arn],
                ContextEntries=[
                    {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
                    for name, value in question.context.items()
                ],
            )["EvaluationResults"]
            decision = result["EvalDecision"]
    except AWAY:
        return None
    if decision == "allowed":
        return Leave.GRANTED
    return Leave.UNKNOWN if result.get("MissingContextValues") else Leave.DENIED
