"""What a user does by hand, with real clips, a real ffmpeg and real workers."""

import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.cli import Cli, InProcessCli, eventually, paused_worker
from tests.clips import Clips
from tests.web import Exchange, serving


def until_finished(cli: Cli, *, within: float = 40) -> None:
    """Make the passes as cron would, until no job is left unfinished."""

    def done() -> bool:
        cli.run("scale", code=None)
        return all(state in {"FINISHED", "ERROR", "ABANDONED"} for state in cli.refreshed_states())

    eventually(done, within=within, every=0.3)


def test_submit_scale_list_refresh_show(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    # given
    dest = tmp_path / "out.mp4"
    (job,) = cli.run("submit", clips["plain.mp4"], "--dest", dest, "--preset", "web-480p", "--json").json["jobs"]
    assert job["state"] == "PENDING"
    # when
    planned = cli.run("scale", "--dry-run").stdout
    done = cli.run("scale").stdout
    # then the real run did exactly what the dry run said
    assert planned.splitlines()[-1] == done.splitlines()[-1] == "Plan: 1 to launch, 0 to end, 0 held"
    assert "[dry run] launch 1 node: 1 job for 0 slots: 1 left over" in planned
    assert "launch 1 node: 1 job for 0 slots: 1 left over" in done
    assert "PENDING" in planned
    assert len(cli.run("nodes", "--json").json["nodes"]) == 1
    # and the output is there
    until_finished(cli)
    assert dest.stat().st_size > 1000
    shown = cli.run("show", job["id"][:8]).stdout
    assert all(state in shown for state in ("PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"))
    assert "libx264" in shown
    assert cli.run("list", "--state", "FINISHED", "--json").json["jobs"][0]["dest"] == str(dest)
    assert cli.run("list", "--state", "ERROR", "--json").json["jobs"] == []
    assert "job for 0 slots" in cli.run("why").stdout


def test_a_long_list_is_cut_where_it_is_read_and_whole_where_it_is_worked_on(
    here: InProcessCli, clips: Clips, tmp_path: Path
) -> None:
    sources = [tmp_path / f"{number}.mp4" for number in range(4)]
    for source in sources:
        source.write_bytes(clips["plain.mp4"].read_bytes())
    here.run("submit", *sources, "--dest", f"{tmp_path}/", "--preset", "web-480p")

    assert len(here.run("list").stdout.splitlines()) == 1 + 4
    assert len(here.run("list", "--limit", "3").stdout.splitlines()) == 1 + 3
    assert [Path(job["source"]).name for job in here.run("list", "--limit", "2", "--json").json["jobs"]] == [
        "0.mp4",
        "1.mp4",
    ]
    assert len(here.run("list", "--limit", "0", "--json").json["jobs"]) == 4
    assert "--limit" in here.run("list", "--limit", "-1", code=2).stderr


@pytest.mark.slow
def test_the_plan_says_what_is_held_and_by_what(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    sources = [tmp_path / f"{number}.mp4" for number in range(3)]
    for source in sources:
        source.write_bytes(clips["plain.mp4"].read_bytes())
    cli.run("submit", *sources, "--dest", f"{tmp_path}/", "--preset", "web-480p")
    assert cli.run("scale", "--dry-run").stdout.splitlines()[-1] == "Plan: 2 to launch, 0 to end, 1 held by max_nodes"
    cli.run("scale")
    assert len(cli.run("nodes", "--json").json["nodes"]) == 2
    until_finished(cli)
    assert cli.refreshed_states() == ["FINISHED"] * 3


@pytest.mark.slow
def test_odd_names_into_a_folder_while_waiting(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    names = ["two words.mp4", 'it\'s "quoted".mp4', "-dash.mp4", "größe %20 ☃.mp4", "a:b=c;d&e$f#g?.mp4"]
    folder = tmp_path / "in put"
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(clips["plain.mp4"].read_bytes())
    out = tmp_path / "out put"
    out.mkdir()
    done = cli.run(
        "submit", "--dest", out, "--preset", "audio-m4a", "--wait", "--json", "--", *(folder / name for name in names)
    )
    assert [job["state"] for job in done.json["jobs"]] == ["FINISHED"] * len(names)
    assert sorted(path.name for path in out.iterdir()) == sorted(f"{Path(name).stem}-audio.m4a" for name in names)
    assert "FINISHED" in done.stderr


def test_a_source_with_a_leading_dash_in_this_folder(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    (tmp_path / "-x.mp4").write_bytes(clips["tone.wav"].read_bytes())
    (job,) = cli.run("submit", "--dest", "y.m4a", "--preset", "audio-m4a", "--json", "--", "-x.mp4").json["jobs"]
    assert (job["source"], job["dest"]) == (str(tmp_path / "-x.mp4"), str(tmp_path / "y.m4a"))


def test_media_nommers_list_of_passes(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    options = tmp_path / "two-pass.json"
    both = [["vcodec", "libx264"], ["b:v", "200k"], ["an", None]]
    options.write_text(
        json.dumps(
            [
                {"outfile_options": [*both, ["pass", 1]]},
                {"outfile_options": [*both, ["pass", 2]], "move_atom_to_front": True},
            ]
        )
    )
    (job,) = cli.run(
        "submit", clips["plain.mp4"], "--dest", tmp_path / "out.mp4", "--options", options, "--wait", "--json"
    ).json["jobs"]
    assert job["state"] == "FINISHED"
    assert "-pass 2" in cli.run("show", job["id"]).stdout


def test_a_source_from_the_web_and_a_listener_told_of_every_change(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    data = clips["plain.mp4"].read_bytes()

    def clip(exchange: Exchange) -> None:
        exchange.begin(200, content_length=len(data))
        exchange.wfile.write(data)

    def listen(exchange: Exchange) -> None:
        exchange.begin(204)

    cli.settings["NOTIFY_ALLOW_PRIVATE"] = "127.0.0.0/8"
    with serving({"/clip.mp4": clip, "/told": listen}) as web:
        (job,) = cli.run(
            "submit",
            web.url("/clip.mp4"),
            "--dest",
            tmp_path / "out.mp4",
            "--preset",
            "web-480p",
            "--notify-url",
            web.url("/told"),
            "--wait",
            "--json",
        ).json["jobs"]
        told = [parse_qs(asked.body.decode(), keep_blank_values=True) for asked in web.asked if asked.path == "/told"]
    assert job["state"] == "FINISHED"
    assert [fields["job_state"] for fields in told] == [
        ["PENDING"],
        ["DOWNLOADING"],
        ["ENCODING"],
        ["UPLOADING"],
        ["FINISHED"],
    ]
    assert {fields["unique_id"][0] for fields in told} == {job["id"]}
    assert told[0]["job_state_details"] == [""]


def test_a_failed_job_says_why_keeps_what_stood_there_and_can_be_retried(
    cli: Cli, clips: Clips, tmp_path: Path
) -> None:
    # given text that calls itself a film, and an older file where its output would go
    source, dest = tmp_path / "film.mp4", tmp_path / "out.mp4"
    source.write_text("This is no film.\n" * 50)
    dest.write_text("what stood here before")
    (job,) = cli.run("submit", source, "--dest", dest, "--preset", "web-480p", "--wait", "--json", code=3).json["jobs"]
    assert job["state"] == "ERROR"
    assert "cannot be read as a media file" in job["details"]
    assert dest.read_text() == "what stood here before"
    assert [path.name for path in tmp_path.iterdir() if "nommerctl-" in path.name] == []
    # when it is mended and tried again
    source.write_bytes(clips["plain.mp4"].read_bytes())
    cli.run("retry", "--failed")
    until_finished(cli)
    # then
    assert cli.refreshed_states() == ["FINISHED"]
    assert dest.stat().st_size > 1000


def test_cron_is_told_of_a_job_that_failed_and_of_nothing_else(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no film")
    cli.run("submit", bad, clips["plain.mp4"], "--dest", f"{tmp_path}/", "--preset", "web-480p")
    assert cli.run("refresh", "--quiet").stdout == ""
    cli.run("worker", "--once")
    said = cli.run("refresh", "--quiet")
    assert said.stdout.startswith("ERROR ")
    assert "cannot be read as a media file" in said.stdout
    assert "FINISHED" not in said.stdout
    assert cli.run("refresh").stdout == cli.run("refresh").stderr == ""


def test_cancelling_a_running_job_stops_its_ffmpeg(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    cli.settings |= {"WORKER_HEARTBEAT": "0.2", "WORKER_LEASE": "5"}
    long = clips.make("long.mp4", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=60", "-c:v", "mpeg4")
    dest = tmp_path / "out.mp4"
    (job,) = cli.run("submit", long, "--dest", dest, "--preset", "web-1080p", "--json").json["jobs"]
    worker = cli.start("worker", "--idle-exit", "0.5")
    eventually(lambda: cli.refreshed_states() == ["ENCODING"])
    cli.run("cancel", job["id"][:10])
    worker.communicate(timeout=20)
    assert cli.refreshed_states() == ["ABANDONED"]
    assert list(tmp_path.glob(".nommerctl-*")) == []
    assert not dest.exists()
    assert cli.run("cancel", job["id"], code=2).stderr.startswith("nommerctl: job ")


@pytest.mark.slow
def test_a_worker_that_is_told_to_end_hands_its_job_back(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    long = clips.make("longer.mp4", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=60", "-c:v", "mpeg4")
    cli.run("submit", long, "--dest", tmp_path / "out.mp4", "--preset", "web-1080p")
    worker = cli.start("worker")
    eventually(lambda: cli.refreshed_states() == ["ENCODING"])
    worker.terminate()
    worker.communicate(timeout=5)
    (job,) = cli.refreshed().values()
    assert (job["state"], job["attempt"]) == ("PENDING", 1)
    assert list(tmp_path.glob(".nommerctl-*")) == []
    assert "told to end (SIGTERM)" in cli.run("show", job["id"]).stdout
    assert cli.run("nodes", "--json").json["nodes"] == []


def test_the_same_client_id_is_the_same_job(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    arguments = ("submit", clips["plain.mp4"], "--dest", tmp_path / "out.mp4", "--preset", "web-480p", "--json")
    first = cli.run(*arguments, "--client-id", "film 7").json["jobs"]
    again = cli.run(*arguments, "--client-id", "film 7").json["jobs"]
    assert [job["id"] for job in first] == [job["id"] for job in again]
    assert len(cli.refreshed_states()) == 1


def test_the_progress_of_a_running_job_is_listed(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    cli.settings |= {"WORKER_HEARTBEAT": "0.2", "WORKER_LEASE": "5"}
    cli.run("submit", clips["plain.mp4"], "--dest", tmp_path / "out.mp4", "--preset", "web-720p")
    with paused_worker(cli, "ENCODING"):
        eventually(lambda: [job["progress"] for job in cli.refreshed().values()] == [0.5])
        (job,) = cli.listed().values()
        assert (job["state"], job["progress"], job["eta_s"], job["node"]) == ("ENCODING", 0.5, 30.0, "paused")
