"""What a copy of jobs from one store to another tells people and programs."""

import json

from nommerctl.domain.copying import Copied, Side
from nommerctl.domain.outcome import Change, Failure, Held, Outcome
from nommerctl.errors import UnreachableError
from nommerctl.render.copying import copied_json, copied_text

SIDES = (Side(3, "a" * 64), Side(3, "a" * 64))
FACTS = {"new": 2, "behind": 1, "same": 0, "ahead": 4, "requeued": 0}
CHANGES = (Change("copy", "0" * 50, "aws does not have it"), Change("update", "1" * 50, "it went on"))


def copied(*, sides: tuple[Side, Side] | None = SIDES, **fields: object) -> Copied:
    outcome = Outcome(command="store copy", **{"facts": FACTS, "changed": CHANGES, **fields})  # type: ignore[arg-type]
    return Copied(source="simpledb", destination="aws", outcome=outcome, sides=sides)


def test_a_copy_tells_counts_and_both_digests() -> None:
    assert copied_text(copied(), color=False) == (
        "store copy from simpledb to aws:\n"
        "  copied                      2 jobs\n"
        "  brought up to date          1 job\n"
        "  gone on in aws, left alone  4 jobs\n"
        f"  simpledb  3 jobs, SHA-256 {'a' * 64}\n"
        f"  aws       3 jobs, SHA-256 {'a' * 64}\n"
        "store copy: both hold the same\n"
    )


def test_a_dry_run_tells_each_job() -> None:
    text = copied_text(copied(sides=None, dry_run=True, facts={"new": 1}), color=False)
    assert text == (
        f"[dry run] copy {'0' * 50}: aws does not have it\n"
        f"[dry run] update {'1' * 50}: it went on\n"
        "store copy from simpledb to aws:\n"
        "  to copy  1 job\n"
        "store copy: 2 changes to make\n"
    )


def test_what_failed_was_held_or_differs_is_told() -> None:
    failed = (Failure("copy", "2" * 50, "it is\x1b too large"),)
    held = (Held("changed meanwhile", "it went on"),)
    sides = (SIDES[0], Side(2, "b" * 64))
    assert copied_text(copied(sides=sides, failed=failed, held=held, facts={}), color=False) == (
        f"failed to copy {'2' * 50}: it is\\x1b too large\n"
        "held by changed meanwhile: it went on\n"
        f"  simpledb  3 jobs, SHA-256 {'a' * 64}\n"
        f"  aws       2 jobs, SHA-256 {'b' * 64}\n"
        "store copy: they do not hold the same\n"
    )


def test_one_that_was_ended_says_that_it_goes_on() -> None:
    text = copied_text(copied(sides=None, facts={}, ended_by=UnreachableError("away")), color=False)
    assert text == "store copy: 2 changes made before it ended: the same command goes on from there\n"


def test_the_document_of_a_copy() -> None:
    assert json.loads(copied_json(copied(changed=CHANGES[:1]))) == {
        "schema": 1,
        "command": "store copy",
        "dry_run": False,
        "from": {"backend": "simpledb", "jobs": 3, "sha256": "a" * 64},
        "to": {"backend": "aws", "jobs": 3, "sha256": "a" * 64},
        "agree": True,
        "changed": [{"action": "copy", "target": "0" * 50, "reason": "aws does not have it"}],
        "failed": [],
        "held": [],
        "facts": FACTS,
    }


def test_the_document_of_a_copy_that_was_ended() -> None:
    document = json.loads(copied_json(copied(sides=None, ended_by=UnreachableError("away"))))
    assert (document["agree"], document["to"]) == (None, {"backend": "aws", "jobs": None, "sha256": None})
    assert document["error"] == {"code": 69, "kind": "unreachable", "message": "away"}
