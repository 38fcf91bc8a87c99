"""What a record does without where there is no room for it."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nommerctl.domain.job import EncodingJob, HistoryEntry
from nommerctl.domain.record_size import fitted, record_size
from nommerctl.domain.states import JobState
from tests.builders import make_job, make_lease
from tests.fakes.clock import START

texts = st.none() | st.text(alphabet=st.sampled_from('aé\U0001f3ac"\\\n\x01'), max_size=60)


@st.composite
def grown_jobs(draw: st.DrawFn) -> EncodingJob:
    history = tuple(
        HistoryEntry(seq=seq, state=JobState.DOWNLOADING, at=START + seq, by="node-1", details=draw(texts))
        for seq in range(1, draw(st.integers(0, 8)))
    )
    return make_job(
        1, command=draw(texts), log=draw(texts), details=draw(texts), history=history, lease=make_lease(), version=7
    )


def bare(job: EncodingJob) -> EncodingJob:
    """A job without all that it may lose."""
    history = tuple(structs.replace(entry, details=None) for entry in job.history)
    return structs.replace(job, command=None, log=None, details=None, history=history)


def lost(job: EncodingJob, less: EncodingJob) -> list[bool]:
    """What may go, in the order in which it goes: whether it is gone; what was never there is left out."""
    before = [job.command, *(entry.details for entry in job.history), job.log, job.details]
    after = [less.command, *(entry.details for entry in less.history), less.log, less.details]
    return [now is None for was, now in zip(before, after, strict=True) if was is not None]


@given(grown_jobs(), st.integers(0, 2000))
def test_a_record_is_made_to_fit_by_what_people_read_and_nothing_else(job: EncodingJob, limit: int) -> None:
    less = fitted(job, limit)

    assert record_size(less) <= max(limit, record_size(bare(job)))
    assert bare(less) == bare(job)


@given(grown_jobs(), st.integers(0, 200))
def test_what_fits_is_left_as_it_is(job: EncodingJob, room: int) -> None:
    assert fitted(job, record_size(job) + room) is job


def test_the_command_goes_first_and_the_details_last() -> None:
    history = tuple(
        HistoryEntry(seq=seq, state=JobState.PENDING, at=START, by="node-1", details="why " * 10) for seq in (1, 2, 3)
    )
    job = make_job(1, command="ffmpeg " * 10, log="frame " * 10, details="failed " * 10, history=history)

    stages = [lost(job, fitted(job, limit)) for limit in range(record_size(job), 0, -1)]

    assert sorted(stages) == stages
    assert {sum(stage) for stage in stages} == {0, 1, 2, 3, 4, 5, 6}
    assert all(stage == sorted(stage, reverse=True) for stage in stages)


def test_a_size_is_that_of_utf_8() -> None:
    plain, accented = make_job(1, details="e"), make_job(1, details="é")

    assert record_size(accented) == record_size(plain) + 1
