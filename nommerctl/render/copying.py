"""What came of copying the jobs of one store into another."""

from nommerctl.domain.copying import Copied
from nommerctl.domain.text import counted, shown, shown_lines
from nommerctl.render.errors import error_record
from nommerctl.render.json_text import json_document
from nommerctl.render.outcome import DRY_RUN
from nommerctl.render.styled import HEADING, TROUBLE, Line, Span, draw, pairs


def copied_text(copied: Copied, *, color: bool) -> str:
    """Return it for people: in a dry run a line for each job, else what failed; then counts, and both digests."""
    outcome = copied.outcome
    lines: list[Line] = []
    if outcome.dry_run:
        lines += [
            (DRY_RUN, Span(f"{shown(change.action)} {shown(change.target)}: {shown(change.reason)}"))
            for change in outcome.changed
        ]
    for failure in outcome.failed:
        said = " ".join(shown_lines(failure.message))
        lines.append((Span("failed", TROUBLE), Span(f" to {shown(failure.action)} {shown(failure.target)}: {said}")))
    lines += [(Span("held", "yellow"), Span(f" by {shown(held.by)}: {shown(held.reason)}")) for held in outcome.held]
    counts = _counts(copied)
    if counts:
        lines.append((Span(f"{outcome.command} from {copied.source} to {copied.destination}:", HEADING),))
        lines += pairs([(label, Span(counted(count, "job"))) for label, count in counts])
    if copied.sides is not None:
        names = (copied.source, copied.destination)
        lines += pairs(
            [
                (name, Span(f"{counted(side.jobs, 'job')}, SHA-256 {side.sha256}"))
                for name, side in zip(names, copied.sides, strict=True)
            ]
        )
    lines.append((Span(_summary(copied), HEADING),))
    return draw(lines, color=color)


def copied_json(copied: Copied) -> str:
    """Return the document: that of a pass, with `from` and `to`, and whether they `agree` (null: not compared)."""
    outcome = copied.outcome
    sides = copied.sides or (None, None)
    record = {
        "command": outcome.command,
        "dry_run": outcome.dry_run,
        "from": _side(copied.source, sides[0]),
        "to": _side(copied.destination, sides[1]),
        "agree": None if copied.sides is None else copied.agrees,
        "changed": outcome.changed,
        "failed": outcome.failed,
        "held": outcome.held,
        "facts": outcome.facts,
    }
    if outcome.ended_by is not None:
        record["error"] = error_record(outcome.ended_by)
    return json_document(**record)


def _side(backend: str, side: object) -> dict[str, object]:
    from msgspec import to_builtins

    return {"backend": backend, **(to_builtins(side) if side is not None else {"jobs": None, "sha256": None})}


def _counts(copied: Copied) -> list[tuple[str, int]]:
    """How many jobs there were of each kind; kinds of which there are none tell nothing."""
    labels = {
        "new": "to copy" if copied.outcome.dry_run else "copied",
        "behind": "to bring up to date" if copied.outcome.dry_run else "brought up to date",
        "same": "there already",
        "ahead": f"gone on in {copied.destination}, left alone",
        "requeued": "to queue again" if copied.outcome.dry_run else "queued again",
    }
    facts = copied.outcome.facts
    return [(label, facts[name]) for name, label in labels.items() if facts.get(name)]


def _summary(copied: Copied) -> str:
    outcome = copied.outcome
    done = f"{outcome.command}: {counted(len(outcome.changed), 'change')}"
    if outcome.ended_by is not None:
        return f"{done} made before it ended: the same command goes on from there"
    if outcome.dry_run:
        return f"{done} to make" + (f", {len(outcome.failed)} failed" if outcome.failed else "")
    return f"{outcome.command}: {'both hold the same' if copied.agrees else 'they do not hold the same'}"
