"""That the policies we print are enough for what is done, and no more: every request is recorded, and held to them."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import pytest
from botocore.retries.standard import ExponentialBackoff

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import launch_template, ledger_table
from nommerctl.adapters.aws.node import boot
from nommerctl.adapters.aws.s3_errands import WRITTEN, Errand
from nommerctl.adapters.aws.s3_turns import Turn
from nommerctl.adapters.aws.stack.own_bucket import WHEELS
from nommerctl.adapters.aws.stack.policies import IMPLIED
from nommerctl.domain.breaker import Breaker
from nommerctl.domain.job import EncodingJob
from nommerctl.errors import TransferError
from nommerctl.wiring import process
from tests import aws_servers, iam, metadata
from tests.aws_bring_up import AMI, Account, account
from tests.aws_farm import AwsFarm
from tests.cli import Cli, eventually
from tests.clips import Clips
from tests.cloud import Call, Cloud, Request, answered, refusal
from tests.end_to_end.aws_deeds import DEEDS, launch
from tests.end_to_end.aws_spoils import own_bucket, spoil
from tests.end_to_end.aws_yard import QUICK, unfinished_uploads
from tests.iam_needs import needs
from tests.metadata import DOCUMENT, Metadata

pytestmark = pytest.mark.slow

DOES_WITHOUT = frozenset({"iam:SimulatePrincipalPolicy"})
"""What is asked for and not granted: doctor says what it could not find out, and nothing else needs it."""

LOOKS = ("Describe", "GetParameters", "GetQueue", "GetServiceQuota")
"""How the calls of doctor begin that look; it makes others only to see whether they are permitted."""

RENEWAL = Call("sqs", "ChangeMessageVisibilityBatch")
"""By which a worker keeps the message of a job that it is at."""

PRICES = {
    "PriceList": [
        json.dumps(
            {"terms": {"OnDemand": {"A": {"priceDimensions": {"B": {"unit": "Hrs", "pricePerUnit": {"USD": "0.1"}}}}}}}
        )
    ]
}


@pytest.fixture
def films(cloud: Cloud, cloud_clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    given = {"AWS_ENDPOINT_URL": cloud.url, "AWS_EC2_METADATA_DISABLED": "true"}
    for name, value in (aws_servers.CREDENTIALS | given).items():
        monkeypatch.setenv(name, value)
    with account(cloud, cloud_clients, tmp_path, (sys.executable, "-m", "nommerctl")) as made:
        yield made


@pytest.fixture
def farm(films: Account) -> AwsFarm:
    """The farm that was brought up: its nodes are of an image that the servers know."""
    films.run("aws", "bootstrap")
    films.here.settings |= {**QUICK, "AWS_AMI": AMI, "AWS_LAUNCH_TEMPLATE": launch_template(films.name)}
    films.run("aws", "bootstrap")
    here = films.here
    cli = Cli(here.state_dir, cwd=here.cwd, executable=here.executable, settings=here.settings)
    return AwsFarm(films.name, films.cloud, here, cli, films.clients)


def policy(films: Account, role: str) -> iam.Policy:
    document: iam.Policy = json.loads(films.run("aws", "iam-policy", role).stdout)
    return document


def held_to(policy: iam.Policy, requests: list[Request], tried: Sequence[Request] = ()) -> None:
    """Every request is allowed, and everything that is granted is used, or is among those that are implied.

    What was `tried` has to be allowed as well, but is no use.
    """
    needed = needs(requests)
    asked = {need for need in needed | needs(tried) if need.action not in DOES_WITHOUT}
    assert {need for need in asked if not iam.allowed(policy, need)} == set(), "the policy lacks these"
    assert set(iam.unused(policy, needed, IMPLIED)) == set(), "the policy grants these, and nobody uses them"


# --- who brings the farm up ---


def test_bringing_a_farm_up_and_taking_it_down_takes_what_its_policy_grants(films: Account) -> None:
    films.cloud.stand_in("ec2", "DeleteLaunchTemplateVersions", lambda _: answered("<r/>"))  # moto has none
    # from nothing
    with films.cloud.recording() as brought_up:
        films.run("aws", "bootstrap")
    # when every part was changed by hand, and from another wheel
    spoil(films)
    with zipfile.ZipFile(films.here.settings["AWS_PACKAGE"], "a") as wheel:
        wheel.writestr("nommerctl/more.py", "")
    with films.cloud.recording() as mended:
        films.run("aws", "bootstrap")
        assert films.changes("aws", "bootstrap") == []
    # where an image and a subnet are named
    subnet = films.clients.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    with films.cloud.recording() as named:
        films.run("aws", "bootstrap", AWS_AMI=AMI, AWS_SUBNETS=subnet)
    # to nothing, with a node, after unfinished jobs kept it from that
    there = f"s3://media-{films.name}"
    films.clients.s3().put_object(Bucket=f"media-{films.name}", Key="film.mov", Body=b"a film")
    refused = []
    for name in ("one", "two"):
        films.run("submit", f"{there}/film.mov", "--dest", f"{there}/{name}.mp4", "--preset", "web-720p")
        with films.cloud.recording() as requests:
            films.run("aws", "teardown", "--yes", code=2)
        refused += requests
    films.launched()
    with films.cloud.recording() as taken_down:
        assert films.run("aws", "teardown", "--yes", "--force").stdout.endswith("0 resources left\n")
    held_to(policy(films, "bootstrap"), brought_up + mended + named + refused + taken_down)


# --- who runs passes ---


def test_operating_a_farm_takes_what_its_policy_grants(films: Account, farm: AwsFarm, tmp_path: Path) -> None:
    recorded = []

    def run(*arguments: str, code: int | None = 0) -> None:
        with films.cloud.recording() as requests:
            farm.here.run(*arguments, code=code)
        recorded.extend(requests)

    farm.put("film.mov", b"a film")
    # passes and verbs that have something to do
    for prepare in DEEDS:
        deed = prepare(farm)
        run(*deed.command)
        assert deed.came_about()
    # a node of an image alone
    farm.here.settings |= {"AWS_LAUNCH_TEMPLATE": "", "SCALE_MAX_NODES": "20"}
    run(*launch(farm).command)
    farm.here.settings |= {"AWS_LAUNCH_TEMPLATE": launch_template(farm.name)}
    # many jobs, and a look at everything
    lines = [{"source": f"s3://{farm.bucket}/film.mov", "dest": f"s3://{farm.bucket}/{n}.m4a"} for n in range(3)]
    listed = tmp_path / "jobs.ndjson"
    listed.write_text("".join(json.dumps({**line, "preset": "audio-m4a"}) + "\n" for line in lines))
    run("submit", "--from", str(listed))
    run("submit", f"s3://{farm.bucket}/missing.mov", "--dest", f"s3://{farm.bucket}/", "--preset", "audio-m4a", code=2)
    run("run")
    for look in (("list",), ("show", next(iter(farm.here.listed()))[:5]), ("nodes",), ("why",), ("status",)):
        run(*look)
    # an open breaker
    farm.ledger.switch(Breaker(number=1, opened=process.clock(), reason="by the test"))
    run("resume")
    # and the checkup, which may not ask IAM's simulator
    films.cloud.stand_in("iam", "SimulatePrincipalPolicy", lambda _: refusal("iam", "AccessDenied", 403))
    films.cloud.stand_in("servicequotas", "GetServiceQuota", lambda _: answered({"Quota": {"Value": 640.0}}))
    with films.cloud.recording() as examined:
        farm.here.run("doctor")
    looks = [each for each in examined if each.call.operation.startswith(LOOKS)]
    held_to(policy(films, "operator"), recorded + looks, tried=examined)


# --- nodes ---


def test_working_takes_what_the_policy_of_nodes_grants(
    films: Account, farm: AwsFarm, clips: Clips, tmp_path: Path
) -> None:
    films.cloud.stand_in("pricing", "GetProducts", lambda _: answered(PRICES))
    lonely = {"SCALE_MIN_NODES": "1", "WORKER_CONTROLLER_SILENCE": "2s"}  # the last node leaves when nobody controls it
    farm.here.run("scale", env={f"NOMMERCTL_{name}": value for name, value in lonely.items()})
    picture = "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=5", "-c:v", "libx264", "-crf", "45"
    long = clips.make("long.mp4", "-stream_loop", "19", "-i", str(clips.make("coarse.mp4", *picture)), "-c", "copy")
    film = farm.put("film.mp4", long.read_bytes())
    farm.here.run("submit", film, "--dest", f"s3://{farm.bucket}/film.out.mp4", "--preset", "web-480p")
    (job,) = farm.store.unfinished()
    # a spot instance that boots from the wheel and is taken back in the middle of a job
    with films.cloud.recording() as handed_back, node(farm, tmp_path / "spot", "spot") as (service, worker):
        fetch_wheel(films, tmp_path / "wheel")
        eventually(lambda: RENEWAL in {request.call for request in handed_back})
        service.interrupt()
        worker.communicate(timeout=20)
    assert farm.store.get([job.id])[job.id].interruptions == 1
    # an on-demand one that goes on with it, past an upload that was left, takes a large one, and one without a source
    begin_upload(farm, job)
    farm.put("film.mp4", clips["plain.mp4"].read_bytes())
    large = clips.make("large.wav", "-f", "lavfi", "-i", "sine=frequency=440:duration=200")
    passes = tmp_path / "passes.json"
    passes.write_text(json.dumps([{"outfile_options": [["acodec", "pcm_s16le"]]}]))
    dest = f"s3://{farm.bucket}/large.out.wav"
    farm.here.run("submit", farm.put("large.wav", large.read_bytes()), "--dest", dest, "--options", str(passes))
    farm.submitted()
    with films.cloud.recording() as worked, node(farm, tmp_path / "on-demand", "on-demand") as (_, worker):
        worker.communicate(timeout=60)
    states = sorted(each["state"] for each in farm.here.refreshed().values())
    assert states == ["ERROR", "FINISHED", "FINISHED"]
    assert any("partNumber=2" in request.path for request in worked)
    assert unfinished_uploads(farm) == []
    # one whose boot fails
    instance = films.launched()
    with films.cloud.recording() as failed:
        fail_to_boot(films, instance)
    held_to(policy(films, "worker"), handed_back + worked + failed)


@contextmanager
def node(farm: AwsFarm, folder: Path, market: str) -> Iterator[tuple[Metadata, "subprocess.Popen[str]"]]:
    """A worker on an instance as its unit starts it, and the instance's metadata service."""
    with metadata.serving() as service:
        known = {**DOCUMENT, "instanceId": f"i-{token_hex(8)}"}
        service.answers["/latest/dynamic/instance-identity/document"] = 200, json.dumps(known).encode()
        service.answers["/latest/meta-data/instance-life-cycle"] = 200, market.encode()
        folder.mkdir()
        cli = Cli(folder / "state", cwd=folder, executable=farm.cli.executable)
        here = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url}
        with cli.start("worker", "--ledger", ledger_table(farm.name), env=here) as worker:
            try:
                yield service, worker
            finally:
                worker.kill()


