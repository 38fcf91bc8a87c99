"""A worker on a spot instance, as a process: what it knows, when it goes, and what becomes of the machine."""

from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from tests import metadata
from tests.aws_servers import CREDENTIALS
from tests.cli import Cli, eventually
from tests.clips import Clips
from tests.metadata import Metadata
from tests.web import reply, serving

pytestmark = pytest.mark.slow

PRICE = b"""<DescribeSpotPriceHistoryResponse><spotPriceHistorySet><item><instanceType>c7i.large</instanceType>
<spotPrice>0.0461</spotPrice><timestamp>2026-01-01T08:00:00Z</timestamp></item></spotPriceHistorySet><nextToken/>
</DescribeSpotPriceHistoryResponse>"""


class Instance:
    """An EC2 instance as a worker finds it: `env` is what it starts with, `powered_off` what shut it down."""

    def __init__(self, service: Metadata, ec2: str, folder: Path) -> None:
        self.service = service
        self._folder = folder
        folder.mkdir()
        self.shutdown_does("exit 0")
        self.env = {
            **CREDENTIALS,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url,
            "AWS_ENDPOINT_URL_EC2": ec2,
            "NOMMERCTL_FFMPEG_THREADS": "1",
            "PATH": f"{folder}:/usr/bin:/bin",
        }

    def shutdown_does(self, what: str) -> None:
        """Put a program called shutdown before the system's, that notes how it was called."""
        program = self._folder / "shutdown"
        program.write_text(f'#!/bin/sh\necho "$@" >> "{self._folder}/called"\n{what}\n')
        program.chmod(0o755)

    @property
    def powered_off(self) -> list[str]:
        """The arguments of each call."""
        called = self._folder / "called"
        return called.read_text().splitlines() if called.exists() else []


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    with metadata.serving() as service, serving({"/": reply(200, PRICE, content_type="text/xml")}) as ec2:
        yield Instance(service, ec2.origin, tmp_path / "sbin")


