"""The command line on what media-nommer left: its producers, its workers and its heartbeats, by its wire format."""

from typing import Any

import pytest

from nommerctl.adapters.aws.names import FARM_TAG, ledger_table
from nommerctl.domain.times import micros
from nommerctl.wiring import process
from tests.aws_farm import AMI
from tests.clips import Clips
from tests.simpledb_farm import SimpledbFarm

pytestmark = pytest.mark.slow

DAY = 24 * 3600.0


def scaled(farm: SimpledbFarm, *flags: str) -> dict[str, Any]:
    """Refresh and scale; return what that says."""
    farm.here.run("refresh")
    document: dict[str, Any] = farm.here.run("scale", "--json", *flags).json
    return document


def test_a_job_of_an_old_producer_is_listed_and_followed_to_its_end(taken_over: SimpledbFarm) -> None:
    job_id = taken_over.produced()
    assert taken_over.here.refreshed_states() == ["PENDING"]

    for state in ("DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"):
        taken_over.moved(job_id, state)
        assert {each: job["state"] for each, job in taken_over.here.refreshed().items()} == {job_id: state}


def test_a_job_that_is_submitted_here_is_what_an_old_worker_expects(taken_over: SimpledbFarm) -> None:
    source = f"s3://{taken_over.bucket}/film.mov"
    taken_over.clients.s3().put_object(Bucket=taken_over.bucket, Key="film.mov", Body=b"x")

    done = taken_over.here.run(
        "submit", source, "--dest", f"s3://{taken_over.bucket}/", "--preset", "audio-m4a", "--json"
    )

    (job,) = done.json["jobs"]
    item = taken_over.item(job["id"])
    assert (item["unique_id"], item["job_state"], item["source_path"]) == (job["id"], "PENDING", source)
    assert [message.body for message in taken_over.new_jobs.receive(10, 0)] == [job["id"]]


def test_i2_old_workers_count_and_their_slots_are_used_first(taken_over: SimpledbFarm) -> None:
    # given two old workers that live, each with room for two jobs and one in hand, and two jobs more
    taken_over.here.settings |= {"SCALE_MAX_NODES": "3", "SCALE_JOBS_PER_NODE": "2", "SCALE_OVERFLOW_THRESHOLD": "1"}
    for _ in range(2):
        taken_over.beat(taken_over.launched(), active=1)
        taken_over.moved(taken_over.produced(announced=False), "ENCODING")
        taken_over.produced()

    plan = scaled(taken_over)["plan"]
    numbers = [plan["inputs"][name] for name in ("demand", "queued", "nodes", "slots")]
    assert (plan["launch"], numbers) == (0, [4, 2, 2, 4])

    # when there are many more, of which old producers send no word of a change
    for _ in range(10):
        taken_over.produced()
    assert scaled(taken_over)["plan"]["launch"] == 0
    plan = scaled(taken_over)["plan"]

    # then what is launched, from the farm's own image, keeps within the bound
    assert (plan["launch"], plan["inputs"]["demand"]) == (1, 14)
    (launched,) = running_of(taken_over, AMI)
    assert taken_over.ledger.overview().launches[-1].nodes == (launched,)
    assert scaled(taken_over)["plan"]["launch"] == 0


def running_of(farm: SimpledbFarm, image: str) -> list[str]:
    """The nodes that run from an image."""
    shown = farm.clients.ec2.describe_instances(Filters=[{"Name": "image-id", "Values": [image]}])
    return [
        each["InstanceId"]
        for reservation in shown["Reservations"]
        for each in reservation["Instances"]
        if each["State"]["Name"] in {"pending", "running"}
    ]


def test_a_quiet_minute_with_an_old_worker_at_work_reads_no_store_anew(taken_over: SimpledbFarm) -> None:
    taken_over.beat(taken_over.launched(), active=1)
    taken_over.moved(taken_over.produced(announced=False), "ENCODING")
    for _ in range(2):
        taken_over.here.run("run")
    taken_over.server.calls.clear()

    assert taken_over.here.run("run").stdout == ""

    assert dict(taken_over.server.calls) == {"GetAttributes": 3, "Select": 7}


def test_an_old_worker_that_fell_silent_is_neither_marked_nor_ended(taken_over: SimpledbFarm) -> None:
    node = taken_over.launched()
    taken_over.beat(node, active=0, at=process.clock() - micros(7200.0))
    before = taken_over.server.items(taken_over.settings.heartbeat_domain)

    for _ in range(2):
        assert scaled(taken_over)["changed"] == []

    assert taken_over.server.items(taken_over.settings.heartbeat_domain) == before
    shown = taken_over.here.run("nodes", "--json").json["nodes"]
    assert [(each["id"], each["alive"]) for each in shown] == [(node, True)]


