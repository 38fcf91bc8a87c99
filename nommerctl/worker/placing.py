"""Putting an output in its place, with the patience that is due to hours of work."""

import time
from collections.abc import Callable

from nommerctl.errors import TransferInterruptedError
from nommerctl.ports import Done, Output

PAUSES = (2.0, 8.0, 30.0, 60.0)
"""Seconds after each try that was interrupted, but for the last."""

_POLL = 0.5
"""Seconds between two looks whether to go on."""


def place(
    output: Output,
    permit: Callable[[], None],
    keep_on: Callable[[], None],
    done: Done,
    *,
    log: Callable[[str], None],
) -> None:
    """Place it as ports.Output says; if that is interrupted, try again after pauses, by the end of which it is raised.

    What `keep_on` raises ends the pauses too.
    """
    for pause in PAUSES:
        try:
            output.place(permit, keep_on, done)
        except TransferInterruptedError as error:
            log(f"output not in its place yet: {error}")
        else:
            return
        _rest(pause, keep_on)
    output.place(permit, keep_on, done)


def _rest(seconds: float, keep_on: Callable[[], None]) -> None:
    end = time.monotonic() + seconds
    keep_on()
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _POLL))
        keep_on()
