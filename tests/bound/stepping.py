"""Passes that stand still before each of their steps, until they are told how it goes on."""

import threading
from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from nommerctl.errors import NommerctlError, UnreachableError

T = TypeVar("T")


class Turn(Enum):
    """How a step of a pass goes."""

    WELL = "well"
    FAILS = "has no effect, and fails"
    ANSWER_LOST = "has its effect, and the answer is lost"
    DIES = "has no effect, and nothing comes after it"
    DIES_OF_IT = "has its effect, and nothing comes after it"


class Died(BaseException):
    """The process of a pass is no more: nothing that it does afterwards has an effect."""


class SteppedPass:
    """One pass on a thread of its own, which moves only when it is told to, and by one step."""

    def __init__(self, make: Callable[["SteppedPass"], object]) -> None:
        self.done = False
        self.next = ""
        self._make = make
        self._turn = Turn.WELL
        self._dead = False
        self._bug: BaseException | None = None
        self._may_go = threading.Lock()
        self._stands = threading.Lock()
        self._may_go.acquire()
        self._stands.acquire()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._stands.acquire()

    def move(self, turn: Turn) -> None:
        """Let it make the step that it stands before, and go on to the next."""
        self._turn = turn
        self._may_go.release()
        self._stands.acquire()
        if self.done:
            self._thread.join()
        if self._bug is not None:
            raise self._bug

    def turn(self, what: str) -> Turn:
        """Stand still before a step; return how it goes."""
        if self._dead:
            raise Died
        self.next = what
        self._stands.release()
        self._may_go.acquire()
        if self._turn in {Turn.DIES, Turn.DIES_OF_IT}:
            self._dead = True
        if self._turn is Turn.DIES:
            raise Died
        return self._turn

    def step(self, what: str, effect: Callable[[], T]) -> T:
        """Make a step, as it goes."""
        turn = self.turn(what)
        if turn is Turn.FAILS:
            msg = f"it cannot be reached to {what}"
            raise UnreachableError(msg)
        done = effect()
        if turn is Turn.ANSWER_LOST:
            msg = f"the answer was lost: {what}"
            raise UnreachableError(msg)
        if turn is Turn.DIES_OF_IT:
            raise Died
        return done

    def _run(self) -> None:
        try:
            self._make(self)
        except (NommerctlError, Died):
            pass  # so ended the pass
        except BaseException as error:  # noqa: BLE001 - it is raised again in the test's thread
            self._bug = error
        finally:
            self.done = True
            self._stands.release()
