"""A farm whose processes die, and what has to hold of it all the same."""

import os
import re
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from nommerctl.adapters.local.node_home import NodeHome
from nommerctl.adapters.presets import PresetLibrary
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant
from nommerctl.passes.announce import hint
from nommerctl.passes.means import FarmWrites
from nommerctl.passes.submit import Request, plan_jobs, store_jobs
from nommerctl.wiring.farm import Farm, Invocation, load
from tests.cli import Cli, eventually
from tests.clips import Clips, ffmpeg
from tests.death.forking import Mortals, mortals
from tests.web import Exchange, Web, serving

MAX_NODES = 2

SETTINGS = {
    "WORKER_LEASE": "2s",
    "WORKER_HEARTBEAT": "0.5s",
    "WORKER_IDLE_EXIT": "0.5s",
    "WORKER_MAX_ATTEMPTS": "1000",
    "WORKER_MAX_INTERRUPTIONS": "1000",
    "SCALE_MAX_NODES": str(MAX_NODES),
    "SCALE_BREAKER_TIME": "0.1s",
    "UPKEEP_REQUEUE_AFTER": "0s",
    "UPKEEP_RESYNC_EVERY": "0.1s",
    "NOTIFY_ALLOW_PRIVATE": "127.0.0.0/8",
}
"""Times that a test can wait for, also where nodes die before they come up, and no job that is given up for that."""

PRESET = "audio-m4a"
OLD = b"what was there before"

_LETTERS = {state: state.value[0] for state in JobState} | {JobState.ERROR: "X"}
_FINISHED_AT_LAST = re.compile(r"P(D?E?U?P?)*DEUF")
_ABANDONED_AT_LAST = re.compile(r"PA")


@dataclass
class Yard:
    """A farm in `folder`; `whole` is what every output has to be."""

    folder: Path
    farm: Farm
    writes: FarmWrites
    mortals: Mortals
    clip: Path
    whole: bytes
    web: Web
    made: int = 0

    @property
    def out(self) -> Path:
        return self.folder / "out"

    # --- to prepare something ---

    def sources(self, count: int) -> list[Path]:
        """New sources, all the same clip; where every other output goes, there is something already."""
        made = []
        for _ in range(count):
            path = self.folder / f"{secrets.token_hex(6)}.wav"
            os.link(self.clip, path)
            self.made += 1
            if self.made % 2:
                (self.out / f"{path.stem}-audio.m4a").write_bytes(OLD)
            made.append(path)
        return made

    def submit(self, count: int, *, at: Instant | None = None) -> list[EncodingJob]:
        """Submit jobs of which somebody wants to be told, by the code of `submit`, in this process."""
        writes = self.writes
        stored = store_jobs(
            self.plan(count, at=at),
            store=writes.store,
            new_jobs=writes.new_jobs,
            changes=writes.changes,
            together=writes.together,
        )
        hint(writes.cache, stored)
        return stored

    def plan(self, count: int, *, at: Instant | None = None) -> Sequence[EncodingJob]:
        """Jobs that could be submitted."""
        preset = PresetLibrary().load(PRESET)
        request = Request(
            sources=tuple(map(str, self.sources(count))),
            dest=f"{self.out}/",
            dest_is_folder=True,
            cwd=str(self.folder),
            farm="farm",
            by="test",
            options=preset.passes,
            suffix=preset.suffix,
            preset=PRESET,
            notify_url=self.web.url("/told"),
            allow_private=("127.0.0.0/8",),
        )
        now = self.farm.clock() if at is None else at
        return plan_jobs(request, now=now, new_id=lambda: secrets.token_hex(25))

    def lose_messages(self) -> None:
        with closing(sqlite3.connect(self.folder / "state" / "farm.db", timeout=30)) as database, database:
            database.execute("DELETE FROM messages")

    # --- to look at it ---

    def jobs(self) -> dict[str, EncodingJob]:
        """All jobs of the store."""
        return {job.id: job for state in JobState for job in self.writes.store.in_state(state)}

    def unfinished(self) -> list[EncodingJob]:
        return [job for job in self.jobs().values() if not job.finished]

    def homes(self) -> list[NodeHome]:
        """The nodes that have a folder, dead or alive."""
        folders = [path for path in self.farm.workers.iterdir() if path.is_dir()]
        return [NodeHome(path) for path in folders if not path.name.startswith(".")]

    def leftovers(self) -> list[Path]:
        """Unfinished outputs beside their destinations."""
        return list(self.out.glob(".nommerctl-*"))

    # --- what has to hold ---

    def must_be_sound(self) -> None:
        """What holds at any moment, whoever has just died."""
        for path in self.out.iterdir():
            if not path.name.startswith(".nommerctl-"):
                content = path.read_bytes()
                assert content in {self.whole, OLD}, f"{path} is neither the old file nor the whole new one"
        assert sum(home.alive() for home in self.homes()) <= MAX_NODES
        eventually(lambda: not orphans(self.folder), within=10, every=0.005)

    def must_end_well(self) -> None:
        """What the next passes have to come to: all jobs finished once and told of, and nothing left lying about."""
        eventually(self._settled, within=100, every=0.05)
        jobs = self.jobs()
        for job in jobs.values():
            self._must_have_ended_well(job)
        assert self.leftovers() == list(self.farm.locks.glob("*.new")) == []
        assert self.writes.new_jobs.depth().total == 0
        assert self.writes.new_jobs.dead() == []
        assert self.writes.ledger.overview().unsettled is None
        self.must_be_sound()
        # and it is settled: more passes and a worker find nothing to do
        before = self._fingerprint()
        self.mortals.run("run")
        self.mortals.run("worker", "--once")
        assert self._fingerprint() == before
        assert self.jobs() == jobs

    def _settled(self) -> bool:
        self.mortals.run("run")
        if self.unfinished() or self.homes() or any(job.untold for job in self.jobs().values()):
            return False
        self.mortals.run(
            "worker", "--once"
        )  # messages of finished jobs wait for a worker, but none is launched for them
        return self.writes.new_jobs.depth().total == 0

    def _must_have_ended_well(self, job: EncodingJob) -> None:
        course = "".join(_LETTERS[entry.state] for entry in job.history)
        if job.state is JobState.ABANDONED:
            assert _ABANDONED_AT_LAST.fullmatch(course), course
        else:
            assert _FINISHED_AT_LAST.fullmatch(course), course
            assert course.count("F") == 1
            assert (job.attempt, job.interruptions) == (course.count("D"), course.count("P") - 1)
            assert Path(job.dest).read_bytes() == self.whole
        told = "".join(letter for job_id, letter in self.told() if job_id == job.id)
        wanted = "".join(f"{letter}+" for letter in course) if job.notify_url else ""
        assert re.fullmatch(wanted, told), f"{job.id} went {course}, and what was told is {told}"

    def told(self) -> Iterator[tuple[str, str]]:
        """Whose change the listener was told of, and of which, in order."""
        for asked in self.web.asked:
            fields = parse_qs(asked.body.decode())
            yield fields["unique_id"][0], _LETTERS[JobState(fields["job_state"][0])]

    def _fingerprint(self) -> dict[str, tuple[int, int]]:
        """Which file stands at each destination, and when it was written."""
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in self.out.iterdir()}


