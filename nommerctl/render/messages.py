"""Dead letters."""

from collections.abc import Sequence

from nommerctl.ports import Message
from nommerctl.render.json_text import json_document
from nommerctl.render.tsv import tsv


def messages_tsv(messages: Sequence[Message]) -> str:
    """Return a line for each message: what it says and how often it was received."""
    return tsv(("body", "receives"), [(message.body, message.receives) for message in messages])


def messages_json(messages: Sequence[Message]) -> str:
    """Return the document of the dead letters."""
    return json_document(
        command="queue dead list",
        messages=[{"body": message.body, "receives": message.receives} for message in messages],
    )
