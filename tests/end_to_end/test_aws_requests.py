"""What a job's whole life on a worker asks of AWS, but for S3: every request costs."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws_farm import AwsFarm
from tests.clips import Clips
from tests.cloud import Call
from tests.end_to_end.aws_yard import farm_with_template

pytestmark = pytest.mark.slow

READ = Call("dynamodb", "GetItem")
WRITE = Call("dynamodb", "PutItem")
SEND = Call("sqs", "SendMessageBatch")
RECEIVE = Call("sqs", "ReceiveMessage")
HIDE = Call("sqs", "ChangeMessageVisibilityBatch")
DELETE = Call("sqs", "DeleteMessageBatch")

OF_THE_JOB = Counter(
    [
        *(READ, WRITE, SEND),  # claimed, and announced
        WRITE,  # ENCODING
        WRITE,  # UPLOADING
        WRITE,  # the lease, renewed before the output is put in its place
        *(WRITE, SEND, DELETE),  # FINISHED, announced, and its message deleted
    ]
)
OF_THE_QUEUE = Counter([RECEIVE, RECEIVE])
"""One that brings up to ten jobs, as many as there are free slots, and one that finds nothing."""

OF_THE_NODE = Counter([WRITE, WRITE, Call("dynamodb", "DeleteItem")])
"""Its first heartbeat, what it leaves with it, and its leave.

The URLs of the queues are asked for once in a state folder, here by submit.
"""


@pytest.fixture
def farm(aws: AwsFarm) -> Iterator[AwsFarm]:
    heartbeats_of_a_long_lease = {"WORKER_LEASE": "2.25s", "WORKER_HEARTBEAT": "0.5s"}  # as 90 s and 20 s
    with farm_with_template(aws, **heartbeats_of_a_long_lease) as made:
        yield made


def worked_off(farm: AwsFarm, clip: Path) -> Counter[Call]:
    """What a worker asks that does one job and goes."""
    source = farm.put("in/clip.mp4", clip.read_bytes())
    farm.cli.run("submit", source, "--dest", f"s3://{farm.bucket}/out/", "--preset", "web-1080p")
    with farm.cloud.counting() as counted:
        farm.cli.run("worker", "--once", env={"AWS_EC2_METADATA_DISABLED": "true"})
    (job,) = farm.cli.refreshed().values()
    assert (job["state"], job["attempt"]) == ("FINISHED", 1)
    return Counter({call: count for call, count in counted.items() if call.service != "s3"})


def test_a_job_that_ends_within_a_heartbeat_asks_nine_times(farm: AwsFarm, clips: Clips) -> None:
    farm.cli.settings |= {"WORKER_LEASE": "90s", "WORKER_HEARTBEAT": "20s"}
    asked = worked_off(farm, clips["plain.mp4"])
    assert OF_THE_JOB.total() == 9
    assert asked == OF_THE_JOB + OF_THE_QUEUE + OF_THE_NODE


def test_each_heartbeat_asks_once_more_at_most_besides_the_nodes_own(farm: AwsFarm, clips: Clips) -> None:
    # given a clip that takes some heartbeats
    picture = "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=6", "-c:v", "libx264", "-crf", "45"
    asked = worked_off(farm, clips.make("takes-beats.mp4", *picture))
    # when what there is without any is taken off
    asked -= OF_THE_JOB + OF_THE_QUEUE + OF_THE_NODE
    assert asked.keys() == {WRITE, HIDE}, "beats of the node, and the job's lease and message renewed by some of them"
    # then
    (document,) = (farm.here.run("show", job_id, "--json").json["job"] for job_id in farm.here.listed())
    renewals = document["version"] - 1 - OF_THE_JOB[WRITE]  # each write raises the version, that of submit made it 1
    beats = asked[WRITE] - renewals
    assert beats >= 2
    assert 1 <= renewals + asked[HIDE] <= beats
