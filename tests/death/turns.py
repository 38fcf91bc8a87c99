"""Players that take turns: one of several threads moves at a time, in an order that chance decides and can repeat."""

import random
import threading
from collections.abc import Callable, Mapping
from typing import TypeAlias

Trace: TypeAlias = tuple[tuple[str, str], ...]
"""Who moved, and what came next for that player."""

WAITS = "waits for another"
"""What a player says that can do nothing before another has moved."""

_STICKINESS = (0.0, 0.5, 0.9, 0.97)
"""How likely the player that has just moved moves again: from quick exchanges to one that stands still for long."""


class Player:
    """One of those who take turns; several threads may be its, but only one of them may move at a time."""

    def __init__(self, name: str, arrived: threading.Semaphore) -> None:
        self.name = name
        self.done = False
        self.error: BaseException | None = None
        self.next = ""
        self._arrived = arrived
        self._go = threading.Semaphore(0)

    def step(self, what: str) -> None:
        """Wait for our turn to do this."""
        self.next = what
        self._arrived.release()
        self._go.acquire()

    def move(self) -> None:
        """Let it go on to its next step."""
        self._go.release()

    def play(self, part: "Callable[[Player], None]") -> None:
        """Take part, from first to last."""
        try:
            self.step("begin")
            part(self)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the test's thread
            self.error = error
        finally:
            self.done = True
            self._arrived.release()


def take_turns(parts: Mapping[str, Callable[[Player], None]], chance: random.Random) -> Trace:
    """Let all play their parts to the end; return the order in which they moved."""
    arrived = threading.Semaphore(0)
    players = [Player(name, arrived) for name in parts]
    threads = [
        threading.Thread(target=player.play, args=(part,), daemon=True)
        for player, part in zip(players, parts.values(), strict=True)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        arrived.acquire()
    stickiness = chance.choice(_STICKINESS)
    trace: list[tuple[str, str]] = []
    mover: Player | None = None
    while playing := [player for player in players if not player.done]:
        if mover not in playing or mover.next == WAITS or chance.random() >= stickiness:
            others = [player for player in playing if player is not mover or player.next != WAITS]
            mover = chance.choice(others or playing)
        trace.append((mover.name, mover.next))
        mover.move()
        arrived.acquire()
    for thread in threads:
        thread.join()
    for player in players:
        if player.error:
            raise player.error
    return tuple(trace)
