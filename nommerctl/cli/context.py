"""What every command needs: the farm of the flags that stand before the verb, and the terminal it speaks to."""

import os
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from nommerctl.wiring.farm import Farm, Invocation
    from nommerctl.wiring.terminal import Terminal


def open_farm(ctx: typer.Context) -> "Farm":
    """Return the farm, and say on stderr which of its passes are overdue."""
    from nommerctl.wiring.farm import Farm, load

    farm = Farm(load(invocation(ctx)))
    ctx.call_on_close(farm.close)
    for sentence in farm.overdue():
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


def emit(text: str) -> None:
    """Write a result to standard output, as it is. A reader that has left, as `head` does, ends the command well."""
    if not text:
        return
    try:
        typer.echo(text, nl=not text.endswith("\n"))
    except BrokenPipeError:
        silence_output()
        raise typer.Exit from None


def silence_output() -> None:
    """Let nothing more be written to a standard output that nobody reads, not even when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def narrate(text: str) -> None:
    """Write something to standard error that is no result, made safe for a terminal."""
    from nommerctl.domain.text import shown

    typer.echo(shown(text), err=True)
