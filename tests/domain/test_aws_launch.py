import pytest

from nommerctl.domain.aws_launch import (
    ImageFacts,
    Need,
    Quota,
    TypeFacts,
    judge_image,
    judge_quota,
    judge_types,
    needs,
    no_image,
)
from nommerctl.domain.checkup import Verdict
from nommerctl.domain.config_aws import Market

INTEL, ARM = ("i386", "x86_64"), ("arm64",)
SPOT = Quota("L-34B43A08", "standard spot instances")
ON_DEMAND = Quota("L-1216C47A", "standard on-demand instances")


def types(**vcpus: int) -> dict[str, TypeFacts]:
    """Types by their names, a `_` for the dot."""
    return {name.replace("_", "."): TypeFacts(vcpus=count, architectures=INTEL) for name, count in vcpus.items()}


@pytest.mark.parametrize(
    ("market", "quotas"),
    [(Market.SPOT_FIRST, [SPOT, ON_DEMAND]), (Market.SPOT, [SPOT]), (Market.ON_DEMAND, [ON_DEMAND])],
)
def test_each_market_has_a_quota_of_its_own_of_which_the_largest_type_may_be_needed(
    market: Market, quotas: list[Quota]
) -> None:
    found = needs(types(c7i_large=2, m7i_xlarge=4, c6i_large=2), market, 3)
    assert [each.quota for each in found] == quotas
    assert {(each.instance_type, each.total) for each in found} == {("m7i.xlarge", 12)}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("t3.micro", "L-1216C47A"),
        ("im4gn.large", "L-1216C47A"),
        ("g5.xlarge", "L-DB2E81BA"),
        ("vt1.3xlarge", "L-DB2E81BA"),
        ("p4d.24xlarge", "L-417A185B"),
        ("x2gd.medium", "L-7295265B"),
        ("inf2.xlarge", "L-1945791B"),
        ("f1.2xlarge", "L-74FC7D96"),
        ("hpc7g.4xlarge", None),
        ("mac2.metal", None),
    ],
)
def test_the_quota_that_a_type_counts_for(name: str, code: str | None) -> None:
    (need,) = needs({name: TypeFacts(vcpus=4, architectures=INTEL)}, Market.ON_DEMAND, 1)
    assert (need.quota.code if need.quota else None) == code


def test_families_have_quotas_beside_each_other() -> None:
    found = needs(types(c7i_large=2, g5_xlarge=4), Market.SPOT, 10)
    assert [(each.quota.code if each.quota else "", each.total) for each in found] == [
        ("L-34B43A08", 20),
        ("L-3819A6DF", 40),
    ]


@pytest.mark.parametrize(
    ("quota", "limit", "verdict"),
    [
        (SPOT, 20.0, Verdict.OK),
        (SPOT, 19.0, Verdict.WARNING),
        (SPOT, 0.0, Verdict.WARNING),
        (SPOT, None, Verdict.WARNING),
        (None, None, Verdict.OK),
    ],
)
def test_a_quota_that_is_too_small_or_not_known(quota: Quota | None, limit: float | None, verdict: Verdict) -> None:
    finding = judge_quota(Need(quota=quota, instance_type="c7i.large", vcpus=2, nodes=10), limit)
    assert finding.verdict is verdict
    assert (limit == 20.0) == (finding.advice == "")
    assert "20" in finding.found + finding.advice


def test_types_that_there_are_not() -> None:
    there = types(c7i_large=2)
    assert list(judge_types(["c7i.large"], there)) == []
    (some,) = judge_types(["c7i.large", "c99.large"], there)
    assert (some.verdict, some.found) == (Verdict.WARNING, "EC2 has no c99.large in this region")
    (all_of_them,) = judge_types(["c99.large"], {})
    (none_is_named,) = judge_types([], {})
    assert all_of_them.verdict is none_is_named.verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("state", "architectures", "verdict", "found"),
    [
        ("available", [INTEL], Verdict.OK, "ami-1 (aws.ami) is available, for x86_64"),
        ("pending", [INTEL], Verdict.FAILED, "ami-1 (aws.ami) is pending"),
        ("available", [INTEL, ARM], Verdict.WARNING, "ami-1 (aws.ami) is for x86_64, which type1 cannot run"),
        ("available", [ARM], Verdict.FAILED, "ami-1 (aws.ami) is for x86_64, which type0 cannot run"),
        ("available", [], Verdict.OK, "ami-1 (aws.ami) is available, for x86_64"),
    ],
)
def test_an_image(state: str, architectures: list[tuple[str, ...]], verdict: Verdict, found: str) -> None:
    image = ImageFacts(id="ami-1", state=state, architecture="x86_64")
    to_run_on = {f"type{n}": TypeFacts(vcpus=2, architectures=each) for n, each in enumerate(architectures)}
    finding = judge_image(image, "aws.ami", to_run_on)
    assert (finding.verdict, finding.found) == (verdict, found)


def test_no_image() -> None:
    assert no_image("ami-1", "aws.ami").found == "image 'ami-1' (aws.ami) is not there for this account and region"
    assert no_image("", "launch template 'x'").found == "launch template 'x' names no image"
