"""What comes in answer to a call and is no answer of AWS's."""

from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, translated
from nommerctl.errors import UnreachableError
from tests.aws_servers import CREDENTIALS
from tests.web import reply, serving

PAGES = {"HTML": b"<html><body>Sign in to our network", "no text": b"\xff\xfe\x00"}

CALLS: dict[str, Callable[[Clients], object]] = {
    "ec2:DescribeInstances": lambda clients: clients.ec2.describe_instances(),
    "sqs:GetQueueUrl": lambda clients: clients.sqs.get_queue_url(QueueName="new")["QueueUrl"],
    "dynamodb:BatchGetItem": lambda clients: clients.dynamodb.batch_get_item(
        RequestItems={"jobs": {"Keys": [{"id": {"S": "1"}}]}}
    )["Responses"],
}


@pytest.fixture(params=PAGES.values(), ids=list(PAGES))
def clients(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    """Clients that get the same page from everybody, with status 200."""
    with serving({"/": reply(body=request.param)}) as web:
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": web.url("")}).items():
            monkeypatch.setenv(name, value)
        clients = Clients()
        yield clients
        clients.close()


@pytest.mark.parametrize("action", CALLS)
def test_an_answer_that_is_none_of_awss_is_as_good_as_none(clients: Clients, action: str) -> None:
    said = (
        rf"^what came in answer to {action} on a thing is not what AWS answers \(.*\): see what stands in between, a"
        " proxy or the endpoint that AWS_ENDPOINT_URL names$"
    )
    with pytest.raises(UnreachableError, match=said), calling(action, "a thing"):
        CALLS[action](clients)


@pytest.mark.parametrize(
    ("domain", "advice"),
    [
        ("nommerctl-films-jobs", "put farm.name or aws.region right"),
        ("media_nommer", "put simpledb.job_domain, simpledb.heartbeat_domain or aws.region right"),
    ],
)
def test_of_a_domain_that_is_not_there_the_setting_that_names_it_is_said(domain: str, advice: str) -> None:
    missing = ClientError({"Error": {"Code": "NoSuchDomain"}}, "Select")
    assert str(translated(missing, "sdb:Select", f"domain '{domain}'")) == (
        f"domain '{domain}' is not there in this account and region (sdb:Select: NoSuchDomain): {advice}"
    )
