"""All that a farm keeps things in: made in order, again and again, and with an interruption at each call."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.stack.storage_blueprint import storage_parts
from nommerctl.errors import NommerctlError
from tests.adapters.aws.stack.storage_farm import ACCOUNT, StorageFarm, storage_farm
from tests.aws_servers import REGION
from tests.cloud import Cloud, Cut, Reach

PARTS = [
    "JobsTable",
    "LedgerTable",
    "NewJobsDeadLetters",
    "NewJobsQueue",
    "StateChangesDeadLetters",
    "StateChangesQueue",
    "PackageBucket",
    "Wheel",
]


@pytest.fixture
def farm(
    cloud: Cloud, cloud_clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StorageFarm]:
    with storage_farm(cloud, cloud_clients, tmp_path, monkeypatch) as farm:
        yield farm


def test_each_part_stands_after_what_it_refers_to(farm: StorageFarm) -> None:
    assert [each.logical for each in farm.wanted] == PARTS


def test_without_a_wheel_there_is_no_bucket() -> None:
    assert [each.logical for each in storage_parts("films", ACCOUNT, REGION, None)] == PARTS[:-2]


def test_a_farm_is_made_once_and_left_alone_after_that(farm: StorageFarm) -> None:
    assert farm.bring_up() == [f"create {logical}" for logical in PARTS]
    assert farm.bring_up() == []
    assert len(farm.names()) == len(PARTS)

    farm.take_down()

    assert farm.names() == []
    assert farm.pauses == []


@pytest.mark.slow
@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
def test_a_bring_up_that_is_interrupted_at_any_call_ends_right_when_it_is_run_again(
    farm: StorageFarm, cut: Cut
) -> None:
    served = 0
    interrupted = True
    while interrupted:
        with farm.cloud.trouble(cut, Reach.ALL, served=served) as trouble:
            try:
                farm.bring_up()
            except NommerctlError:
                assert trouble.met
        interrupted = bool(trouble.met)

        farm.bring_up()

        assert farm.bring_up() == []
        assert len(farm.names()) == len(PARTS)
        farm.take_down()
        served += 1
    assert served > 50


@pytest.mark.slow
@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
def test_an_end_that_is_interrupted_at_any_call_is_one_when_it_is_run_again(farm: StorageFarm, cut: Cut) -> None:
    served = 0
    interrupted = True
    while interrupted:
        farm.bring_up()
        with farm.cloud.trouble(cut, Reach.ALL, served=served) as trouble:
            try:
                farm.take_down()
            except NommerctlError:
                assert trouble.met
        interrupted = bool(trouble.met)

        farm.take_down()

        assert farm.names() == []
        served += 1
    assert served > 30