def orphans(folder: Path) -> list[int]:
    """Processes that work on files of the folder, and whose parent is no nommerctl."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        command = _command(process.name)
        if b"ffmpeg" in command and os.fsencode(folder) in command and not _is_ours(_parent(process)):
            found.append(int(process.name))
    return found


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent(process: Path) -> str:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return "1"


def _is_ours(pid: str) -> bool:
    command = _command(pid)
    return b"nommerctl" in command or b"tests.death.mortals" in command


def _listen(exchange: Exchange) -> None:
    exchange.begin(204)


@contextmanager
def yard(folder: Path, clips: Clips, settings: dict[str, str]) -> Iterator[Yard]:
    """A new farm, whose processes are ended with it."""
    (folder / "out").mkdir()
    clip = clips.make("blip.wav", "-f", "lavfi", "-i", "sine=duration=0.3", "-t", "0.3")
    own = folder / "clip.wav"
    shutil.copy(clip, own)
    os.utime(own, (1, 1))
    named = {f"NOMMERCTL_{name}": value for name, value in {**SETTINGS, **settings}.items()}
    environment = {**os.environ, **named, "NOMMERCTL_STATE_DIR": str(folder / "state")}
    farm = Farm(load(Invocation(state_dir=str(folder / "state"))))
    with mortals(folder, environment) as commands, serving({"/told": _listen}) as web:
        try:
            whole = _whole(commands, own, folder)
            farm.prepare()
            yield Yard(folder, farm, farm.writes(lambda: None), commands, own, whole, web)
        finally:
            Cli(farm.state_dir, folder, ()).end_workers()
            farm.close()


def _whole(commands: Mortals, clip: Path, folder: Path) -> bytes:
    """What comes out if nobody dies, and can be decoded: the same each time."""
    dest = folder / "whole.m4a"
    commands.run("submit", clip, "--dest", dest, "--preset", PRESET)
    commands.run("worker", "--once")
    commands.run("refresh")
    subprocess.run([ffmpeg(), "-v", "error", "-xerror", "-i", dest, "-f", "null", "-"], check=True, timeout=60)
    return dest.read_bytes()
