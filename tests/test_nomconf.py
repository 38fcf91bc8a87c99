"""Media-nommer's settings file: what is understood of it without executing it, and where each setting goes."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nommerctl.domain.taken_over import Takeover
from nommerctl.errors import SettingsError
from nommerctl.settings.nomconf import parse_nomconf
from nommerctl.settings.nomconf_homes import taken_over

ENOUGH = "EC2_AMI_ID = 'ami-1'\n"
"""What makes a file one of media-nommer's, and leaves nothing to be said of it."""

BY_DEFAULT = {
    "farm.backend": "simpledb",
    "scale.max_nodes": 3,
    "scale.jobs_per_node": 2,
    "scale.overflow_threshold": 2,
    "upkeep.retention": 3650 * 24 * 3600.0,
}


def imported(text: str) -> Takeover:
    return taken_over(parse_nomconf(text.encode(), "nomconf.py"))


def values(text: str) -> dict[str, Any]:
    """Our settings for a file of media-nommer's, but for those that every file gives."""
    found = {each.field.name: each.value for each in imported(ENOUGH + text).settings}
    assert found.pop("simpledb.ami") == "ami-1"
    return {name: value for name, value in found.items() if BY_DEFAULT.get(name) != value}


def notes(text: str) -> dict[str, list[str]]:
    """What is said to each of our settings besides its origin."""
    return {each.field.name: list(each.notes) for each in imported(text).settings if each.notes}


def left_out(text: str) -> list[tuple[int, str, str]]:
    """What is not taken over of a file, by its lines."""
    return [(each.line, each.what, each.why) for each in imported(text).left_out if each.line]


def refusal(text: str | bytes) -> str:
    with pytest.raises(SettingsError) as refused:
        taken_over(parse_nomconf(text.encode() if isinstance(text, str) else text, "nomconf.py"))
    return str(refused.value)


# --- what is understood ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "understood"),
    [
        ("7200", 7200.0),
        ("3600 * 2", 7200.0),
        ("60 * (2 * 60)", 7200.0),
        ("DAY - 2 * HOUR", 79_200.0),
        ("HOUR + 0.5", 3600.5),
        ("--HOUR", 3600.0),
    ],
)
def test_a_number_may_be_calculated(value: str, understood: float) -> None:
    text = f"HOUR = 3600\nDAY = 24 * HOUR\nFEEDERD_ABANDON_INACTIVE_JOBS_THRESH = {value}\n"
    assert values(text) == {"upkeep.abandon_after": understood}


@pytest.mark.parametrize(
    "value", ["'media_2'", "u'media_2'", '"media" "_2"', "'media' + '_2'", "PREFIX + '2'", "OTHER"]
)
def test_a_text_may_be_put_together(value: str) -> None:
    text = f"PREFIX = 'media_'\nOTHER = SAME = 'media_2'\nSIMPLEDB_JOB_STATE_DOMAIN = {value}\n"
    assert values(text)["simpledb.job_domain"] == "media_2"


def test_the_last_assignment_counts() -> None:
    assert values("MAX_NUM_EC2_INSTANCES = 5\nMAX_NUM_EC2_INSTANCES = 7\n") == {"scale.max_nodes": 7}
    assert values("from os import *\nMAX_NUM_EC2_INSTANCES: int = 7\n") == {"scale.max_nodes": 7}


