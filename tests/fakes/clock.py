"""A clock that stands still until a test moves it."""

from nommerctl.domain.times import Instant, micros

START: Instant = 1_767_258_000_000_000
"""2026-01-01T09:00:00Z: where tests begin unless they say otherwise."""


class FakeClock:
    """A ports.Clock: call it for the instant, `advance` it by seconds."""

    def __init__(self, now: Instant = START) -> None:
        self.now = now

    def __call__(self) -> Instant:
        return self.now

    def advance(self, seconds: float) -> Instant:
        """Let time pass and return the new instant."""
        self.now += micros(seconds)
        return self.now
