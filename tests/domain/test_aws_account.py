import pytest

from nommerctl.domain.aws_account import (
    ATTACH,
    Caller,
    Leave,
    Permission,
    judge_aws_clock,
    judge_permissions,
)
from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.times import micros
from tests.fakes.clock import START

ACCOUNT = "123456789012"


def caller(arn: str) -> Caller:
    return Caller(account=ACCOUNT, arn=arn, region="eu-central-1")


def at(seconds: float) -> int:
    return START + micros(seconds)


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/staff/anna", f"arn:aws:iam::{ACCOUNT}:user/staff/anna"),
        (f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/operator/anna", f"arn:aws-cn:iam::{ACCOUNT}:role/operator"),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/anna", ""),
        (f"arn:aws:iam::{ACCOUNT}:root", ""),
        ("nonsense", ""),
    ],
)
def test_whose_policies_hold_for_a_caller(arn: str, principal: str) -> None:
    assert caller(arn).principal == principal


def test_only_the_account_itself_is_root() -> None:
    assert caller(f"arn:aws:iam::{ACCOUNT}:root").is_root
    assert not caller(f"arn:aws:iam::{ACCOUNT}:user/root").is_root


@pytest.mark.parametrize(
    ("date", "asked", "came", "verdict", "said"),
    [
        (at(0), at(0.2), at(0.7), Verdict.OK, "agrees with AWS's"),
        (at(0), at(-5), at(40), Verdict.OK, "agrees with AWS's"),  # it may have been dated at any instant between
        (at(0), at(12), at(12), Verdict.OK, "is 11 s ahead of AWS's"),
        (at(0), at(31), at(40), Verdict.OK, "is 30 s ahead of AWS's"),
        (at(0), at(31.6), at(40), Verdict.WARNING, "is 31 s ahead of AWS's"),
        (at(0), at(-60), at(-31), Verdict.WARNING, "is 31 s behind AWS's"),
        (at(0), at(-300), at(-240), Verdict.WARNING, "is 240 s behind AWS's"),
        (at(0), at(-300), at(-241), Verdict.FAILED, "is 241 s behind AWS's"),
        (at(0), at(242), at(300), Verdict.FAILED, "is 241 s ahead of AWS's"),
        (None, at(0), at(0), Verdict.WARNING, "bears no date"),
    ],
)
def test_the_clock_is_off_by_what_neither_the_way_nor_the_missing_fractions_explain(
    date: int | None, asked: int, came: int, verdict: Verdict, said: str
) -> None:
    finding = judge_aws_clock(date, asked, came)
    assert (finding.check, finding.verdict) == ("AWS clock", verdict)
    assert said in finding.found


GRANTED = Permission("ec2:CreateFleet", "new nodes", Leave.GRANTED)
ON_A = Permission("sqs:SendMessage", "queue 'a'", Leave.DENIED)
ON_B = Permission("sqs:SendMessage", "queue 'b'", Leave.DENIED)
UNTRIED = Permission("iam:PassRole", "the role", Leave.UNKNOWN)
FAILED = Permission("dynamodb:GetItem", "table 'a'", Leave.UNKNOWN, "AWS throttles")


def test_all_that_is_granted_is_one_line_and_each_action_that_is_denied_another() -> None:
    assert list(judge_permissions([GRANTED, ON_A, GRANTED, ON_B])) == [
        Finding("permissions", Verdict.OK, "2 of 4 tried are granted"),
        Finding("permissions", Verdict.FAILED, "sqs:SendMessage is denied on queue 'a', queue 'b'", ATTACH),
    ]


def test_where_nothing_is_granted_one_line_says_so() -> None:
    assert list(judge_permissions([ON_A, ON_B])) == [
        Finding("permissions", Verdict.FAILED, "none of 2 tried is granted", ATTACH)
    ]


def test_what_could_not_be_found_out_is_named_and_only_a_failed_try_is_a_warning() -> None:
    assert list(judge_permissions([GRANTED, UNTRIED, FAILED])) == [
        Finding("permissions", Verdict.OK, "1 of 1 tried are granted"),
        Finding("permissions", Verdict.WARNING, "1 could not be tried: AWS throttles", "run 'nommerctl doctor' again"),
        Finding(
            "permissions",
            Verdict.OK,
            "not tried, since a try would not be harmless, or not possible: iam:PassRole",
        ),
    ]
