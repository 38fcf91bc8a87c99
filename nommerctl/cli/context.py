"""What every command needs: the farm of the flags that stand before the verb, and the terminal it speaks to."""

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import typer

from nommerctl.errors import OutputError, TerminatedPassError

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from nommerctl.domain.outcome import Outcome
    from nommerctl.wiring.farm import Farm, Invocation
    from nommerctl.wiring.terminal import Terminal


def open_farm(ctx: typer.Context, *, tell_overdue: bool = True, tell_notices: bool = True, ledger: str = "") -> "Farm":
    """Return the farm, and say on stderr which of its passes are overdue, and what they left for every command to say.

    A command leaves out what it tells itself, or told when it was news. `ledger` is the table that a node reads its
    settings from; empty: it reads none.
    """
    from nommerctl.wiring.farm import Farm, load

    loaded = load(invocation(ctx), ledger=ledger)
    farm = Farm(loaded)
    ctx.call_on_close(farm.close)
    said = [
        f"{name} in table '{ledger}' is left out: no worker of this version takes it from there"
        for name in loaded.ignored
    ]
    said += farm.overdue() if tell_overdue else []
    said += farm.notices() if tell_notices else []
    for sentence in said:
        narrate(f"nommerctl: {sentence}")
    return farm


def invocation(ctx: typer.Context) -> "Invocation":
    """Return the flags that stand before the verb."""
    from nommerctl.wiring.farm import Invocation

    found = ctx.find_object(Invocation)
    return found if found is not None else Invocation()


def terminal() -> "Terminal":
    """Return what standard output is connected to."""
    from nommerctl.wiring.terminal import find_terminal

    return find_terminal()


def ready_streams() -> None:
    """Make standard output and error take any text, whatever the locale, and be there, even if they were closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - it stays open as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def emit(text: str) -> None:
    """Write a result to standard output, as it is. A reader that has left, as `head` does, ends the command well.

    Raises:
        OutputError: it cannot be written.
    """
    if text:
        _write(lambda: _put(text))


def _put(text: str) -> None:
    """Write all of it; typer.echo would take out the colours that FORCE_COLOR asks for where there is no terminal."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    sys.stdout.flush()


def flush_output() -> None:
    """Write what is still on its way to standard output; OutputError as for `emit`."""
    _write(sys.stdout.flush)


def _write(write: "Callable[[], object]") -> None:
    try:
        write()
    except BrokenPipeError:
        _silence(sys.stdout)
        raise typer.Exit from None
    except OSError as error:
        _silence(sys.stdout)
        raise unwritten(error) from error
    except (KeyboardInterrupt, TerminatedPassError):  # else the interpreter would go on with it when it ends
        _silence(sys.stdout)
        raise


def unwritten(error: OSError) -> OutputError:
    """Return the error that says that the output could not be written."""
    return OutputError(f"standard output cannot be written, but what was done stands: {error.strerror}")


def silence_output() -> None:
    """Let nothing more be written to standard output."""
    _silence(sys.stdout)


def complain(text: str) -> None:
    """Write a line to standard error; where that cannot be done, the exit code has to say it."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def _silence(stream: TextIO) -> None:
    """Let nothing more be written to a stream that takes nothing, not even when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def report_others(outcome: "Outcome", own: "Container[str]") -> None:
    """Say which other jobs a refresh found in ERROR: whoever runs it is the one who is told, and nobody after."""
    for change in outcome.changed:
        if change.action == "ERROR" and change.target not in own:
            narrate(f"nommerctl: {change.action} {change.target}: {change.reason}")


def narrate(text: str) -> None:
    """Write something to standard error that is no result, made safe for a terminal."""
    from nommerctl.domain.text import shown

    complain(f"{shown(text)}\n")