def test_what_an_old_worker_may_still_have_in_hand_is_not_abandoned(taken_over: SimpledbFarm) -> None:
    # given two jobs in work, without a word for more than a day, and a worker that says that it has one in hand
    older, newer = taken_over.produced(), taken_over.produced()
    taken_over.moved(older, "ENCODING", at=process.clock() - micros(2 * DAY))
    taken_over.moved(newer, "ENCODING", at=process.clock() - micros(DAY + 60))
    taken_over.beat(taken_over.launched(), active=1)
    taken_over.here.run("refresh")

    outcome = taken_over.here.run("abandon", "--json").json

    assert [change["target"] for change in outcome["changed"]] == [older]
    assert taken_over.item(older)["job_state"] == "ABANDONED"
    assert taken_over.item(newer)["job_state"] == "ENCODING"


def test_i6_a_dry_run_writes_nothing(taken_over: SimpledbFarm) -> None:
    taken_over.produced()
    taken_over.here.run("refresh")
    before = {domain: taken_over.server.items(domain) for domain in taken_over.server.domains}

    assert taken_over.here.run("run", "--dry-run", "--json").json["passes"][2]["plan"]["launch"] == 1

    assert {domain: taken_over.server.items(domain) for domain in taken_over.server.domains} == before


@pytest.mark.parametrize("command", [("bootstrap", "--dry-run"), ("iam-policy", "operator"), ("teardown", "--dry-run")])
def test_nothing_of_it_is_made_or_taken_down(taken_over: SimpledbFarm, command: tuple[str, ...]) -> None:
    done = taken_over.here.run("aws", *command, code=78)

    assert done.stderr == (
        "nommerctl: farm.backend is simpledb, whose domains and queues media-nommer made: nothing of it is made or"
        " taken down here; give --backend aws for a farm of backend aws of this name\n"
    )


def test_a_queue_that_is_not_there_is_a_fault_of_the_settings(taken_over: SimpledbFarm) -> None:
    taken_over.here.settings["SIMPLEDB_NEW_JOBS_QUEUE"] = "nobodys"

    done = taken_over.here.run("scale", code=78)

    assert "queue 'nobodys' is not there in this account and region" in done.stderr
    assert done.stderr.endswith("put simpledb.new_jobs_queue, simpledb.changes_queue or aws.region right\n")


def test_dead_letters_are_none_where_there_is_no_queue_for_them(taken_over: SimpledbFarm) -> None:
    assert taken_over.here.run("queue", "dead", "list", "--json").json["messages"] == []


@pytest.mark.slow
def test_a_worker_of_ours_takes_a_job_of_an_old_producer_to_its_end(taken_over: SimpledbFarm, clips: Clips) -> None:
    film = clips["plain.mp4"].read_bytes()
    taken_over.clients.s3().put_object(Bucket=taken_over.bucket, Key="film.mov", Body=film)
    job_id = taken_over.produced()

    taken_over.cli.run("worker", "--once")

    item = taken_over.item(job_id)
    assert (item["job_state"], item["last_modified_dtime"] > item["creation_dtime"]) == ("FINISHED", True)
    assert taken_over.clients.s3().head_object(Bucket=taken_over.bucket, Key=f"{job_id}.mp4")["ContentLength"] > 0
    assert taken_over.here.refreshed_states() == ["FINISHED"]
    (row,) = taken_over.server.items(taken_over.settings.heartbeat_domain).values()
    assert (row["state"], row["active_jobs"]) == ({"TERMINATED"}, {"0"})


def test_a_worker_takes_no_settings_from_a_table_that_such_a_farm_does_not_have(taken_over: SimpledbFarm) -> None:
    done = taken_over.here.run("worker", "--ledger", ledger_table(taken_over.name), code=78)

    assert done.stderr == (
        "nommerctl: --ledger names a DynamoDB table, which no farm of backend simpledb has: give --config instead\n"
    )


def test_nodes_of_ours_carry_the_tag_that_lets_them_be_ended(taken_over: SimpledbFarm) -> None:
    taken_over.produced()
    scaled(taken_over)

    (node,) = running_of(taken_over, AMI)
    (reservation,) = taken_over.clients.ec2.describe_instances(InstanceIds=[node])["Reservations"]
    tags = {tag["Key"]: tag["Value"] for tag in reservation["Instances"][0]["Tags"]}
    assert tags[FARM_TAG] == taken_over.name
