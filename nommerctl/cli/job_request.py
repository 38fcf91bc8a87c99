"""Answering a request of media-nommer's producers: one object on standard output, whatever comes of it."""

from typing import NoReturn

import typer

from nommerctl.cli.context import complain, emit, narrate, open_farm, report_others
from nommerctl.errors import ExitCode, NommerctlError


def answer_request(ctx: typer.Context, file: str) -> NoReturn:
    """Submit the job that a request asks for, and answer it; people read on standard error what went wrong."""
    from nommerctl.render.errors import error_line
    from nommerctl.render.job_request import accepted_json, refused_json
    from nommerctl.wiring.job_request import submit_json

    try:
        granted = submit_json(open_farm(ctx), file)
    except NommerctlError as error:
        complain(error_line(error))
        emit(refused_json(error))
        raise typer.Exit(int(error.code)) from None
    if granted.warmed is not None:
        report_others(granted.warmed, {})
    if granted.trouble is not None:
        narrate(f"nommerctl: {granted.trouble}")
    emit(accepted_json(granted.job_id))
    raise typer.Exit(ExitCode.DONE)
