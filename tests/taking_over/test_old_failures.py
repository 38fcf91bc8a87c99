"""What went wrong with media-nommer's feederd, one by one, and that it does not here."""

import signal
from functools import partial

import pytest

from tests.cli import eventually
from tests.simpledb.server import Cut
from tests.taking_over.takeover import HOUR, Takeover, form, only, told
from tests.web import Exchange, Web, reply, serving

pytestmark = pytest.mark.slow

# --- launches


def test_it_launched_past_its_maximum_whatever_was_running(takeover: Takeover) -> None:
    old = [takeover.worker(), takeover.worker()]
    for worker in old:
        worker.beat(active=2)
    for _ in range(40):
        takeover.producer().submit()

    takeover.minute(3)

    assert len(takeover.launched()) == 1, "of three at most, two were running"


@pytest.mark.slow
def test_two_of_it_launched_twice_as_many(takeover: Takeover) -> None:
    for _ in range(40):
        takeover.producer().submit()
    others = [takeover.other(name) for name in ("a", "b")]
    for other in others:
        other.run("refresh")

    running = [other.start("scale") for other in others for _ in range(2)]
    said = [each.communicate(timeout=60) for each in running]

    assert all("Traceback" not in err for _, err in said), said
    assert len(takeover.launched()) <= 3
    for other in others:
        other.run("run")
    assert len(takeover.launched()) == 3


# --- changes of state


@pytest.mark.slow
def test_a_change_was_lost_if_it_died_between_receiving_and_applying(takeover: Takeover) -> None:
    worker = takeover.worker()
    job = takeover.producer().submit()
    takeover.farm.here.run("refresh")
    worker.take()
    simpledb = takeover.farm.server
    simpledb.cut("GetAttributes", Cut.NEVER)
    before = simpledb.calls["GetAttributes"]

    with takeover.farm.cli.start("refresh", "--time-limit", "1") as struck:
        eventually(lambda: simpledb.calls["GetAttributes"] > before)
        struck.send_signal(signal.SIGKILL)
    simpledb.heal()

    assert takeover.state(job) == "PENDING"
    eventually(partial(_learns, takeover, job, "DOWNLOADING"), within=20)


def _learns(takeover: Takeover, job: str, state: str) -> bool:
    takeover.farm.here.run("refresh")
    return takeover.state(job) == state


def test_a_change_of_a_job_that_was_not_cached_was_dropped(takeover: Takeover) -> None:
    takeover.minute()
    job = takeover.producer().submit(queued=False)
    takeover.worker().set_state(job, "ENCODING")

    takeover.minute()

    assert takeover.state(job) == "ENCODING"


def test_one_bad_message_kept_the_others_back(takeover: Takeover) -> None:
    takeover.minute()
    job = takeover.producer().submit()
    for body in ("%%% no base64 %%%", "bm8gam9iIGF0IGFsbA==", "\u2603"):
        takeover.producer().send_raw(takeover.farm.settings.changes_queue, body)
    takeover.producer().send(takeover.farm.settings.changes_queue, "0" * 50)
    takeover.worker().set_state(job, "UPLOADING")

    takeover.minute()

    assert takeover.state(job) == "UPLOADING"
    assert takeover.messages().keys() <= {"new jobs"}


def test_one_vanished_item_stopped_it(takeover: Takeover) -> None:
    producer, worker = takeover.producer(), takeover.worker()
    vanished, job = producer.submit(), producer.submit()
    takeover.minute()
    takeover.vanish(vanished)
    worker.send(takeover.farm.settings.changes_queue, vanished)
    worker.set_state(job, "ENCODING")

    takeover.minute()
    takeover.clock.advance(HOUR)
    takeover.minute()

    assert {job: "ENCODING"} == {job_id: each["state"] for job_id, each in takeover.farm.here.listed().items()}


def test_a_worker_that_died_after_the_pop_took_the_job_with_it(takeover: Takeover) -> None:
    producer, dead, other = takeover.producer(), takeover.worker(), takeover.worker()
    job = producer.submit()
    takeover.minute()

    assert dead.pop(takeover.farm.settings.new_jobs_queue) == job
    assert other.take() is None
    for _ in range(3):
        takeover.clock.advance(HOUR)
        takeover.minute()

    assert other.take() == job


def test_no_job_is_queued_twice_because_an_old_worker_has_taken_another(takeover: Takeover) -> None:
    worker, other = takeover.worker(), takeover.worker()
    jobs = [takeover.producer().submit() for _ in range(4)]
    takeover.minute()
    taken = worker.take()
    for minute in range(6):
        worker.beat(active=int(minute > 2))  # it says so late
        takeover.minute()
        jobs.append(takeover.producer().submit())
    takeover.clock.advance(2 * HOUR)
    worker.beat(active=1)
    takeover.minute(3)

    took = []
    while (job := other.take()) is not None:
        took.append(job)

    assert sorted(took) == sorted(set(jobs) - {taken})


# --- abandon


def test_nobody_was_told_of_what_it_abandoned(takeover: Takeover, listener: Web) -> None:
    producer, worker = takeover.producer(), takeover.worker()
    job = producer.submit(notify_url=listener.url("/told"))
    takeover.minute()
    worker.take()
    takeover.minute()

    takeover.clock.advance(25 * HOUR)
    takeover.minute(2)

    assert told(listener) == ["PENDING", "DOWNLOADING", "ABANDONED"]
    assert form(listener.asked[-1])["job_state_details"] == "no sign of life for 25 h in DOWNLOADING"
    assert producer.load(job)["job_state"] == "ABANDONED"


