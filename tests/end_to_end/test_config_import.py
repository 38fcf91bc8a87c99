"""Taking media-nommer's settings over, by the command line."""

import subprocess
from pathlib import Path

import pytest

from tests.cli import Cli, InProcessCli

HIDDEN = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

NOMCONF = f"""\
import os
SAME = '{HIDDEN}'
AWS_ACCESS_KEY_ID = 'AKIAIOSFODNN7EXAMPLE'
AWS_SECRET_ACCESS_KEY = SAME
EC2_KEY_NAME = 'ops'
EC2_AMI_ID = 'ami-37f13d5e'
EC2_SECURITY_GROUPS = ['media_nommer']
MAX_NUM_EC2_INSTANCES = 5
FEEDERD_PRUNE_JOBS_INTERVAL = 60 * 7
os.system('touch harm')
open('harm', 'w').close()
MAX_ENCODING_JOBS_PER_EC2_INSTANCE = __import__('pathlib').Path('harm').write_text('')
"""

TEXT = """\
# Settings of nommerctl, taken over from 'nomconf.py' of media-nommer. A key that is not here has its
# default.

# Which farm this is.
[farm]
# What keeps the jobs and runs the nodes: local (this machine), aws (DynamoDB, SQS, EC2, S3), or
# simpledb (what media-nommer left: SimpleDB, SQS, EC2, S3).
# Taken over, with its jobs, queues and workers.
backend = "simpledb"

# How many nodes, and when.
[scale]
# Never more nodes than this. 0 launches none.
# media-nommer: MAX_NUM_EC2_INSTANCES, line 8
max_nodes = 5
# Jobs beyond the slots of running nodes that it takes to launch another node.
# media-nommer: JOB_OVERFLOW_THRESH, its default
overflow_threshold = 2

# What abandon, prune and the resync of refresh go by.
[upkeep]
# Finished jobs older than this are removed from the store.
# Media-nommer kept them for ever. Before you shorten it, set upkeep.archive if their records are to
# stay.
retention = "3650d"

# The farm of backend aws. Credentials come from the usual chain and never stand here.
[aws]
# Key pair for SSH. Empty: none.
# media-nommer: EC2_KEY_NAME, line 5
key_name = "ops"

# What a farm of backend simpledb takes over from media-nommer; region and nodes stand in [aws].
[simpledb]
# Image of media-nommer's own workers. What runs from it counts as a node, and is left alone; none is
# launched from it.
# media-nommer: EC2_AMI_ID, line 6; new nodes come from aws.launch_template or aws.ami
ami = "ami-37f13d5e"

# How often cron or systemd runs each pass; `schedule` prints lines or units from it.
[schedule]
# Between two runs of abandon, whole minutes.
# media-nommer: FEEDERD_PRUNE_JOBS_INTERVAL, line 9; it was 7min: cron knows no such interval
abandon = "6min"
# Between two runs of prune, whole minutes.
# media-nommer: FEEDERD_PRUNE_JOBS_INTERVAL, line 9; it was 7min: cron knows no such interval
prune = "6min"

# Not taken over, or not said there:
# - line 2, SAME: its value is made of an AWS key, or a part of one
# - line 3, AWS_ACCESS_KEY_ID: keys are never kept: use a profile (aws.profile), AWS's variables or
#   an instance role
# - line 4, AWS_SECRET_ACCESS_KEY: keys are never kept: use a profile (aws.profile), AWS's variables
#   or an instance role
# - line 7, EC2_SECURITY_GROUPS: 'media_nommer': groups are given by id here: put the ids (sg-...)
#   of those into aws.security_groups
# - line 10: a call or expression is not carried out
# - line 11: a call or expression is not carried out
# - line 12, MAX_ENCODING_JOBS_PER_EC2_INSTANCE: its value is more than a plain one: set
#   scale.jobs_per_node yourself
# - jobs that have finished: media-nommer kept them for ever, and upkeep.retention is ten years
#   here, so that no pass removes them: to shorten it, set upkeep.archive first, a file by its
#   absolute path that their records are written to
# - the zone of the old hosts: media-nommer wrote local times, and no setting says where: set
#   simpledb.old_zone unless it is UTC
# - the region: media-nommer asked us-east-1, unless a boto.cfg said otherwise: set aws.region if
#   your usual AWS settings do not name the same
# - keys in s3: URIs: such URIs are refused: set storage.strip_credentials = true to have the keys
#   dropped instead
# - listeners in private networks: such are not told: name their networks in notify.allow_private,
#   ["10.0.0.0/8"] for one
"""


@pytest.fixture
def nomconf(tmp_path: Path) -> Path:
    file = tmp_path / "nomconf.py"
    file.write_text(NOMCONF)
    return file


