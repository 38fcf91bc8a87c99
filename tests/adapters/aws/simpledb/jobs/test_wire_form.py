"""What we write into the items of jobs, byte for byte as media-nommer reads it, and what we never write there."""

from functools import partial
from typing import Any

import pytest
from msgspec import structs

from nommerctl.adapters.aws.simpledb.domains import UNHELD
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.adapters.aws.simpledb.old_items import options_text
from nommerctl.adapters.presets import PresetLibrary
from nommerctl.domain.job import EncodePass, JobId
from nommerctl.domain.moves import failed, retried, submitted
from nommerctl.domain.states import JobState
from nommerctl.errors import DestinationError, OptionsError, SourceError, UsageError
from tests.adapters.aws.simpledb.jobs.deployment import URL, Deployment
from tests.builders import job_id, make_job
from tests.media_nommer import FFMPEG
from tests.simpledb_jobs import OURS, SETTINGS

THREE_THINGS = {"job_state", "job_state_details", "last_modified_dtime"}
"""All that ever changes in an item."""


@pytest.fixture
def deployment(deployment: Deployment) -> Deployment:
    deployment.zone = "America/New_York"
    return deployment


def error(details: str, deployment: Deployment, job: JobId) -> None:
    """Let a worker of ours fail over a job that it has in hand, with these details."""
    now = deployment.clock.advance(1)
    move = partial(failed, lease_id="lease-1", now=now, details=details, command=None, log=None)
    deployment.store().transition(job, move)


# --- the ten attributes


def test_a_new_job_has_the_attributes_of_old_code_and_no_other(deployment: Deployment) -> None:
    job = deployment.submit(1)

    assert deployment.item(job) == {
        "unique_id": job_id(1),
        "source_path": "/srv/in/1.mov",
        "dest_path": "/srv/out/1.mp4",
        "nommer": FFMPEG,
        "job_options": '[{"outfile_options":[["vcodec","libx264"],["crf",23]]}]',
        "job_state": "PENDING",
        "notify_url": URL,
        "creation_dtime": "2026-01-01 04:00:01.000000",
        "last_modified_dtime": "2026-01-01 04:00:01.000000",
    }


def test_what_a_job_does_not_have_is_no_attribute(deployment: Deployment) -> None:
    job = deployment.submit(notify_url=None)

    assert {"notify_url", "job_state_details"}.isdisjoint(deployment.item(job))


def test_options_are_written_as_old_code_takes_them(deployment: Deployment, store: SimpledbJobStore) -> None:
    first = EncodePass(outfile_options=(("pass", 1), ("an", None)), infile_options=(("ss", 1.5),))
    second = EncodePass(outfile_options=(("pass", 2), ("b:v", "1M")), move_atom_to_front=True)

    store.submit([make_job(1, options=(first, second))])

    assert deployment.item(job_id(1))["job_options"] == (
        '[{"outfile_options":[["pass",1],["an",null]],"infile_options":[["ss",1.5]]},'
        '{"outfile_options":[["pass",2],["b:v","1M"]],"move_atom_to_front":true}]'
    )


