"""Who AWS takes us for, and what its clock says meanwhile."""

from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling
from nommerctl.domain.aws_account import Caller
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import NommerctlError
from nommerctl.ports import Clock


class Answered(Struct, frozen=True, kw_only=True):
    """The caller, or why there is none; the date of AWS's answer, None without one, and when it was asked for and came.

    An answer that refuses is dated as well.
    """

    caller: Caller | None = None
    error: NommerctlError | None = None
    date: Instant | None = None
    asked: Instant
    came: Instant


def ask_caller(clients: Clients, clock: Clock) -> Answered:
    """Ask AWS who we are, for which no permission is needed."""
    asked = clock()
    answer: Any = {}
    try:
        with calling("sts:GetCallerIdentity", "the credentials"):
            region = clients.dynamodb.meta.region_name  # that of STS may be none of the farm's
            sts = clients.sts
            asked = clock()
            try:
                answer = sts.get_caller_identity()
            except ClientError as error:
                answer = error.response
                raise
            caller = Caller(account=answer["Account"], arn=answer["Arn"], region=region)
    except NommerctlError as error:
        return Answered(error=error, date=_date(answer), asked=asked, came=clock())
    return Answered(caller=caller, date=_date(answer), asked=asked, came=clock())


def _date(answer: Any) -> Instant | None:  # noqa: ANN401 - any JSON
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return micros(parsedate_to_datetime(str(headers.get("date", ""))).timestamp())
    except (ValueError, OverflowError):
        return None
