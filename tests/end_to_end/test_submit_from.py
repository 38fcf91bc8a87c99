"""Many jobs from a file: all of them or none until they are checked, then by the hundred, and none twice."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cli import Cli, InProcessCli
from tests.clips import Clips
from tests.end_to_end.job_files import many, stored, submit, write
from tests.terminal import run_in_terminal

PRESET = ("--preset", "web-480p")


@pytest.fixture
def film(clips: Clips, tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(path, (1, 1))
    return path


def refused(cli: Cli, *arguments: str | Path) -> list[str]:
    """Submit and return the lines of the refusal, after checking that nothing is stored."""
    result = submit(cli, *arguments, code=2)
    assert result.stdout == ""
    assert stored(cli) == 0
    first, *others = result.stderr.splitlines()
    return [first.removeprefix("nommerctl: "), *others]


@pytest.mark.usefixtures("film")
def test_lines_are_jobs_and_the_pipe_gets_a_row_for_each(here: InProcessCli) -> None:
    write(here, *many(3))
    result = submit(here)
    assert result.stderr == "3 jobs stored\n"
    header, *rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert header[:4] == ["id", "state", "source", "dest"]
    assert [Path(row[3]).name for row in rows] == ["0.mp4", "1.mp4", "2.mp4"]
    assert [row[0] for row in rows] == list(here.listed())


@pytest.mark.usefixtures("film")
def test_json_is_one_document_with_every_job(here: InProcessCli) -> None:
    write(here, *many(3))
    document = submit(here, "--json").json
    assert document["command"] == "submit"
    assert {job["id"] for job in document["jobs"]} == set(here.listed())


@pytest.mark.usefixtures("film")
def test_a_terminal_gets_bars_and_a_sentence(here: InProcessCli) -> None:
    write(here, *many(3))
    written = run_in_terminal(here, "submit", "--from", "jobs.jsonl", columns=80).stdout
    assert "checking" in written
    assert "3/3" in written
    assert written.endswith("3 jobs stored\n")
    assert "PENDING" not in written


def test_flags_give_what_lines_leave_out(here: InProcessCli, film: Path) -> None:
    (here.cwd / "out").mkdir()
    (here.cwd / "small.json").write_text('[{"outfile_options": [["vcodec", "libx264"]]}]')
    passes = [{"outfile_options": [["vcodec", "mpeg4"]]}]
    write(
        here,
        {"source": "film.mp4"},
        {"source": str(film), "preset": "audio-m4a", "dest": "out/", "suffix": "-sound.m4a"},
        {"source": "film.mp4", "options": passes, "dest": "out/inline.mp4", "notify_url": "http://host/own"},
        {"source": "film.mp4", "options": "small.json", "dest": "out/named.mp4"},
    )
    ids = [
        job["id"] for job in submit(here, "--dest", "out", *PRESET, "--notify-url", "http://h/", "--json").json["jobs"]
    ]
    jobs = [here.run("show", job_id, "--json").json["job"] for job_id in ids]
    assert [(Path(job["dest"]).name, job["preset"], job["notify_url"]) for job in jobs] == [
        ("film-web-480p.mp4", "web-480p", "http://h/"),
        ("film-sound.m4a", "audio-m4a", "http://h/"),
        ("inline.mp4", None, "http://host/own"),
        ("named.mp4", None, "http://h/"),
    ]
    assert [job["options"][0]["outfile_options"][0][1] for job in jobs[2:]] == ["mpeg4", "libx264"]


@pytest.mark.usefixtures("film")
def test_the_same_file_again_stores_nothing_twice(here: InProcessCli) -> None:
    write(here, *many(2))
    first = submit(here, "--json").json["jobs"]
    write(here, *many(3))
    again = submit(here, "--json")
    assert [job["id"] for job in again.json["jobs"]][:2] == [job["id"] for job in first]
    assert again.stderr == "3 jobs stored, 2 of them were there before\n"
    assert stored(here) == 3


@pytest.mark.usefixtures("film")
def test_a_client_id_that_was_used_for_something_else_is_told_and_the_job_left_as_it_is(here: InProcessCli) -> None:
    write(here, {"source": "film.mp4", "dest": "a.mp4", "preset": "web-480p", "client_id": "7"})
    submit(here)
    write(here, {"source": "film.mp4", "dest": "b.mp4", "preset": "web-480p", "client_id": "7"})
    assert submit(here).stderr == (
        "1 job stored, 1 of them was there before, 1 of those for something else, and left so (line 1 is the first)\n"
    )
    assert [Path(job["dest"]).name for job in here.listed().values()] == ["a.mp4"]


def test_a_file_that_was_stored_may_be_submitted_again_when_its_sources_are_gone(
    here: InProcessCli, film: Path
) -> None:
    write(here, *many(2))
    submit(here)
    film.unlink()
    assert submit(here).stderr == "2 jobs stored, 2 of them were there before\n"


def test_jobs_from_standard_input(cli: Cli, film: Path) -> None:
    lines = "".join(f"{json.dumps(line)}\n" for line in many(2))
    done = subprocess.run(
        [*cli.executable, "submit", "--from", "-"],
        input=lines.encode(),
        cwd=film.parent,
        env=cli.environment(),
        capture_output=True,
        check=True,
    )
    assert done.stderr == b"2 jobs stored\n"
    assert stored(cli) == 2


def test_a_file_without_jobs_is_nothing_to_do(here: InProcessCli) -> None:
    write(here)
    assert submit(here).stderr == "0 jobs stored\n"


# --- what is refused ---


@pytest.mark.usefixtures("film")
def test_every_faulty_line_is_told_and_nothing_is_stored(here: InProcessCli) -> None:
    good = {"source": "film.mp4", "dest": "a.mp4", "preset": "web-480p"}
    write(
        here,
        good,
        good,
        {**good, "dest": None},
        {**good, "dest": "b.mp4", "preset": "web-480"},
        {**good, "dest": "c.mp4", "preset": None},
        {**good, "dest": "d.mp4", "options": "none.json"},
        {**good, "dest": "e.mp4", "preset": None, "options": "none.json"},
        {**good, "dest": "."},
        {"source": "film.mp4", "dest": "./", "options": [{}]},
        {**good, "source": "http://me:hunter2@host/film.mp4"},
    )
    head, *told = refused(here)
    assert head == "'jobs.jsonl' has 8 faults, so nothing was stored"
    assert told == [
        "line 2: it is the same job as line 1: leave one out, or give one of them a client_id",
        "line 3: it has no dest, and no --dest is given",
        "line 4: there is no preset 'web-480'; there are audio-m4a, web-1080p, web-480p, web-720p",
        "line 5: it has neither preset nor options, and neither --preset nor --options is given",
        "line 6: it has a preset and options: give one of them",
        "line 7: the file of options 'none.json' cannot be read: No such file or directory",
        "line 9: options do not say how to name files in a folder: add a suffix (--suffix), such as '-small.mp4'",
        "line 10: a http: URI with a user name or password in it is refused: it would be stored and shown",
    ]


@pytest.mark.usefixtures("film")
def test_sources_and_destinations_that_cannot_be_used_are_told_by_line(here: InProcessCli) -> None:
    write(
        here,
        {"source": "film.mp4", "dest": "a.mp4"},
        {"source": "none.mp4", "dest": "b.mp4"},
        {"source": "film.mp4", "dest": "no/such/c.mp4"},
        {"source": "film.mp4", "dest": "film.mp4"},
    )
    assert refused(here, *PRESET) == [
        "'jobs.jsonl' has 3 faults, so nothing was stored",
        f"line 2: '{here.cwd}/none.mp4' cannot be read: there is no such file",
        f"line 3: there is no folder '{here.cwd}/no/such': make it first",
        f"line 4: '{here.cwd}/film.mp4' would be written over its own source: give another destination",
    ]


@pytest.mark.usefixtures("film")
def test_an_encoder_that_no_ffmpeg_here_has(here: InProcessCli) -> None:
    write(here, {"source": "film.mp4", "dest": "a.mp4", "options": [{"outfile_options": [["vcodec", "nosuch"]]}]})
    assert "line 1: no encoder nosuch in " in refused(here)[1]


def test_twenty_faults_are_told_of_many(here: InProcessCli) -> None:
    write(here, *({"source": f"{number}.mov"} for number in range(30)))
    told = refused(here)
    assert len(told) == 22
    assert told[-1] == "and 10 more"
    document = submit(here, "--json", code=2).json
    assert document["error"]["message"].startswith("'jobs.jsonl' has 30 faults, so nothing was stored: line 1: it has")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("film.mp4",), "--from has the jobs to submit: leave out 'film.mp4', or submit it by itself"),
        (("--client-id", "x"), "--client-id names one job: with --from, give the lines a client_id each"),
        (
            ("--wait",),
            "--wait is for files named on the command line: after --from, run the passes, or let cron run them",
        ),
        (("--preset", "web"), "there is no preset 'web'; there are audio-m4a, web-1080p, web-480p, web-720p"),
        (
            (*PRESET, "--options", "x.json"),
            "give one of --preset (one of audio-m4a, web-1080p, web-480p, web-720p) and --options",
        ),
        (("--notify-url", "ftp://host/"), "'ftp://host/' is not an http: or https: URL"),
    ],
)
def test_flags_that_do_not_go_with_a_file_are_told_once(here: InProcessCli, flags: tuple[str, ...], said: str) -> None:
    write(here, *many(30))
    assert refused(here, *flags) == [said]


def test_neither_sources_nor_a_file(here: InProcessCli) -> None:
    said = (
        "nommerctl: name the files to encode, and with --dest where to write them, or give --from with a file of jobs\n"
    )
    assert here.run("submit", "--dest", "out.mp4", *PRESET, code=2).stderr == said
    assert here.run("submit", "film.mp4", *PRESET, code=2).stderr == said