def test_none_is_what_it_was_by_default() -> None:
    assert values("EC2_KEY_NAME = None\nMAX_NUM_EC2_INSTANCES = None\n") == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("MAX_NUM_EC2_INSTANCES = int('7')\n", "its value is more than a plain one"),
        ("MAX_NUM_EC2_INSTANCES = 9 // 2\n", "its value is more than a plain one"),
        ("MAX_NUM_EC2_INSTANCES = '7' * 3\n", "its value is calculated in a way that is not followed"),
        ("MAX_NUM_EC2_INSTANCES = WHATEVER\n", "its value is made of 'WHATEVER', whose value is not known"),
        ("MAX_NUM_EC2_INSTANCES = [[7]]\n", "its value is a list of lists"),
        ("MAX_NUM_EC2_INSTANCES = 10 ** 9\n", "its value is more than a plain one"),
        ("MAX_NUM_EC2_INSTANCES = 0xffffffffffffffffffff\n", "its value is no proper text, or larger than any setting"),
        ("MAX_NUM_EC2_INSTANCES = 1e999\n", "its value is no proper text, or larger than any setting"),
        (f"MAX_NUM_EC2_INSTANCES = {'(1 + ' * 60}1{')' * 60}\n", "its value is nested too deep"),
        ("MAX_NUM_EC2_INSTANCES = (MAX_NUM_EC2_INSTANCES := 7)\n", "its value is more than a plain one"),
    ],
)
def test_a_value_that_is_not_plain_is_left_to_the_reader(text: str, why: str) -> None:
    assert left_out(ENOUGH + text) == [(2, "MAX_NUM_EC2_INSTANCES", f"{why}: set scale.max_nodes yourself")]
    assert "scale.max_nodes" not in values(f"MAX_NUM_EC2_INSTANCES = 5\n{text}")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("if True:\n    MAX_NUM_EC2_INSTANCES = 7\n", "a block ('if')"),
        ("for MAX_NUM_EC2_INSTANCES in ():\n    pass\n", "a block ('for')"),
        ("def set_it():\n    global MAX_NUM_EC2_INSTANCES\n    MAX_NUM_EC2_INSTANCES = 7\n", "a definition"),
        ("del MAX_NUM_EC2_INSTANCES\n", "another change than 'NAME = value'"),
        ("MAX_NUM_EC2_INSTANCES += 7\n", "another change than 'NAME = value'"),
        ("MAX_NUM_EC2_INSTANCES, x = 7, 8\n", "another change than 'NAME = value'"),
        ("from local import MAX_NUM_EC2_INSTANCES\n", "an import from elsewhere"),
        ("print(MAX_NUM_EC2_INSTANCES := 7)\n", "a call or expression"),
    ],
)
def test_what_is_not_carried_out_is_named_and_what_it_may_change_is_left_out(text: str, kind: str) -> None:
    text = f"MAX_NUM_EC2_INSTANCES = 5\n{text}"
    assert "scale.max_nodes" not in values(text)
    told = left_out(ENOUGH + text)
    assert (3, "", f"{kind} is not carried out") in told
    why = f"{kind} that is not carried out may change it: set scale.max_nodes yourself"
    assert (3, "MAX_NUM_EC2_INSTANCES", why) in told


