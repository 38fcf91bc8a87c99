"""The command tree: every verb, in its panel."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from nommerctl import __version__
from nommerctl.cli import aws, inspect, jobs, notify, passes, setup, store
from nommerctl.cli.panels import INSPECT, JOBS, PASSES, SETUP, PanelGroup


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if wanted:
        typer.echo(f"nommerctl {__version__}")
        raise typer.Exit


def _help_without_verb(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit


def _before_any_verb(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            readable=False,  # settings says so itself if it is not
            help="Settings file (default: $NOMMERCTL_CONFIG, else ~/.config/nommerctl/config.toml).",
        ),
    ] = None,
    state_dir: Annotated[
        str | None, typer.Option("--state-dir", metavar="FOLDER", help="Where the farm is kept on this machine.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", help="local: this machine; aws: DynamoDB, SQS, EC2 and S3.")
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback answers it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run a media-encoding farm from a crontab, with no daemon.

    Try it: 'nommerctl demo'. Then: 'nommerctl submit in.mov --dest out.mp4 --preset web-720p --wait'.
    """
    from nommerctl.wiring.farm import Invocation

    ctx.obj = Invocation(config=config, state_dir=state_dir, backend=backend)
    _help_without_verb(ctx)


def _group(text: str) -> typer.Typer:
    return typer.Typer(
        cls=PanelGroup, rich_markup_mode=None, invoke_without_command=True, callback=_help_without_verb, help=text
    )


def _add(app: typer.Typer, panel: str, *verbs: Callable[..., None]) -> None:
    for verb in verbs:
        app.command(rich_help_panel=panel)(verb)


def build() -> typer.Typer:
    """Return the whole command tree."""
    app = typer.Typer(
        cls=PanelGroup,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_before_any_verb)
    _add(
        app,
        PASSES,
        passes.refresh,
        passes.scale,
        passes.abandon,
        passes.prune,
        passes.run,
        passes.resume,
        passes.worker,
    )
    _add(app, JOBS, jobs.submit, jobs.retry, jobs.cancel)
    _add(app, INSPECT, inspect.status)
    app.command("list", rich_help_panel=INSPECT)(inspect.list_jobs)
    _add(app, INSPECT, inspect.show, inspect.nodes, inspect.why)
    _add(app, SETUP, setup.demo, setup.doctor)
    config = _group("Write, check and show the settings.")
    config.command("generate")(setup.config_generate)
    config.command("import")(setup.config_import)
    config.command("validate")(setup.config_validate)
    config.command("show")(setup.config_show)
    app.add_typer(config, name="config", rich_help_panel=SETUP)
    app.command(rich_help_panel=SETUP)(setup.schedule)
    account = _group("Bring a farm up in an AWS account, and take it down.")
    account.command("bootstrap")(aws.bootstrap)
    account.command("iam-policy")(aws.iam_policy)
    account.command("teardown")(aws.teardown)
    app.add_typer(account, name="aws", rich_help_panel=SETUP)
    stores = _group("Leave one backend for another.")
    stores.command("copy")(store.copy)
    app.add_typer(stores, name="store", rich_help_panel=SETUP)
    queue = _group("Inspect and repair the queue of new jobs.")
    dead = _group("Messages that were received too often.")
    dead.command("list")(jobs.dead_list)
    dead.command("retry")(jobs.dead_retry)
    queue.add_typer(dead, name="dead")
    app.add_typer(queue, name="queue", rich_help_panel=JOBS)
    notifications = _group("Inspect and repair what listeners did not take.")
    untold = _group("Jobs whose listener was given up.")
    untold.command("list")(notify.dead_list)
    untold.command("retry")(notify.dead_retry)
    notifications.add_typer(untold, name="dead")
    app.add_typer(notifications, name="notify", rich_help_panel=JOBS)
    return app