@pytest.mark.usefixtures("nomconf")
def test_the_old_file_becomes_a_settings_file_without_being_executed(here: InProcessCli) -> None:
    result = here.run("config", "import", "nomconf.py")
    assert result.stdout == TEXT
    assert not (here.cwd / "harm").exists()
    told = result.stderr.splitlines()
    assert told[0] == "nommerctl: not taken over: line 2, SAME: its value is made of an AWS key, or a part of one"
    assert told[1] == (
        "nommerctl: not taken over: line 3, AWS_ACCESS_KEY_ID: keys are never kept: use a profile (aws.profile), AWS's "
        "variables or an instance role"
    )
    assert len(told) == TEXT.count("\n# - ")
    assert "AKIA" not in result.stdout + result.stderr
    assert HIDDEN[:14] not in result.stdout + result.stderr


@pytest.mark.usefixtures("nomconf")
def test_the_new_file_is_used_as_it_is(here: InProcessCli) -> None:
    assert here.run("config", "import", "nomconf.py", "-o", "new.toml").stdout == "'new.toml' written\n"
    assert (here.cwd / "new.toml").read_text() == TEXT
    shown = here.run("--config", "new.toml", "config", "show").stdout
    assert f'farm.backend\t"simpledb"\t{here.cwd}/new.toml\n' in shown
    assert f"scale.max_nodes\t5\t{here.cwd}/new.toml\n" in shown


@pytest.mark.usefixtures("nomconf")
def test_a_file_that_is_there_is_left_alone(here: InProcessCli) -> None:
    (here.cwd / "new.toml").write_text("mine")
    refused = here.run("config", "import", "nomconf.py", "-o", "new.toml", code=2)
    assert refused.stderr == "nommerctl: 'new.toml' exists already: it was left as it is\n"
    assert (here.cwd / "new.toml").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, 2, "'nomconf.py' cannot be read: there is no such file"),
        (b"#" * 300_000, 2, "'nomconf.py' is larger than any settings: more than 256 KB"),
        (b"x = '\xe4'\n", 78, "'nomconf.py' is not UTF-8 text: see its byte 6"),
        (b"x = (\n", 78, "'nomconf.py' cannot be read as Python 3: line 1: '(' was never closed"),
        (b"x = " + b"-" * 200_000 + b"1", 78, "'nomconf.py' is nested too deep to be read"),
        (b"x = 1", 78, "'nomconf.py' has no setting of media-nommer: is it a nomconf.py?"),
        (
            b"EC2_KEY_NAME = 7",
            78,
            "EC2_KEY_NAME in line 1 of 'nomconf.py' must be text, not 7",
        ),
    ],
)
def test_what_cannot_be_imported_is_refused_with_a_sentence(
    here: InProcessCli, content: bytes | None, code: int, said: str
) -> None:
    if content is not None:
        (here.cwd / "nomconf.py").write_bytes(content)
    refused = here.run("config", "import", "nomconf.py", "-o", "new.toml", code=code)
    assert (refused.stdout, refused.stderr) == ("", f"nommerctl: {said}\n")
    assert not (here.cwd / "new.toml").exists()


def test_odd_texts_come_through_and_do_no_harm_to_a_terminal(here: InProcessCli) -> None:
    (here.cwd / "nomconf.py").write_text(
        "EC2_KEY_NAME = 'a\"b\\\\c\\x1b[31m\\u202e\\x7f\\n[farm]\\nbackend = 1'\n"
        "EC2_SECURITY_GROUPS = ['\\x1b[2J\\nx = 1']\nEC2_AMI_ID = 'bad \\ud800'\nÜNBEKANNT = 1\n"
    )
    result = here.run("config", "import", "nomconf.py", "-o", "new.toml")
    assert "\x1b" not in (here.cwd / "new.toml").read_text() + result.stderr
    shown = here.run("--config", "new.toml", "config", "show", "--json").json["settings"]
    assert {each["name"]: each["value"] for each in shown}["aws.key_name"] == (
        'a"b\\c\x1b[31m\u202e\x7f\n[farm]\nbackend = 1'
    )
    assert "line 3, EC2_AMI_ID: its value is no proper text" in result.stderr
    assert "line 4, ÜNBEKANNT: " in result.stderr


@pytest.mark.slow
def test_settings_come_by_standard_input(cli: Cli) -> None:
    done = subprocess.run(
        [*cli.executable, "config", "import", "-"],
        input=NOMCONF,
        cwd=cli.cwd,
        env=cli.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    first, _, rest = done.stdout.partition("\n\n")
    assert first.startswith("# Settings of nommerctl, taken over from standard input of media-nommer.")
    assert rest == TEXT.partition("\n\n")[2]
