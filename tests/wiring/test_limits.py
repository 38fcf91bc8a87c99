import os
import signal
import time

import pytest

from nommerctl.errors import InterruptedPassError, TerminatedPassError, TimeLimitError
from nommerctl.wiring.limits import Limits


def test_a_pass_that_hangs_in_the_midst_of_an_effect_is_broken_off() -> None:
    limits = Limits(0.1, overtime=0.1)
    with pytest.raises(TimeLimitError), limits.in_force():
        time.sleep(20)


def test_the_limit_is_heeded_between_effects() -> None:
    limits = Limits(0.01)
    with limits.in_force():
        limits.heed()
        time.sleep(0.02)
        with pytest.raises(TimeLimitError, match=r"the time limit of 0\.01 s is over"):
            limits.heed()


@pytest.mark.parametrize(
    ("sign", "kind"), [(signal.SIGINT, InterruptedPassError), (signal.SIGTERM, TerminatedPassError)]
)
def test_a_signal_is_heeded_between_effects_not_in_their_midst(sign: signal.Signals, kind: type[Exception]) -> None:
    limits = Limits(60)
    with limits.in_force():
        os.kill(os.getpid(), sign)
        time.sleep(0.01)
        with pytest.raises(kind):
            limits.heed()


@pytest.mark.parametrize(
    ("sign", "kind"), [(signal.SIGINT, InterruptedPassError), (signal.SIGTERM, TerminatedPassError)]
)
def test_an_effect_that_hangs_after_a_signal_is_broken_off(sign: signal.Signals, kind: type[Exception]) -> None:
    def hang() -> None:
        os.kill(os.getpid(), sign)
        time.sleep(20)

    with pytest.raises(kind, match="in the midst of one effect"), Limits(60, signal_overtime=0.1).in_force():
        hang()


def test_afterwards_signals_and_alarm_are_as_they_were() -> None:
    before = (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM))
    with Limits(60).in_force():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)) == before