def test_it_abandoned_by_its_cache_what_was_finished_in_the_store(takeover: Takeover) -> None:
    producer, worker = takeover.producer(), takeover.worker()
    job = producer.submit()
    worker.take()
    takeover.minute()
    assert takeover.state(job) == "DOWNLOADING"
    takeover.clock.advance(25 * HOUR)

    # when it is finished, and the message of that gets lost
    worker.set_state(job, "FINISHED")
    worker.pop(takeover.farm.settings.changes_queue)
    takeover.farm.here.run("abandon")

    assert producer.load(job)["job_state"] == "FINISHED"


def test_it_abandoned_what_was_finished_at_that_very_moment(takeover: Takeover) -> None:
    producer, worker = takeover.producer(), takeover.worker()
    job = producer.submit()
    worker.take()
    takeover.minute()
    takeover.clock.advance(25 * HOUR)

    # when an old worker, whose writes have no condition, writes between our read and our write
    takeover.farm.server.meanwhile("PutAttributes", lambda: worker.set_state(job, "FINISHED"))
    takeover.farm.here.run("abandon", code=None)
    takeover.minute()

    assert producer.load(job)["job_state"] == "FINISHED"
    assert takeover.state(job) == "FINISHED"


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "UTC", "Asia/Tokyo"])
def test_it_abandoned_what_a_worker_in_another_time_zone_had_just_begun(takeover: Takeover, zone: str) -> None:
    takeover.farm.here.settings |= {"SIMPLEDB_OLD_ZONE": zone, "UPKEEP_ABANDON_AFTER": "2h"}
    job = takeover.producer(zone).submit()
    takeover.worker(zone).take()

    takeover.minute()
    takeover.clock.advance(1.9 * HOUR)
    takeover.minute()
    fresh = takeover.state(job)
    takeover.clock.advance(0.2 * HOUR)
    takeover.minute(2)

    assert (fresh, takeover.state(job)) == ("DOWNLOADING", "ABANDONED")


# --- what it could not read


def test_a_time_without_microseconds_stopped_it(takeover: Takeover) -> None:
    producer = takeover.producer()
    whole = producer.now()[:19]
    job = producer.submit(creation_dtime=whole, last_modified_dtime=whole)
    takeover.minute()
    assert takeover.state(job) == "PENDING"

    # and what is written at the first microsecond of a second has them all the same
    takeover.clock.now = takeover.clock.now // 1_000_000 * 1_000_000
    takeover.farm.here.run("cancel", job)

    assert takeover.raw(job)["last_modified_dtime"].endswith(".000000")
    assert takeover.raw(job)["job_state"] == "ABANDONED"


def test_letters_beyond_ascii_stopped_it(takeover: Takeover, listener: Web) -> None:
    producer, worker = takeover.producer(), takeover.worker()
    source = "s3://films/in/Überraschung \U0001f3ac 日本.mov"
    job = producer.submit(source, "s3://films/out/ü.mp4", notify_url=listener.url("/told"))
    takeover.minute()
    worker.take()
    worker.set_state(job, "ERROR", "Datei „Überraschung“ ist beschädigt")

    takeover.minute(code=None)

    assert takeover.farm.here.listed()[job]["source"] == source
    assert form(listener.asked[-1])["job_state_details"] == "Datei „Überraschung“ ist beschädigt"


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f3ac"])
def test_details_of_more_than_a_kilobyte_stopped_it(takeover: Takeover, letter: str) -> None:
    producer = takeover.producer()
    job = producer.submit(
        letter * 250 + "-none.xyz", "s3://films/out/a.mp4"
    )  # no source of ours: it fails, and says so

    takeover.farm.cli.run("worker", "--once")
    takeover.minute(code=None)

    item = producer.load(job)
    assert item["job_state"] == "ERROR"
    assert 0 < len(item["job_state_details"].encode()) <= 1023


def test_one_bad_item_stopped_it(takeover: Takeover) -> None:
    producer = takeover.producer()
    good = producer.submit()
    bad = [
        producer.submit(job_state="RESTING"),
        producer.submit(nommer="media_nommer.nommers.Gone"),
        producer.submit(job_options="[{'not': 'json'}]"),
        producer.submit(last_modified_dtime="None"),
        producer.submit(creation_dtime="yesterday"),
    ]
    producer.sdb.put_attributes(
        DomainName=takeover.farm.settings.job_domain,
        ItemName="e" * 50,
        Attributes=[{"Name": "unique_id", "Value": "e" * 50}],
    )

    takeover.minute(2)

    listed = takeover.farm.here.listed()
    assert listed.keys() == {good, *bad, "e" * 50}
    assert listed[good]["state"] == "PENDING"
    assert all(listed[job]["reason"] for job in (*bad, "e" * 50))


# --- listeners


def test_a_listener_that_answered_500_was_never_told_again(takeover: Takeover) -> None:
    answers = iter([500, 500, 200])

    def moody(exchange: Exchange) -> None:
        reply(next(answers, 200))(exchange)

    with serving({"/told": moody}) as listener:
        job = takeover.producer().submit(notify_url=listener.url("/told"))
        takeover.minute(code=3)
        takeover.worker().take()
        for seconds in (5, 5 * 60, 30 * 60):  # when it is asked again
            takeover.clock.advance(seconds)
            takeover.minute(code=None)

        assert told(listener, job) == ["PENDING", "PENDING", "PENDING", "DOWNLOADING"]
        assert only([each.headers["Content-Type"] for each in listener.asked], "application/x-www-form-urlencoded")
