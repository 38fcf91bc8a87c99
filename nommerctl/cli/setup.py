"""Setting up: a demonstration, a checkup, the settings, the lines of a crontab."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from nommerctl.cli.context import complain, emit, narrate, open_farm, terminal
from nommerctl.cli.options import Json
from nommerctl.errors import UsageError


def demo(ctx: typer.Context, json: Json = False) -> None:
    """Encode three short clips, to see the whole farm at work.

    Uses a scratch folder, which stays, so that you can go on by hand with the commands that are printed.
    """
    from nommerctl.cli.demo import run_demo

    run_demo(ctx, json=json)


def doctor(ctx: typer.Context, json: Json = False) -> None:
    """Check this machine and the farm, and say what to do.

    Encodes a second of film with every preset, and examines state folder, disk room, store, queue, cache, clock, and
    whether cron or a timer makes the passes. On AWS it examines credentials, permissions, tables, queues, launch
    template, image and quotas instead of ffmpeg. It changes nothing. Exits with 3 if a check failed; a warning is none.
    """
    from nommerctl.render.checkup import checkup_json, checkup_text, checkup_tsv
    from nommerctl.render.errors import error_line
    from nommerctl.wiring.checkup import examine

    where = terminal()
    checkup = examine(open_farm(ctx, tell_overdue=False, tell_notices=False), attended=where.attended)
    if json:
        emit(checkup_json(checkup))
    elif where.is_terminal:
        emit(checkup_text(checkup, width=where.width, color=where.color))
    else:
        emit(checkup_tsv(checkup))
    if checkup.ended_by is not None:
        complain(error_line(checkup.ended_by))
    raise typer.Exit(checkup.code)


def schedule(
    ctx: typer.Context,
    cron: Annotated[bool, typer.Option("--cron", help="Lines for a crontab.")] = False,
    systemd: Annotated[bool, typer.Option("--systemd", help="Units and timers for systemd.")] = False,
) -> None:
    """Print the lines that make cron or systemd run the passes.

    They follow the settings in force. Executable, settings file and state folder are named in full, so that the timer
    and you see the same farm.
    """
    from nommerctl.render.schedule import cron_lines, systemd_units
    from nommerctl.wiring import process

    if cron == systemd:
        msg = "give one of --cron and --systemd"
        raise UsageError(msg)
    farm = open_farm(ctx)
    executable, config, state_dir = process.executable(), farm.loaded.file, farm.state_dir
    intervals = farm.settings.schedule
    if cron:
        emit(cron_lines(executable=executable, config=config, state_dir=state_dir, intervals=intervals))
    else:
        emit(
            systemd_units(
                executable=executable, config=config, state_dir=state_dir, intervals=intervals, user=process.user_name()
            )
        )


Output: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this new file instead of stdout.")
]


def config_generate(output: Output = None) -> None:
    """Print a settings file: every key, its default, its meaning."""
    from nommerctl.domain.config import Settings
    from nommerctl.render.config import config_text

    _write_settings(config_text(Settings()), output)


def config_import(
    file: Annotated[str, typer.Argument(metavar="FILE", help="nomconf.py ('-': standard input).", show_default=False)],
    output: Output = None,
) -> None:
    """Turn media-nommer's settings into a settings file.

    The old file is read and not executed. Each of its settings that has a place here gets it; what has none is listed
    on standard error, and at the end of the file, with the reason. No key of AWS is kept.
    """
    from nommerctl.render.taken_over import left_out_sentence
    from nommerctl.wiring.importing import import_nomconf

    text, takeover = import_nomconf(file)
    _write_settings(text, output)
    for each in takeover.left_out:
        narrate(f"nommerctl: {'not taken over: ' if each.line else ''}{left_out_sentence(each)}")


def _write_settings(text: str, output: Path | None) -> None:
    """Write a settings file to a file that must be new, or else to standard output."""
    from nommerctl.domain.text import shown

    if output is None:
        emit(text)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        msg = f"'{output}' exists already: it was left as it is"
        raise UsageError(msg) from None
    except FileNotFoundError:
        msg = f"'{output}' cannot be written: make its folder first"
        raise UsageError(msg) from None
    except OSError as error:
        msg = f"'{output}' cannot be written: {error.strerror}"
        raise UsageError(msg) from error
    emit(f"'{shown(str(output))}' written")


def config_validate(ctx: typer.Context) -> None:
    """Check the settings in force: file, variables and flags."""
    from nommerctl.domain.text import shown

    loaded = open_farm(ctx).loaded
    emit(f"the settings are valid ({shown(str(loaded.file)) if loaded.file else 'no settings file'})")


def config_show(ctx: typer.Context, json: Json = False) -> None:
    """Show the settings in force and where each comes from."""
    from nommerctl.render.config_shown import config_json, config_table, config_tsv
    from nommerctl.wiring.process import clock

    loaded = open_farm(ctx).loaded
    settings, origins, file = loaded.settings, loaded.origins, loaded.file
    where = terminal()
    if json:
        emit(config_json(settings, origins, file, now=clock()))
    elif where.is_terminal:
        emit(config_table(settings, origins, file, width=where.width, color=where.color))
    else:
        emit(config_tsv(settings, origins, file))
