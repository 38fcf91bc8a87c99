"""The program of nodes, step by step; tests/end_to_end/test_node_boot.py lets it boot machines."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.node import boot
from nommerctl.adapters.aws.node.boot import BootError, Steps, fail, reason, signed, tag_value, why_worker_failed
from tests import metadata
from tests.aws_farm import AMI
from tests.metadata import Metadata

ROLE = {"AccessKeyId": "ASIATESTING", "SecretAccessKey": "a/secret+key", "Token": "a/token+of=="}
NOW = "20260101T090000Z"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:
    monkeypatch.setattr(boot, "PAUSE", 0)
    with metadata.serving() as served:
        served.has_a_role()
        yield served


def python(steps: Steps, program: str, seconds: float = 30.0) -> None:
    steps.run("to try it", sys.executable, "-c", program, seconds=seconds)


@pytest.fixture
def steps() -> Steps:
    return Steps(time.monotonic, {"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("url", ["https://ec2.eu-central-1.amazonaws.com/", "http://127.0.0.1:5000/"])
def test_requests_are_signed_as_botocore_signs_them(url: str) -> None:
    # given a request that botocore has signed
    form = {"Action": "CreateTags", "Tag.1.Value": "pip: THESE (2) DO NOT MATCH ~ ä/ö = …", "ResourceId.1": "i-0a1b"}
    theirs = AWSRequest("POST", url, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, "")
    theirs.data = signed(form, url, "eu-central-1", ROLE, NOW)[0]
    credentials = Credentials(ROLE["AccessKeyId"], ROLE["SecretAccessKey"], ROLE["Token"])
    SigV4Auth(credentials, "ec2", "eu-central-1").add_auth(theirs)
    # when the same is signed at the same time
    _, headers = signed(form, url, "eu-central-1", ROLE, theirs.headers["X-Amz-Date"])
    # then
    assert headers["authorization"] == theirs.headers["Authorization"]


@pytest.mark.slow
@pytest.mark.usefixtures("aws_account")
def test_why_it_failed_stands_in_a_tag_of_the_instance(
    service: Metadata, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an instance
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    clients = Clients()
    (launched,) = clients.ec2.run_instances(ImageId=AMI, MinCount=1, MaxCount=1)["Instances"]
    instance = launched["InstanceId"]
    service.answers["/latest/dynamic/instance-identity/document"] = 200, f'{{"instanceId": "{instance}"}}'.encode()
    # when its boot fails
    environment = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url, "AWS_ENDPOINT_URL_EC2": moto_url}
    fail("boot failed to install ffmpeg:\n it's \x1b[31m+ & = gone", "eu-central-1", environment, lambda: NOW)
    # then
    (found,) = clients.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [instance]}])["Tags"]
    assert (found["Key"], found["Value"]) == (
        "nommerctl:failure",
        "boot failed to install ffmpeg: it's [31m+ & = gone",
    )
    clients.ec2.terminate_instances(InstanceIds=[instance])
    clients.close()


def test_a_tag_that_cannot_be_written_is_told_on_the_console(
    service: Metadata, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    fail("boot failed", "eu-central-1", environment, lambda: NOW)
    service.answers.clear()
    fail("boot failed", "eu-central-1", environment, lambda: NOW)
    told = [line for line in capsys.readouterr().out.splitlines() if "cannot be written" in line]
    why = (
        "URLError: <urlopen error [Errno 111] Connection refused>",
        "HTTP Error 404: Not Found: <?xml version='1.0'?><html>404 - Not Found</html>",
    )
    assert told == [f"nommerctl boot: the tag nommerctl:failure cannot be written: {each}" for each in why]


def test_no_secret_is_told_on_the_console(service: Metadata, capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    fail("boot failed", "eu-central-1", environment, lambda: NOW)
    assert "GET /latest/meta-data/iam/security-credentials/node" in service.asked
    assert "testing" not in capsys.readouterr().out.casefold()


def test_a_machine_without_a_metadata_service_is_no_node(
    steps: Steps, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot, "PAUSE", 0)
    nobody = boot.Metadata("http://127.0.0.1:9")
    assert boot.booted({"farm": "films"}, "", steps, nobody) == (
        "boot failed: EC2's metadata service does not answer: [Errno 111] Connection refused"
    )
    assert capsys.readouterr().out.count("asked again") == boot.TRIES - 1


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("print('E: Unable to locate package ffmpeg'); print('done'); exit(100)", "Unable to locate package ffmpeg"),
        ("print('one\\ntwo\\n\\n'); exit(100)", "two"),
        ("exit(100)", "it said nothing"),
    ],
)
def test_a_step_that_fails_says_what_for_and_why(steps: Steps, program: str, why: str) -> None:
    with pytest.raises(BootError) as failed:
        python(steps, program)
    assert str(failed.value) == f"to try it: {Path(sys.executable).name} ended with 100: {why}"


def test_a_step_that_takes_too_long_is_ended_with_all_that_it_has_started(steps: Steps) -> None:
    started = "import subprocess; print('unpacking', flush=True); subprocess.run(['sleep', '60'])"
    with pytest.raises(BootError, match=r"^to try it: not done within 1 s: unpacking$"):
        python(steps, started, seconds=1)


def test_nothing_is_begun_when_the_time_of_the_boot_is_over(tmp_path: Path) -> None:
    seconds = iter([0.0, 481.0])
    late = Steps(lambda: next(seconds), {})
    with pytest.raises(BootError, match="no time left, the boot takes longer than 480 s"):
        python(late, f"open({str(tmp_path / 'begun')!r}, 'w')")
    assert not (tmp_path / "begun").exists()


def test_a_program_that_is_not_there_is_named(steps: Steps) -> None:
    with pytest.raises(BootError, match=r"^to try it: no-such-program cannot be started: No such file or directory$"):
        steps.run("to try it", "no-such-program")


@pytest.mark.parametrize("held", [0, 1, 2, 3])
def test_lists_that_debian_reads_itself_just_then_are_waited_for_a_while(
    steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    # given a program that is refused the lock so many times
    monkeypatch.setattr(boot, "PAUSE", 0)
    tries = tmp_path / "tries"
    program = f"p = {str(tries)!r}; open(p, 'a').write('x'); n = len(open(p).read()); n > {held} or exit('E: no lock')"
    # when, then
    if held < boot.TRIES:
        boot.patiently(lambda: python(steps, program))
    else:
        with pytest.raises(BootError, match="no lock"):
            boot.patiently(lambda: python(steps, program))
    assert len(tries.read_text()) == min(held + 1, boot.TRIES)


def test_the_reason_is_the_last_that_pip_calls_an_error() -> None:
    said = [
        "Collecting x",
        "ERROR: THESE PACKAGES DO NOT MATCH",
        "    Expected sha256 aa",
        "         Got        bb",
        "",
    ]
    assert reason(said) == "THESE PACKAGES DO NOT MATCH"


def test_a_tag_holds_one_line_of_256_characters() -> None:
    assert tag_value("a\nb\tc\x00 d") == "a b c d"
    assert tag_value("x" * 256) == "x" * 256
    assert tag_value("x" * 257) == "x" * 255 + "…"


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"SERVICE_RESULT": "success", "EXIT_CODE": "exited", "EXIT_STATUS": "0"}, ""),
        ({"SERVICE_RESULT": "success", "EXIT_CODE": "exited", "EXIT_STATUS": "143"}, ""),
        (
            {"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "78"},
            "the worker failed (exit-code 78): there is no table",
        ),
        (
            {"SERVICE_RESULT": "oom-kill", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"},
            "the worker failed (oom-kill KILL): there is no table",
        ),
    ],
)
def test_a_worker_that_failed_is_told_from_one_that_went(environment: dict[str, str], why: str) -> None:
    assert why_worker_failed(environment, lambda: "there is no table") == why
