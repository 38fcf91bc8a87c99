"""What stands in the domain of media-nommer after we wrote there: its own programs have to go on reading it."""

import pytest
from msgspec import structs

from nommerctl.adapters.aws.simpledb.domains import UNHELD
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.adapters.aws.simpledb.old_items import options_text
from nommerctl.adapters.presets import PresetLibrary
from nommerctl.domain import moves
from nommerctl.domain.job import EncodePass, EncodingJob
from nommerctl.domain.limits import AttemptLimits
from nommerctl.domain.times import micros
from nommerctl.errors import UsageError
from tests.builders import job_id, make_job, make_lease
from tests.fakes.clock import START
from tests.simpledb.server import SimpleDB
from tests.simpledb_jobs import NOMMER, OURS, SETTINGS

NOW = START + micros(100)


def claim(job: EncodingJob) -> EncodingJob:
    return moves.claimed(job, lease=make_lease(until=NOW + micros(90)), now=NOW, limits=AttemptLimits())


def fail(job: EncodingJob, details: str) -> EncodingJob:
    return moves.failed(job, lease_id="lease-1", now=NOW + 1, details=details, command=None, log=None)


def item(server: SimpleDB, number: int = 1) -> dict[str, str]:
    found = server.items(SETTINGS.job_domain)[job_id(number)]
    assert all(len(values) == 1 for values in found.values())
    return {name: next(iter(values)) for name, values in found.items()}


def test_a_submitted_job_is_an_item_as_old_producers_write_it(store: SimpledbJobStore, server: SimpleDB) -> None:
    options = (EncodePass(outfile_options=(("vcodec", "libx264"), ("an", None), ("b:v", 1)), move_atom_to_front=True),)
    job = make_job(1, options=options, notify_url="http://listener.example/?a=1&b=é", details="x", created=START)

    store.submit([job])

    assert item(server) == {
        "unique_id": "0" * 49 + "1",
        "source_path": "/srv/in/1.mov",
        "dest_path": "/srv/out/1.mp4",
        "nommer": NOMMER,
        "job_options": '[{"outfile_options":[["vcodec","libx264"],["an",null],["b:v",1]],"move_atom_to_front":true}]',
        "job_state": "PENDING",
        "job_state_details": "x",
        "notify_url": "http://listener.example/?a=1&b=é",
        "creation_dtime": "2026-01-01 09:00:00.000000",
        "last_modified_dtime": "2026-01-01 09:00:00.000000",
    }


def test_what_a_job_does_not_have_is_left_out(store: SimpledbJobStore, server: SimpleDB) -> None:
    store.submit([make_job(1)])

    assert len(item(server)) == 8
    assert not {"notify_url", "job_state_details"} & item(server).keys()


def test_a_change_of_state_writes_three_attributes(store: SimpledbJobStore, server: SimpleDB) -> None:
    store.submit([make_job(1)])
    before = item(server)

    store.transition(job_id(1), claim)
    store.transition(job_id(1), lambda job: fail(job, "no such file"))

    assert item(server) == before | {
        "job_state": "ERROR",
        "job_state_details": "no such file",
        "last_modified_dtime": "2026-01-01 09:01:40.000001",
    }


def test_details_that_are_gone_are_an_empty_text(store: SimpledbJobStore, server: SimpleDB) -> None:
    store.submit([make_job(1)])
    store.transition(job_id(1), claim)
    store.transition(job_id(1), lambda job: fail(job, "no such file"))

    again = store.transition(job_id(1), lambda job: moves.retried(job, now=NOW + 2, by="operator"))

    assert item(server)["job_state_details"] == ""
    assert store.get([again.id])[again.id].details is None


def test_renewals_and_notes_leave_the_item_alone(store: SimpledbJobStore, server: SimpleDB) -> None:
    store.submit([make_job(1)])
    store.transition(job_id(1), claim)
    before = item(server)

    store.transition(
        job_id(1), lambda job: moves.renewed(job, lease_id="lease-1", until=NOW + micros(200), progress=None)
    )
    store.transition(job_id(1), lambda job: moves.told(job, seq=1))

    assert item(server) == before


def test_the_item_has_the_end_of_long_details_and_the_side_record_has_all_of_them(
    store: SimpledbJobStore, server: SimpleDB
) -> None:
    details = "ü" * 800 + "!"
    store.submit([make_job(1)])
    store.transition(job_id(1), claim)

    store.transition(job_id(1), lambda job: fail(job, details))

    assert item(server)["job_state_details"] == "ü" * 511 + "!"
    assert store.get([job_id(1)])[job_id(1)].details == details


