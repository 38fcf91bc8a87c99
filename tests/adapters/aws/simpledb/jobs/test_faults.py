"""Items that media-nommer's programs, or people, wrote badly: shown, reported, and no pass stops at them."""

import pytest

from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.domain import moves
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.limits import AttemptLimits
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.errors import IllegalMoveError
from tests.builders import job_id, make_job, make_lease
from tests.fakes.clock import START
from tests.simpledb.server import SimpleDB
from tests.simpledb_jobs import OURS, SETTINGS, OldPrograms

EIGHT = START - micros(3600)

LATER = START + micros(9999)


def claim(job: EncodingJob) -> EncodingJob:
    return moves.claimed(job, lease=make_lease(), now=START, limits=AttemptLimits())


BAD: list[tuple[dict[str, str | None], str]] = [
    ({"source_path": None}, "its item has no source_path"),
    ({"source_path": "None"}, "its item has no source_path"),
    ({"dest_path": None}, "its item has no dest_path"),
    ({"unique_id": None}, "its item has no unique_id"),
    ({"job_options": None}, "its item has no job_options"),
    ({"job_options": "None"}, "its item has no job_options"),
    ({"job_options": "[{'outfile_options': []}]"}, "its job_options are no JSON"),
    ({"job_options": "[" * 1024}, "its job_options are no JSON"),
    ({"job_options": "[]"}, "its job_options cannot be used: options must be a list of one pass"),
    ({"job_options": '[{"outfile_options": [["dump", "x"]]}]'}, "its job_options cannot be used"),
    ({"nommer": "media_nommer.other.Nommer"}, "its nommer 'media_nommer.other.Nommer' is unknown"),
    ({"nommer": None}, "its item has no nommer"),
    ({"creation_dtime": None}, "its item has no creation_dtime"),
    ({"creation_dtime": "yesterday"}, "its creation_dtime 'yesterday' is no time"),
    ({"last_modified_dtime": None}, "its item has no last_modified_dtime"),
    ({"last_modified_dtime": "None"}, "its item has no last_modified_dtime"),
    ({"last_modified_dtime": "2025-02-30 09:00:00.000000"}, "its last_modified_dtime '2025-02-30 09:00:00.000000'"),
]


@pytest.mark.parametrize(("overrides", "fault"), BAD)
def test_a_job_that_was_written_badly_is_among_the_others_and_says_what_is_wrong(
    store: SimpledbJobStore, old: OldPrograms, overrides: dict[str, str | None], fault: str
) -> None:
    old.submit(job_id(1))
    old.submit(job_id(2), overrides=overrides)

    jobs = {job.id: job for job in store.unfinished()}

    assert jobs.keys() == {job_id(1), job_id(2)}
    assert jobs[job_id(1)].fault is None
    assert (jobs[job_id(2)].fault or "").startswith(fault)
    assert store.get([job_id(2)])[job_id(2)].state is JobState.PENDING
    assert job_id(2) in {job.id for job in store.silent(in_work_before=LATER, pending_before=LATER)}
    assert [job.id for job in store.find("", 5)] == [job_id(1), job_id(2)]


@pytest.mark.parametrize(("overrides", "fault"), BAD)
def test_a_job_that_was_written_badly_can_be_claimed_and_ended(
    store: SimpledbJobStore, server: SimpleDB, old: OldPrograms, overrides: dict[str, str | None], fault: str
) -> None:
    old.submit(job_id(2), overrides=overrides)
    before = server.items(SETTINGS.job_domain)[job_id(2)]

    said = store.transition(job_id(2), claim).fault or ""
    store.transition(
        job_id(2),
        lambda job: moves.failed(job, lease_id="lease-1", now=START + 1, details=said, command=None, log=None),
    )

    (job,) = store.in_state(JobState.ERROR)
    assert (job.details or "").startswith(fault)
    after = server.items(SETTINGS.job_domain)[job_id(2)]
    changed = {"job_state", "job_state_details", "last_modified_dtime"}
    assert {name: after[name] for name in after.keys() - changed} == {
        name: before[name] for name in before.keys() - changed
    }


def test_an_instant_that_cannot_be_read_is_that_of_the_other_one_or_now(
    store: SimpledbJobStore, old: OldPrograms
) -> None:
    old.submit(job_id(1), overrides={"last_modified_dtime": "?"})
    old.submit(job_id(2), overrides={"creation_dtime": "?"})
    old.submit(job_id(3), overrides={"creation_dtime": None, "last_modified_dtime": None})

    jobs = [store.get([job_id(number)])[job_id(number)] for number in (1, 2, 3)]

    assert [(job.created, job.changed) for job in jobs] == [(EIGHT, EIGHT), (EIGHT, EIGHT), (START, START)]


def test_the_text_none_is_nothing(store: SimpledbJobStore, old: OldPrograms) -> None:
    old.submit(job_id(1), overrides={"notify_url": "None", "job_state_details": "None"})

    job = store.get([job_id(1)])[job_id(1)]

    assert (job.notify_url, job.details, job.fault) == (None, None, None)


