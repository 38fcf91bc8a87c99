"""Taking over from media-nommer: its producers, its workers, its listeners, and the farm in feederd's place."""

import pytest

from tests.clips import Clips
from tests.end_to_end.aws_yard import keys
from tests.taking_over.takeover import Takeover, form, told
from tests.web import Web

OLD_ZONE = "America/New_York"


def test_an_old_producers_job_goes_through_an_old_workers_hands_while_cron_makes_the_passes(
    takeover: Takeover, listener: Web
) -> None:
    takeover.farm.here.settings["SIMPLEDB_OLD_ZONE"] = OLD_ZONE
    producer, worker = takeover.producer(OLD_ZONE), takeover.worker(OLD_ZONE)
    worker.beat()
    # given a job that was submitted, and what it was when feederd stopped
    job = producer.submit(notify_url=listener.url("/told"))
    item = takeover.raw(job)
    takeover.minute()
    assert (takeover.state(job), told(listener)) == ("PENDING", ["PENDING"])
    # when an old worker takes it, and works at it for as long as that takes
    assert worker.take() == job
    for state in ("DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"):
        if state != "DOWNLOADING":
            worker.set_state(job, state, "Job complete" if state == "FINISHED" else None)
        for _ in range(4):
            worker.beat(active=int(state != "FINISHED"))
            said = takeover.minute()
            assert (said.stdout, said.stderr) == ("", "")
        assert takeover.state(job) == state
    # then
    assert [form(asked) for asked in listener.asked] == [
        {"unique_id": job, "job_state": state, "job_state_details": "Job complete" if state == "FINISHED" else ""}
        for state in ("PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED")
    ]
    assert {asked.headers["Content-Type"] for asked in listener.asked} == {"application/x-www-form-urlencoded"}
    changed = {"job_state", "job_state_details", "last_modified_dtime"}
    assert takeover.raw(job).keys() - item.keys() <= changed, "nothing of ours is in the item"
    assert {name: item[name] for name in item.keys() - changed} == {
        name: takeover.raw(job)[name] for name in item.keys() - changed
    }
    assert worker.load(job)["job_state"] == "FINISHED"
    assert takeover.messages() == {}
    assert takeover.launched() == set(), "the old worker had room for it"


@pytest.mark.slow
def test_a_new_worker_does_an_old_producers_job_and_the_old_programs_can_read_what_it_writes(
    takeover: Takeover, listener: Web, clips: Clips
) -> None:
    producer = takeover.producer()
    source = put(takeover, "in/film.mov", clips["plain.mp4"].read_bytes())
    dest = f"s3://{takeover.farm.bucket}/out/film.mp4"
    options = [{"outfile_options": [["vn", None], ["acodec", "aac"]], "move_atom_to_front": True}]
    job = producer.submit(source, dest, notify_url=listener.url("/told"), options=options)
    takeover.minute()

    takeover.farm.cli.run("worker", "--once")
    takeover.minute()

    item = producer.load(job)
    assert (item["job_state"], item["source_path"], item["dest_path"]) == ("FINISHED", source, dest)
    assert told(listener) == ["PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"]
    assert keys(takeover.farm, "out/") == ["out/film.mp4"]
    assert takeover.messages() == {}


@pytest.mark.slow
def test_an_old_worker_does_what_is_submitted_to_the_new_farm(takeover: Takeover, listener: Web, clips: Clips) -> None:
    worker = takeover.worker()
    worker.beat()
    source = put(takeover, "in/film.mov", clips["plain.mp4"].read_bytes())
    there = "--dest", f"s3://{takeover.farm.bucket}/out/film.mp4", "--preset", "web-480p"
    said = takeover.farm.here.run("submit", source, *there, "--notify-url", listener.url("/told"), "--json")
    (submitted,) = said.json["jobs"]

    assert worker.take() == submitted["id"]
    takeover.minute()
    worker.set_state(submitted["id"], "FINISHED")
    takeover.minute()

    assert takeover.state(submitted["id"]) == "FINISHED"
    assert told(listener) == ["PENDING", "DOWNLOADING", "FINISHED"]


def put(takeover: Takeover, key: str, content: bytes) -> str:
    farm = takeover.farm
    farm.clients.s3().put_object(Bucket=farm.bucket, Key=key, Body=content)
    return f"s3://{farm.bucket}/{key}"
