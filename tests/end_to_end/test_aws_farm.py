"""A farm on AWS, from files in S3 to files in S3: passes as cron makes them, workers on instances that come and go."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nommerctl.domain.fleet import Pool
from tests.answering import Answer
from tests.aws_farm import AwsFarm
from tests.aws_instances import Instances, Machine
from tests.cli import eventually
from tests.clips import Clips
from tests.end_to_end.aws_yard import (
    everything_was_told_once,
    farm_with_template,
    ledger,
    messages,
    outputs_are_whole,
    unfinished_uploads,
)
from tests.fakes import ec2_wire
from tests.web import Web, reply, serving

pytestmark = pytest.mark.slow

NO_CAPACITY = Answer(
    200,
    {"Content-Type": "text/xml"},
    ec2_wire.fleet([], [(Pool("c7i.large", "", "spot"), "InsufficientInstanceCapacity")]),
)
PRICE = 0.0893


@pytest.fixture
def farm(aws: AwsFarm) -> Iterator[AwsFarm]:
    with farm_with_template(aws, AWS_PRICES=f"c7i.large={PRICE}") as made:
        yield made


@pytest.fixture
def instances(farm: AwsFarm, tmp_path: Path) -> Iterator[Instances]:
    folder = tmp_path / "instances"
    with Instances(farm.clients.ec2, farm.name, folder, farm.cli.environment()).watched() as watched:
        yield watched


@pytest.fixture
def listener() -> Iterator[Web]:
    with serving({"/told": reply()}) as web:
        yield web


class Cron:
    """Makes the passes; each call of `minute` stands for one of cron's. `nodes` is what was seen of each node."""

    def __init__(self, farm: AwsFarm) -> None:
        self._farm = farm
        self.nodes: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}

    def minute(self) -> None:
        said = self._farm.cli.run("run", "--quiet")
        assert (said.stdout, said.stderr) == ("", "")
        self.nodes |= {node["id"]: node for node in self._farm.here.run("nodes", "--json").json["nodes"]}
        self.jobs = self._farm.here.listed()

    def states(self) -> list[str]:
        self.minute()
        return sorted(job["state"] for job in self.jobs.values())


def test_six_clips_in_s3_are_encoded_whatever_becomes_of_the_instances(
    farm: AwsFarm, instances: Instances, clips: Clips, listener: Web, tmp_path: Path
) -> None:
    cron = Cron(farm)
    there = "--dest", f"s3://{farm.bucket}/out/", "--preset", "web-1080p", "--notify-url", listener.url("/told")
    # given two long films, and a spot instance in the middle of each
    picture = "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=5", "-c:v", "libx264", "-crf", "45"
    long = clips.make("long.mp4", "-stream_loop", "19", "-i", str(clips.make("coarse.mp4", *picture)), "-c", "copy")
    films = [farm.put(f"in/film-{number}.mp4", long.read_bytes()) for number in (1, 2)]
    farm.cli.run("submit", *films, *there)
    eventually(lambda: cron.states() == ["ENCODING"] * 2, within=30)
    lost, noticed = (instances.machines[job["node"]] for job in cron.jobs.values())
    # when one dies with its host and the other one is taken back, while four more clips come and spot has run out
    # (what is left of the films is short, so that nobody waits for it)
    for film in films:
        farm.put(film.partition(f"{farm.bucket}/")[2], clips["plain.mp4"].read_bytes())
    noticed.service.interrupt()
    instances.cut_off(lost)
    farm.cloud.fail("ec2", "CreateFleet", NO_CAPACITY)
    more = [farm.put(f"in/clip-{number}.mp4", clips["plain.mp4"].read_bytes()) for number in range(1, 5)]
    farm.cli.run("submit", *more, *there)
    eventually(lambda: cron.states() == ["FINISHED"] * 6, within=60)
    instances.wait_until_gone()
    cron.minute()
    # then
    names = "clip-1", "clip-2", "clip-3", "clip-4", "film-1", "film-2"
    outputs_are_whole(farm, [f"{name}-web-1080p.mp4" for name in names], tmp_path / "output.mp4")
    nothing_is_left(farm, instances, lost)
    the_interrupted_were_handed_on(farm, instances, lost, noticed)
    everything_was_told_once(documents(farm), listener)
    it_is_known_what_it_cost(cron)
    it_is_known_why(farm)


def nothing_is_left(farm: AwsFarm, instances: Instances, lost: Machine) -> None:
    assert unfinished_uploads(farm) == []
    assert messages(farm) == {}
    assert farm.here.run("nodes", "--json").json["nodes"] == []
    assert set(ledger(farm).heartbeats) == {lost.id}, "it could not take its leave; DynamoDB removes it by and by"
    assert [machine.id for machine in instances.machines.values() if not machine.shut_itself_down] == [lost.id]
    assert {machine.worker.wait(timeout=10) for machine in instances.machines.values()} == {0, -signal.SIGKILL}
    assert instances.most == 3, "max_nodes, and they were all needed"


def the_interrupted_were_handed_on(farm: AwsFarm, instances: Instances, lost: Machine, noticed: Machine) -> None:
    assert (lost.market, noticed.market) == ("spot", "spot")
    assert "ends: EC2 takes this spot instance back: terminate at 2026-01-01T09:02:00Z" in noticed.log
    for machine, interruptions in ((lost, 0), (noticed, 1)):
        (job,) = (job for job in documents(farm) if machine.id in {entry["by"] for entry in job["history"]})
        assert (job["attempt"], job["interruptions"]) == (2, interruptions)
        successor = instances.machines[job["node"]]
        assert (successor.market, successor.id != machine.id) == ("on-demand", True), "there was no spot capacity"


def it_is_known_what_it_cost(cron: Cron) -> None:
    assert all(job["cost_usd"] > 0 for job in cron.jobs.values())


def it_is_known_why(farm: AwsFarm) -> None:
    decisions = farm.here.run("why", "--last", "100", "--json").json["decisions"]
    assert decisions[-1]["reasons"] == ["2 jobs for 0 slots: 2 left over"]
    assert any("would exceed max_nodes = 3" in reason for each in decisions for reason in each["reasons"])
    assert all(each["inputs"]["nodes"] + each["launch"] <= 3 for each in decisions)


def documents(farm: AwsFarm) -> list[dict[str, Any]]:
    """What `show` says of each job."""
    return [farm.here.run("show", job_id, "--json").json["job"] for job_id in farm.here.listed()]