def fetch_wheel(films: Account, path: Path) -> None:
    """Fetch the wheel as user data does."""
    key = f"{WHEELS}{Path(films.here.settings['AWS_PACKAGE']).name}"
    subprocess.run([sys.executable, "-c", boot.DOWNLOAD, own_bucket(films), key, str(path)], check=True, timeout=30)


def begin_upload(farm: AwsFarm, job: EncodingJob) -> None:
    """Begin an upload as the job's first turn does, and leave it."""
    s3, errand = farm.clients.s3(), Errand(job.dest, WRITTEN, TransferError)
    upload = s3.create_multipart_upload(Bucket=errand.place.bucket, Key=errand.place.key)
    Turn(job.id, 1).mark(s3, errand, upload["UploadId"])


def fail_to_boot(films: Account, instance: str) -> None:
    """Let user data say on an instance why its boot failed."""
    role = "/latest/meta-data/iam/security-credentials/"
    keys = {"AccessKeyId": "testing", "SecretAccessKey": "testing", "Token": "testing"}
    with metadata.serving() as service:
        service.answers |= {
            "/latest/dynamic/instance-identity/document": (200, json.dumps({"instanceId": instance}).encode()),
            role: (200, b"a-role"),
            f"{role}a-role": (200, json.dumps(keys).encode()),
        }
        here = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url, "AWS_ENDPOINT_URL": films.cloud.url}
        boot.fail("no index to install from", aws_servers.REGION, here, lambda: "20260101T090000Z")
