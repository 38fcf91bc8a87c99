"""Media-nommer's settings as a settings file of ours: what `config import` writes."""

from itertools import groupby
from textwrap import wrap

from nommerctl.domain.config_fields import section_description
from nommerctl.domain.taken_over import LeftOut, TakenOver, Takeover
from nommerctl.domain.text import shown
from nommerctl.render.config import WIDTH, comment, toml_text


def takeover_text(takeover: Takeover, named: str) -> str:
    """Return a settings file with what was taken over from a file that is called so, and what was not as comments."""
    heading = f"Settings of nommerctl, taken over from {named} of media-nommer. A key that is not here has its default."
    blocks = [comment(shown(heading))]
    for section, settings in groupby(takeover.settings, key=lambda each: each.field.section):
        blocks.append("\n".join([comment(section_description(section)), f"[{section}]", *map(_entry, settings)]))
    if takeover.left_out:
        lines = [line for each in takeover.left_out for line in _listed(each)]
        blocks.append("\n".join(["# Not taken over, or not said there:", *lines]))
    return "\n\n".join(blocks) + "\n"


def left_out_sentence(left_out: LeftOut) -> str:
    """Return a sentence for a person."""
    place = [f"line {left_out.line}"] if left_out.line else []
    return shown(f"{', '.join([*place, *filter(None, [left_out.what])])}: {left_out.why}")


def _entry(setting: TakenOver) -> str:
    field = setting.field
    was = "; ".join((setting.origin, *setting.notes))
    return f"{comment(field.description)}\n{comment(shown(was))}\n{field.key} = {toml_text(field, setting.value)}"


def _listed(left_out: LeftOut) -> list[str]:
    return wrap(left_out_sentence(left_out), WIDTH, initial_indent="# - ", subsequent_indent="#   ")
