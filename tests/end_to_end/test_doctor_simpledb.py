"""A checkup of a farm that goes on with what media-nommer left."""

import pytest

from nommerctl.adapters.aws.names import dead_letters
from nommerctl.domain.times import micros
from nommerctl.wiring import process
from tests.aws_farm import AMI
from tests.end_to_end.aws_accounts import USER, called, quotas
from tests.end_to_end.checkups import Found, checkup, failed
from tests.simpledb_farm import SimpledbFarm

HOUR = 3600.0


@pytest.fixture
def sound(taken_over: SimpledbFarm) -> SimpledbFarm:
    """A farm whose queues have others for their dead letters, with an account that answers."""
    called(taken_over.cloud, USER)
    quotas(taken_over.cloud, {"L-34B43A08": 32.0, "L-1216C47A": 64.0})
    for name in (taken_over.settings.new_jobs_queue, taken_over.settings.changes_queue):
        redriven(taken_over, name, dead_letters(name))
    return taken_over


def redriven(farm: SimpledbFarm, name: str, target: str) -> None:
    """Let the dead letters of a queue go to another one, which is made."""
    sqs = farm.clients.sqs
    made = sqs.create_queue(QueueName=target)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=made, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": "50"}}'
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})


def test_where_all_is_well_every_check_says_so(sound: SimpledbFarm) -> None:
    sound.produced()
    sound.beat(sound.launched(), active=1)
    sound.here.run("run")

    findings = checkup(sound.here)

    of_aws = list(findings)[list(findings).index("credentials") :]
    assert {name: findings[name].verdict for name in of_aws} == dict.fromkeys(
        (
            *("credentials", "AWS clock", "permissions", "store", "ledger", "old workers", "old zone", "queue"),
            *("changes", "image", "vCPU quota", "cache", "clock"),
        ),
        "ok",
    ), findings
    assert findings["store"].found.startswith("domain 'media_nommer' answers; ")
    assert findings["ledger"].found == (
        f"0 heartbeats of our workers, EC2 shows 1 node; domain 'nommerctl-{sound.name}-ledger' is there"
    )
    assert findings["old workers"].found == "1 alive, with 1 job in hand"
    assert findings["old zone"].found == "'UTC' fits 1 of 1 old worker"
    assert findings["permissions"].found.endswith(" tried are granted")


@pytest.mark.slow
def test_what_was_badly_written_is_said_of_jobs_and_of_what_is_no_job(sound: SimpledbFarm) -> None:
    job = sound.produced(job_options="none")
    sound.server.put(sound.settings.job_domain, "a note", {"text": "hello"})

    said = sound.here.run("doctor", "--json").json["checks"]

    assert [each["found"] for each in said if each["check"] == "store" and each["verdict"] == "warning"] == [
        "domain 'media_nommer' has 1 item whose name is no id of a job, as 'a note': left alone",
        f"1 job badly written, as {job[:12]}: its job_options are no JSON",
    ]


@pytest.mark.slow
def test_it_changes_nothing_and_receives_nothing(sound: SimpledbFarm) -> None:
    sound.produced()
    sound.beat("i-old", active=1)
    before = {domain: sound.server.items(domain) for domain in sound.server.domains}
    sound.server.calls.clear()

    with sound.cloud.counting() as calls:
        findings = checkup(sound.here)

    assert findings["store"].found.endswith(
        f"'nommerctl-{sound.name}-jobs' is made by the first pass that writes to it"
    )
    assert {domain: sound.server.items(domain) for domain in sound.server.domains} == before
    assert not {call.operation for call in calls if call.operation.startswith(("Receive", "Send"))}
    assert {"PutAttributes", "DeleteAttributes"} <= set(sound.server.calls)


@pytest.mark.slow
def test_queues_without_dead_letters_are_told_how_to_get_some(taken_over: SimpledbFarm) -> None:
    called(taken_over.cloud, USER)
    name = taken_over.settings.new_jobs_queue

    findings = checkup(taken_over.here)

    assert findings["queue"] == Found(
        "warning",
        f"queue '{name}' has no queue of dead letters: what nobody can take comes back for days",
        f"make a queue '{name}-dead' in SQS, and give '{name}' a redrive policy to it, with maxReceiveCount 50",
    )
    assert findings["changes"].verdict == "warning"