def test_a_list_that_a_call_may_lengthen_is_left_out() -> None:
    text = "EC2_SECURITY_GROUPS = ['sg-1']\nEC2_SECURITY_GROUPS.append('sg-2')\n"
    assert values(text) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nomconf.py has no setting of media-nommer: is it a nomconf.py?"),
        ("x = 1\n", "nomconf.py has no setting of media-nommer: is it a nomconf.py?"),
        (b"x = '\xff'\n", "nomconf.py is not UTF-8 text: see its byte 6"),
        ("x = 1\ny = = 2\n", "nomconf.py cannot be read as Python 3: line 2: invalid syntax"),
        (
            "x = 1\nprint 'hello'\n",
            "nomconf.py cannot be read as Python 3: line 2: Missing parentheses in call to 'pri",
        ),
        ("x = '\0'\n", "nomconf.py cannot be read as Python 3: it holds a NUL character"),
        ("x = " + "-" * 100_000 + "1\n", "nomconf.py is nested too deep to be read"),
        ("x = 1" + "+1" * 100_000 + "\n", "nomconf.py is nested too deep to be read"),
        ("x = a" + ".a" * 100_000 + "\n", "nomconf.py is nested too deep to be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(text: str | bytes, said: str) -> None:
    assert refusal(text).startswith(said)


def test_what_python_would_warn_of_is_no_matter_here() -> None:
    assert values("EC2_KEY_NAME = 'a\\d'\nassert (1, 'x')\n") == {"aws.key_name": "a\\d"}


@given(st.text(st.sampled_from("AB=1+('[],)\n :.#*x\"\\"), max_size=60))
def test_whatever_stands_in_a_file_is_understood_or_refused(text: str) -> None:
    with suppress(SettingsError):
        assert imported(f"{ENOUGH}{text}").settings


def test_values_that_grow_from_line_to_line_take_neither_time_nor_room() -> None:
    doubled = "".join(f"a{n + 1} = a{n} + a{n}\nb{n + 1} = b{n} + b{n}\nc{n + 1} = c{n} * c{n}\n" for n in range(900))
    assert values(f"a0 = 'x'\nb0 = ['x']\nc0 = 9\n{doubled}") == {}


# --- where each setting goes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("SQS_NEW_JOB_QUEUE_NAME = 'new'", {"simpledb.new_jobs_queue": "new"}),
        ("SQS_JOB_STATE_CHANGE_QUEUE_NAME = 'changes'", {"simpledb.changes_queue": "changes"}),
        ("SIMPLEDB_JOB_STATE_DOMAIN = 'jobs'", {"simpledb.job_domain": "jobs"}),
        ("SIMPLEDB_EC2_NOMMER_STATE_DOMAIN = 'beats'", {"simpledb.heartbeat_domain": "beats"}),
        ("EC2_KEY_NAME = 'ops'", {"aws.key_name": "ops"}),
        ("EC2_SECURITY_GROUPS = ('sg-1', 'sg-2')", {"aws.security_groups": ("sg-1", "sg-2")}),
        ("EC2_INSTANCE_TYPE = 'c5.xlarge'", {"aws.instance_types": ("c5.xlarge",)}),
        ("MAX_ENCODING_JOBS_PER_EC2_INSTANCE = 4", {"scale.jobs_per_node": 4}),
        ("MAX_NUM_EC2_INSTANCES = 8", {"scale.max_nodes": 8}),
        ("JOB_OVERFLOW_THRESH = 5", {"scale.overflow_threshold": 5}),
        ("JOB_OVERFLOW_THRESH = 0", {"scale.overflow_threshold": 1}),
        ("FEEDERD_ALLOW_EC2_LAUNCHES = True", {}),
        ("FEEDERD_ALLOW_EC2_LAUNCHES = False", {"scale.max_nodes": 0}),
        ("FEEDERD_ABANDON_INACTIVE_JOBS_THRESH = 3600", {"upkeep.abandon_after": 3600.0}),
        ("FEEDERD_JOB_STATE_CHANGE_CHECK_INTERVAL = 120", {"schedule.refresh": 120.0}),
        ("FEEDERD_JOB_STATE_CHANGE_CHECK_INTERVAL = 5", {"schedule.refresh": 60.0}),
        ("FEEDERD_AUTO_SCALE_INTERVAL = 430", {"schedule.scale": 360.0}),
        ("FEEDERD_PRUNE_JOBS_INTERVAL = 50 * 60", {"schedule.abandon": 3600.0, "schedule.prune": 3600.0}),
        ("FEEDERD_PRUNE_JOBS_INTERVAL = 999999", {"schedule.abandon": 86_400.0, "schedule.prune": 86_400.0}),
        ("NOMMERD_TERMINATE_WHEN_IDLE = False\nNOMMERD_MAX_INACTIVITY = 120", {"worker.idle_exit": 0.0}),
        ("NOMMERD_TERMINATE_WHEN_IDLE = True\nNOMMERD_MAX_INACTIVITY = 120", {"worker.idle_exit": 120.0}),
        ("NOMMERD_MAX_INACTIVITY = 0", {"worker.idle_exit": 1.0}),
        ("NOMMERD_HEARTBEAT_INTERVAL = 10", {"worker.heartbeat": 10.0}),
        ("NOMMERD_HEARTBEAT_INTERVAL = 60", {"worker.heartbeat": 60.0, "worker.lease": 180.0}),
        (
            "NOMMERD_HEARTBEAT_INTERVAL = 300",
            {"worker.heartbeat": 300.0, "worker.lease": 900.0, "scale.silent_after": 900.0},
        ),
    ],
)
def test_each_setting_has_its_place(line: str, ours: dict[str, Any]) -> None:
    assert values(line) == ours


def test_what_the_file_leaves_out_is_as_it_was_by_default() -> None:
    found = imported("EC2_KEY_NAME = 'ops'\n")
    assert {each.field.name: each.value for each in found.settings} == {**BY_DEFAULT, "aws.key_name": "ops"}
    origins = {each.field.name: each.origin for each in found.settings}
    assert origins["scale.max_nodes"] == "media-nommer: MAX_NUM_EC2_INSTANCES, its default"
    assert origins["aws.key_name"] == "media-nommer: EC2_KEY_NAME, line 1"


