import json

import pytest
from msgspec import structs

from nommerctl.domain.outcome import Change, Decision, Failure, Held, Outcome
from nommerctl.errors import TimeLimitError
from nommerctl.render.outcome import failures_text, outcome_json, outcome_text, outcomes_json
from tests.fakes.clock import START
from tests.render.farm import DONE, ENCODING, FAILED

SCALED = Outcome(
    command="scale",
    dry_run=True,
    changed=(
        Change("end", "node-dead00", "its process is gone"),
        Change("launch", "2 nodes", "8 jobs overflow 2 slots by 6"),
    ),
    held=(
        Held("max_nodes", "1 more would exceed max_nodes = 4", 1),
        Held("max_launch_per_pass", "3 more would exceed max_launch_per_pass = 2", 3),
    ),
    plan=Decision(
        at=START,
        launch=2,
        end=("node-dead00",),
        reasons=("8 jobs overflow 2 slots by 6", "node-dead00: its process is gone"),
        inputs={"PENDING": 6, "ENCODING": 2, "nodes": 2, "cache_age_s": 12.3, "max_nodes": 4, "policy": "overflow"},
    ),
)

IDLE = Decision(at=START, launch=0, end=(), reasons=("no jobs",), inputs={"cache_age_s": None})

REFRESHED = Outcome(
    command="refresh",
    changed=(
        Change("FINISHED", DONE.id),
        Change("ERROR", FAILED.id, "ffmpeg ended with 183: Invalid data\nmoov atom not found\n"),
    ),
    failed=(Failure("tell", ENCODING.id, "https://me:hunter2@example.org/hook answered 500"),),
    held=(Held("conflict", "somebody else had written first"),),
    facts={"queue_depth": 3, "changes": 2, "malformed": 0},
)


def test_scale_shows_what_it_sees_then_what_it_would_do_then_its_plan() -> None:
    assert outcome_text(SCALED, color=False) == (
        "scale sees:\n"
        "  PENDING    6\n"
        "  ENCODING   2\n"
        "  nodes      2\n"
        "  cache age  12.3 s\n"
        "  max nodes  4\n"
        "  policy     overflow\n"
        "[dry run] end node-dead00: its process is gone\n"
        "[dry run] launch 2 nodes: 8 jobs overflow 2 slots by 6\n"
        "held by max_nodes: 1 more would exceed max_nodes = 4\n"
        "held by max_launch_per_pass: 3 more would exceed max_launch_per_pass = 2\n"
        "Plan: 2 to launch, 1 to end, 1 held by max_nodes, 3 held by max_launch_per_pass\n"
    )


def test_a_plan_without_holds_says_so() -> None:
    # given
    idle = Outcome(command="scale", plan=IDLE)

    # when, then
    assert outcome_text(idle, color=False) == "scale sees:\n  cache age  -\nPlan: 0 to launch, 0 to end, 0 held\n"


def test_refresh_shows_changes_with_all_the_details_of_a_failure() -> None:
    assert outcome_text(REFRESHED, color=False) == (
        "refresh sees:\n"
        "  queue depth  3\n"
        "  changes      2\n"
        "FINISHED 6c1935feea7600000000000000000000000000000000000000\n"
        "ERROR 5b0824eddf6500000000000000000000000000000000000000: ffmpeg ended with 183: Invalid data\n"
        "    moov atom not found\n"
        "failed to tell 39e602cbbd4300000000000000000000000000000000000000: https://***@example.org/hook answered 500\n"
        "held by conflict: somebody else had written first\n"
        "refresh: 2 changed, 1 failed, 1 held by conflict\n"
    )


@pytest.mark.parametrize(
    ("outcome", "summary"),
    [
        (Outcome(command="prune"), "prune: nothing to do\n"),
        (Outcome(command="prune", dry_run=True), "prune: nothing to do\n"),
        (
            Outcome(command="prune", dry_run=True, changed=(Change("remove", "1f00"),)),
            "[dry run] remove 1f00\nprune: 1 to change\n",
        ),
    ],
)
def test_the_last_line_sums_up(outcome: Outcome, summary: str) -> None:
    assert outcome_text(outcome, color=False) == summary


