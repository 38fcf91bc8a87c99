"""What ends a pass before its time: its limit, and signals."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from nommerctl.errors import InterruptedPassError, NommerctlError, TerminatedPassError, TimeLimitError

OVERTIME = 5.0
"""Seconds past its limit after which a pass that hangs in the midst of an effect is broken off."""

SIGNAL_OVERTIME = 3.0
"""Seconds after a signal for the same."""


class Limits:
    """The time limit of a pass and the signals that end it, heeded between two effects."""

    def __init__(self, seconds: float, *, overtime: float = OVERTIME, signal_overtime: float = SIGNAL_OVERTIME) -> None:
        self.seconds = seconds
        self._overtime = overtime
        self._signal_overtime = signal_overtime
        self._deadline = time.monotonic() + seconds
        self._signal: int | None = None
        self._seen_to = False
        self._over = False

    def heed(self) -> None:
        """Raise what ends the pass, or return."""
        interruption = self.interruption()
        if interruption is not None:
            raise interruption
        if time.monotonic() > self._deadline:
            raise TimeLimitError(self._overrun())

    def interruption(self) -> NommerctlError | None:
        """Return the error for a signal that came, None if none did; whoever asks has to see to it."""
        return self._interruption("between two effects")

    def half_over(self) -> bool:
        """Whether half of the time is gone: then a pass should take in no more, and work at what it has."""
        return time.monotonic() > self._deadline - self.seconds / 2

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Catch signals, and break off what hangs for too long in the midst of an effect.

        A signal that nobody saw to in time is delivered again afterwards, to whatever handles it then.
        """
        before = {
            sign: signal.signal(sign, handler)
            for sign, handler in (
                (signal.SIGALRM, self._break_off),
                (signal.SIGINT, self._note),
                (signal.SIGTERM, self._note),
            )
        }
        alarm_before, _ = signal.setitimer(signal.ITIMER_REAL, self.seconds + self._overtime, self._overtime)
        try:
            yield
        finally:
            self._over = True
            signal.setitimer(signal.ITIMER_REAL, alarm_before)
            for sign, handler in before.items():
                signal.signal(sign, handler)
            if self._signal is not None and not self._seen_to:
                os.kill(os.getpid(), self._signal)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        if not self._over:
            signal.setitimer(signal.ITIMER_REAL, self._signal_overtime, self._signal_overtime)

    def _break_off(self, _number: int, _frame: FrameType | None) -> None:
        if not self._over:
            raise self._interruption("in the midst of one effect") or TimeLimitError(self._overrun())

    def _interruption(self, where: str) -> NommerctlError | None:
        if self._signal is None:
            return None
        self._seen_to = True
        if self._signal == signal.SIGINT:
            return InterruptedPassError(f"interrupted {where}: what was done stands")
        return TerminatedPassError(f"terminated {where}: what was done stands")

    def _overrun(self) -> str:
        return f"the time limit of {self.seconds:g} s is over: what was done stands, the next run goes on"
