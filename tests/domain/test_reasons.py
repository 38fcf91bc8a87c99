import pytest
from msgspec import structs

from nommerctl.domain.conditions import NodeCondition, node_condition
from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import Heartbeat, Node
from nommerctl.domain.reasons import reason, waits_plainly
from nommerctl.domain.states import IN_WORK, JobState
from nommerctl.domain.times import Instant, micros
from tests.builders import make_job, make_lease
from tests.fakes.clock import START

NOW: Instant = START + micros(10_000)
LIMITS = ScaleSettings(silent_after=180, boot_limit=600)


def ago(seconds: float) -> Instant:
    return NOW - micros(seconds)


def a_node(beat_ago: float | None = None, *, launched_ago: float = 3000) -> Node:
    beat = None
    if beat_ago is not None:
        beat = Heartbeat(node="node-1", started=ago(launched_ago), at=ago(beat_ago), slots=1)
    return Node(id="node-1", alive=True, launched=ago(launched_ago), slots=1, beat=beat)


def test_a_pending_job_waits_for_a_worker() -> None:
    assert reason(make_job(changed=ago(180)), NOW) == "waiting for a worker for 3 min"


def test_a_job_that_was_handed_back_says_why() -> None:
    # given
    job = make_job(interruptions=1, details="the worker was told to end (SIGTERM)")

    # when, then
    assert reason(job, NOW) == "handed back, waits again: the worker was told to end (SIGTERM)"


@pytest.mark.parametrize("state", sorted(IN_WORK))
def test_a_job_in_work_needs_a_reason_only_when_its_lease_ended(state: JobState) -> None:
    # given
    held = make_job(state=state, lease=make_lease(until=NOW + micros(1)))
    left = make_job(state=state, lease=make_lease(until=NOW))

    # when, then
    assert reason(held, NOW) is None
    assert reason(left, NOW) == "its worker is gone: waits to be taken over"


@pytest.mark.parametrize("state", [JobState.ERROR, JobState.ABANDONED])
def test_a_job_that_came_to_nothing_gives_the_first_line_that_says_anything(state: JobState) -> None:
    # given
    job = make_job(state=state, details="\n  \n  no such file \nand more")

    # when, then
    assert reason(job, NOW) == "no such file"
    assert reason(make_job(state=state), NOW) is None


def test_a_job_that_others_wrote_badly_says_what_is_wrong_with_it() -> None:
    job = make_job(state=JobState.PENDING, fault="its job_options are no JSON", details="handed back")

    assert reason(job, NOW) == "its job_options are no JSON"
    assert not waits_plainly(structs.replace(job, details=None))


def test_a_finished_job_needs_no_reason() -> None:
    assert reason(make_job(state=JobState.FINISHED, details="whatever"), NOW) is None


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (a_node(180), NodeCondition.RUNNING),
        (a_node(181), NodeCondition.SILENT),
        (a_node(launched_ago=600), NodeCondition.BOOTING),
        (a_node(launched_ago=601), NodeCondition.SILENT),
        (structs.replace(a_node(5), alive=False), NodeCondition.DEAD),
    ],
)
def test_how_a_node_is(node: Node, expected: NodeCondition) -> None:
    assert node_condition(node, now=NOW, limits=LIMITS) is expected