def test_what_changed_on_the_way_is_said() -> None:
    text = "JOB_OVERFLOW_THRESH = 0\nFEEDERD_AUTO_SCALE_INTERVAL = 7 * 60\nNOMMERD_HEARTBEAT_INTERVAL = 60\n"
    switched = "MAX_NUM_EC2_INSTANCES = 8\nFEEDERD_ALLOW_EC2_LAUNCHES = 0\n"
    assert notes(text + switched) == {
        "scale.max_nodes": ["MAX_NUM_EC2_INSTANCES, line 4, is 8"],
        "scale.overflow_threshold": ["it was 0, which launched a node even where no job was left over"],
        "schedule.scale": ["it was 7min: cron knows no such interval"],
        "worker.lease": ["raised to three heartbeats of 1min"],
    }


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("AWS_ACCESS_KEY_ID = 'AKIA'", "keys are never kept: use a profile (aws.profile), AWS's variables or an insta"),
        ("AWS_SECRET_ACCESS_KEY = open('key').read()", "keys are never kept: use a profile (aws.profile), AWS's vari"),
        ("STORAGE_BACKENDS = {'s3': 'x'}", "sources are s3: and http(s): URIs, destinations s3: URIs: both are built"),
        ("NOMMERD_NEW_JOB_CHECK_INTERVAL = 60", "workers wait for messages all the time, so that there is nothing"),
        ("NOMMERD_QTFASTSTART_BIN_PATH = '/x'", "ffmpeg itself moves the index of a file to its front"),
        ("CONFIG_S3_BUCKET = 'nommer_config'", "nodes take their settings from the farm's ledger"),
        ("NOMMERD_HEARTBEAT_INTERVAL = 20000", "a lease is three heartbeats at least, and SQS hides no message for so"),
        ("EC2_INSTANCE_TYPE = 'm1.large'", "'m1.large' starts no image of today: new nodes are of aws.instance_types"),
        ("EC2_SECURITY_GROUPS = ['media_nommer', 'b c']", "'media_nommer', 'b c': groups are given by id here: put"),
        ("SOMETHING = 1", "it is no setting of media-nommer that is known"),
        ("something = other", "its value is made of 'other', whose value is not known"),
    ],
)
def test_what_has_no_place_is_listed_with_the_reason(line: str, why: str) -> None:
    ((at, what, said),) = left_out(f"{ENOUGH}{line}\n")
    assert (at, what) == (2, line.partition(" ")[0])
    assert said.startswith(why)
    assert values(f"{line}\n") == {}


HIDDEN = "wJalrXUtnFEMI"


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        (f"AWS_SECRET_ACCESS_KEY = '{HIDDEN}'\nEC2_KEY_NAME = AWS_SECRET_ACCESS_KEY\n", 3, "EC2_KEY_NAME"),
        (f"AWS_ACCESS_KEY_ID = '{HIDDEN}'\nEC2_KEY_NAME = 'k' + AWS_ACCESS_KEY_ID\n", 3, "EC2_KEY_NAME"),
        (f"A = '{HIDDEN}'\nAWS_ACCESS_KEY_ID = A\nEC2_KEY_NAME = A\n", 4, "EC2_KEY_NAME"),
        (f"EC2_KEY_NAME = A = '{HIDDEN}'\nAWS_ACCESS_KEY_ID = 'x' + A\n", 2, "EC2_KEY_NAME"),
        (f"A = '{HIDDEN}'\nEC2_KEY_NAME = A\nif A:\n    AWS_ACCESS_KEY_ID = A\n", 3, "EC2_KEY_NAME"),
        (f"AWS_ACCESS_KEY_ID = '{HIDDEN}'\nB = AWS_ACCESS_KEY_ID\nC = [B]\nEC2_SECURITY_GROUPS = C\n", 5, "EC2_SECU"),
        (f"AWS_ACCESS_KEY_ID: str = '{HIDDEN}'\nMAX_NUM_EC2_INSTANCES = AWS_ACCESS_KEY_ID\n", 3, "MAX_NUM_EC2_I"),
        (f"AWS_ACCESS_KEY_ID = '{HIDDEN}'\nEC2_INSTANCE_TYPE: str = 'm1.' + AWS_ACCESS_KEY_ID\n", 3, "EC2_INST"),
        (f"AWS_ACCESS_KEY_ID = '{HIDDEN}'\nSIMPLEDB_JOB_STATE_DOMAIN = 'a b' + AWS_ACCESS_KEY_ID\n", 3, "SIMPLE"),
        (f"AWS_ACCESS_KEY_ID = SECRET_TOO = '{HIDDEN}'\nEC2_KEY_NAME = SECRET_TOO\n", 3, "EC2_KEY_NAME"),
    ],
)
def test_what_is_made_of_a_key_is_named_with_its_line_and_nothing_of_it_is_told(
    text: str, line: int, name: str
) -> None:
    takeover = imported(ENOUGH + text)
    assert HIDDEN not in repr(takeover)
    (why,) = (each.why for each in takeover.left_out if each.line == line and each.what.startswith(name))
    assert why.startswith("its value is made of an AWS key, or a part of one: set ")


