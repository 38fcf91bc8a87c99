"""The one place where a failure becomes a sentence and an exit code."""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import typer

from nommerctl.cli.app import build
from nommerctl.cli.context import silence_output, terminal
from nommerctl.errors import AlreadyRunningError, ExitCode, NommerctlError, UsageError


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (by default that of this process) and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = typer.main.get_command(build()).main(given, prog_name="nommerctl", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        silence_output()
        return int(ExitCode.DONE)
    except (KeyboardInterrupt, typer.Abort):
        return int(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - everything that fails ends here
        return _report(_as_ours(error), as_json="--json" in given)
    return int(code or 0)


def _report(error: NommerctlError, *, as_json: bool) -> int:
    from nommerctl.render.errors import error_json, error_line

    if isinstance(error, AlreadyRunningError) and not as_json and not terminal().attended:
        return int(error.code)
    try:
        if as_json:
            typer.echo(error_json(error), nl=False)
        typer.echo(error_line(error), err=True, nl=False)
    except BrokenPipeError:
        silence_output()
    return int(error.code)


def _as_ours(error: Exception) -> NommerctlError:
    """Return an error of ours as it is, one of the command line's as a UsageError, any other as a bug."""
    if isinstance(error, NommerctlError):
        return error
    words = getattr(error, "format_message", None)
    if words is not None:
        context = getattr(error, "ctx", None)
        hint = f"; see '{context.command_path} --help'" if context is not None else ""
        return UsageError(f"{words().strip().rstrip('.')}{hint}")
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    return NommerctlError(f"a bug in nommerctl, please report it: {error!r} at {place}")
