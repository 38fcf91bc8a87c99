import pytest

from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.states import JobState
from nommerctl.errors import UsageError
from nommerctl.passes.jobs import cancel, named, retry
from tests.builders import make_job
from tests.passes.farm import FakeFarm


def do_cancel(farm: FakeFarm, *prefixes: str, dry_run: bool = False) -> Outcome:
    return cancel(farm.reads, farm.performer(dry_run=dry_run), prefixes, by="me", clock=farm.clock)


def do_retry(farm: FakeFarm, *prefixes: str, failed: bool = False) -> Outcome:
    return retry(farm.reads, farm.performer(), prefixes, failed=failed, by="me", clock=farm.clock)


def test_a_job_is_named_by_any_prefix_that_is_its_own() -> None:
    farm = FakeFarm()
    ids = ["ab1" + "0" * 47, "ab2" + "0" * 47]
    farm.store.submit([make_job(1, id=ids[0]), make_job(2, id=ids[1])])
    assert named(farm.store, "ab1").id == ids[0]
    assert named(farm.store, " AB2 ").id == ids[1]


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("ab", "'ab' begins the ids of more than one job (ab100000, ab200000): give more characters"),
        ("c", "no job's id begins with 'c': see `nommerctl list`"),
        ("", "'' is not a job: give the first characters of an id, as `nommerctl list` shows them"),
        ("%", "'%' is not a job: give the first characters of an id, as `nommerctl list` shows them"),
        ("\x1b[", "'\\x1b[' is not a job: give the first characters of an id, as `nommerctl list` shows them"),
    ],
)
def test_a_prefix_that_names_none_or_several_is_refused(prefix: str, said: str) -> None:
    farm = FakeFarm()
    farm.store.submit([make_job(1, id="ab1" + "0" * 47), make_job(2, id="ab2" + "0" * 47)])
    with pytest.raises(UsageError) as refusal:
        named(farm.store, prefix)
    assert str(refusal.value) == said


def test_cancel_gives_up_unfinished_jobs_and_announces_it() -> None:
    farm = FakeFarm()
    first, second = farm.submit(1, 2)
    farm.claim(second)
    farm.refresh()
    outcome = do_cancel(farm, first.id, second.id)
    assert outcome.changed == (
        Change("cancel", first.id, "was PENDING"),
        Change("cancel", second.id, "was DOWNLOADING"),
    )
    assert [job.state for job in farm.store.jobs.values()] == [JobState.ABANDONED] * 2
    assert farm.store.jobs[second.id].details == "cancelled by me"
    assert farm.changes.depth().total == 2


def test_cancel_changes_nothing_when_one_of_the_jobs_is_finished() -> None:
    farm = FakeFarm()
    first, second = farm.submit(1, 2)
    farm.work_off(second)
    with pytest.raises(UsageError, match="is FINISHED already"):
        do_cancel(farm, first.id, second.id)
    assert farm.store.jobs[first.id].state is JobState.PENDING


def test_a_dry_run_cancels_nothing() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    assert do_cancel(farm, job.id, dry_run=True).changed == (Change("cancel", job.id, "was PENDING"),)
    assert farm.store.jobs[job.id].state is JobState.PENDING


def test_retry_puts_a_job_back_with_all_its_attempts_and_a_message() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.claim(job)
    do_cancel(farm, job.id)
    farm.new_jobs = type(farm.new_jobs)(farm.clock)
    do_retry(farm, job.id)
    again = farm.store.jobs[job.id]
    assert (again.state, again.attempt, again.lease) == (JobState.PENDING, 0, None)
    assert farm.new_jobs.depth().total == 1
    assert farm.cache.get_cached_jobs()[job.id].state is JobState.PENDING


def test_retry_failed_takes_those_in_error_and_no_others() -> None:
    farm = FakeFarm()
    abandoned, error = farm.submit(1, 2)
    do_cancel(farm, abandoned.id)
    for number in range(4):
        farm.claim(error, lease=f"lease-{number}", seconds=1)
        farm.clock.advance(2)
    assert farm.store.jobs[error.id].state is JobState.ERROR
    assert [change.target for change in do_retry(farm, failed=True).changed] == [error.id]


def test_an_unfinished_job_cannot_be_retried() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    with pytest.raises(UsageError, match="is PENDING: only jobs in ERROR or ABANDONED can be retried"):
        do_retry(farm, job.id)