def test_states_and_failures_have_their_colours() -> None:
    # given, when
    text = outcome_text(REFRESHED, color=True)

    # then
    assert "\x1b[32mFINISHED\x1b[0m 6c19" in text
    assert "\x1b[1;31mfailed\x1b[0m to tell" in text


def test_json_of_a_pass() -> None:
    assert json.loads(outcome_json(REFRESHED)) == {
        "schema": 1,
        "command": "refresh",
        "dry_run": False,
        "changed": [
            {"action": "FINISHED", "target": DONE.id, "reason": ""},
            {
                "action": "ERROR",
                "target": FAILED.id,
                "reason": "ffmpeg ended with 183: Invalid data\nmoov atom not found\n",
            },
        ],
        "failed": [{"action": "tell", "target": ENCODING.id, "message": "https://***@example.org/hook answered 500"}],
        "held": [{"by": "conflict", "reason": "somebody else had written first", "count": 1}],
        "facts": {"queue_depth": 3, "changes": 2, "malformed": 0},
    }


def test_json_of_scale_adds_its_plan() -> None:
    # given, when
    document = json.loads(outcome_json(SCALED))

    # then
    assert list(document) == ["schema", "command", "dry_run", "changed", "failed", "held", "facts", "plan"]
    assert document["dry_run"] is True
    assert document["plan"]["end"] == ["node-dead00"]
    assert document["plan"]["inputs"]["cache_age_s"] == 12.3


def test_several_passes_make_one_document() -> None:
    # given, when
    document = json.loads(outcomes_json("run", [REFRESHED, SCALED]))

    # then
    assert list(document) == ["schema", "command", "dry_run", "passes"]
    assert (document["command"], document["dry_run"]) == ("run", True)
    assert [(each["command"], "plan" in each) for each in document["passes"]] == [("refresh", False), ("scale", True)]


def test_quiet_leaves_only_what_went_wrong() -> None:
    assert failures_text(REFRESHED, color=False) == (
        "ERROR 5b0824eddf6500000000000000000000000000000000000000: ffmpeg ended with 183: Invalid data\n"
        "    moov atom not found\n"
        "failed to tell 39e602cbbd4300000000000000000000000000000000000000: https://***@example.org/hook answered 500\n"
    )
    assert failures_text(SCALED, color=False) == ""


def test_what_ended_a_pass_stands_in_its_document_after_what_it_did() -> None:
    # given
    ended = structs.replace(REFRESHED, ended_by=TimeLimitError("the time limit of 1 s is over"))

    # when
    document = json.loads(outcome_json(ended))

    # then
    assert document["error"] == {"code": 124, "kind": "time_limit", "message": "the time limit of 1 s is over"}
    assert len(document["changed"]) == 2


@pytest.mark.parametrize(
    ("outcome", "detailed", "code"),
    [
        (Outcome(command="x"), True, 0),
        (Outcome(command="x", changed=(Change("a", "b"),)), False, 0),
        (Outcome(command="x", changed=(Change("a", "b"),)), True, 10),
        (REFRESHED, True, 3),
        (Outcome(command="x", failed=REFRESHED.failed, ended_by=TimeLimitError("over")), False, 124),
    ],
)
def test_the_exit_code_of_an_outcome(outcome: Outcome, detailed: bool, code: int) -> None:  # noqa: FBT001 - a parameter
    assert outcome.code(detailed=detailed) == code


def test_quiet_tells_of_a_breaker_that_opens_and_of_no_launch() -> None:
    outcome = Outcome(
        command="scale",
        changed=(Change("launch", "1 node", "1 job"), Change("open breaker", "until 09:30", "3 nodes failed")),
    )
    assert failures_text(outcome, color=False) == "open breaker until 09:30: 3 nodes failed\n"