@pytest.mark.parametrize("bad", ["\x1b[2J", "a\0b", "\uffff", "\U0001fffe", "a\rb", "\x85\x9f"])
def test_what_xml_cannot_hold_is_escaped_in_the_item_and_whole_beside_it(
    store: SimpledbJobStore, server: SimpleDB, bad: str
) -> None:
    store.submit([make_job(1)])
    store.transition(job_id(1), claim)

    store.transition(job_id(1), lambda job: fail(job, f"said {bad}"))

    assert item(server)["job_state_details"].startswith("said ")
    assert item(server)["job_state_details"].isascii() or "\x85" in bad
    assert store.get([job_id(1)])[job_id(1)].details == f"said {bad}"
    assert not [value for values in server.items(OURS)[job_id(1)].values() for value in values if UNHELD.search(value)]


def test_a_time_without_microseconds_is_written_with_them(store: SimpledbJobStore, server: SimpleDB) -> None:
    store.submit([make_job(1, created=START, changed=START)])

    assert item(server)["creation_dtime"].endswith(".000000")
    assert item(server)["last_modified_dtime"].endswith(".000000")


def test_two_changes_in_one_microsecond_have_two_fences(store: SimpledbJobStore, server: SimpleDB) -> None:
    store.submit([make_job(1, created=NOW, changed=NOW)])
    first = item(server)["last_modified_dtime"]

    claimed = store.transition(job_id(1), claim)

    assert item(server)["last_modified_dtime"] != first
    assert store.get([claimed.id]) == {claimed.id: claimed}
    assert claimed.changed == NOW


LONG = (EncodePass(outfile_options=(("vf", "x" * 1200),)),)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"options": LONG}, r"job_options of job 0{49}1 takes 1,233 bytes.*1,024: choose fewer or shorter options"),
        ({"source": "/" + "ü" * 512}, r"source_path of job 0{49}1 takes 1,025 bytes"),
        ({"dest": "/" + "x" * 1024}, r"dest_path of job 0{49}1 takes 1,025 bytes"),
        ({"notify_url": "http://" + "x" * 1024}, r"notify_url of job 0{49}1 takes 1,031 bytes"),
        ({"source": "/a\x1bb"}, r"source_path of job 0{49}1 has the character '\\x1b'"),
        ({"dest": "/a\udcffb"}, r"dest_path of job 0{49}1 has the character '\\udcff'"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_stored(
    store: SimpledbJobStore, server: SimpleDB, overrides: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        store.submit([make_job(2), make_job(1, **overrides)])

    assert server.items(SETTINGS.job_domain) == {}
    assert OURS not in server.domains


def test_values_of_the_full_length_fit(store: SimpledbJobStore) -> None:
    job = make_job(1, source="/" + "x" * 1023, dest="/" + "ü" * 511 + "x")

    (stored,) = store.submit([job])

    assert store.get([job.id]) == {job.id: stored}


def test_names_in_any_script_go_there_and_back(store: SimpledbJobStore, server: SimpleDB) -> None:
    job = make_job(1, source="/срц/ 映画 '\"`%_\U0001f3ac.mov ", dest="/ä/b.mp4")

    (stored,) = store.submit([job])

    assert item(server)["source_path"] == job.source
    assert store.get([job.id]) == {job.id: stored}


@pytest.mark.parametrize("name", PresetLibrary().names())
def test_every_preset_fits_into_an_item(name: str) -> None:
    assert len(options_text(PresetLibrary().load(name).passes).encode()) <= 1024


def test_a_record_of_any_length_is_kept_whole_or_without_what_is_there_to_read(store: SimpledbJobStore) -> None:
    store.submit([make_job(1)])

    long = store.transition(job_id(1), lambda job: structs.replace(job, command="ü" * 40_000, log="x" * 4096))
    longer = store.transition(job_id(1), lambda job: structs.replace(job, command="\x7f" * 200_000))

    assert long.command == "ü" * 40_000
    assert longer.command is None
    assert store.get([longer.id]) == {longer.id: longer}


def test_a_record_that_gets_shorter_leaves_nothing_of_the_longer_one(store: SimpledbJobStore) -> None:
    store.submit([make_job(1)])
    store.transition(job_id(1), lambda job: structs.replace(job, command="x" * 9000))

    short = store.transition(job_id(1), lambda job: structs.replace(job, command=None))

    assert store.get([short.id]) == {short.id: short}


def test_a_removed_job_leaves_nothing(store: SimpledbJobStore, server: SimpleDB) -> None:
    (job,) = store.submit([make_job(1)])

    assert store.remove(job)

    assert server.items(SETTINGS.job_domain) == server.items(OURS) == {}