def test_each_step_changes_three_attributes_and_old_code_reads_it(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = deployment.submit()
    new = deployment.item(job)
    given = new.keys() - THREE_THINGS
    steps = [deployment.claim(), deployment.advance(), deployment.advance(JobState.UPLOADING), deployment.finish()]

    written = []
    for step in steps:
        store.transition(job, step)
        item = deployment.old.load(job)
        assert {name: item[name] for name in given} == {name: new[name] for name in given}
        assert item.keys() <= given | THREE_THINGS
        written.append((item["job_state"], item["last_modified_dtime"]))

    assert written == [
        ("DOWNLOADING", "2026-01-01 04:00:02.000000"),
        ("ENCODING", "2026-01-01 04:00:03.000000"),
        ("UPLOADING", "2026-01-01 04:00:04.000000"),
        ("FINISHED", "2026-01-01 04:00:05.000000"),
    ]


def test_all_ten_are_there_once_a_job_had_details_which_are_empty_when_it_has_none_any_more(
    deployment: Deployment,
) -> None:
    job = deployment.begun()

    error("the disk is full", deployment, job)

    assert len(deployment.old.load(job)) == 10
    assert deployment.item(job)["job_state_details"] == "the disk is full"

    deployment.store().transition(job, partial(retried, now=deployment.clock.advance(1), by="cli"))

    assert deployment.item(job)["job_state_details"] == ""
    assert deployment.job(job).details is None


def test_what_changes_no_state_leaves_the_item_alone(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = deployment.begun()
    before = deployment.item(job)

    moved = store.transition(job, lambda current: structs.replace(current, told=1))

    assert deployment.item(job) == before
    assert deployment.job(job) == moved


# --- what has no room


@pytest.mark.parametrize("name", PresetLibrary().names())
def test_every_preset_has_room_and_reads_back_from_the_item_alone(
    deployment: Deployment, store: SimpledbJobStore, name: str
) -> None:
    passes = PresetLibrary().load(name).passes
    assert len(options_text(passes).encode()) <= 1024

    store.submit([make_job(1, options=passes)])
    deployment.server.delete(OURS, job_id(1))

    found = deployment.job(job_id(1))
    assert (found.options, found.fault) == (passes, None)


TOO_LONG: dict[str, tuple[dict[str, Any], type[UsageError], str]] = {
    "source": (
        {"source": "s3://films/" + "x" * 1014},
        SourceError,
        "source_path of job {} takes 1,025 bytes, and a value in SimpleDB has room for 1,024: choose a shorter one",
    ),
    "destination of letters beyond ASCII": (
        {"dest": "s3://films/" + "ü" * 507},
        DestinationError,
        "dest_path of job {} takes 1,025 bytes, and a value in SimpleDB has room for 1,024: choose a shorter one",
    ),
    "listener": (
        {"notify_url": "https://a.example/" + "x" * 1007},
        UsageError,
        "notify_url of job {} takes 1,025 bytes, and a value in SimpleDB has room for 1,024: choose a shorter one",
    ),
    "options": (
        {"options": (EncodePass(outfile_options=(("metadata", "x" * 1024),)),)},
        OptionsError,
        (
            "job_options of job {} takes 1,063 bytes, and a value in SimpleDB has room for 1,024: choose fewer or"
            " shorter options"
        ),
    ),
    "what XML cannot hold": (
        {"source": "s3://films/a\x1b[2J.mov"},
        SourceError,
        "source_path of job {} has the character '\\x1b', which SimpleDB cannot keep: leave it out",
    ),
}


@pytest.mark.parametrize("name", TOO_LONG)
def test_what_has_no_room_in_an_item_is_refused_before_anything_is_stored(
    deployment: Deployment, store: SimpledbJobStore, name: str
) -> None:
    given, kind, sentence = TOO_LONG[name]

    with pytest.raises(UsageError) as caught:
        store.submit([make_job(1), make_job(2, **given)])

    assert type(caught.value) is kind
    assert str(caught.value) == sentence.format(job_id(2))
    assert (deployment.server.items(SETTINGS.job_domain), deployment.side_records) == ({}, {})


@pytest.mark.parametrize("letter", ["x", "ü", "日", "\U0001f3ac"])
@pytest.mark.parametrize("more", range(4))
def test_the_last_1023_bytes_of_details_are_written_and_all_of_them_kept(
    deployment: Deployment, letter: str, more: int
) -> None:
    details = letter * (1200 // len(letter.encode())) + "." * more
    job = deployment.begun()

    error(details, deployment, job)

    written = deployment.old.load(job)["job_state_details"]
    assert details.endswith(written)
    assert 1023 - len(letter.encode()) < len(written.encode()) <= 1023
    assert deployment.job(job).details == details


# --- characters that XML cannot hold


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\r", "\x1b", "\x7f", "\x9b", "\ufffe", "\ufdd0", "\U0001ffff"])
def test_details_with_a_character_that_xml_cannot_hold_are_written_with_its_name(
    deployment: Deployment, character: str
) -> None:
    job = deployment.begun()

    error(f"before{character}after", deployment, job)

    written = deployment.item(job)["job_state_details"]
    assert (written[:7], written[-5:]) == ("before\\", "after")
    for domain in (SETTINGS.job_domain, OURS):
        for item in deployment.server.items(domain).values():
            for values in item.values():
                assert not UNHELD.search("".join(values))
    assert deployment.job(job).details == f"before{character}after"


def test_what_an_old_program_wrote_of_them_is_read_as_it_is_and_kept(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    # given a job of which SimpleDB answers three attributes in base64
    source, url = "s3://films/a\x0b\U0001f3ac.mov", "https://a.example/\x07"
    job = deployment.produce(source_path=source, notify_url=url, job_state_details="\x1b[31mred")
    deployment.produce()

    for found in (
        *store.find(job, 2),
        *store.find(job[:49], 2),
        *(each for each in store.unfinished() if each.id == job),
    ):
        assert (found.source, found.notify_url, found.details, found.fault) == (source, url, "\x1b[31mred", None)

    # when a worker of ours takes it
    store.transition(job, deployment.claim())

    item = deployment.item(job)
    assert (item["job_state"], item["source_path"], item["notify_url"]) == ("DOWNLOADING", source, url)
    assert deployment.job(job).source == source


def test_a_last_change_that_comes_in_base64_is_a_fault_and_can_be_written_over(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = deployment.produce(last_modified_dtime="2026-01-01\x00")
    assert deployment.job(job).fault == "its last_modified_dtime '2026-01-01\\x00' is no time"

    assert store.transition(job, deployment.claim()).state is JobState.DOWNLOADING

    assert deployment.item(job)["job_state"] == "DOWNLOADING"


def test_a_job_is_stored_with_letters_of_all_kinds(store: SimpledbJobStore, deployment: Deployment) -> None:
    job = submitted(
        make_job(1, source="s3://films/Überraschung 日本 \U0001f3ac & <'\"> `%.mov", client_id="\x00ü\r"), by="ü"
    )

    (stored,) = store.submit([job])

    assert deployment.job(job.id) == stored
    assert deployment.item(job.id)["source_path"] == job.source
