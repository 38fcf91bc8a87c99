"""Commands that only look at a farm on AWS, on days when AWS fails them."""

import pytest

from nommerctl.domain.job import EncodingJob
from tests.aws_farm import AwsFarm
from tests.cloud import Call, Reach
from tests.end_to_end.aws_troubles import KINDS, Kind, assert_complained

pytestmark = pytest.mark.slow

MOST_CALLS = 20
"""No command here makes more."""

GIVING_BACK = Call("sqs", "ChangeMessageVisibilityBatch")


@pytest.fixture
def job(aws: AwsFarm) -> EncodingJob:
    """A job on a farm that has a node, a decision and a dead letter too."""
    job = aws.submitted()
    aws.dead.send([job.id])
    aws.here.run("refresh")
    aws.here.run("scale")
    return job


def looks(job: EncodingJob) -> list[tuple[str, ...]]:
    """Each command that looks, and asks AWS for it."""
    passes = [(verb, "--dry-run") for verb in ("scale", "refresh", "abandon", "prune")]
    named = [("show", job.id), ("show", job.id[:10]), ("cancel", job.id, "--dry-run")]
    others = [("nodes",), ("retry", "--failed", "--dry-run")]
    return [("status",), ("why",), ("queue", "dead", "list"), *named, *passes, *others]


@pytest.mark.parametrize(
    ("kind", "some"),
    [
        pytest.param(KINDS["throttled"], slice(5), id="throttled"),
        *(pytest.param(kind, slice(None), id=f"{name}-all", marks=pytest.mark.slow) for name, kind in KINDS.items()),
    ],
)
def test_a_call_that_fails_is_named_and_the_next_look_is_a_whole_one(
    aws: AwsFarm, job: EncodingJob, kind: Kind, some: slice
) -> None:
    for command in looks(job)[some]:
        for served in range(MOST_CALLS):
            with aws.cloud.trouble(kind.fault, kind.reach, served=served) as trouble:
                result = aws.here.run(*command, code=None)
            if not trouble.met:
                break
            if set(trouble.met) == {GIVING_BACK}:
                assert result.code == 0
                break  # and it is hidden for a minute
            assert_complained(result, kind.code, *trouble.met)
            assert result.stdout == ""
        assert (0 < served < MOST_CALLS - 1, result.code, result.stderr) == (True, 0, ""), command


def test_the_list_asks_nothing_of_aws(aws: AwsFarm, job: EncodingJob) -> None:
    with aws.cloud.trouble(KINDS["unreachable"].fault, Reach.ALL) as trouble:
        assert aws.here.listed().keys() == {job.id}
    assert trouble.met == []


def test_the_doctor_says_of_each_part_what_keeps_it_away(aws: AwsFarm, job: EncodingJob) -> None:
    with aws.cloud.trouble(KINDS["denied"].fault, Reach.ALL):
        ill = aws.here.run("doctor", "--json", code=3).json
    found = {finding["check"]: finding for finding in ill["checks"]}
    for check, action in [
        ("store", "dynamodb:Query"),
        ("ledger", "dynamodb:Query"),
        ("queue", "sqs:GetQueueUrl"),
    ]:
        assert found[check]["verdict"] == "failed"
        assert f"AWS refuses {action} on " in found[check]["found"]
    assert job.id in aws.here.listed()


def test_the_doctor_only_warns_of_what_is_busy(aws: AwsFarm, job: EncodingJob) -> None:
    assert job.id
    with aws.cloud.trouble(KINDS["throttled"].fault, Reach.ALL):
        busy = aws.here.run("doctor", "--json").json
    (store,) = [finding for finding in busy["checks"] if finding["check"] == "store"]
    assert store["verdict"] == "warning"
    assert "AWS throttles dynamodb:DescribeTable on " in store["found"]
