"""The invariants of one machine, each test named after the one that it holds the product to."""

import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.cli import Cli, eventually, paused_worker, stop
from tests.clips import Clips
from tests.web import Asked, Exchange, serving

QUICK = {
    "WORKER_LEASE": "2s",
    "WORKER_HEARTBEAT": "0.5s",
    "WORKER_IDLE_EXIT": "1s",
    "UPKEEP_REQUEUE_AFTER": "0s",
    "UPKEEP_RESYNC_EVERY": "0.1s",
}
"""Times that a test can wait for; resyncs at every refresh."""

PASSES = ("refresh", "scale", "abandon", "prune")


@pytest.fixture
def quick(cli: Cli) -> Cli:
    cli.settings |= {**QUICK, "NOTIFY_ALLOW_PRIVATE": "127.0.0.0/8"}
    return cli


@pytest.fixture
def films(clips: Clips, tmp_path: Path) -> list[Path]:
    """Three sources."""
    made = [tmp_path / f"film{number}.mp4" for number in range(3)]
    for path in made:
        path.write_bytes(clips["plain.mp4"].read_bytes())
        os.utime(path, (1, 1))
    return made


def submit(cli: Cli, films: list[Path], *more: str) -> list[str]:
    """Submit films into `out`; return the ids."""
    out = cli.cwd / "out"
    out.mkdir(exist_ok=True)
    jobs = cli.run("submit", *films, "--dest", f"{out}/", "--preset", "audio-m4a", "--json", *more).json["jobs"]
    return [job["id"] for job in jobs]


def worked_off(cli: Cli) -> list[str]:
    """Let a worker empty the queue; return the states of the jobs."""
    cli.run("worker", "--once")
    return cli.refreshed_states()


def outputs(cli: Cli) -> list[str]:
    return sorted(path.name for path in (cli.cwd / "out").iterdir())


def form(asked: Asked) -> dict[str, list[str]]:
    """The fields of a notification."""
    return parse_qs(asked.body.decode(), keep_blank_values=True)


def rows(cli: Cli, table: str) -> list[tuple[object, ...]]:
    """All that stands in a table of the store."""
    with sqlite3.connect(f"file:{cli.state_dir}/farm.db?mode=ro", uri=True) as database:
        found = database.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()  # noqa: S608 - a name of ours
    database.close()
    return found


def lose_messages(cli: Cli) -> None:
    with sqlite3.connect(cli.state_dir / "farm.db", timeout=30) as database:
        database.execute("DELETE FROM messages")
    database.close()


