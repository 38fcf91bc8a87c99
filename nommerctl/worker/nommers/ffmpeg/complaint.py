"""Finds, in what ffmpeg said, the words that tell a user why it failed; and says how a process ended."""

import re
import signal

_LINE = re.compile(r"(?:(?:\[[^\]]* @ [^\]]*\] )*\[(?:error|fatal|panic)\] |x26[45] \[error\]: )(.*)")

_CONSEQUENCE = re.compile(
    r"Could not open encoder before EOF|Conversion failed!?|Error applying encoder options|Error closing|"
    r"Error (?:while )?opening (?:encoder|(?:in|out)put files?|(?:in|out)put:)|Error parsing options for|"
    r"Error sending frames to consumers|Error submitting packet|Error processing packet|Nothing was written into|"
    r"Task finished with error code|Terminating thread with return code"
)
"""How lines begin that only pass on what an earlier line said."""

_WHITELIST = re.compile(r"(Format|Protocol '[^']*') not on whitelist '.*'?!?")
"""How ffmpeg refuses what command.py does not let it open; it goes on to recite the list."""

_SHOWN = 2
_CHARACTERS = 400


def complaint(stderr: str) -> str:
    """Return ffmpeg's last two reasons at level error, or the last consequence if it gave none; '' if it was silent."""
    said = [found[1].strip() for line in stderr.split("\n") if (found := _LINE.match(line))]
    reasons = [words for words in said if not _CONSEQUENCE.match(words)] or said[-1:]
    last = list(dict.fromkeys(reversed(reasons)))[:_SHOWN]
    return _WHITELIST.sub(r"\1 is not among those taken for sources", "; ".join(reversed(last)))[:_CHARACTERS]


def ending(code: int) -> str:
    """Say how a process ended by its code: `exit code 1`, or the signal if it is negative."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
