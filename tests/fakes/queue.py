"""A queue in memory."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from nommerctl.domain.fleet import Depth
from nommerctl.domain.times import Instant, impossible, micros
from nommerctl.ports import Clock, Message


@dataclass
class _Letter:
    """A message as the queue keeps it."""

    body: str
    visible_at: Instant
    hidden: int = 0
    receives: int = 0
    receipt: str | None = None
    dead: bool = False


class FakeQueue:
    """A ports.Queue that keeps its promises among threads; time is that of `clock`."""

    def __init__(self, clock: Clock, max_receives: int = 50) -> None:
        self._clock = clock
        self._max_receives = max_receives
        self._letters: list[_Letter] = []
        self._receipts = (f"receipt-{number}" for number in count(1))
        self._lock = threading.Lock()

    def depth(self) -> Depth:
        with self._lock:
            alive = [letter for letter in self._letters if not letter.dead]
            visible = sum(letter.visible_at <= self._clock() for letter in alive)
            return Depth(visible=visible, in_flight=len(alive) - visible)

    def dead(self) -> list[Message]:
        with self._lock:
            return [_as_message(letter) for letter in self._letters if letter.dead]

    def dead_count(self) -> int:
        return len(self.dead())

    def send(self, bodies: Sequence[str]) -> None:
        with self._lock:
            self._letters += [_Letter(body, self._clock()) for body in bodies]

    def receive(self, limit: int, visibility: float) -> list[Message]:
        with self._lock:
            received: list[Message] = []
            for letter in self._letters:
                if letter.dead or not self._visible(letter) or len(received) == limit:
                    continue
                letter.receipt = next(self._receipts)
                if letter.receives >= self._max_receives:
                    letter.dead = True
                    continue
                letter.receives += 1
                letter.hidden = micros(visibility)
                letter.visible_at = self._clock() + letter.hidden
                received.append(_as_message(letter))
            return received

    def extend(self, messages: Sequence[Message], visibility: float) -> None:
        with self._lock:
            for letter in self._of(messages, dead=False):
                letter.hidden = micros(visibility)
                letter.visible_at = self._clock() + letter.hidden

    def delete(self, messages: Sequence[Message]) -> None:
        with self._lock:
            for letter in self._of(messages, dead=False):
                self._letters.remove(letter)

    def revive(self, messages: Sequence[Message]) -> None:
        with self._lock:
            for letter in self._of(messages, dead=True):
                letter.dead = False
                letter.receives = 0
                letter.receipt = None
                letter.hidden = 0
                letter.visible_at = self._clock()

    def _visible(self, letter: _Letter) -> bool:
        now = self._clock()
        return letter.visible_at <= now or impossible(letter.visible_at - letter.hidden, now)

    def _of(self, messages: Sequence[Message], *, dead: bool) -> Iterator[_Letter]:
        receipts = {message.receipt for message in messages}
        return iter([letter for letter in self._letters if letter.dead is dead and letter.receipt in receipts])


def _as_message(letter: _Letter) -> Message:
    return Message(body=letter.body, receipt=letter.receipt or "", receives=letter.receives)
