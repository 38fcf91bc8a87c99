"""What was found in a checkup: what `doctor` shows."""

from collections import Counter

from nommerctl.domain.checkup import Checkup, Finding, Verdict
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import rfc3339
from nommerctl.render.errors import error_record
from nommerctl.render.json_text import json_document
from nommerctl.render.shorten import cells
from nommerctl.render.styled import TROUBLE, Line, Span, draw
from nommerctl.render.tsv import tsv
from nommerctl.render.wrapped import hanging, wrapped

KEYS = ("check", "verdict", "found", "advice")
"""What is said of each check, in this order, in JSON and in TSV."""

VERDICT_STYLES = {
    Verdict.OK: "green",
    Verdict.WARNING: "yellow",
    Verdict.FAILED: TROUBLE,
}

_GAP = "  "
_NARROWEST = 20
"""Cells that text gets at least, however narrow the terminal."""


def checkup_text(checkup: Checkup, *, width: int, color: bool) -> str:
    """Return a paragraph for each finding: verdict, check, what was found, and below it what to do; then the sum.

    Lines take no more than `width` cells; what is longer goes on below, in its column.
    """
    verdicts = max(len(verdict) for verdict in Verdict)
    checks = max((cells(shown(finding.check)) for finding in checkup.findings), default=0)
    room = max(width - verdicts - checks - 2 * len(_GAP), _NARROWEST)
    lines: list[Line] = []
    for finding in checkup.findings:
        name = shown(finding.check)
        verdict = Span(finding.verdict.value, VERDICT_STYLES[finding.verdict])
        check = Span(" " * (verdicts - len(verdict.text)) + _GAP + name + " " * (checks - cells(name)) + _GAP)
        lines += hanging((verdict, check), _text(finding, room), indent=verdicts + checks + 2 * len(_GAP))
    lines += [(), (Span(_summary(checkup)),)]
    return draw(lines, color=color)


def checkup_tsv(checkup: Checkup) -> str:
    """Return a header of KEYS and a line for each finding."""
    return tsv(KEYS, (tuple(_record(finding).values()) for finding in checkup.findings))


def checkup_json(checkup: Checkup) -> str:
    """Return the document of `doctor`; `error` is there only if something ended it before its time."""
    ended = {} if checkup.ended_by is None else {"error": error_record(checkup.ended_by)}
    checks = [_record(finding) for finding in checkup.findings]
    return json_document(command="doctor", as_of=rfc3339(checkup.at), checks=checks, **ended)


def _text(finding: Finding, room: int) -> list[str]:
    lines = wrapped(shown(finding.found), room)
    if finding.advice:
        mark = "└ "
        first, *further = wrapped(shown(finding.advice), room - len(mark))
        lines += [mark + first, *(" " * len(mark) + line for line in further)]
    return lines


def _record(finding: Finding) -> dict[str, str]:
    values = (finding.check, finding.verdict.value, finding.found, finding.advice)
    return dict(zip(KEYS, values, strict=True))


def _summary(checkup: Checkup) -> str:
    """`13 checks: 11 ok, 1 warning, 1 failed`."""
    counts = Counter(finding.verdict for finding in checkup.findings)
    parts = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    total = counted(len(checkup.findings), "check")
    return f"{total}: {parts}" if parts else total
