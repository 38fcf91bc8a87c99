import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nommerctl.errors import UsageError
from nommerctl.wiring import line_files
from nommerctl.wiring.line_files import numbered_lines


def refused(file: Path | str) -> str:
    with pytest.raises(UsageError) as refusal:
        for _ in numbered_lines(str(file)):
            pass
    return str(refusal.value)


def test_lines_are_numbered_and_blank_ones_left_out(tmp_path: Path) -> None:
    file = tmp_path / "jobs.jsonl"
    file.write_bytes(b"one\n\n  \r\ntwo\r\nthree")
    assert list(numbered_lines(str(file))) == [(1, b"one\n"), (4, b"two\r\n"), (5, b"three")]


def test_an_empty_file_has_no_lines() -> None:
    assert list(numbered_lines(os.devnull)) == []


def test_what_is_no_readable_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.jsonl") == f"'{tmp_path}/none.jsonl' cannot be read: there is no such file"
    assert refused(tmp_path) == f"'{tmp_path}' cannot be read: it is a folder"
    assert refused("") == "'' cannot be read: it is a folder"


def test_a_file_that_is_one_line_without_an_end() -> None:
    assert refused("/dev/zero") == "line 1 of '/dev/zero' is longer than 256 KB: is that a file of jobs?"


@contextmanager
def pipe_of(text: str) -> Iterator[str]:
    """A pipe in which a text comes again and again, as a file."""
    with subprocess.Popen(["yes", text], stdout=subprocess.PIPE) as endless:  # noqa: S607 - wherever it is
        assert endless.stdout is not None
        yield f"/dev/fd/{endless.stdout.fileno()}"
        endless.kill()


def test_a_pipe_of_lines_without_an_end() -> None:
    with pipe_of("{}") as pipe:
        assert refused(pipe) == f"'{pipe}' has more than 100000 jobs, or than 64 MB: split it"


def test_a_pipe_of_blank_lines_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_files, "MOST_BYTES", 100_000)  # 64 MB of them take a while
    with pipe_of("") as pipe:
        assert refused(pipe).startswith(f"'{pipe}' has more than 100000 jobs, or than ")


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert refused("-") == "standard input is closed: name a file, or write to it"
