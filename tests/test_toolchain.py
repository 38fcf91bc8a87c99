"""The scripts of .ci, run in a made-up checkout whose tools only write down that they were called."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("ruff", "mypy", "lint-imports", "python3", "pytest")
TEST_COMMAND = "mkdir -p .venv/bin && cp tools/* .venv/bin/\n.venv/bin/pytest -q\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with .ci, a README and tools; a tool ends with the exit code in `fail-TOOL`, if there is one."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    readme = (
        f"# A farm\n\n```console\necho not this one\n```\n\nTests:\n\n```sh\n{TEST_COMMAND}```\n\n```sh\nexit 9\n```\n"
    )
    (tmp_path / "README.md").write_text(readme)
    (tmp_path / "tools").mkdir()
    for name in TOOLS:
        tool = tmp_path / "tools" / name
        tool.write_text(f'#!/bin/sh\necho {name} "$@" >> calls\nexit "$(cat fail-{name} 2>/dev/null || echo 0)"\n')
        tool.chmod(0o755)
    return tmp_path


def run(checkout: Path, script: str) -> tuple[int, list[str]]:
    """The script's exit code, and the tools it called, as they were called."""
    ended = subprocess.run(
        ["/bin/bash", str(checkout / ".ci" / script)],
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "CI": "true"},
    )
    calls = checkout / "calls"
    return ended.returncode, calls.read_text().splitlines() if calls.exists() else []


CHECKS = [
    "ruff format --check",
    "ruff check",
    "mypy",
    "lint-imports",
    "python3 tests/readme_reference.py --check",
]


def test_run_takes_the_test_command_from_the_readme_then_checks_then_runs_the_slow_tests(checkout: Path) -> None:
    assert run(checkout, "run") == (0, ["pytest -q", *CHECKS, "pytest -q -m slow -n 3"])


@pytest.mark.parametrize("tool", ["ruff", "mypy", "lint-imports", "python3"])
def test_run_fails_with_whatever_check_fails(checkout: Path, tool: str) -> None:
    (checkout / f"fail-{tool}").write_text("1")

    code, calls = run(checkout, "run")

    assert code == 1
    assert calls[-1].startswith(tool)


def test_check_uses_the_tools_of_the_venv(checkout: Path) -> None:
    shutil.copytree(checkout / "tools", checkout / ".venv" / "bin")

    assert run(checkout, "check") == (0, CHECKS)


@pytest.mark.parametrize(("pytest_code", "run_code"), [(1, 1), (2, 2), (5, 0)])
def test_having_no_slow_tests_is_no_failure(checkout: Path, pytest_code: int, run_code: int) -> None:
    # The tests themselves pass; only then does pytest begin to end with this code.
    readme = checkout / "README.md"
    command = TEST_COMMAND + f"echo {pytest_code} > fail-pytest\n"
    readme.write_text(readme.read_text().replace(TEST_COMMAND, command))

    assert run(checkout, "run")[0] == run_code


def test_a_failing_test_ends_the_run(checkout: Path) -> None:
    (checkout / "fail-pytest").write_text("1")

    assert run(checkout, "run") == (1, ["pytest -q"])


def test_a_readme_without_the_test_command_is_refused(checkout: Path) -> None:
    (checkout / "README.md").write_text("# A farm\n")

    assert run(checkout, "run") == (1, [])