def test_what_has_nothing_to_do_with_a_key_is_taken_beside_it() -> None:
    text = "import os\nAWS_ACCESS_KEY_ID = os.environ['ID']\nPREFIX = 'media'\nEC2_KEY_NAME = PREFIX\n"
    assert values(text) == {"aws.key_name": "media"}


def test_names_of_groups_are_left_out_and_their_ids_are_not() -> None:
    text = "EC2_SECURITY_GROUPS = ['media_nommer', 'sg-1']\n"
    assert values(text) == {"aws.security_groups": ("sg-1",)}
    assert len(left_out(ENOUGH + text)) == 1


def test_what_the_file_cannot_say_is_asked_for() -> None:
    asked = {each.what: each.why for each in imported("EC2_KEY_NAME = 'ops'\n").left_out if not each.line}
    assert "set simpledb.old_zone" in asked["the zone of the old hosts"]
    assert "set aws.region" in asked["the region"]
    assert "set simpledb.ami to the image of the old workers" in asked["EC2_AMI_ID"]
    assert "to shorten it, set upkeep.archive first" in asked["jobs that have finished"]
    assert "set storage.strip_credentials = true" in asked["keys in s3: URIs"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("MAX_NUM_EC2_INSTANCES = '3'", "must be a whole number of at least 0, not '3'"),
        ("MAX_NUM_EC2_INSTANCES = -1", "must be a whole number of at least 0, not -1"),
        ("MAX_NUM_EC2_INSTANCES = True", "must be a whole number of at least 0, not true"),
        ("MAX_NUM_EC2_INSTANCES = [3]", "must be a whole number of at least 0, not a list"),
        ("MAX_ENCODING_JOBS_PER_EC2_INSTANCE = 0", "must be a whole number of at least 1, not 0"),
        ("JOB_OVERFLOW_THRESH = False", "must be a whole number of at least 1, not false"),
        ("FEEDERD_ALLOW_EC2_LAUNCHES = 'no'", "must be True or False"),
        ("FEEDERD_ABANDON_INACTIVE_JOBS_THRESH = 0", "must be a duration above zero such as 90s, 15min, 24h or 14d"),
        ("FEEDERD_AUTO_SCALE_INTERVAL = 'often'", "must be a duration above zero such as 90s, 15min, 24h or 14d"),
        ("NOMMERD_MAX_INACTIVITY = -5", "must be a duration such as 90s, 15min, 24h or 14d, not -5"),
        ("NOMMERD_HEARTBEAT_INTERVAL = True", "must be a duration above zero such as 90s, 15min, 24h or 14d"),
        ("EC2_KEY_NAME = 7", "must be text, not 7"),
        ("EC2_SECURITY_GROUPS = 'sg-1'", "must be a list of words without blanks or commas, not 'sg-1'"),
        ("EC2_SECURITY_GROUPS = ['sg-1', 2]", "must be a list of words without blanks or commas, not a list"),
        ("EC2_INSTANCE_TYPE = 5", "must be a list of words without blanks or commas, not 5"),
        ("SIMPLEDB_JOB_STATE_DOMAIN = 'a b'", "must be text of the form "),
    ],
)
def test_a_value_of_a_wrong_type_is_named_with_its_line(line: str, said: str) -> None:
    assert refusal(f"\n\n{line}\n").startswith(f"{line.partition(' ')[0]} in line 3 of nomconf.py {said}")
