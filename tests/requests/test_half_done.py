"""A submit whose jobs are stored when the queue fails: nobody should submit them again."""

import pytest

from tests.aws_farm import AwsFarm
from tests.cloud import refusal


@pytest.fixture
def source(farm: AwsFarm) -> str:
    return farm.put("in/clip.mov", b"film")


def test_a_submit_whose_messages_are_refused_says_that_the_job_is_stored(farm: AwsFarm, source: str) -> None:
    denied = refusal("sqs", "AccessDeniedException")
    farm.cloud.fail("sqs", "SendMessageBatch", denied, denied)
    found = farm.here.run("submit", source, "--dest", f"s3://{farm.bucket}/a.mp4", "--preset", "web-480p", code=77)
    assert "sqs:SendMessage" in found.stderr
    assert "but 1 job stored: do not submit again, refresh will queue what waits" in found.stderr
    assert farm.here.listed_states() == ["PENDING"]
