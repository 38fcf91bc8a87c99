"""Where each setting of media-nommer has its place here. Its defaults are kept where they differ from ours."""

import math
from collections.abc import Sequence

from nommerctl.domain.config import DAY, HOUR, MINUTE, Backend, ScaleSettings, WorkerSettings
from nommerctl.domain.config_fields import config_fields
from nommerctl.domain.durations import duration_text
from nommerctl.domain.schedule import is_regular
from nommerctl.domain.taken_over import LeftOut, TakenOver, Takeover, Value
from nommerctl.domain.text import shown
from nommerctl.errors import SettingsError
from nommerctl.settings.nomconf import Nomconf, Plain
from nommerctl.settings.values import Given, converted

_AS_THEY_ARE = {
    "SQS_NEW_JOB_QUEUE_NAME": "simpledb.new_jobs_queue",
    "SQS_JOB_STATE_CHANGE_QUEUE_NAME": "simpledb.changes_queue",
    "SIMPLEDB_JOB_STATE_DOMAIN": "simpledb.job_domain",
    "SIMPLEDB_EC2_NOMMER_STATE_DOMAIN": "simpledb.heartbeat_domain",
    "EC2_KEY_NAME": "aws.key_name",
    "MAX_ENCODING_JOBS_PER_EC2_INSTANCE": "scale.jobs_per_node",
    "FEEDERD_ABANDON_INACTIVE_JOBS_THRESH": "upkeep.abandon_after",
}

_INTERVALS = {
    "FEEDERD_JOB_STATE_CHANGE_CHECK_INTERVAL": ("schedule.refresh",),
    "FEEDERD_AUTO_SCALE_INTERVAL": ("schedule.scale",),
    "FEEDERD_PRUNE_JOBS_INTERVAL": ("schedule.abandon", "schedule.prune"),
}

_ELSEWHERE = {
    "EC2_SECURITY_GROUPS": "aws.security_groups",
    "EC2_AMI_ID": "simpledb.ami",
    "EC2_INSTANCE_TYPE": "aws.instance_types",
    "MAX_NUM_EC2_INSTANCES": "scale.max_nodes",
    "FEEDERD_ALLOW_EC2_LAUNCHES": "scale.max_nodes",
    "JOB_OVERFLOW_THRESH": "scale.overflow_threshold",
    "NOMMERD_TERMINATE_WHEN_IDLE": "worker.idle_exit",
    "NOMMERD_MAX_INACTIVITY": "worker.idle_exit",
    "NOMMERD_HEARTBEAT_INTERVAL": "worker.heartbeat",
}
"""Those that take more than to be copied: see _Homes."""

_DEFAULTS = {"MAX_ENCODING_JOBS_PER_EC2_INSTANCE": 2, "MAX_NUM_EC2_INSTANCES": 3, "JOB_OVERFLOW_THRESH": 2}

_NOTES = {"FEEDERD_ABANDON_INACTIVE_JOBS_THRESH": "for jobs that wait there is upkeep.abandon_pending_after"}

_NO_KEY = "keys are never kept: use a profile (aws.profile), AWS's variables or an instance role"

_NOWHERE = {
    "AWS_ACCESS_KEY_ID": _NO_KEY,
    "AWS_SECRET_ACCESS_KEY": _NO_KEY,
    "CONFIG_S3_BUCKET": "nodes take their settings from the farm's ledger",
    "NOMMERD_NEW_JOB_CHECK_INTERVAL": "workers wait for messages all the time, so that there is nothing to set",
    "NOMMERD_QTFASTSTART_BIN_PATH": "ffmpeg itself moves the index of a file to its front",
    "STORAGE_BACKENDS": "sources are s3: and http(s): URIs, destinations s3: URIs: both are built in",
}

_KNOWN = _AS_THEY_ARE | dict.fromkeys(_INTERVALS, "the section [schedule]") | _ELSEWHERE | dict.fromkeys(_NOWHERE, "")

_UNMENTIONED = (
    LeftOut(
        0,
        "jobs that have finished",
        "media-nommer kept them for ever, and upkeep.retention is ten years here, so that no pass removes them: to"
        " shorten it, set upkeep.archive first, a file by its absolute path that their records are written to",
    ),
    LeftOut(
        0,
        "the zone of the old hosts",
        "media-nommer wrote local times, and no setting says where: set simpledb.old_zone unless it is UTC",
    ),
    LeftOut(
        0,
        "the region",
        "media-nommer asked us-east-1, unless a boto.cfg said otherwise: set aws.region if your usual AWS settings do"
        " not name the same",
    ),
    LeftOut(
        0,
        "keys in s3: URIs",
        "such URIs are refused: set storage.strip_credentials = true to have the keys dropped instead",
    ),
    LeftOut(
        0,
        "listeners in private networks",
        'such are not told: name their networks in notify.allow_private, ["10.0.0.0/8"] for one',
    ),
)

