"""Workers and submits that are killed, or told to end, at fifty points of each state that a job is in."""

import random
import signal
from collections.abc import Callable

import pytest

from nommerctl.domain.states import IN_WORK, JobState
from nommerctl.domain.times import Instant
from tests.death.strikes import ENDINGS, POINTS, strikes
from tests.death.yard import PRESET, Yard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WAITING = 6

signs = pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])


def have_jobs(yard: Yard) -> None:
    """Let some wait, so that one that is handed back comes after the others, and not again and again."""
    yard.submit(max(WAITING - yard.writes.new_jobs.depth().visible, 0))


def must_have_left_everything_right(yard: Yard) -> None:
    """What holds after SIGTERM at once, and after SIGKILL only when the next passes have been made."""
    assert not [job for job in yard.unfinished() if job.state in IN_WORK]
    assert yard.writes.new_jobs.depth().in_flight == 0
    assert yard.leftovers() == []
    assert not any(home.alive() for home in yard.homes())


@signs
@pytest.mark.parametrize("state", [JobState.DOWNLOADING, JobState.ENCODING, JobState.UPLOADING])
def test_a_worker_struck_while_a_job_is_in_a_state_loses_nothing(
    open_yard: Callable[..., Yard], chance: random.Random, state: JobState, sign: signal.Signals
) -> None:
    yard = open_yard()

    def work() -> tuple[str, ...]:
        have_jobs(yard)
        return ("worker", "--once")

    def one_died_in_it(began: Instant) -> bool:
        return any(job.changed >= began for job in yard.writes.store.in_state(state))

    for end in strikes(yard, chance, sign, work, state=state, hit=one_died_in_it):
        if sign is signal.SIGTERM:
            assert end.code in ENDINGS
            must_have_left_everything_right(yard)
    yard.must_end_well()


@signs
def test_a_worker_struck_before_it_claims_a_job_loses_nothing(
    open_yard: Callable[..., Yard], chance: random.Random, sign: signal.Signals
) -> None:
    yard = open_yard()

    def work() -> tuple[str, ...]:
        have_jobs(yard)
        return ("worker", "--once")

    def none_was_claimed(began: Instant) -> bool:
        return not any(job.changed >= began for job in yard.jobs().values())

    struck = strikes(yard, chance, sign, work, state=JobState.PENDING, hit=none_was_claimed, points=POINTS // 2)
    for end in struck:
        if sign is signal.SIGTERM:
            assert end.code in ENDINGS
            must_have_left_everything_right(yard)
    yard.must_end_well()


@signs
@pytest.mark.parametrize("state", [None, JobState.PENDING], ids=["anywhere", "PENDING"])
def test_a_submit_that_is_struck_stores_all_of_its_jobs_or_none(
    open_yard: Callable[..., Yard], chance: random.Random, sign: signal.Signals, state: JobState | None
) -> None:
    yard = open_yard()
    together = 2
    known: set[str] = set()

    def submit() -> tuple[str, ...]:
        known.update(yard.jobs())
        sources = map(str, yard.sources(together))
        return ("submit", *sources, "--dest", f"{yard.out}/", "--preset", PRESET, "--notify-url", yard.web.url("/told"))

    def is_stored(_began: Instant) -> bool:
        return state is None or bool(yard.jobs().keys() - known)

    said = ""
    points = POINTS if state is None else POINTS // 2
    for end in strikes(yard, chance, sign, submit, state=state, hit=is_stored, points=points):
        new = yard.jobs().keys() - known
        assert len(new) in {0, together}
        if sign is signal.SIGTERM:
            assert end.code in ENDINGS
            assert end.code or new
            said += yard.mortals.said()
    assert sign is signal.SIGKILL or state is None or "told to end, after 2 jobs had been stored" in said
    yard.must_end_well()
