"""A failed command: one line for people, one document for programs."""

from nommerctl.domain.job_lines import FaultyLinesError
from nommerctl.domain.text import shown
from nommerctl.errors import NommerctlError
from nommerctl.render.json_text import json_document


def error_line(error: NommerctlError) -> str:
    """Return `nommerctl: <sentence>` with a newline, for stderr; below it, the faults of a file of jobs, one a line."""
    sentences = (error.head, *error.sentences) if isinstance(error, FaultyLinesError) else (str(error),)
    lines = "\n".join(map(shown, sentences))
    return f"nommerctl: {lines}\n"


def error_json(error: NommerctlError) -> str:
    """Return the document of an error."""
    return json_document(error=error_record(error))


def error_record(error: NommerctlError) -> dict[str, int | str]:
    """Return an error as JSON has it: its exit code, its kind and its sentence."""
    return {"code": int(error.code), "kind": error.kind, "message": str(error)}
