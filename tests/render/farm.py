"""A small farm in the middle of its work, for the renderers to show."""

from nommerctl.domain.fleet import Heartbeat, Node
from nommerctl.domain.job import EncodingJob, HistoryEntry, Media, Progress
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros
from tests.builders import make_job, make_lease
from tests.fakes.clock import START

NOW: Instant = START + micros(3600)
"""2026-01-01T10:00:00Z."""


def ago(seconds: float) -> Instant:
    return NOW - micros(seconds)


def an_id(beginning: str) -> str:
    return beginning.ljust(50, "0")


WAITING = make_job(
    id=an_id("17c4e0a99b21"),
    source="/srv/in/lectures/lecture_17.mkv",
    dest="/srv/out/lecture_17.mp4",
    changed=ago(400),
)

HANDED_BACK = make_job(
    id=an_id("28d5f1baac32"),
    source="/srv/in/trailer [final].mov",
    dest="/srv/out/trailer [final].mp4",
    changed=ago(30),
    details="the worker was told to end (SIGTERM)",
    attempt=1,
    interruptions=1,
)

ENCODING = make_job(
    id=an_id("39e602cbbd43"),
    source="s3://studio-incoming/2024/holiday-in-lisbon-part-04.mov",
    dest="s3://studio-done/2024/holiday-in-lisbon-part-04.mp4",
    state=JobState.ENCODING,
    changed=ago(900),
    attempt=2,
    lease=make_lease(owner="i-0a1b2c3d4e5f67890", until=NOW + micros(60)),
    progress=Progress(0.427, fps=54.2, speed=1.83, eta_s=193.0),
)

ORPHANED = make_job(
    id=an_id("4af713dcce54"),
    source="/srv/in/新年晚会现场录像完整版第一部分高清.mp4",
    dest="/srv/out/新年晚会.mp4",
    preset="podcast",
    state=JobState.UPLOADING,
    changed=ago(200),
    attempt=1,
    lease=make_lease(owner="node-7f3a01", until=ago(50)),
    progress=Progress(0.999),
)

FAILED = make_job(
    id=an_id("5b0824eddf65"),
    source="/srv/in/broken.avi",
    dest="/srv/out/broken.mp4",
    state=JobState.ERROR,
    created=ago(8000),
    changed=ago(7300),
    details="ffmpeg ended with 183: Invalid data found when processing input\nmoov atom not found",
    attempt=1,
    client_id="order-1881",
    notify_url="https://ops:hunter2@example.org/hook",
    told=2,
    command="ffmpeg -nostdin -i broken.avi -c:v libx264 out.mp4",
    log="[mov,mp4] moov atom not found\nbroken.avi: Invalid data found when processing input\n",
    history=(
        HistoryEntry(1, JobState.PENDING, ago(8000), "submit"),
        HistoryEntry(2, JobState.DOWNLOADING, ago(7310), "node-7f3a01"),
        HistoryEntry(3, JobState.ENCODING, ago(7305), "node-7f3a01"),
        HistoryEntry(
            4,
            JobState.ERROR,
            ago(7300),
            "node-7f3a01",
            "ffmpeg ended with 183: Invalid data found when processing input\nmoov atom not found",
        ),
    ),
)

DONE = make_job(
    id=an_id("6c1935feea76"),
    source="/srv/in/cat.webm",
    dest="/srv/out/cat.mp4",
    state=JobState.FINISHED,
    changed=ago(86_400 * 3),
    attempt=1,
    progress=Progress(1.0),
    media=Media(12.5, 1280, 720),
)

JOBS: tuple[EncodingJob, ...] = (WAITING, HANDED_BACK, ENCODING, ORPHANED, FAILED, DONE)

BUSY_NODE = Node(
    id="node-7f3a01",
    alive=True,
    launched=ago(3010),
    slots=2,
    beat=Heartbeat(
        node="node-7f3a01",
        started=ago(3000),
        at=ago(8),
        slots=2,
        active=1,
        jobs=(ENCODING.id,),
        host="encoder-1.example.org",
        pid=4711,
    ),
)

NEW_NODE = Node(id="i-0a1b2c3d4e5f67890", alive=True, launched=ago(30), slots=2)

SILENT_NODE = Node(
    id="node-c0ffee",
    alive=True,
    launched=ago(9000),
    slots=2,
    beat=Heartbeat(
        node="node-c0ffee",
        started=ago(8990),
        at=ago(300),
        slots=2,
        active=2,
        host="encoder-1.example.org",
        pid=4712,
    ),
    marked=ago(60),
)

DEAD_NODE = Node(id="node-dead00", alive=False, launched=ago(90_000), slots=2)

NODES: tuple[Node, ...] = (BUSY_NODE, NEW_NODE, SILENT_NODE, DEAD_NODE)
