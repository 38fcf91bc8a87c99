"""Commands that change something, on days when AWS fails them: whichever call it is that fails, and however."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import pytest

from nommerctl.adapters.aws import clients
from tests.aws_farm import AwsFarm
from tests.cloud import Call, Cut, Half, Reach
from tests.end_to_end.aws_deeds import DEEDS, Deed, cancel, end, launch, prune, refresh, requeue, retry, revive, submit
from tests.end_to_end.aws_troubles import KINDS, Kind, assert_complained

pytestmark = pytest.mark.slow

Make: TypeAlias = Callable[[AwsFarm], Deed]

QUICK: dict[tuple[Make, str | Cut], int] = {
    (refresh, "throttled"): 0,
    (launch, "throttled"): 6,
    (end, "denied"): 6,
    (retry, "denied"): 0,
    (revive, "broken"): 3,
    (prune, "skewed"): 0,
    (cancel, "expired"): 0,
    (submit, "throttled"): 0,
    (launch, Cut.AFTER): 5,
    (submit, Cut.AFTER): 2,
    (refresh, Cut.BEFORE): 2,
}
"""What is tried with all tests, from which call on: mostly from where something comes about. The whole takes long."""

MOST_CALLS = 20
"""No command here makes more."""

GIVING_BACK = Call("sqs", "ChangeMessageVisibilityBatch")
"""What is not given back comes back by itself: no reason to fail."""


def _cases(troubles: Iterable[str | Cut]) -> list[Any]:
    quick = [_case(deed, trouble, first) for (deed, trouble), first in QUICK.items() if trouble in troubles]
    return quick + [_case(deed, trouble, 0, pytest.mark.slow) for deed in DEEDS for trouble in troubles]


def _case(deed: Make, trouble: str | Cut, first: int, *marks: pytest.MarkDecorator) -> Any:  # noqa: ANN401 - pytest does not name its type
    name, fault = (trouble.name.lower(), trouble) if isinstance(trouble, Cut) else (trouble, KINDS[trouble])
    whole = "-whole" if marks else ""
    return pytest.param(deed, fault, first, id=f"{deed.__name__}-{name}{whole}", marks=marks)


def _code(kind: Kind, call: Call) -> int:
    """What a command exits with. S3 denies what is not there as well: it may be the name that is wrong."""
    return 2 if kind is KINDS["denied"] and call.service == "s3" else kind.code


@pytest.fixture
def farm(aws: AwsFarm) -> AwsFarm:
    """A farm with room for all nodes, and a film to submit."""
    aws.here.settings |= {"SCALE_MAX_NODES": "50"}
    aws.put("film.mov", b"film")
    return aws


@pytest.mark.parametrize(("make", "kind", "first"), _cases(KINDS))
def test_a_call_that_keeps_failing_is_named_nothing_is_lost_and_the_next_run_mends_it(
    farm: AwsFarm, make: Make, kind: Kind, first: int
) -> None:
    for served in range(first, MOST_CALLS):
        # given
        deed = make(farm)
        # when all calls are served up to one
        with farm.cloud.trouble(kind.fault, kind.reach, served=served) as trouble:
            result = farm.here.run(*deed.command, code=None)
        if not trouble.met:
            break
        # then
        if set(trouble.met) == {GIVING_BACK}:
            assert result.code == 0
        else:
            assert_complained(result, _code(kind, trouble.met[-1]), *trouble.met)
        assert deed.kept()
        # and when AWS is well again
        farm.here.run(*deed.mended_by, code=None)
        assert deed.came_about()
    assert 2 < served < MOST_CALLS - 1
    assert (result.code, result.stderr) == (0, "")
    assert deed.came_about()


@pytest.mark.parametrize(("make", "cut", "first"), _cases([Cut.BEFORE, Cut.AFTER]))
def test_a_connection_that_breaks_once_at_any_call_breaks_nothing(
    farm: AwsFarm, make: Make, cut: Cut, first: int
) -> None:
    for served in range(first, MOST_CALLS):
        deed = make(farm)
        with farm.cloud.trouble(cut, Reach.ONE, served=served) as trouble:
            result = farm.here.run(*deed.command)
        assert result.stderr == ""
        if trouble.met == [Call("sqs", "ReceiveMessage")] and cut is Cut.AFTER:
            assert deed.kept(), "received and never seen: it comes back"
        else:
            assert deed.came_about()
        if not trouble.met:
            break
    assert 2 < served < MOST_CALLS - 1


@pytest.mark.parametrize("make", [requeue, *(pytest.param(deed, marks=pytest.mark.slow) for deed in DEEDS)])
def test_a_connection_that_breaks_again_and_again_breaks_nothing(farm: AwsFarm, make: Make) -> None:
    deed = make(farm)
    with farm.cloud.trouble(Cut.BEFORE, Reach.EVERY_OTHER) as trouble:
        result = farm.here.run(*deed.command)
    assert len(trouble.met) > 2
    assert result.stderr == ""
    assert deed.came_about()


def test_an_order_whose_answer_never_comes_launches_once(farm: AwsFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "READ_TIMEOUT", 1)
    deed = launch(farm)
    farm.cloud.fail("ec2", "RunInstances", Cut.NEVER)
    farm.here.run("scale")
    assert deed.came_about()


def test_a_half_of_a_batch_that_fails_is_sent_again(farm: AwsFarm) -> None:
    # given six films that are submitted together
    sources = [farm.put(f"{number}.mov", b"film") for number in range(6)]
    # when of what is sent, read and deleted a half fails at first
    farm.cloud.fail("sqs", "SendMessageBatch", Half(), Half("ThrottlingException"))
    farm.here.run("submit", *sources, "--dest", f"s3://{farm.bucket}/out/", "--preset", "audio-m4a")
    farm.cloud.fail("dynamodb", "BatchGetItem", Half())
    farm.cloud.fail("sqs", "DeleteMessageBatch", Half())
    farm.here.run("refresh")
    # then all are there, and nothing is left over
    assert farm.here.listed().keys() == farm.queued()
    assert len(farm.queued()) == 6
    assert farm.changes.depth().total == 0


@pytest.mark.slow
def test_a_half_of_a_batch_that_keeps_failing_is_complained_of(farm: AwsFarm) -> None:
    sources = [farm.put(f"{number}.mov", b"film") for number in range(6)]
    farm.cloud.fail("sqs", "SendMessageBatch", *[Half("ThrottlingException")] * 4)
    result = farm.here.run("submit", *sources, "--dest", f"s3://{farm.bucket}/", "--preset", "audio-m4a", code=75)
    assert_complained(result, 75, Call("sqs", "SendMessageBatch"))
    assert len(list(farm.store.unfinished())) == 6


def test_all_passes_of_a_run_are_tried_and_each_says_what_kept_it(farm: AwsFarm) -> None:
    with farm.cloud.trouble(KINDS["denied"].fault, Reach.ALL):
        result = farm.here.run("run", code=77)
    told = [sentence.split()[3] for sentence in result.stderr.splitlines()]
    assert told == ["sqs:GetQueueUrl", "dynamodb:Query", "dynamodb:Query", "dynamodb:Query"]
    farm.here.run("run")


def test_a_program_is_told_as_well(farm: AwsFarm) -> None:
    with farm.cloud.trouble(KINDS["throttled"].fault, Reach.ALL):
        failed = [
            farm.here.run(*command, "--json", code=75)
            for command in (
                ["status"],
                ["scale"],
                [
                    "submit",
                    f"s3://{farm.bucket}/film.mov",
                    "--dest",
                    f"s3://{farm.bucket}/x.m4a",
                    "--preset",
                    "audio-m4a",
                ],
            )
        ]
    for result in failed:
        error = result.json["error"]
        assert (error["code"], error["kind"]) == (75, "busy")
        assert result.stderr == f"nommerctl: {error['message']}\n"


def test_messages_to_refresh_go_out_though_those_to_workers_cannot(farm: AwsFarm) -> None:
    deed = retry(farm)
    farm.here.run("refresh", "--rebuild")
    farm.here.run("scale")  # so that the queue's URL is known
    farm.cloud.fail("sqs", "SendMessageBatch", KINDS["denied"].fault)
    farm.here.run(*deed.command, code=77)
    assert farm.changes.depth().total == 1


def test_a_dead_letter_that_cannot_be_given_back_after_the_first_look_is_put_back_all_the_same(farm: AwsFarm) -> None:
    job = farm.stored()
    farm.dead.send([job.id])
    farm.cloud.fail("sqs", "ChangeMessageVisibilityBatch", KINDS["denied"].fault)
    assert farm.here.run("queue", "dead", "retry").stdout == "1 message put back\n"
    assert farm.queued() == {job.id}
    assert farm.dead.depth().total == 0
