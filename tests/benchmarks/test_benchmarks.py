"""That what each row measures still works, on next to nothing; how long it takes is nobody's business here."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.aws_servers import NoServerError, skipped_unless_in_ci
from tests.benchmarks import aws, caches, claims, clips, encode, growth, memory, plot, rivals, starts
from tests.benchmarks.farms import grown
from tests.benchmarks.growth import Growth
from tests.benchmarks.measure import Row, Settings, body, compared, head, in_turns


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(scratch=tmp_path, runs=1, quick=True)


def test_starts(settings: Settings) -> None:
    assert [row.goal for row in starts.rows(settings) if row.ratio] == ["1.3", "1.9"]


@pytest.mark.slow
def test_clips_come_out_the_same_by_nommerctl_and_by_xargs(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    clips.make(sources, 2, "160x90", seconds=1)
    encode.keep(clips.learnt(sources, tmp_path), tmp_path / "commands.json")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for outputs in (ours, theirs):
        outputs.mkdir()
    clips.by_nommerctl(sources, ours, tmp_path)
    clips.by_xargs(sources, theirs, tmp_path)
    made = {path.name: path.read_bytes() for path in ours.glob("*.mp4")}
    assert sorted(made) == ["clip-1.mp4", "clip-2.mp4"]
    assert {path.name: path.read_bytes() for path in theirs.glob("*.mp4")} == made


def test_the_commands_that_others_run() -> None:
    commands = encode.learnt("/bin/ffmpeg -y -i file:/srv/a.mov -vf 'scale=w='\"'\"'640'\"'\"':h=-2' file:/srv/.a.part")
    assert commands.encode == ("/bin/ffmpeg", "-y", "-i", "file:SOURCE", "-vf", "scale=w='640':h=-2", "file:OUTPUT")
    assert (commands.verify[0], commands.verify[-3:]) == ("/bin/ffmpeg", ("-f", "null", "-"))
    assert {"-xerror", "-max_pixels", "file:OUTPUT"} < set(commands.verify)
    assert encode.script(encode.Commands(commands.encode, ("/bin/ffmpeg", "-xerror", "-i", "file:OUTPUT"))) == (
        "set -e\n"
        '/bin/ffmpeg -y -i file:"$1" -vf \'scale=w=\'"\'"\'640\'"\'"\':h=-2\' file:"$2".part > "$2".log 2>&1\n'
        '/bin/ffmpeg -xerror -i file:"$2".part > "$2".log 2>&1\n'
        'mv "$2".part "$2"\n'
    )


@pytest.mark.slow
def test_claims(tmp_path: Path) -> None:
    """Both sides count what they finished, and raise if that is not all."""
    assert claims.by_workers(tmp_path / "ours", 100, workers=2) > 0
    assert claims.by_sql(tmp_path / "theirs", 100, workers=2) > 0


@pytest.mark.parametrize("rows", [caches.reading, caches.rebuild, memory.rows])
def test_rows_of_a_large_farm(rows: Callable[[Settings], list[Row]], settings: Settings) -> None:
    assert all(row.ours for row in rows(settings))


@pytest.mark.slow
def test_growth(settings: Settings) -> None:
    assert all(growth.at(200, grown, settings).values())


@pytest.mark.slow  # the first time it installs both servers and the other side
def test_aws(settings: Settings) -> None:
    rows = aws.rows(settings)
    if not rows[0].ratio:
        skipped_unless_in_ci(NoServerError(rows[0].ours))
    assert [row.goal for row in rows] == ["0.65", "0.85"]
    assert all(float(row.ratio) > 0 for row in rows)


def test_what_is_missing_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "install" in str(rivals.rq_lacks())


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


GROWTH = Growth(
    "A <large> farm",
    [100, 1_000, 10_000],
    {
        "list": [0.2, 0.3, 3.0],
        "submit": [0.2, 0.2, 0.2],
        "why": [1.0, 10.0, float("inf")],
    },
)


def test_a_table_of_growth() -> None:
    assert growth.markdown(GROWTH) == (
        "A <large> farm\n\n"
        "| command | 100 jobs | 1,000 jobs | 10,000 jobs | slope over the last decade |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| list | 200 ms | 300 ms | 3.00 s | 1.00 |\n"
        "| submit | 200 ms | 200 ms | 200 ms | 0.00 |\n"
        "| why | 1.00 s | 10.0 s | over 300 s |  |\n"
    )


def test_a_picture_of_growth() -> None:
    picture = ET.fromstring(plot.svg([GROWTH]))  # noqa: S314 - our own
    said = ["".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"A <large> farm", "10,000", "0.1 s", "10 s", "list", "1.0", "submit", "0.0", "why"} <= set(said)
    lines = [line.get("points", "") for line in picture.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(points.split()) for points in lines] == [3, 3, 2]
