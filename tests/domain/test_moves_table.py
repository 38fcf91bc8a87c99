"""The table of legal moves: what every move makes of every state."""

from collections.abc import Callable, Iterator

import pytest

from nommerctl.domain import moves
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState
from nommerctl.errors import IllegalMoveError
from tests.domain.actors import abandon, advance, cancel, claim, fail, finish, hand_back, job_in, renew, retry

MOVES: dict[str, Callable[[EncodingJob], EncodingJob]] = {
    "claim": claim,
    "to-downloading": advance(JobState.DOWNLOADING),
    "to-encoding": advance(JobState.ENCODING),
    "to-uploading": advance(JobState.UPLOADING),
    "to-finished": advance(JobState.FINISHED),
    "to-error": advance(JobState.ERROR),
    "to-pending": advance(JobState.PENDING),
    "finish": finish,
    "fail": fail,
    "hand-back": hand_back,
    "renew": renew,
    "abandon": abandon,
    "cancel": cancel,
    "retry": retry,
}

# What becomes of a job by a move, in the attempt of the second column, from each state; "-" where it is illegal.
TABLE = """
move            attempt  PENDING      DOWNLOADING  ENCODING     UPLOADING    FINISHED  ERROR    ABANDONED
claim           1        DOWNLOADING  DOWNLOADING  DOWNLOADING  DOWNLOADING  -         -        -
claim           3        DOWNLOADING  ERROR        ERROR        ERROR        -         -        -
to-downloading  1        -            -            -            -            -         -        -
to-encoding     1        -            ENCODING     -            -            -         -        -
to-uploading    1        -            -            UPLOADING    -            -         -        -
to-finished     1        -            -            -            -            -         -        -
to-error        1        -            -            -            -            -         -        -
to-pending      1        -            -            -            -            -         -        -
finish          1        -            -            -            FINISHED     -         -        -
fail            1        -            ERROR        ERROR        ERROR        -         -        -
hand-back       1        -            PENDING      PENDING      PENDING      -         -        -
renew           1        -            DOWNLOADING  ENCODING     UPLOADING    -         -        -
abandon         1        ABANDONED    ABANDONED    ABANDONED    ABANDONED    -         -        -
abandon         3        ABANDONED    ERROR        ERROR        ERROR        -         -        -
cancel          1        ABANDONED    ABANDONED    ABANDONED    ABANDONED    -         -        -
retry           1        -            -            -            -            -         PENDING  PENDING
"""


def table() -> Iterator[tuple[str, int, JobState, str]]:
    head, *lines = (line.split() for line in TABLE.strip().splitlines())
    for move, attempt, *outcomes in lines:
        for state, outcome in zip(head[2:], outcomes, strict=True):
            yield move, int(attempt), JobState(state), outcome


@pytest.mark.parametrize(("move", "attempt", "state", "outcome"), list(table()))
def test_the_table_of_moves(move: str, attempt: int, state: JobState, outcome: str) -> None:
    job = job_in(state, attempt=attempt)

    if outcome == "-":
        with pytest.raises(IllegalMoveError):
            MOVES[move](job)
    else:
        assert MOVES[move](job).state == outcome


def test_the_table_shows_every_legal_move_and_no_other() -> None:
    shown = {(state, JobState(outcome)) for move, _, state, outcome in table() if outcome != "-" and move != "renew"}

    assert shown == {(origin, move.to) for move in moves.LEGAL_MOVES for origin in move.origins}
