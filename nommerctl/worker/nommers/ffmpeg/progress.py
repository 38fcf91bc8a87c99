"""Reads what ffmpeg writes under `-progress`: lines `key=value`, each block of them ended by `progress=...`."""

from collections.abc import Callable
from typing import NamedTuple

from nommerctl.domain.job import Progress

_MICROSECONDS = 1_000_000

_KEYS = frozenset({"fps", "out_time_ms", "out_time_us", "speed"})

_LONGEST_LINE = 4096
"""Bytes: ffmpeg's own lines are a few dozen; what does not end by then is none of them."""


class Block(NamedTuple):
    """One report: how much of the output is done, in seconds, pictures a second, and multiples of real time."""

    seconds: float | None
    fps: float | None
    speed: float | None


class ProgressReader:
    """Takes the bytes as they come and calls `on_block` for every whole block. `last` is the newest one."""

    def __init__(self, on_block: Callable[[Block], None] = lambda _: None) -> None:
        self.last = Block(None, None, None)
        self._on_block = on_block
        self._rest = b""
        self._values: dict[str, str] = {}

    def feed(self, data: bytes) -> None:
        """Take what came."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:_LONGEST_LINE]
        for line in lines:
            key, _, value = line[:_LONGEST_LINE].decode(errors="replace").strip().partition("=")
            if key in _KEYS:
                self._values[key] = value.strip()
            elif key == "progress":
                self._ended()

    def _ended(self) -> None:
        values, self._values = self._values, {}
        # `out_time_ms` has always been in microseconds too, and is all that old versions have
        done = _number(values.get("out_time_us")) or _number(values.get("out_time_ms"))
        self.last = Block(
            seconds=max(0.0, done / _MICROSECONDS) if done is not None else self.last.seconds,
            fps=_number(values.get("fps")) or None,
            speed=_number(values.get("speed", "").removesuffix("x")) or None,
        )
        self._on_block(self.last)


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:  # N/A, before the first packet
        return None


class Gauge:
    """Turns blocks into the progress of a whole encode: `passes` runs over a source.

    `seconds` says how long the source lasts, None as long as that is unknown.

    The fraction never falls. Options that cut make it end early, and then jump when the pass is done.
    """

    def __init__(self, report: Callable[[Progress], None], *, seconds: Callable[[], float | None], passes: int) -> None:
        self._report = report
        self._seconds = seconds
        self._passes = passes
        self._done = 0
        self._fraction = 0.0

    def update(self, block: Block) -> None:
        """Report what a block means."""
        whole = self._seconds()
        if whole and block.seconds:
            share = min(1.0, block.seconds / whole)
            self._fraction = max(self._fraction, (self._done + share) / self._passes)
        eta = None
        if whole and block.speed:
            eta = round((1 - self._fraction) * self._passes * whole / block.speed, 1)
        self._report(Progress(fraction=round(self._fraction, 4), fps=block.fps, speed=block.speed, eta_s=eta))

    def pass_done(self) -> None:
        """Report that one more pass has ended."""
        self._done += 1
        self._fraction = self._done / self._passes
        self._report(Progress(fraction=self._fraction))
