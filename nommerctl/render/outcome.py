"""The outcome of a pass: what it saw, did, could not do and left undone."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import to_builtins

from nommerctl.domain.breaker import OPENING
from nommerctl.domain.outcome import Change, Failure, Held, Outcome
from nommerctl.domain.states import JobState
from nommerctl.domain.text import shown, shown_lines
from nommerctl.render.decisions import plan_record
from nommerctl.render.errors import error_record
from nommerctl.render.json_text import json_document
from nommerctl.render.labelled import labelled
from nommerctl.render.styled import HEADING, QUIET, STATE_STYLES, TROUBLE, Line, Span, draw, pairs

DRY_RUN = Span("[dry run] ", "yellow")


def outcome_text(outcome: Outcome, *, color: bool) -> str:
    """Return the outcome for people, a line for each effect and one at the end that sums up.

    In a dry run each line of an effect begins with `[dry run]`: nothing of it was done.
    """
    lines: list[Line] = _seen(outcome)
    for change in outcome.changed:
        lines += _effect(change, dry_run=outcome.dry_run)
    for failure in outcome.failed:
        lines += _failure(failure)
    lines += [_held(held) for held in outcome.held]
    lines.append((Span(_summary(outcome), HEADING),))
    return draw(lines, color=color)


def failures_text(outcome: Outcome, *, color: bool) -> str:
    """Return only what somebody should read who asked for quiet.

    That is jobs that ended in ERROR, a breaker that was opened, and effects that failed.
    """
    lines: list[Line] = []
    for change in outcome.changed:
        if change.action in {JobState.ERROR, OPENING}:
            lines += _effect(change, dry_run=outcome.dry_run)
    for failure in outcome.failed:
        lines += _failure(failure)
    return draw(lines, color=color)


def outcome_json(outcome: Outcome) -> str:
    """Return the document of a pass; `plan` is there only if the pass makes one, as scale does."""
    return json_document(**_record(outcome))


def outcomes_json(command: str, outcomes: Sequence[Outcome]) -> str:
    """Return the document of a command that made several passes: each of theirs, in order, under `passes`."""
    dry_run = any(outcome.dry_run for outcome in outcomes)
    return json_document(command=command, dry_run=dry_run, passes=[_record(outcome) for outcome in outcomes])


def _record(outcome: Outcome) -> dict[str, Any]:
    record: dict[str, Any] = {
        "command": outcome.command,
        "dry_run": outcome.dry_run,
        "changed": to_builtins(outcome.changed),
        "failed": to_builtins(outcome.failed),
        "held": to_builtins(outcome.held),
        "facts": outcome.facts,
    }
    if outcome.plan is not None:
        record["plan"] = plan_record(outcome.plan)
    if outcome.ended_by is not None:
        record["error"] = error_record(outcome.ended_by)
    return record


def _seen(outcome: Outcome) -> list[Line]:
    """What the pass decided from; counts that are 0 tell nothing outside of a plan and are left out."""
    inputs = outcome.plan.inputs if outcome.plan else {}
    facts = {name: value for name, value in outcome.facts.items() if value}
    seen = labelled({**facts, **inputs})
    return (
        [(Span(f"{outcome.command} sees:", HEADING),), *pairs([(name, Span(value)) for name, value in seen])]
        if seen
        else []
    )


def _effect(change: Change, *, dry_run: bool) -> list[Line]:
    style = STATE_STYLES[JobState(change.action)] if change.action in frozenset(JobState) else ""
    prefix = [DRY_RUN] if dry_run else []
    action = Span(shown(change.action), style)
    return _sentence([*prefix, action, Span(f" {shown(change.target)}")], change.reason)


def _failure(failure: Failure) -> list[Line]:
    begun = [Span("failed", TROUBLE), Span(f" to {shown(failure.action)} {shown(failure.target)}")]
    return _sentence(begun, failure.message)


def _held(held: Held) -> Line:
    return (Span("held", "yellow"), Span(f" by {shown(held.by)}: {shown(held.reason)}"))


def _sentence(begun: list[Span], reason: str) -> list[Line]:
    """What was done, and why; the further lines of a reason, such as ffmpeg's last words, stand below it."""
    first, *further = shown_lines(reason) or [""]
    told = [*begun, Span(f": {first}")] if first else begun
    return [told, *((Span(f"    {line}", QUIET),) for line in further)]


def _summary(outcome: Outcome) -> str:
    if outcome.plan is not None:
        plan = outcome.plan
        return f"Plan: {plan.launch} to launch, {len(plan.end)} to end, {_holds(outcome.held)}"
    if not (outcome.changed or outcome.failed or outcome.held):
        return f"{outcome.command}: nothing to do"
    parts = [f"{len(outcome.changed)} {'to change' if outcome.dry_run else 'changed'}"]
    parts += [f"{len(outcome.failed)} failed"] if outcome.failed else []
    parts += [_holds(outcome.held)] if outcome.held else []
    return f"{outcome.command}: {', '.join(parts)}"


def _holds(held: Iterable[Held]) -> str:
    """`1 held by max_nodes, 2 held by max_launch_per_pass`, or `0 held`."""
    counts: dict[str, int] = {}
    for hold in held:
        counts[hold.by] = counts.get(hold.by, 0) + hold.count
    return ", ".join(f"{count} held by {shown(by)}" for by, count in counts.items()) or "0 held"
