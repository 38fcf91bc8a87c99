"""What `doctor` finds: a verdict for everything that it looked at, and what to do about it."""

from enum import StrEnum

from msgspec import Struct

from nommerctl.domain.times import Instant
from nommerctl.errors import ExitCode, NommerctlError


class Verdict(StrEnum):
    """How something was found. Of these only FAILED makes a checkup fail."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Finding(Struct, frozen=True):
    """One thing that was looked at: `check` names it, `found` says how it is, `advice` what to do, '' for nothing.

    Both may hold text from outside.
    """

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


class Checkup(Struct, frozen=True, kw_only=True):
    """All that was found, in the order in which it was looked at.

    `ended_by` is what ended the checkup before its time, a limit or a signal: what comes after was not looked at.
    """

    at: Instant
    findings: tuple[Finding, ...]
    ended_by: NommerctlError | None = None

    @property
    def code(self) -> ExitCode:
        """The exit code: that of what ended it, 3 if anything failed, 0 even if there are warnings."""
        if self.ended_by is not None:
            return self.ended_by.code
        failed = any(finding.verdict is Verdict.FAILED for finding in self.findings)
        return ExitCode.ITEMS_FAILED if failed else ExitCode.DONE