@pytest.mark.slow
def test_dead_letters_that_go_elsewhere_are_not_seen(sound: SimpledbFarm) -> None:
    name = sound.settings.new_jobs_queue
    redriven(sound, name, f"{name}-graveyard")

    assert checkup(sound.here)["queue"].found == (
        f"the dead letters of queue '{name}' go to '{name}-graveyard', where nommerctl does not look"
    )


@pytest.mark.slow
def test_a_queue_that_is_not_there_fails(sound: SimpledbFarm) -> None:
    sound.here.settings["SIMPLEDB_CHANGES_QUEUE"] = "nobodys"

    findings = checkup(sound.here, code=3)

    assert failed(findings) == ["changes"]
    assert findings["changes"] == Found(
        "failed",
        "queue 'nobodys' is not there in this account and region",
        "put simpledb.changes_queue or aws.region right",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "checks"),
    [("JOB_DOMAIN", ["store"]), ("HEARTBEAT_DOMAIN", ["ledger", "old workers"])],
)
def test_a_domain_that_is_not_there_fails(sound: SimpledbFarm, setting: str, checks: list[str]) -> None:
    sound.here.settings[f"SIMPLEDB_{setting}"] = "nobodys"

    findings = checkup(sound.here, code=3)

    assert failed(findings) == checks
    for check in checks:
        assert "domain 'nobodys' is not there in this account and region" in findings[check].found
        assert f"simpledb.{setting.lower()}" in findings[check].found


@pytest.mark.slow
def test_rows_that_cannot_be_understood_are_named(sound: SimpledbFarm) -> None:
    sound.beat("i-bad\x1b[2J", active=1, last_report_dtime="None")

    assert checkup(sound.here)["old workers"] == Found(
        "warning",
        "1 item in domain 'media_nommer_ec2nommer_state' cannot be understood:"
        " i-bad\\x1b[2J: last_report_dtime 'None' is no time",
        "they are left out; delete those that no worker writes any more",
    )


@pytest.mark.slow
def test_an_old_worker_that_ec2_does_not_show_is_not_counted(sound: SimpledbFarm) -> None:
    node = sound.launched()
    sound.beat(node, active=2)
    sound.here.settings["SIMPLEDB_AMI"] = ""

    assert checkup(sound.here)["old workers"] == Found(
        "warning",
        f"1 alive, with 2 jobs in hand; of 1 EC2 shows no node ({node}), so scale.max_nodes does not count them",
        "set simpledb.ami to the image that they run from",
    )


@pytest.mark.slow
@pytest.mark.parametrize(("hours", "where", "right"), [(5, "after", "+05:00"), (-4, "before", "-04:00")])
def test_a_wrong_zone_is_given_away_by_heartbeats_of_workers_that_run(
    sound: SimpledbFarm, hours: int, where: str, right: str
) -> None:
    sound.beat(sound.launched(), active=0, at=process.clock() + micros(hours * HOUR))
    sound.beat("i-gone", active=0, at=process.clock() - micros(2 * HOUR))

    findings = checkup(sound.here)

    assert findings["old zone"] == Found(
        "warning",
        f"the last heartbeats of 1 old worker are dated {abs(hours)} h {where} now, read in 'UTC'",
        f"set simpledb.old_zone to the zone that they are in, one whose clocks are at UTC{right} now",
    )
    assert findings["clock"].verdict == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("code", ["AccessFailure", "AuthorizationFailure"])
def test_what_is_denied_is_named_with_what_to_do(sound: SimpledbFarm, code: str) -> None:
    sound.server.fail("PutAttributes", code, 403)

    findings = checkup(sound.here, code=3)

    assert failed(findings) == ["permissions"]
    assert findings["permissions"] == Found(
        "failed",
        "sdb:PutAttributes is denied on domain 'media_nommer'",
        "allow it in IAM to the user, or the role, that is named under credentials",
    )
    assert AMI in findings["image"].found
