import json

from nommerctl.domain.outcome import Decision
from nommerctl.render.decisions import decisions_json, decisions_text
from tests.render.farm import NOW, ago

LAUNCHED = Decision(
    at=ago(60),
    launch=2,
    end=("node-dead00",),
    reasons=("8 jobs overflow 2 slots by 6", "node-dead00: its process is gone"),
    inputs={"PENDING": 6, "max_nodes": 4, "cache_age_s": 12.3, "policy": "overflow"},
)

ENDED = Decision(at=ago(4000), launch=0, end=("node-1", "node-2"), reasons=("no jobs",), inputs={})


def test_each_decision_says_when_what_why_and_from_what() -> None:
    assert decisions_text([LAUNCHED, ENDED], now=NOW, color=False) == (
        "2026-01-01T09:59:00Z  60 s ago  launch 2; end node-dead00\n"
        "  because 8 jobs overflow 2 slots by 6\n"
        "  because node-dead00: its process is gone\n"
        "  it saw PENDING 6, max nodes 4, cache age 12.3 s, policy overflow\n"
        "\n"
        "2026-01-01T08:53:20Z  67 min ago  end node-1, node-2\n"
        "  because no jobs\n"
    )


def test_no_decisions_say_so() -> None:
    assert decisions_text([], now=NOW, color=False) == (
        "no decisions yet: scale notes one when it launches or ends nodes\n"
    )


def test_json_has_the_keys_of_a_plan_and_its_time() -> None:
    assert json.loads(decisions_json([LAUNCHED], now=NOW)) == {
        "schema": 1,
        "command": "why",
        "as_of": "2026-01-01T10:00:00.000000Z",
        "decisions": [
            {
                "at": "2026-01-01T09:59:00.000000Z",
                "launch": 2,
                "end": ["node-dead00"],
                "reasons": ["8 jobs overflow 2 slots by 6", "node-dead00: its process is gone"],
                "inputs": {"PENDING": 6, "max_nodes": 4, "cache_age_s": 12.3, "policy": "overflow"},
            }
        ],
    }