@pytest.mark.parametrize("state", ["SLEEPING", "pending", "", "None", None])
def test_a_job_in_an_unknown_state_is_unfinished_and_nobody_takes_it(
    store: SimpledbJobStore, server: SimpleDB, old: OldPrograms, state: str | None
) -> None:
    old.submit(job_id(1), overrides={"job_state": state})
    before = server.items(SETTINGS.job_domain)

    (job,) = store.in_state(JobState.PENDING)

    assert job.fault is not None
    assert job.untold == ()
    assert list(store.unfinished()) == list(store.silent(in_work_before=LATER, pending_before=LATER)) == [job]
    assert list(store.finished_since(0)) == list(store.finished_before(LATER)) == list(store.finished_untold()) == []
    with pytest.raises(IllegalMoveError, match="held by unknown"):
        store.transition(job, claim)
    store.keep_seen([job])
    assert server.items(SETTINGS.job_domain) == before


def test_a_job_in_an_unknown_state_can_be_cancelled(store: SimpledbJobStore, old: OldPrograms) -> None:
    old.submit(job_id(1), overrides={"job_state": "SLEEPING"})

    gone = store.transition(job_id(1), lambda job: moves.cancelled(job, now=START, by="operator"))

    assert list(store.in_state(JobState.ABANDONED)) == [*store.get([job_id(1)]).values()]
    assert gone.state is JobState.ABANDONED


@pytest.mark.parametrize(
    "name", ["source_path", "job_state", "last_modified_dtime", "job_options", "nommer", "creation_dtime"]
)
def test_several_values_of_one_attribute_are_a_fault(
    store: SimpledbJobStore, server: SimpleDB, old: OldPrograms, name: str
) -> None:
    old.submit(job_id(1))
    (first,) = server.items(SETTINGS.job_domain)[job_id(1)][name]
    server.put(SETTINGS.job_domain, job_id(1), {name: [first, "~"]})

    (job,) = store.unfinished()

    assert job.fault == f"its item has 2 values of {name}"
    assert store.transition(job, claim).state is JobState.DOWNLOADING
    assert store.get([job.id])[job.id].state is JobState.DOWNLOADING


def test_items_that_are_no_jobs_are_counted_reported_once_and_left_alone(
    store: SimpledbJobStore, server: SimpleDB, old: OldPrograms, reports: list[str]
) -> None:
    old.submit(job_id(1))
    server.put(SETTINGS.job_domain, "\x1b[2J", {"a": "b"})
    server.put(SETTINGS.job_domain, "zz", {"job_state": "FINISHED"})

    assert [job.id for job in (*store.unfinished(), *store.unfinished())] == [job_id(1)] * 2
    assert store.find("", 5) == [*store.unfinished()]
    assert reports == ["domain 'media_nommer' has 1 item whose name is no id of a job, as '\\x1b[2J': left alone"]


def test_a_fault_that_somebody_mends_is_gone(store: SimpledbJobStore, server: SimpleDB, old: OldPrograms) -> None:
    old.submit(job_id(1), overrides={"job_options": "?"})
    store.transition(job_id(1), lambda job: moves.cancelled(job, now=START, by="operator"))

    server.put(SETTINGS.job_domain, job_id(1), {"job_options": '[{"outfile_options": [["vcodec", "libx264"]]}]'})

    job = store.get([job_id(1)])[job_id(1)]
    assert job.fault is None
    assert job.options[0].outfile_options == (("vcodec", "libx264"),)


def test_a_value_that_xml_cannot_hold_is_read_as_it_is(
    store: SimpledbJobStore, server: SimpleDB, old: OldPrograms
) -> None:
    old.submit(job_id(1), overrides={"job_state_details": "frame=1\x1b[2J ü", "last_modified_dtime": "\x01"})

    job = store.get([job_id(1)])[job_id(1)]
    claimed = store.transition(job, claim)

    assert job.details == "frame=1\x1b[2J ü"
    assert server.items(SETTINGS.job_domain)[job.id]["job_state"] == {"DOWNLOADING"}
    assert store.get([job.id])[job.id].history == claimed.history


@pytest.mark.parametrize(
    "damage", [{"parts": "x"}, {"r00": "{}"}, {"version": "-"}, {"r00": "[" * 1024}, {"parts": ["1", "2"]}]
)
def test_a_damaged_side_record_leaves_the_job_as_its_item_has_it(
    store: SimpledbJobStore, server: SimpleDB, damage: dict[str, str | list[str]]
) -> None:
    (stored,) = store.submit([make_job(1)])
    server.put(OURS, stored.id, damage)

    (job,) = store.unfinished()
    claimed = store.transition(job, claim)

    assert (job.state, job.source, job.created) == (stored.state, stored.source, stored.created)
    assert store.get([job.id]) == {job.id: claimed}
