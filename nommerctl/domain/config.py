"""The settings as frozen records, one for each TOML section: defaults, limits and meaning stand here and nowhere else.

Durations are seconds; in a settings file they may also be written as text with a unit ("90s", "15min", "24h", "14d").
Loading, with files, variables and flags, is the business of nommerctl/settings/.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from nommerctl.domain.config_aws import AwsSettings, SimpledbSettings
from nommerctl.domain.config_kinds import SECRET, Count, Duration, PositiveCount, PositiveDuration, Words
from nommerctl.domain.delivery import MOST_ATTEMPTS
from nommerctl.domain.limits import AbandonAfter, AttemptLimits

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
GIB = 1024**3


class Backend(StrEnum):
    """What keeps the jobs and runs the nodes."""

    LOCAL = "local"
    AWS = "aws"
    SIMPLEDB = "simpledb"


class Policy(StrEnum):
    """The rule by which scale decides."""

    OVERFLOW = "overflow"


class NotifyFormat(StrEnum):
    """In which form listeners are told."""

    FORM = "form"
    STANDARD = "standard"


class FarmSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[farm]: which farm this is."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z", description="Name of the farm: lower-case letters, digits, hyphens."
        ),
    ] = "farm"
    backend: Annotated[
        Backend,
        Meta(
            description="What keeps the jobs and runs the nodes: local (this machine), aws (DynamoDB, SQS, EC2, S3), or"
            " simpledb (what media-nommer left: SimpleDB, SQS, EC2, S3)."
        ),
    ] = Backend.LOCAL
    state_dir: Annotated[
        str,
        Meta(
            description="Folder for the store, cache, locks, workers and logs. Empty: /var/lib/nommerctl for root,"
            " else $XDG_STATE_HOME/nommerctl."
        ),
    ] = ""
    time_limit: Annotated[PositiveDuration, Meta(description="Longest time that one pass may take.")] = 4 * MINUTE


class ScaleSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[scale]: how many nodes, and when."""

    policy: Annotated[Policy, Meta(description="overflow: launch when jobs overflow the slots of the nodes.")] = (
        Policy.OVERFLOW
    )
    max_nodes: Annotated[Count, Meta(description="Never more nodes than this. 0 launches none.")] = 2
    min_nodes: Annotated[Count, Meta(description="Keep at least this many nodes, work or not.")] = 0
    jobs_per_node: Annotated[PositiveCount, Meta(description="Slots of a node that scale launches.")] = 1
    overflow_threshold: Annotated[
        PositiveCount, Meta(description="Jobs beyond the slots of running nodes that it takes to launch another node.")
    ] = 1
    max_launch_per_pass: Annotated[PositiveCount, Meta(description="Nodes that one pass launches at most.")] = 10
    silent_after: Annotated[
        PositiveDuration,
        Meta(description="A node without a heartbeat for so long is marked, and ended one pass later."),
    ] = 3 * MINUTE
    boot_limit: Annotated[
        PositiveDuration, Meta(description="A node that has not given its first heartbeat by then is marked likewise.")
    ] = 10 * MINUTE
    breaker_nodes: Annotated[
        PositiveCount,
        Meta(description="So many nodes in a row that never gave a heartbeat open the breaker: none are launched."),
    ] = 3
    breaker_time: Annotated[
        PositiveDuration, Meta(description="For so long, or until 'nommerctl resume'; then one node is tried.")
    ] = 30 * MINUTE


class WorkerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[worker]: how a node works."""

    slots: Annotated[
        PositiveCount,
        Meta(description="Jobs at once of a worker started by hand; scale's own get scale.jobs_per_node."),
    ] = 1
    lease: Annotated[
        PositiveDuration, Meta(description="How long a job stays a worker's without a heartbeat; also the visibility.")
    ] = 90.0
    heartbeat: Annotated[
        PositiveDuration, Meta(description="Between two heartbeats; at most a third of the lease.")
    ] = 20.0
    idle_exit: Annotated[Duration, Meta(description="A worker without work for so long ends itself. 0: never.")] = 30.0
    controller_silence: Annotated[
        PositiveDuration,
        Meta(description="A node that scale launched ends when there is no work and no pass was made for so long."),
    ] = HOUR
    max_attempts: Annotated[
        PositiveCount, Meta(description="How often a job is begun before its vanishing workers make it an ERROR.")
    ] = 3
    max_interruptions: Annotated[
        Count, Meta(description="How often a job may be handed back by workers that had to go.")
    ] = 10

    @property
    def limits(self) -> AttemptLimits:
        """The two limits that the moves of a job take."""
        return AttemptLimits(max_attempts=self.max_attempts, max_interruptions=self.max_interruptions)


class UpkeepSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[upkeep]: what abandon, prune and the resync of refresh go by."""

    abandon_after: Annotated[PositiveDuration, Meta(description="Silence after which a job in work is ABANDONED.")] = (
        24 * HOUR
    )
    abandon_pending_after: Annotated[
        PositiveDuration, Meta(description="Silence after which a job that waits is ABANDONED.")
    ] = 14 * DAY
    retention: Annotated[
        PositiveDuration, Meta(description="Finished jobs older than this are removed from the store.")
    ] = 30 * DAY
    archive: Annotated[
        str, Meta(description="JSONL file that prune appends jobs to before it removes them. Empty: none is written.")
    ] = ""
    resync_every: Annotated[
        PositiveDuration, Meta(description="How often refresh compares the cache and the queue with the whole store.")
    ] = HOUR
    requeue_after: Annotated[
        Duration, Meta(description="A job whose message is gone gets a new one after so long.")
    ] = 15 * MINUTE

    @property
    def abandon(self) -> AbandonAfter:
        """The two thresholds that the move takes."""
        return AbandonAfter(in_work=self.abandon_after, pending=self.abandon_pending_after)


class CacheSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[cache]: the job cache."""

    keep_finished: Annotated[
        Duration, Meta(description="Finished jobs stay in the cache, and so in list, for so long.")
    ] = DAY
    max_age: Annotated[
        PositiveDuration, Meta(description="Scale does nothing when the last refresh is older than this.")
    ] = 15 * MINUTE


class FfmpegSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[ffmpeg]: the encoder."""

    path: Annotated[
        str,
        Meta(description="Which ffmpeg. Empty: the system's if it has the job's encoders, else that of '[local]'."),
    ] = ""
    threads: Annotated[Count, Meta(description="Threads of an encode whose options name none. 0: ffmpeg decides.")] = 0
    time_limit: Annotated[PositiveDuration, Meta(description="Longest time that one ffmpeg run may take.")] = 12 * HOUR
    memory_limit: Annotated[
        Count, Meta(description="Most memory that one ffmpeg run may use, in bytes (Linux). 0: no limit.")
    ] = 16 * GIB
    max_pixels: Annotated[
        Count, Meta(description="Most pixels that a picture may have, of a source or an output. 0: no limit.")
    ] = 128 * 1024**2
    output_limit: Annotated[
        Count, Meta(description="Largest file that one ffmpeg run may write, in bytes. 0: no limit.")
    ] = 100 * GIB


class StorageSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[storage]: sources that are fetched, destinations that are written."""

    http_max_bytes: Annotated[PositiveCount, Meta(description="Largest source fetched by HTTP, in bytes.")] = 100 * GIB
    http_time_limit: Annotated[
        PositiveDuration, Meta(description="Longest time that fetching one source may take.")
    ] = 2 * HOUR
    strip_credentials: Annotated[
        bool,
        Meta(
            description="Drop the keys of AWS that s3://KEY:SECRET@bucket/key has in it, as media-nommer's producers"
            " wrote; else such a URI is refused. The farm's own credentials are used either way."
        ),
    ] = False


class NotifySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[notify]: telling notify_url."""

    timeout: Annotated[PositiveDuration, Meta(description="Longest time that one listener may take to answer.")] = 15.0
    attempts: Annotated[
        int,
        Meta(
            ge=1,
            le=MOST_ATTEMPTS,
            description="How often it is tried to tell something, over 75 hours, before a listener is given up.",
        ),
    ] = MOST_ATTEMPTS
    format: Annotated[
        NotifyFormat,
        Meta(description="form (media-nommer's three fields), or standard (JSON, signed as Standard Webhooks say)."),
    ] = NotifyFormat.FORM
    secrets: Annotated[
        Words,
        Meta(
            description='What format "standard" signs with: "whsec_" and 24 to 64 bytes in base64; two while listeners'
            " change from one to the other. The file must not be readable by every user of its machine.",
            extra=SECRET,
        ),
    ] = ()
    allow_private: Annotated[
        Words, Meta(description='Networks besides the internet that listeners may be in, such as "10.0.0.0/8".')
    ] = ()


class ScheduleSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[schedule]: how often cron or systemd runs each pass; `schedule` prints lines or units from it."""

    refresh: Annotated[PositiveDuration, Meta(description="Between two runs of refresh, whole minutes.")] = MINUTE
    scale: Annotated[PositiveDuration, Meta(description="Between two runs of scale, whole minutes.")] = MINUTE
    abandon: Annotated[PositiveDuration, Meta(description="Between two runs of abandon, whole minutes.")] = 5 * MINUTE
    prune: Annotated[PositiveDuration, Meta(description="Between two runs of prune, whole minutes.")] = 5 * MINUTE


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a settings file."""

    farm: FarmSettings = FarmSettings()
    scale: ScaleSettings = ScaleSettings()
    worker: WorkerSettings = WorkerSettings()
    upkeep: UpkeepSettings = UpkeepSettings()
    cache: CacheSettings = CacheSettings()
    ffmpeg: FfmpegSettings = FfmpegSettings()
    storage: StorageSettings = StorageSettings()
    aws: AwsSettings = AwsSettings()
    simpledb: SimpledbSettings = SimpledbSettings()
    notify: NotifySettings = NotifySettings()
    schedule: ScheduleSettings = ScheduleSettings()
