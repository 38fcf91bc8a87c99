"""The one place where a failure becomes a sentence and an exit code."""

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from nommerctl.cli.app import build
from nommerctl.cli.context import complain, emit, flush_output, ready_streams, silence_output, terminal, unwritten
from nommerctl.errors import AlreadyRunningError, ExitCode, NommerctlError, OutputError, UsageError


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (by default that of this process) and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    ready_streams()
    try:
        code = typer.main.get_command(build()).main(given, prog_name="nommerctl", standalone_mode=False)
        flush_output()
    except (KeyboardInterrupt, typer.Abort):
        return int(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - everything that fails ends here
        return _report(_as_ours(error), as_json="--json" in given)
    return int(code or 0)


def _report(error: NommerctlError, *, as_json: bool) -> int:
    from nommerctl.render.errors import error_json, error_line

    if isinstance(error, AlreadyRunningError) and not as_json and not terminal().attended:
        return int(error.code)
    if as_json and not isinstance(error, OutputError):
        try:
            emit(error_json(error))
            flush_output()
        except (OutputError, typer.Exit):
            pass  # what went wrong is still said below, and by the exit code
    complain(error_line(error))
    return int(error.code)


def _as_ours(error: Exception) -> NommerctlError:
    """Return an error of ours as it is, the command line's and the system's in our words, any other as a bug."""
    if isinstance(error, NommerctlError):
        return error
    import traceback

    from nommerctl.adapters.os_errors import translated

    words = getattr(error, "format_message", None)
    if words is not None:
        context = getattr(error, "ctx", None)
        hint = f"; see '{context.command_path} --help'" if context is not None else ""
        sentence = " ".join(words().split())  # Typer lists choices in lines of their own
        return UsageError(f"{sentence.rstrip('.,')}{hint}")
    if isinstance(error, OSError):
        if Path(traceback.extract_tb(error.__traceback__)[-1].filename).is_relative_to(Path(typer.__file__).parent):
            silence_output()  # it was Typer that wrote: a help text
            return unwritten(error)
        return translated(error, f"'{error.filename}' cannot be used" if error.filename else "the system refused")
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    return NommerctlError(f"a bug in nommerctl, please report it: {error!r} at {place}")
