"""What a farm stands on in its AWS account: bring it up, say what it needs to be allowed, take it down."""

from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from nommerctl.cli.context import complain, emit, open_farm, terminal
from nommerctl.cli.options import Detailed, DryRun, Json
from nommerctl.errors import ExitCode, SettingsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nommerctl.domain.outcome import Change, Outcome
    from nommerctl.wiring.farm import Farm


class Form(StrEnum):
    """In what form bootstrap is to put it."""

    CLOUDFORMATION = "cloudformation"


class Role(StrEnum):
    """Who needs to be allowed something."""

    OPERATOR = "operator"
    WORKER = "worker"
    BOOTSTRAP = "bootstrap"


def bootstrap(
    ctx: typer.Context,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="Print a document for CloudFormation instead, and make nothing."),
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    detailed_exitcode: Detailed = False,
) -> None:
    """Make what a farm stands on, or what of it is missing.

    That is tables, queues, a role for nodes, a security group and a launch template. What is there and as it is wanted
    is left alone, what is missing is made, and what the settings want otherwise is shown as a diff and changed: so it
    may be repeated at any time. Everything carries the tag nommerctl:farm.
    """
    from nommerctl.wiring.account import bring_account_up, cloudformation

    farm = _on_aws(ctx)
    if form is Form.CLOUDFORMATION:
        if dry_run or json:
            msg = "--format prints a document and changes nothing: leave --dry-run and --json out"
            raise UsageError(msg)
        emit(cloudformation(farm))
        return
    with _watched() as begins:
        outcome = bring_account_up(farm, dry_run=dry_run, begins=begins)
    _show(outcome, json=json)
    raise typer.Exit(outcome.code(detailed=detailed_exitcode))


def iam_policy(
    ctx: typer.Context,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="operator, worker or bootstrap.")],
) -> None:
    """Print the least policy of operator, worker or bootstrap.

    These are who runs the passes, the nodes, and who brings the farm up and takes it down. It holds for this farm
    alone: bootstrap gives the role of nodes that of 'worker' itself.
    """
    from nommerctl.wiring.account import policy

    emit(policy(_on_aws(ctx), role.value))


def teardown(
    ctx: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Lose jobs that are unfinished.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """End the farm's nodes and delete all that is its own.

    That is what carries its tag, with all jobs and their history. Media buckets, and what lacks the tag, are not
    touched. It looks again at the end, and says what is left: that nothing is, or what and why. May be repeated.
    """
    from nommerctl.domain.text import counted
    from nommerctl.passes.tear_down import LEFT
    from nommerctl.wiring.account import take_account_down

    farm = _on_aws(ctx)
    if not (yes or dry_run):
        _confirm(farm, force=force)
    with _watched() as begins:
        outcome = take_account_down(farm, force=force, dry_run=dry_run, begins=begins)
    _show(outcome, json=json)
    left = outcome.facts.get(LEFT)
    if left is not None and not json:
        emit(f"{counted(left, 'resource')} left")
    code = outcome.code()
    raise typer.Exit(ExitCode.ITEMS_FAILED if left and code is ExitCode.DONE else code)


def _confirm(farm: "Farm", *, force: bool) -> None:
    """Show on standard error what would go, and ask there; UsageError where nobody is there to answer."""
    from nommerctl.render.outcome import outcome_text
    from nommerctl.wiring.account import take_account_down
    from nommerctl.wiring.terminal import input_is_terminal

    if not input_is_terminal():
        msg = "nobody is there to be asked: give --yes to take the farm down, or --dry-run to see what that would be"
        raise UsageError(msg)
    planned = take_account_down(farm, force=force, dry_run=True)
    if planned.ended_by is not None:
        raise planned.ended_by
    if not planned.changed:
        return
    complain(outcome_text(planned, color=terminal().color))
    try:
        agreed = typer.confirm(f"Take farm '{farm.settings.farm.name}' down?", err=True)
    except typer.Abort:
        complain("\nnommerctl: nothing was changed\n")
        raise
    if not agreed:
        complain("nommerctl: nothing was changed\n")
        raise typer.Exit


@contextmanager
def _watched() -> "Iterator[Callable[[Change], None]]":
    """Show what is being done, for it may take minutes, on the terminal that standard error is; no trace is left."""
    from nommerctl.domain.text import shown
    from nommerctl.wiring.terminal import error_is_terminal

    if not error_is_terminal():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text("look at what is there")) as status:
        yield lambda change: status.update(Text(shown(f"{change.action} {change.target}")))


def _on_aws(ctx: typer.Context) -> "Farm":
    farm = open_farm(ctx)
    if farm.is_local:
        msg = "farm.backend is local, which needs nothing of AWS: set it to aws, or give --backend aws"
        raise SettingsError(msg)
    if farm.is_taken_over:
        msg = (
            "farm.backend is simpledb, whose domains and queues media-nommer made: nothing of it is made or taken down"
            " here; give --backend aws for a farm of backend aws of this name"
        )
        raise SettingsError(msg)
    return farm


def _show(outcome: "Outcome", *, json: bool) -> None:
    from nommerctl.render.errors import error_line
    from nommerctl.render.outcome import outcome_json, outcome_text

    if outcome.ended_by is not None:
        complain(error_line(outcome.ended_by))
    if json:
        emit(outcome_json(outcome))
    elif outcome.eventful or outcome.ended_by is None:
        emit(outcome_text(outcome, color=terminal().color))
