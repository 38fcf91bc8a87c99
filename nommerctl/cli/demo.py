"""The demonstration: three clips, from nothing to verified outputs."""

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nommerctl.cli.context import emit, narrate
from nommerctl.cli.jobs import code_for, show_jobs
from nommerctl.cli.live import wait_for
from nommerctl.domain.job import EncodingJob, JobState
from nommerctl.domain.times import seconds_between
from nommerctl.wiring.farm import Farm, Invocation, load
from nommerctl.wiring.submitting import Submission, submit_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

PRESET = "web-480p"


def run_demo(ctx: typer.Context, *, json: bool) -> None:
    """Make clips, submit them, run the passes until they are finished, show what came of it and what was run."""
    scratch = Path(tempfile.mkdtemp(prefix="nommerctl-demo-"))
    clips, outputs = scratch / "clips", scratch / "outputs"
    clips.mkdir()
    outputs.mkdir()
    farm = Farm(load(Invocation(config=Path("/dev/null"), state_dir=str(scratch / "state"))))
    ctx.call_on_close(farm.close)
    farm.worker_flags = ("--heartbeat", "0.5", "--idle-exit", "2")
    made, commands = _make_clips(farm, clips)
    submitted = submit_jobs(
        farm, Submission(sources=tuple(str(clip) for clip in made), dest=f"{outputs}/", preset=PRESET)
    )
    jobs = wait_for(farm, [job.id for job in submitted])
    if json:
        emit(_document(jobs))
    else:
        show_jobs(farm, jobs, json=False, command="demo")
        emit(_report(jobs, [*commands, *_commands(farm, clips, outputs)]))
    raise typer.Exit(code_for(jobs))


def _make_clips(farm: Farm, folder: Path) -> tuple[list[Path], list[str]]:
    """Return three clips and the commands that made them."""
    from nommerctl.wiring.demo_clips import clip_commands, make_clip

    commands = clip_commands(farm, folder)
    for argv, path in commands:
        narrate(f"making {path.name}")
        make_clip(argv)
    return [path for _, path in commands], [shlex.join(argv) for argv, _ in commands]


def _commands(farm: Farm, clips: Path, outputs: Path) -> list[str]:
    """Return what was done since, as it would be typed."""
    from nommerctl.wiring.process import executable

    nommerctl = shlex.join([executable(), "--state-dir", str(farm.state_dir)])
    return [
        f"{nommerctl} submit {shlex.quote(str(clips))}/*.mov --dest {shlex.quote(str(outputs))}/ --preset {PRESET}",
        f"{nommerctl} scale",
        f"{nommerctl} refresh",
        f"{nommerctl} list",
    ]


def _report(jobs: "Sequence[EncodingJob]", commands: "Sequence[str]") -> str:
    done = [job.dest for job in jobs if job.state is JobState.FINISHED]
    parts = ["Verified outputs:", *(f"  {path}" for path in done), "", "What was run, to go on by hand:"]
    return "\n".join([*parts, *(f"  {command}" for command in commands), ""])


def _document(jobs: "Sequence[EncodingJob]") -> str:
    from nommerctl.render.json_text import json_document

    return json_document(
        command="demo",
        jobs=[
            {
                "id": job.id,
                "state": job.state.value,
                "output": job.dest,
                "seconds": round(seconds_between(job.created, job.changed), 3),
            }
            for job in jobs
        ],
    )