def lose_cache(cli: Cli) -> None:
    shutil.rmtree(cli.state_dir / "cache", ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("lose", [lose_messages, lose_cache])
def test_i1_losing_the_cache_or_all_messages_between_any_two_passes_changes_nothing(
    quick: Cli, films: list[Path], lose: Callable[[Cli], None]
) -> None:
    def listen(exchange: Exchange) -> None:
        exchange.begin(204)

    with serving({"/told": listen}) as web:
        ids = submit(quick, films, "--notify-url", web.url("/told"))
        lose(quick)

        def round_of_passes(lost_after: str | None = None) -> bool:
            for verb in PASSES:
                quick.run(verb)
                assert len(quick.worker_pids()) <= 2
                if verb == lost_after:
                    lose(quick)
            return quick.refreshed_states() == ["FINISHED"] * 3

        # when each gap between two passes has its loss
        for verb in PASSES:
            round_of_passes(lost_after=verb)
        eventually(round_of_passes)
        told = [form(asked) for asked in web.asked]
    # then the end states, the notifications and the outputs are those of a farm that lost nothing
    for job_id in ids:
        states = [fields["job_state"][0] for fields in told if fields["unique_id"][0] == job_id]
        assert states == ["PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"]
    assert outputs(quick) == [f"film{number}-audio.m4a" for number in range(3)]


def test_i1_a_damaged_cache_is_set_aside_and_rebuilt_from_the_store(quick: Cli, films: list[Path]) -> None:
    ids = submit(quick, films)
    database = quick.state_dir / "cache" / "cache.db"
    whole = database.read_bytes()
    for damage in (b"garbage" * 2000, whole[: len(whole) // 2], b"", whole[:5000] + b"\0" * 3000 + whole[8000:]):
        database.write_bytes(damage)
        said = quick.run("list", code=None)
        assert said.code in {0, 69}
        assert said.code == 0 or "run `nommerctl refresh" in said.stderr
        quick.run("refresh")
        assert [job["id"] for job in quick.run("list", "--json").json["jobs"]] == ids
        for leftover in database.parent.glob("cache.db-*"):
            leftover.unlink()
    assert len(list(quick.state_dir.glob("cache.damaged-*"))) == 1


def test_i1_an_entry_that_turns_out_damaged_in_the_midst_of_a_pass_is_rebuilt_by_that_pass(
    quick: Cli, films: list[Path]
) -> None:
    ids = submit(quick, films)
    with sqlite3.connect(quick.state_dir / "cache" / "cache.db") as database:
        database.execute("UPDATE Cache SET value = '{half a job' WHERE key = ?", (ids[1],))
    database.close()
    assert "run `nommerctl refresh --rebuild`" in quick.run("list", code=69).stderr
    quick.run("refresh", "--rebuild")
    assert list(quick.listed()) == ids


def test_i2_four_starts_of_every_pass_at_once_never_exceed_the_bound(quick: Cli, films: list[Path]) -> None:
    submit(quick, films)
    codes: dict[str, set[int]] = {verb: set() for verb in PASSES}

    def round_of_passes() -> bool:
        running = [(verb, quick.start(verb)) for verb in PASSES for _ in range(4)]
        for verb, process in running:
            process.communicate(timeout=60)
            codes[verb].add(process.returncode)
        assert len(list(quick.state_dir.glob("workers/*/lock"))) <= 2
        return set(quick.refreshed_states()) == {"FINISHED"}

    eventually(round_of_passes, within=60)
    assert all(found <= {0, 75} for found in codes.values()), codes
    assert all(0 in found for found in codes.values())
    assert [job["attempt"] for job in quick.refreshed().values()] == [1, 1, 1]


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("DOWNLOADING", marks=pytest.mark.slow),
        "ENCODING",
        pytest.param("UPLOADING", marks=pytest.mark.slow),
    ],
)
def test_i4_a_job_whose_worker_is_killed_is_handed_on_when_its_lease_ends(
    quick: Cli, films: list[Path], state: str
) -> None:
    # given a worker that is killed with the job in this state
    (job_id,) = submit(quick, films[:1])
    with paused_worker(quick, state):
        assert quick.refreshed_states() == [state]

    # when the passes go on
    def done() -> bool:
        quick.run("scale")
        return quick.refreshed_states() == ["FINISHED"]

    eventually(done, within=30, every=0.3)
    # then it was done again, once, and nothing of the first attempt is left
    assert quick.listed()[job_id]["attempt"] == 2
    assert outputs(quick) == ["film0-audio.m4a"]
    assert not (quick.state_dir / "workers" / "paused").exists()


@pytest.mark.parametrize(
    "where",
    [*(pytest.param(where, marks=pytest.mark.slow) for where in ("DOWNLOADING", "ENCODING", "UPLOADING")), "PERMITTED"],
)
def test_i3_a_worker_that_was_presumed_dead_changes_nothing(quick: Cli, films: list[Path], where: str) -> None:
    # given a worker that is stopped past its lease
    (job_id,) = submit(quick, films[:1])
    with paused_worker(quick, where) as stopped:
        stop(stopped, quick)
        # when a successor finishes
        eventually(lambda: worked_off(quick) == ["FINISHED"], within=30, every=0.3)
        dest = quick.cwd / "out" / "film0-audio.m4a"
        before = (dest.stat().st_ino, dest.read_bytes(), rows(quick, "jobs"), rows(quick, "messages"))
        # and the first one goes on to its end
        stopped.send_signal(signal.SIGCONT)
        stopped.communicate(b"go on\n", timeout=60)
        assert stopped.returncode == 0
    # then neither output nor record nor queues have changed
    assert (dest.stat().st_ino, dest.read_bytes(), rows(quick, "jobs"), rows(quick, "messages")) == before
    assert quick.listed()[job_id]["attempt"] == 2
    assert outputs(quick) == ["film0-audio.m4a"]


@pytest.mark.slow
def test_i4_a_job_whose_workers_keep_dying_is_given_up_with_the_reason(quick: Cli, films: list[Path]) -> None:
    quick.settings["WORKER_MAX_ATTEMPTS"] = "1"
    (job_id,) = submit(quick, films[:1])
    with paused_worker(quick, "ENCODING"):
        pass
    eventually(lambda: worked_off(quick) == ["ERROR"], within=20, every=0.3)
    quick.run("scale")
    details = quick.listed()[job_id]["details"]
    assert details == "given up after 1 attempt: the worker of the last one (paused) vanished in ENCODING"
    assert outputs(quick) == []


@pytest.mark.slow
def test_i4_a_killed_ffmpeg_is_an_error_with_the_reason(quick: Cli, clips: Clips, tmp_path: Path) -> None:
    long = clips.make("killed.mp4", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=60", "-c:v", "mpeg4")
    quick.run("submit", long, "--dest", tmp_path / "o.mp4", "--preset", "web-1080p")
    worker = quick.start("worker", "--once")
    eventually(lambda: quick.refreshed_states() == ["ENCODING"])
    eventually(lambda: children(worker.pid))
    for pid in children(worker.pid):
        os.kill(pid, signal.SIGKILL)
    worker.communicate(timeout=20)
    (job,) = quick.refreshed().values()
    assert job["state"] == "ERROR"
    assert "SIGKILL" in job["details"]


def children(pid: int) -> list[int]:
    return [int(each) for path in Path(f"/proc/{pid}/task").glob("*/children") for each in path.read_text().split()]


def test_i5_finished_stays_finished_but_for_retry(quick: Cli, films: list[Path]) -> None:
    (job_id,) = submit(quick, films[:1])
    quick.run("worker", "--once")
    assert quick.refreshed_states() == ["FINISHED"]
    quick.run("cancel", job_id, code=2)
    quick.run("retry", job_id, code=2)
    for verb in PASSES:
        quick.run(verb)
    assert quick.refreshed_states() == ["FINISHED"]


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder: its time of change and its bytes."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_i6_no_dry_run_and_no_look_changes_a_byte(quick: Cli, films: list[Path], tmp_path: Path) -> None:
    # given a farm with something of everything: finished, failed, waiting, dead letters of a node, unread changes
    bad = tmp_path / "bad.mp4"
    bad.write_text("no film")
    ids = submit(quick, [films[0], bad])
    quick.run("worker", "--once")
    submit(quick, films[1:])
    worker = quick.start("worker", "--idle-exit", "0")
    eventually(quick.worker_pids)
    worker.kill()
    worker.communicate()
    before = snapshot(quick.state_dir)
    # when
    for verb in (*PASSES, "run"):
        quick.run(verb, "--dry-run")
        quick.run(verb, "--dry-run", "--json")
    quick.run("refresh", "--rebuild", "--dry-run")
    quick.run("retry", "--failed", "--dry-run")
    quick.run("cancel", ids[0], "--dry-run", code=None)
    for look in (("list",), ("list", "--json"), ("show", ids[0]), ("nodes",), ("why",), ("queue", "dead", "list")):
        quick.run(*look)
    # then
    assert snapshot(quick.state_dir) == before


def test_i6_a_dry_run_on_a_fresh_machine_makes_no_state_folder(quick: Cli) -> None:
    for verb in (*PASSES, "run"):
        quick.run(verb, "--dry-run")
    quick.run("list")
    quick.run("nodes")
    assert not quick.state_dir.exists()


def test_i7_scale_does_nothing_on_stale_knowledge_and_says_why(quick: Cli, films: list[Path]) -> None:
    submit(quick, films[:1])
    quick.settings["CACHE_MAX_AGE"] = "0.1s"
    time.sleep(0.2)
    said = quick.run("scale", "--dry-run").stdout
    assert "held by cache.max_age: the last refresh was" in said
    assert said.splitlines()[-1] == "Plan: 0 to launch, 0 to end, 1 held by cache.max_age"
    quick.run("scale")
    assert quick.worker_pids() == {}


def test_i7_a_store_that_cannot_be_read_stops_the_pass(quick: Cli, films: list[Path]) -> None:
    submit(quick, films[:1])
    for path in quick.state_dir.glob("farm.db*"):
        path.unlink()
    (quick.state_dir / "farm.db").write_text("this is no database, but it is long enough to look like one" * 100)
    result = quick.run("scale", code=69)
    assert "farm.db" in result.stderr
    assert list(quick.state_dir.glob("workers/*/lock")) == []


def test_i8_a_pass_ends_at_its_time_limit_between_two_effects(quick: Cli, films: list[Path]) -> None:
    def slow(exchange: Exchange) -> None:
        exchange.pause(0.4)
        exchange.begin(204)

    with serving({"/told": slow}) as web:
        ids = submit(quick, films, "--notify-url", web.url("/told"))
        quick.run("cancel", *ids)
        result = quick.run("refresh", "--time-limit", "1.2", code=124)
        assert 1 <= len(web.asked) < 6
    assert result.stderr == ("nommerctl: the time limit of 1.2 s is over: what was done stands, the next run goes on\n")
    assert "tell " in result.stdout


@pytest.mark.slow
def test_i8_sigterm_ends_a_pass_between_two_effects(quick: Cli, films: list[Path]) -> None:
    told: list[str] = []

    def slow(exchange: Exchange) -> None:
        told.append(exchange.path)
        exchange.pause(0.5)
        exchange.begin(204)

    with serving({"/told": slow}) as web:
        ids = submit(quick, films, "--notify-url", web.url("/told"))
        told.clear()
        quick.run("cancel", *ids)
        refreshing = quick.start("refresh")
        eventually(lambda: told, every=0.02)
        refreshing.terminate()
        _, said = refreshing.communicate(timeout=5)
        assert refreshing.returncode == 143
        assert "terminated between two effects" in said
        quick.run("refresh")
        told_of = [(fields["unique_id"][0], fields["job_state"][0]) for fields in map(form, web.asked)]
    # then each of three jobs was told of twice, and only what was on its way at the signal may have come again
    assert set(told_of) == {(job_id, state) for job_id in ids for state in ("PENDING", "ABANDONED")}
    assert len(told_of) in {6, 7}


def test_i9_nothing_from_outside_reaches_the_terminal_alive(quick: Cli, clips: Clips, tmp_path: Path) -> None:
    evil = tmp_path / "a\x1b[31mred\u202egnp[bold]x[link=y]\n.mp4"
    evil.write_bytes(clips["plain.mp4"].read_bytes())
    quick.run("submit", evil, "--dest", f"{tmp_path}/", "--preset", "audio-m4a", "--client-id", "\x9b31m")
    said = [
        quick.run("list"),
        quick.run("list", "--json"),
        quick.run("scale", "--dry-run"),
        quick.run("worker", "--once"),
    ]
    (job_id,) = quick.refreshed()
    said += [quick.run("show", job_id), quick.run("show", job_id, "--json")]
    for result in said:
        text = result.stdout + result.stderr
        assert not any(character in text for character in "\x1b\x9b\u202e")
    assert "[bold]x[link=y]" in quick.run("show", job_id).stdout
    assert json.loads(quick.run("list", "--json").stdout)["jobs"][0]["source"] == str(evil)


def test_i9_no_secret_of_a_signed_address_is_shown(quick: Cli, clips: Clips, tmp_path: Path) -> None:
    data = clips["tone.wav"].read_bytes()

    def clip(exchange: Exchange) -> None:
        exchange.begin(200, content_length=len(data))
        exchange.wfile.write(data)

    with serving({"/a.wav": clip, "/a.wav?token=canary7": clip, "/a.wav?x=1&token=canary7": clip}) as web:
        quick.run("submit", web.url("/a.wav?token=canary7"), "--dest", f"{tmp_path}/", "--preset", "audio-m4a")
        worked = quick.run("worker", "--once")
    (job_id,) = quick.refreshed()
    for result in (worked, quick.run("list"), quick.run("list", "--json"), quick.run("show", job_id)):
        assert "canary7" not in result.stdout + result.stderr
