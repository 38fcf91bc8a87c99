"""What scale decided of late, and from what: what `why` shows."""

from collections.abc import Iterable, Sequence
from typing import Any

from nommerctl.domain.outcome import Decision
from nommerctl.domain.text import shown
from nommerctl.domain.times import Instant, age, rfc3339, seconds_between
from nommerctl.render.json_text import json_document
from nommerctl.render.labelled import labelled
from nommerctl.render.styled import HEADING, QUIET, Line, Span, draw


def decisions_text(decisions: Sequence[Decision], *, now: Instant, color: bool) -> str:
    """Return a paragraph for each decision, in the order given: when, what, why, and what it was made from."""
    if not decisions:
        return "no decisions yet: scale notes one when it launches or ends nodes\n"
    lines: list[Line] = []
    for decision in decisions:
        lines += [*([()] if lines else []), *_paragraph(decision, now)]
    return draw(lines, color=color)


def decisions_json(decisions: Iterable[Decision], *, now: Instant) -> str:
    """Return the document of `why`; each decision has the keys of a plan, and `at`."""
    return json_document(
        command="why",
        as_of=rfc3339(now),
        decisions=[{"at": rfc3339(decision.at), **plan_record(decision)} for decision in decisions],
    )


def plan_record(decision: Decision) -> dict[str, Any]:
    """Return the plan of a decision as JSON has it."""
    return {
        "launch": decision.launch,
        "end": decision.end,
        "reasons": decision.reasons,
        "inputs": decision.inputs,
    }


def _paragraph(decision: Decision, now: Instant) -> list[Line]:
    ago = age(seconds_between(decision.at, now))
    done = [f"launch {decision.launch}"] if decision.launch else []
    done += [f"end {', '.join(shown(node) for node in decision.end)}"] if decision.end else []
    inputs = ", ".join(f"{name} {value}" for name, value in labelled(decision.inputs))
    return [
        (
            Span(f"{rfc3339(decision.at)[:19]}Z", HEADING),
            Span(f"  {ago} ago  ", QUIET),
            Span("; ".join(done) or "nothing"),
        ),
        *((Span(f"  because {shown(reason)}"),) for reason in decision.reasons),
        *([(Span(f"  it saw {inputs}", QUIET),)] if inputs else []),
    ]
