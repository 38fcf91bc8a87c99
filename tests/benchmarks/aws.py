"""What passes that find nothing to do on AWS cost in processor time, against the AWS command line asking one thing."""

from functools import partial
from pathlib import Path
from typing import Any

from botocore.session import Session

from nommerctl.adapters.aws.resources import create_queues, create_tables
from tests import aws_servers
from tests.benchmarks.measure import Row, Settings, compared, in_turns
from tests.benchmarks.processes import NOMMERCTL, piped, processor_time

AWSCLI = "1.46.3"
"""The one of PyPI, which is botocore too."""

AGAINST = "`aws sqs list-queues`"

GOALS = {"refresh": "0.65", "scale": "0.85"}

FARM = "farm"


def rows(settings: Settings) -> list[Row]:
    """`refresh` and `scale` of a farm without jobs; the same server, on this machine, answers both sides."""
    try:
        theirs = aws_servers.installed("awscli", AWSCLI, program="aws")
        with aws_servers.ministack(settings.scratch) as url:
            return _against(theirs, url, settings)
    except aws_servers.NoServerError as error:
        return [Row(what=_what(verb), against=AGAINST, ours=f"missing: {error}") for verb in GOALS]


def _against(theirs: str, url: str, settings: Settings) -> list[Row]:
    _prepare(url)
    environment = _environment(url, settings.scratch / "aws")
    for verb in GOALS:
        piped([NOMMERCTL, verb], environment=environment)  # what only the first ones do
    lists, *passes = in_turns(
        settings.turns(15),
        partial(processor_time, [theirs, "sqs", "list-queues", "--endpoint-url", url], environment),
        *(partial(processor_time, [NOMMERCTL, verb], environment) for verb in GOALS),
    )
    return [
        compared(_what(verb), AGAINST, ours, lists, goal=GOALS[verb], pick=min)
        for verb, ours in zip(GOALS, passes, strict=True)
    ]


def _prepare(url: str) -> None:
    """Make the farm's tables and queues."""
    session = Session()
    session.set_credentials(
        aws_servers.CREDENTIALS["AWS_ACCESS_KEY_ID"], aws_servers.CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    )
    dynamodb: Any = session.create_client("dynamodb", aws_servers.REGION, endpoint_url=url)
    sqs: Any = session.create_client("sqs", aws_servers.REGION, endpoint_url=url)
    create_tables(dynamodb, FARM)
    create_queues(sqs, FARM)


def _environment(url: str, state_dir: Path) -> dict[str, str]:
    return {
        **aws_servers.CREDENTIALS,
        "AWS_ENDPOINT_URL": url,
        "NOMMERCTL_BACKEND": "aws",
        "NOMMERCTL_FARM_NAME": FARM,
        "NOMMERCTL_STATE_DIR": str(state_dir),
        "PYTHONDONTWRITEBYTECODE": "",  # nobody's crontab compiles the whole program at every start
    }


def _what(verb: str) -> str:
    return f"processor time of an idle `{verb}` with backend aws, lowest of all runs"
