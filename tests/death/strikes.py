"""Striking a command with a signal, at many points of its run."""

import random
import signal
import statistics
from collections.abc import Callable, Iterator
from itertools import count

from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant
from nommerctl.errors import ExitCode
from tests.death.mortals import End
from tests.death.yard import Yard

POINTS = 50

WITHIN = 5.0
"""Seconds in which a process ends that gets SIGTERM. Half of the measured ones have to: this machine may be busy."""

ENDINGS = {0, ExitCode.TERMINATED, -signal.SIGTERM}
"""How a command may end that gets SIGTERM: well, if it was done; by its own handler; after that by the system's."""

_BY_TIME = 5
"""One of so many strikes comes from outside, at a moment; the others come at an event of the run."""

_TRIES = 6 * POINTS


def strikes(
    yard: Yard,
    chance: random.Random,
    sign: signal.Signals,
    command: Callable[[], tuple[str, ...]],
    *,
    state: JobState | None = None,
    hit: Callable[[Instant], bool] = lambda _: True,
    points: int = POINTS,
) -> Iterator[End]:
    """Run what `command` prepares and returns, again and again, and strike it at points spread over its run.

    Yield how it ended each time, after checking what holds at any moment. Points are of the whole run, or of the time
    that a job is in `state`. A SIGKILL counts if `hit` says so, which knows when the command was started.
    """
    measured = yard.mortals.run(*command(), state=state)
    took: list[float] = []
    for number in count():
        if len(took) == points:
            break
        assert number < _TRIES, f"only {len(took)} of {number} strikes came in time"
        argv, began = command(), yard.farm.clock()
        if number % _BY_TIME:
            end = yard.mortals.run(*argv, sign=sign, state=state, at_event=chance.randint(1, measured.events))
        else:
            end = yard.mortals.run(*argv, sign=sign, state=state, after=chance.uniform(0, measured.dwelt))
        yard.must_be_sound()
        if end.struck and (sign is not signal.SIGKILL or hit(began)):
            took.append(end.took)
            yield end
        elif not end.took:
            assert end.code == 0, yard.mortals.said()
            measured = end
    if sign is signal.SIGTERM:
        assert statistics.median(took) < WITHIN, took