_KEPT = 3650 * DAY
"""Media-nommer never removed a job. Where its records could go before ours does, only the operator knows."""

_PARAVIRTUAL = frozenset({"c1", "m1", "m2", "t1"})
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/virtualization_types.html: these start no HVM images."""

_LONGEST_VISIBILITY = 12 * HOUR
"""Of SQS; a lease is a message's visibility too."""

_EVEN = [minutes * MINUTE for minutes in range(1, 24 * 60 + 1) if is_regular(minutes * MINUTE)]


def taken_over(nomconf: Nomconf) -> Takeover:
    """Return what of these settings is ours, and what is not.

    Raises:
        SettingsError: a value is not what media-nommer would have taken; it is named with its line.
    """
    if not _KNOWN.keys() & {*nomconf.assigned, *nomconf.unread}:
        msg = f"{nomconf.named} has no setting of media-nommer: is it a nomconf.py?"
        raise SettingsError(msg)
    homes = _Homes(nomconf)
    homes.take_all()
    order = list(config_fields())
    settings = sorted(homes.settings, key=lambda each: order.index(each.field.name))
    left_out = sorted(homes.left_out, key=lambda each: each.line or math.inf)
    return Takeover(tuple(settings), tuple(left_out))


class _Homes:
    def __init__(self, nomconf: Nomconf) -> None:
        self._nomconf = nomconf
        self.settings: list[TakenOver] = []
        self.left_out: list[LeftOut] = []

    def take_all(self) -> None:
        self._add("farm.backend", Backend.SIMPLEDB.value, "Taken over, with its jobs, queues and workers.")
        for old, new in _AS_THEY_ARE.items():
            if (value := self._value(old)) is not None:
                self._take(old, new, value, _NOTES.get(old, ""))
        self._take_image()
        self._take_groups()
        self._take_instance_type()
        self._take_most_nodes()
        self._take_threshold()
        self._take_intervals()
        self._take_idleness()
        self._take_heartbeat()
        why = "Media-nommer kept them for ever. Before you shorten it, set upkeep.archive if their records are to stay."
        self._add("upkeep.retention", _KEPT, why)
        self._leave_out_the_rest()

    # --- what takes more than to be copied ---

    def _take_image(self) -> None:
        old = "EC2_AMI_ID"
        if (value := self._value(old)) is not None:
            self._take(old, "simpledb.ami", value, "new nodes come from aws.launch_template or aws.ami")
        elif old not in self._nomconf.unread:
            why = "it is not in the file: set simpledb.ami to the image of the old workers, or they do not count"
            self.left_out.append(LeftOut(0, old, why))

    def _take_groups(self) -> None:
        old = "EC2_SECURITY_GROUPS"
        value = self._value(old)
        if value is None:
            return
        groups = value if isinstance(value, tuple) and all(isinstance(each, str) for each in value) else ()
        names = [str(each) for each in groups if not str(each).startswith("sg-")]
        ids = tuple(each for each in groups if each not in names)
        if names:
            listed = ", ".join(f"'{shown(name)}'" for name in names)
            why = f"{listed}: groups are given by id here: put the ids (sg-...) of those into aws.security_groups"
            self._leave_out(old, why)
        if ids or not names:
            self._take(old, "aws.security_groups", ids if names else value)

    def _take_instance_type(self) -> None:
        old = "EC2_INSTANCE_TYPE"
        value = self._value(old)
        if isinstance(value, str) and value.partition(".")[0] in _PARAVIRTUAL:
            why = f"'{shown(value)}' starts no image of today: new nodes are of aws.instance_types"
            self._leave_out(old, why)
        elif value is not None:
            self._take(old, "aws.instance_types", (value,) if isinstance(value, str) else value)

    def _take_most_nodes(self) -> None:
        old, switch = "MAX_NUM_EC2_INSTANCES", "FEEDERD_ALLOW_EC2_LAUNCHES"
        most = self._value(old)
        if self._flag(switch) is False:
            line = self._line(old)
            given = f"{old}, line {line}, is {self._checked(old, most)}" if line and most is not None else ""
            self._take(switch, "scale.max_nodes", 0, given)
        elif most is not None:
            self._take(old, "scale.max_nodes", most)

    def _take_threshold(self) -> None:
        old, new = "JOB_OVERFLOW_THRESH", "scale.overflow_threshold"
        value = self._value(old)
        if value == 0 and not isinstance(value, bool):
            self._take(old, new, 1, "it was 0, which launched a node even where no job was left over")
        elif value is not None:
            self._take(old, new, value)

    def _take_intervals(self) -> None:
        for old, passes in _INTERVALS.items():
            value = self._value(old)
            if value is None:
                continue
            for new in passes:
                seconds = self._seconds(old, new, value)
                even = min(_EVEN, key=lambda each: abs(each - seconds))
                rounded = "" if even == seconds else f"it was {duration_text(seconds)}: cron knows no such interval"
                self._take(old, new, even, rounded)

    def _take_idleness(self) -> None:
        switch, old, new = "NOMMERD_TERMINATE_WHEN_IDLE", "NOMMERD_MAX_INACTIVITY", "worker.idle_exit"
        ends, value = self._flag(switch), self._value(old)
        if ends is False:
            self._take(switch, new, 0, "a worker never ends for want of work, and its instance is paid for meanwhile")
        elif value is not None and self._seconds(old, new, value) == 0:
            self._take(old, new, 1, "it was 0, which is 'never' here")
        elif value is not None:
            self._take(old, new, value, "instances are paid for by the second now, no longer by the hour")

    def _take_heartbeat(self) -> None:
        old = "NOMMERD_HEARTBEAT_INTERVAL"
        value = self._value(old)
        if value is None:
            return
        seconds = self._seconds(old, "worker.heartbeat", value)
        lease = math.ceil(3 * seconds)
        if lease > _LONGEST_VISIBILITY:
            self._leave_out(old, "a lease is three heartbeats at least, and SQS hides no message for so long")
            return
        self._take(old, "worker.heartbeat", value)
        raised = f"raised to three heartbeats of {duration_text(seconds)}"
        if lease > WorkerSettings().lease:
            self._take(old, "worker.lease", lease, raised)
        if lease > ScaleSettings().silent_after:
            self._take(old, "scale.silent_after", lease, raised)

    # --- what is left ---

    def _leave_out_the_rest(self) -> None:
        undone = {line for line, _ in self._nomconf.undone}
        for name, (line, why) in self._nomconf.unread.items():
            if name in _NOWHERE:
                self.left_out.append(LeftOut(line, name, _NOWHERE[name]))
            elif name in _KNOWN:
                self.left_out.append(LeftOut(line, name, f"{why}: set {_KNOWN[name]} yourself"))
            elif line not in undone:
                self.left_out.append(LeftOut(line, name, why))
        for name, (line, _, passed_on) in self._nomconf.assigned.items():
            if name in _NOWHERE:
                self._leave_out(name, _NOWHERE[name])
            elif name not in _KNOWN and not passed_on:
                self.left_out.append(LeftOut(line, name, "it is no setting of media-nommer that is known"))
        self.left_out += [LeftOut(line, "", why) for line, why in self._nomconf.undone]
        self.left_out += _UNMENTIONED

    # --- values ---

    def _value(self, old: str) -> Plain:
        """Return the value of a setting, media-nommer's default where that differs from ours; None: ours will do."""
        if old in self._nomconf.assigned:
            value = self._nomconf.assigned[old].value
            return _DEFAULTS.get(old) if value is None else value
        return None if old in self._nomconf.unread else _DEFAULTS.get(old)

    def _flag(self, old: str) -> bool | None:
        value = self._value(old)
        if value is None or value in (0, 1):
            return None if value is None else bool(value)
        msg = f"{self._said(old)} must be True or False"
        raise SettingsError(msg)

    def _seconds(self, old: str, new: str, value: Plain) -> float:
        return float(converted(self._given(old, new, value)))

    def _checked(self, old: str, value: Plain) -> int:
        return int(converted(self._given(old, _ELSEWHERE[old], value)))

    def _take(self, old: str, new: str, value: Plain, *notes: str) -> None:
        line = self._line(old)
        origin = f"media-nommer: {old}, {f'line {line}' if line else 'its default'}"
        self._add(new, converted(self._given(old, new, value)), origin, [note for note in notes if note])

    def _add(self, new: str, value: Value, origin: str, notes: Sequence[str] = ()) -> None:
        self.settings.append(TakenOver(field=config_fields()[new], value=value, origin=origin, notes=tuple(notes)))

    def _given(self, old: str, new: str, value: Plain) -> Given:
        raw = list(value) if isinstance(value, tuple) else value
        said = self._said(old)
        return Given(field=config_fields()[new], value=raw, said=said, place=said, origin="file", textual=False)

    def _said(self, old: str) -> str:
        return f"{old} in line {self._line(old)} of {self._nomconf.named}"

    def _line(self, old: str) -> int:
        return self._nomconf.assigned[old].line if old in self._nomconf.assigned else 0

    def _leave_out(self, old: str, why: str) -> None:
        self.left_out.append(LeftOut(self._line(old), old, why))
