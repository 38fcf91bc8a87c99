"""The demonstration: three clips, from nothing to verified outputs."""

import os
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nommerctl.cli.context import emit, narrate
from nommerctl.cli.jobs import code_for, show_jobs
from nommerctl.cli.live import wait_for
from nommerctl.domain.states import JobState
from nommerctl.domain.text import shown
from nommerctl.domain.times import seconds_between
from nommerctl.wiring.farm import Farm, Invocation, load
from nommerctl.wiring.requesting import Submission
from nommerctl.wiring.submitting import submit_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nommerctl.domain.job import EncodingJob

PRESET = "web-480p"


def run_demo(ctx: typer.Context, *, json: bool) -> None:
    """Make clips, submit them, run the passes until they are finished, show what came of it and what was run."""
    scratch = Path(tempfile.mkdtemp(prefix="nommerctl-demo-"))
    clips, outputs = scratch / "clips", scratch / "outputs"
    clips.mkdir()
    outputs.mkdir()
    narrate(f"everything is in {scratch}, which stays: remove it when you have seen enough")
    farm = Farm(load(Invocation(config=Path(os.devnull), backend="local", state_dir=str(scratch / "state"))))
    ctx.call_on_close(farm.close)
    farm.worker_flags = ("--heartbeat", "0.5", "--idle-exit", "2")
    clip_commands = _make_clips(farm, clips)
    made = tuple(str(path) for _, path in clip_commands)
    submitted = submit_jobs(farm, Submission(sources=made, dest=f"{outputs}/", preset=PRESET))
    jobs = wait_for(farm, [job.id for job in submitted.jobs])
    if json:
        emit(_document(jobs))
    else:
        show_jobs(farm, jobs, json=False, command="demo")
        emit(_report(jobs, _script(scratch, [argv for argv, _ in clip_commands])))
    raise typer.Exit(code_for(jobs))


def _make_clips(farm: Farm, folder: Path) -> list[tuple[list[str], Path]]:
    """Make three clips; return for each the command that made it, and its file."""
    from nommerctl.wiring.demo_clips import clip_commands, make_clip

    commands = clip_commands(farm, folder)
    for argv, path in commands:
        narrate(f"making {path.name}")
        make_clip(argv)
    return commands


def _script(scratch: Path, clip_commands: "Sequence[Sequence[str]]") -> list[str]:
    """Return what was run, as lines for a shell, with paths from the scratch folder."""
    from nommerctl.wiring.process import executable

    ffmpeg = clip_commands[0][0]
    nommerctl = "nommerctl --state-dir state"
    return [
        f"cd {shlex.quote(str(scratch))}",
        f"PATH={shlex.quote(str(Path(executable()).parent))}:$PATH",
        f"ffmpeg={shlex.quote(ffmpeg)}",
        *(f'"$ffmpeg" {shlex.join(_from(scratch, argv[1:]))}' for argv in clip_commands),
        f"{nommerctl} submit clips/*.mov --dest outputs/ --preset {PRESET}",
        f"{nommerctl} scale",
        f"{nommerctl} refresh",
        f"{nommerctl} list",
    ]


def _from(scratch: Path, words: "Sequence[str]") -> list[str]:
    return [word.removeprefix(f"{scratch}/") for word in words]


def _report(jobs: "Sequence[EncodingJob]", script: "Sequence[str]") -> str:
    done = [job.dest for job in jobs if job.state is JobState.FINISHED]
    parts = ["What was run, to go on by hand:", *(f"  {shown(line)}" for line in script), ""]
    return "\n".join([*parts, "Verified outputs:", *(f"  {shown(path)}" for path in done), ""])


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
