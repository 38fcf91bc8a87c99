"""`nommerctl doctor` as a test reads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.cli import Cli, Result


class Found(NamedTuple):
    """One finding."""

    verdict: str
    found: str
    advice: str


def read(result: Result) -> dict[str, Found]:
    """The findings of a `doctor --json` by check; of several of one check, the worst."""
    findings: dict[str, Found] = {}
    order = ["ok", "warning", "failed"]
    for each in result.json["checks"]:
        new = Found(each["verdict"], each["found"], each["advice"])
        old = findings.setdefault(each["check"], new)
        findings[each["check"]] = max(old, new, key=lambda found: order.index(found.verdict))
    return findings


def checkup(cli: Cli, *flags: str | Path, code: int = 0, env: Mapping[str, str] | None = None) -> dict[str, Found]:
    """Run `doctor`, see that it exits as it should, and return what it found."""
    findings = read(cli.run(*flags, "doctor", "--json", code=code, env=env))
    assert (code == 3) == any(each.verdict == "failed" for each in findings.values())
    return findings


def failed(findings: Mapping[str, Found]) -> list[str]:
    """Return the checks that failed."""
    return [name for name, each in findings.items() if each.verdict == "failed"]
