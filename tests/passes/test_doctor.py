from collections.abc import Callable

import pytest

from nommerctl.domain.checkup import Checkup, Finding, Verdict
from nommerctl.errors import (
    ExitCode,
    InterruptedPassError,
    NommerctlError,
    TerminatedPassError,
    TimeLimitError,
    TryAgainError,
    UnreachableError,
)
from nommerctl.passes.doctor import Check, doctor
from tests.fakes.clock import START, FakeClock

SOUND = Finding("disk", Verdict.OK, "sound")
WEAK = Finding("disk", Verdict.WARNING, "weak")
BROKEN = Finding("disk", Verdict.FAILED, "broken", "mend it")


def finds(*findings: Finding) -> Check:
    return Check("disk", lambda: findings)


def raises(error: NommerctlError) -> Check:
    def look() -> list[Finding]:
        raise error

    return Check("store", look)


def examined(*checks: Check, heed: Callable[[], None] = lambda: None) -> Checkup:
    return doctor(checks, heed=heed, clock=FakeClock())


@pytest.mark.parametrize(
    ("findings", "code"),
    [([SOUND], ExitCode.DONE), ([SOUND, WEAK], ExitCode.DONE), ([BROKEN, SOUND], ExitCode.ITEMS_FAILED)],
)
def test_only_a_failure_is_one(findings: list[Finding], code: ExitCode) -> None:
    checkup = examined(*(finds(finding) for finding in findings))
    assert checkup == Checkup(at=START, findings=tuple(findings))
    assert checkup.code is code


def test_a_check_may_find_several_things_or_nothing() -> None:
    assert examined(finds(), finds(SOUND, WEAK)).findings == (SOUND, WEAK)


def test_what_a_check_raises_is_its_finding_and_the_others_are_made() -> None:
    checkup = examined(raises(UnreachableError("it is gone")), finds(SOUND))
    assert checkup.findings == (Finding("store", Verdict.FAILED, "it is gone"), SOUND)


def test_what_is_only_busy_is_a_warning() -> None:
    (finding,) = examined(raises(TryAgainError("it is locked"))).findings
    assert finding == Finding("store", Verdict.WARNING, "it is locked", "run 'nommerctl doctor' again")


@pytest.mark.parametrize(
    ("error", "sentence", "code"),
    [
        (TimeLimitError("over"), "the time limit (farm.time_limit) was over", ExitCode.TIME_LIMIT),
        (InterruptedPassError("stop"), "interrupted", ExitCode.INTERRUPTED),
        (TerminatedPassError("stop"), "terminated", ExitCode.TERMINATED),
    ],
)
def test_what_ends_the_checkup_leaves_what_was_found_until_then(
    error: NommerctlError, sentence: str, code: ExitCode
) -> None:
    checkup = examined(finds(BROKEN), raises(error), finds(SOUND))
    assert checkup.findings == (BROKEN,)
    assert str(checkup.ended_by) == f"{sentence} after 1 of 3 checks"
    assert checkup.code is code


def test_the_limit_is_heeded_between_two_checks() -> None:
    asked: list[None] = []

    def heed() -> None:
        asked.append(None)
        if len(asked) == 3:
            raise TimeLimitError

    checkup = examined(finds(SOUND), finds(WEAK), finds(BROKEN), heed=heed)
    assert checkup.findings == (SOUND, WEAK)
    assert checkup.code is ExitCode.TIME_LIMIT
