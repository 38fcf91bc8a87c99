"""Queues as parts of a farm, on MiniStack."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import changes_queue, dead_letters, new_jobs_queue
from nommerctl.domain.stack import Part
from nommerctl.errors import ItemError, PermissionDeniedError, SettingsError, TryAgainError
from tests.adapters.aws.stack.storage_farm import StorageFarm, storage_farm
from tests.cloud import Cloud, Cut, Reach, refusal

pytestmark = pytest.mark.slow  # each part is made and deleted over the wire


DELETED_RECENTLY = refusal("sqs", "AWS.SimpleQueueService.QueueDeletedRecently")
MISSING = refusal("sqs", "AWS.SimpleQueueService.NonExistentQueue")


@pytest.fixture
def farm(
    cloud: Cloud, cloud_clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StorageFarm]:
    with storage_farm(cloud, cloud_clients, tmp_path, monkeypatch) as farm:
        yield farm


def make(farm: StorageFarm, *logicals: str) -> None:
    for logical in logicals or ("NewJobsDeadLetters", "NewJobsQueue"):
        farm.stack.create(farm.part(logical))


def test_queues_that_were_made_are_as_they_are_wanted(farm: StorageFarm) -> None:
    assert farm.stack.find(farm.part("NewJobsDeadLetters")) is None

    make(farm)

    dead, queue = farm.found("NewJobsDeadLetters"), farm.found("NewJobsQueue")
    assert farm.gaps("NewJobsDeadLetters") == farm.gaps("NewJobsQueue") == []
    assert (queue.farm, queue.made_by) == (farm.name, "")
    assert queue.properties["RedrivePolicy"] == {"deadLetterTargetArn": dead.attributes["Arn"], "maxReceiveCount": 50}
    assert queue.id.endswith(f"/{new_jobs_queue(farm.name)}")


def with_attribute(name: str, value: str) -> Callable[[StorageFarm], None]:
    def tamper(farm: StorageFarm) -> None:
        attributes = {name: value.replace("ARN", farm.found("NewJobsDeadLetters").attributes["Arn"])}
        farm.clients.sqs.set_queue_attributes(QueueUrl=farm.found("NewJobsQueue").id, Attributes=attributes)  # type: ignore[arg-type]

    return tamper


def without_tag(farm: StorageFarm) -> None:
    farm.clients.sqs.untag_queue(QueueUrl=farm.found("NewJobsQueue").id, TagKeys=["nommerctl:farm"])


@pytest.mark.parametrize(
    ("tamper", "paths"),
    [
        (with_attribute("MessageRetentionPeriod", "3600"), ["MessageRetentionPeriod"]),
        (with_attribute("SqsManagedSseEnabled", "false"), ["SqsManagedSseEnabled"]),
        (with_attribute("RedrivePolicy", ""), ["RedrivePolicy"]),
        (
            with_attribute("RedrivePolicy", json.dumps({"deadLetterTargetArn": "ARN", "maxReceiveCount": "3"})),
            ["RedrivePolicy.maxReceiveCount"],
        ),
        (without_tag, ["Tags"]),
    ],
)
def test_what_was_changed_is_seen_and_mended(
    farm: StorageFarm, tamper: Callable[[StorageFarm], None], paths: list[str]
) -> None:
    make(farm)
    tamper(farm)
    assert farm.gaps("NewJobsQueue") == paths

    farm.mend("NewJobsQueue")

    assert farm.gaps("NewJobsQueue") == []


def test_numbers_that_were_given_as_texts_are_no_difference(farm: StorageFarm) -> None:
    make(farm)
    with_attribute("RedrivePolicy", json.dumps({"deadLetterTargetArn": "ARN", "maxReceiveCount": "50"}))(farm)

    assert farm.gaps("NewJobsQueue") == []


def test_a_tag_that_nobody_wants_may_be_there_and_stays(farm: StorageFarm) -> None:
    make(farm)
    url = farm.found("NewJobsQueue").id
    farm.clients.sqs.tag_queue(QueueUrl=url, Tags={"cost": "films"})
    assert farm.gaps("NewJobsQueue") == []
    without_tag(farm)

    farm.mend("NewJobsQueue")

    assert farm.clients.sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"cost": "films", "nommerctl:farm": farm.name}


def test_a_queue_that_is_there_with_other_attributes_is_returned_as_it_is(farm: StorageFarm) -> None:
    make(farm)
    with_attribute("MessageRetentionPeriod", "3600")(farm)

    found = farm.stack.create(farm.part("NewJobsQueue"))

    assert found.properties["MessageRetentionPeriod"] == 3600


def test_an_answer_that_is_lost_does_no_harm(farm: StorageFarm) -> None:
    for operation in ("CreateQueue", "GetQueueAttributes", "ListQueueTags"):
        farm.cloud.fail("sqs", operation, Cut.AFTER)

    make(farm)

    assert farm.gaps("NewJobsDeadLetters") == []


def test_a_name_that_was_deleted_a_moment_ago_is_waited_for(farm: StorageFarm) -> None:
    farm.cloud.fail("sqs", "CreateQueue", DELETED_RECENTLY, DELETED_RECENTLY)

    make(farm, "NewJobsDeadLetters")

    assert farm.gaps("NewJobsDeadLetters") == []
    assert farm.pauses == [0.5, 1.0]


def test_the_wait_for_a_name_has_an_end(farm: StorageFarm) -> None:
    name = dead_letters(new_jobs_queue(farm.name))
    said = f"queue {name} was deleted a moment ago, and SQS does not let its name be used again yet: run this again in"

    with farm.cloud.trouble(DELETED_RECENTLY, Reach.OPERATION), pytest.raises(TryAgainError, match=said):
        make(farm, "NewJobsDeadLetters")

    assert 90 <= sum(farm.pauses) < 95


def test_a_queue_that_sqs_does_not_show_at_once_is_waited_for(farm: StorageFarm) -> None:
    farm.cloud.fail("sqs", "GetQueueAttributes", MISSING, MISSING)

    make(farm, "NewJobsDeadLetters")

    assert farm.pauses == [0.5, 1.0]


def test_a_permission_that_lacks_is_named(farm: StorageFarm) -> None:
    farm.cloud.fail("sqs", "CreateQueue", refusal("sqs", "AccessDenied", 403))
    name = dead_letters(new_jobs_queue(farm.name))

    with pytest.raises(PermissionDeniedError, match=f"AWS refuses sqs:CreateQueue on queue '{name}': the credentials"):
        make(farm, "NewJobsDeadLetters")


def test_a_queue_with_another_farms_tag_is_left_alone(farm: StorageFarm) -> None:
    make(farm)
    resource = farm.part("NewJobsQueue")
    url = farm.found("NewJobsQueue").id
    farm.clients.sqs.tag_queue(QueueUrl=url, Tags={"nommerctl:farm": "theirs"})
    said = (
        f"queue {resource.name} carries the tag nommerctl:farm = theirs, so it is another farm's: call this one"
        f" otherwise (farm.name is {farm.name})"
    )

    with pytest.raises(SettingsError, match=re.escape(said)):
        farm.stack.find(resource)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: farm.stack.create(resource),
        lambda: farm.stack.delete(farm.named("NewJobsQueue")),
    )
    for attempt in attempts:
        with pytest.raises(ItemError, match=re.escape(said)):
            attempt()
    assert farm.names() == [f"queue {dead_letters(resource.name)}"]
    farm.clients.sqs.delete_queue(QueueUrl=url)


def test_a_queue_without_the_tag_is_no_part_and_is_not_deleted(farm: StorageFarm) -> None:
    make(farm)
    without_tag(farm)

    assert farm.found("NewJobsQueue").farm is None
    assert farm.names() == [f"queue {dead_letters(new_jobs_queue(farm.name))}"]
    with pytest.raises(ItemError, match=r"lacks the tag nommerctl:farm = .*, so it is left alone: delete it by hand"):
        farm.stack.delete(farm.named("NewJobsQueue"))
    farm.mend("NewJobsQueue")


def test_farms_whose_names_begin_alike_do_not_see_each_other(
    farm: StorageFarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storage_farm(farm.cloud, farm.clients, tmp_path, monkeypatch, f"{farm.name}-b") as other:
        for each in (farm, other):
            make(each, "NewJobsDeadLetters", "NewJobsQueue", "StateChangesDeadLetters", "StateChangesQueue")

        assert farm.names() == sorted(
            f"queue {name}"
            for queue in (new_jobs_queue(farm.name), changes_queue(farm.name))
            for name in (queue, dead_letters(queue))
        )
        assert len(other.names()) == 4


def test_all_pages_of_queues_are_read(farm: StorageFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    make(farm)
    monkeypatch.setattr("nommerctl.adapters.aws.stack.queues._PAGE", 1)

    assert len(farm.names()) == 2


def test_a_queue_that_is_deleted_is_gone_and_may_be_deleted_again(farm: StorageFarm) -> None:
    make(farm)
    farm.cloud.fail("sqs", "DeleteQueue", Cut.AFTER)

    farm.stack.delete(farm.named("NewJobsQueue"))
    farm.stack.delete(farm.named("NewJobsQueue"))

    assert farm.stack.find(farm.part("NewJobsQueue")) is None
    assert farm.names() == [f"queue {dead_letters(new_jobs_queue(farm.name))}"]


def test_a_queue_that_is_listed_though_it_is_deleted_is_no_part(farm: StorageFarm) -> None:
    make(farm, "NewJobsDeadLetters")
    farm.cloud.fail("sqs", "ListQueueTags", MISSING)

    assert farm.names() == []


def test_a_queue_that_cloudformation_made_says_so(farm: StorageFarm) -> None:
    make(farm, "NewJobsDeadLetters")
    found = farm.found("NewJobsDeadLetters")
    farm.clients.sqs.tag_queue(QueueUrl=found.id, Tags={"aws:cloudformation:stack-name": "films"})

    assert farm.found("NewJobsDeadLetters").made_by == "films"
    assert farm.stack.parts() == [Part("AWS::SQS::Queue", farm.named("NewJobsDeadLetters").name, "films")]
