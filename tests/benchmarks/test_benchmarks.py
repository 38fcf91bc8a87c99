"""That what each row measures still works, on next to nothing; how long it takes is nobody's business here."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks import caches, claims, memory, starts
from tests.benchmarks.measure import Row, Settings, body, compared, head, in_turns


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(scratch=tmp_path, runs=1, quick=True)


def test_starts(settings: Settings) -> None:
    assert [row.goal for row in starts.rows(settings) if row.ratio] == ["1.3", "1.9"]


def test_claims(tmp_path: Path) -> None:
    claims.by_workers(tmp_path / "ours", 100, workers=2)
    claims.by_sql(tmp_path / "theirs", 100, workers=2)


@pytest.mark.parametrize("rows", [caches.reading, caches.rebuild, memory.rows])
def test_rows_of_a_large_farm(rows: Callable[[Settings], list[Row]], settings: Settings) -> None:
    assert all(row.ours for row in rows(settings))


def test_sides_take_turns() -> None:
    taken: list[str] = []

    def side(name: str, seconds: float) -> float:
        taken.append(name)
        return seconds

    assert in_turns(2, lambda: side("a", 1.0), lambda: side("b", 2.0)) == [[1.0, 1.0], [2.0, 2.0]]
    assert "".join(taken) == "abab"


def test_a_table() -> None:
    rows = [
        compared("a start", "another", [0.3, 0.1, 0.2], [0.1, 0.1, 0.1], goal="1.9"),
        compared("a read", "another", [0.003], [0.00025], goal="20", pick=min),
        Row(what="a job", against="`huey`", ours="missing: huey"),
    ]
    assert head() + body(rows) == (
        "| what | against | ours | theirs | ratio | goal |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| a start | another | 200 ms (100 ms to 300 ms) | 100 ms (100 ms to 100 ms) | 2.00 | 1.9 |\n"
        "| a read | another | 3.00 ms | 250 µs | 12.00 | 20 |\n"
        "| a job | `huey` | missing: huey |  |  |  |\n"
    )