def job_in_work(cli: Cli, clips: Clips, instance: Instance, folder: Path) -> Popen[str]:
    """A worker on the instance that is in the middle of an encode, of `film.mp4` in this folder."""
    scene = clips.make("scene.mp4", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=5", "-c:v", "mpeg4")
    long = clips.make("spot.mp4", "-stream_loop", "19", "-i", str(scene), "-c", "copy")
    source = folder / "film.mp4"
    source.write_bytes(long.read_bytes())
    cli.run("submit", source, "--dest", folder / "out.mp4", "--preset", "web-1080p")
    worker = cli.start("worker", "--power-off", env=instance.env)
    eventually(lambda: cli.refreshed_states() == ["ENCODING"])
    return worker


@pytest.mark.slow
def test_a_job_on_an_instance_that_is_taken_back_is_finished_by_another_worker(
    cli: Cli, clips: Clips, tmp_path: Path, instance: Instance
) -> None:
    # given a worker in the middle of an encode, on an instance with a price
    worker = job_in_work(cli, clips, instance, tmp_path)
    (node,) = cli.run("nodes", "--json").json["nodes"]
    assert (node["instance_type"], node["zone"], node["market"]) == ("c7i.large", "eu-central-1b", "spot")
    assert node["usd_per_hour"] > 0.0461, "there is a volume too"
    # when EC2 announces its end
    instance.service.interrupt()
    _, log = worker.communicate(timeout=20)
    # then the job is handed back and the machine shut down
    assert worker.returncode == 0
    assert "ends: EC2 takes this spot instance back: terminate at 2026-01-01T09:02:00Z" in log
    assert instance.powered_off == ["-h now"]
    (job,) = cli.refreshed().values()
    assert (job["state"], job["attempt"]) == ("PENDING", 1)
    assert job["cost_usd"] > 0
    assert list(tmp_path.glob(".nommerctl-*")) == []
    # and another finishes it, for no more money (a shorter film, so that nobody waits for it)
    (tmp_path / "film.mp4").write_bytes(clips["plain.mp4"].read_bytes())
    cli.run("worker", "--once")
    (done,) = cli.refreshed().values()
    assert (done["state"], done["attempt"], done["cost_usd"]) == ("FINISHED", 2, job["cost_usd"])


@pytest.mark.slow
def test_a_person_who_stops_the_worker_keeps_the_machine(
    cli: Cli, clips: Clips, tmp_path: Path, instance: Instance
) -> None:
    worker = job_in_work(cli, clips, instance, tmp_path)
    worker.terminate()
    worker.communicate(timeout=10)
    assert worker.returncode == 143
    assert instance.powered_off == []


def test_an_idle_node_is_shut_down_and_only_with_the_flag(cli: Cli, instance: Instance) -> None:
    cli.run("worker", "--idle-exit", "0.1", env=instance.env)
    assert instance.powered_off == []
    cli.run("worker", "--idle-exit", "0.1", "--power-off", env=instance.env)
    assert instance.powered_off == ["-h now"]


def test_a_node_whose_worker_fails_says_why_and_is_shut_down_all_the_same(cli: Cli, instance: Instance) -> None:
    cli.state_dir.write_text("a file")
    with_flag = cli.run("worker", "--power-off", env=instance.env, code=None)
    assert instance.powered_off == ["-h now"]
    first, last = with_flag.stderr.splitlines()
    assert first.partition("Z ")[2] == (
        f"this machine is shut down, for its worker failed: {last.removeprefix('nommerctl: ')}"
    )
    without = cli.run("worker", env=instance.env, code=with_flag.code)
    assert without.stderr.splitlines() == [last]
    assert instance.powered_off == ["-h now"]


def test_a_worker_that_fails_on_a_machine_that_cannot_be_shut_down_says_both(cli: Cli, instance: Instance) -> None:
    cli.state_dir.write_text("a file")
    instance.shutdown_does("exit 3")
    failed = cli.run("worker", "--power-off", env=instance.env, code=None)
    _, stays_on, why = failed.stderr.splitlines()
    assert "this machine cannot be shut down, and goes on to cost money" in stays_on
    assert why.startswith("nommerctl: the state folder")
    assert failed.code != 0


@pytest.mark.parametrize(
    ("flags", "slots"), [((), "2 slots"), (("--power-off",), "3 slots"), (("--power-off", "--slots", "1"), "1 slot")]
)
def test_a_node_that_scale_launched_has_the_slots_that_scale_reckons_with(
    cli: Cli, instance: Instance, flags: tuple[str, ...], slots: str
) -> None:
    cli.settings |= {"WORKER_SLOTS": "2", "SCALE_JOBS_PER_NODE": "3"}
    done = cli.run("worker", "--once", *flags, env=instance.env)
    assert done.stderr.splitlines()[0].endswith(f"starts with {slots}")


def test_a_machine_that_cannot_be_shut_down_is_complained_of(cli: Cli, instance: Instance) -> None:
    instance.shutdown_does("exit 3")
    failed = cli.run("worker", "--once", "--power-off", env=instance.env, code=69)
    assert failed.stderr.splitlines()[-1] == (
        "nommerctl: this machine cannot be shut down, and goes on to cost money: 'shutdown -h now' ended with 3"
    )


def test_a_machine_that_is_no_instance_works_without_a_price(cli: Cli, instance: Instance) -> None:
    instance.service.answers.clear()
    done = cli.run("worker", "--once", env=instance.env)
    assert "price" not in done.stderr


def test_an_instance_that_may_not_ask_for_its_price_works_without(cli: Cli, instance: Instance) -> None:
    denied = b"<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>"
    with serving({"/": reply(403, denied)}) as ec2:
        done = cli.run("worker", "--once", env={**instance.env, "AWS_ENDPOINT_URL_EC2": ec2.origin})
    assert "the price of this node is not known: AWS refuses ec2:DescribeSpotPriceHistory" in done.stderr


def test_prices_in_the_settings_that_are_none_are_said_to_be_and_cost_no_job(cli: Cli, instance: Instance) -> None:
    cli.settings |= {"AWS_PRICES": "c7i.large=cheap"}
    done = cli.run("worker", "--once", env=instance.env)
    price = "the price of this node is not known: aws.prices: 'c7i.large=cheap' is to be TYPE=DOLLARS_AN_HOUR"
    assert price in done.stderr


def test_a_worker_that_was_killed_can_be_started_again_under_the_name_of_its_node(cli: Cli) -> None:
    left = cli.state_dir / "workers" / "i-0a1b2c3d4e5f67890"
    (left / "lease-1").mkdir(parents=True)
    cli.state_dir.chmod(0o700)
    cli.run("worker", "--once", "--node", left.name)
    assert not left.exists()
