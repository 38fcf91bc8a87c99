"""The checkup: look at one thing after the other, whatever comes of those before it. Nothing is changed."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from nommerctl.domain.checkup import Checkup, Finding, Verdict
from nommerctl.errors import (
    InterruptedPassError,
    NommerctlError,
    TerminatedPassError,
    TimeLimitError,
    TryAgainError,
)
from nommerctl.ports import Clock

_ENDING = (TimeLimitError, InterruptedPassError, TerminatedPassError)

_WHY = {
    TimeLimitError: "the time limit (farm.time_limit) was over",
    InterruptedPassError: "interrupted",
    TerminatedPassError: "terminated",
}

Look: TypeAlias = Callable[[], Iterable[Finding]]


class Check(NamedTuple):
    """Something to be looked at. What `look` raises is a finding too, under `name`."""

    name: str
    look: Look


def doctor(checks: Sequence[Check], *, heed: Callable[[], None], clock: Clock) -> Checkup:
    """Make all the checks; `heed` raises what ends the checkup before its time, between two and within long ones."""
    at = clock()
    findings: list[Finding] = []
    for number, check in enumerate(checks):
        try:
            heed()
            findings += _made(check)
        except _ENDING as error:
            why = type(error)(f"{_WHY[type(error)]} after {number} of {len(checks)} checks")
            return Checkup(at=at, findings=tuple(findings), ended_by=why)
    return Checkup(at=at, findings=tuple(findings))


def _made(check: Check) -> list[Finding]:
    """Make one check. What is only busy at the moment is no failure, and no clean bill of health either."""
    try:
        return list(check.look())
    except _ENDING:
        raise
    except TryAgainError as error:
        return [Finding(check.name, Verdict.WARNING, str(error), "run 'nommerctl doctor' again")]
    except NommerctlError as error:
        return [Finding(check.name, Verdict.FAILED, str(error))]
