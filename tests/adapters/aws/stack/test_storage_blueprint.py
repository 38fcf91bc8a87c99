"""All that a farm keeps things in: made in order, again and again, and with an interruption at each call."""

from collections.abc import Callable, Iterator
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
def test_a_bring_up_that_is_interrupted_after_any_change_ends_right_when_it_is_run_again(farm: StorageFarm) -> None:
    changes = changes_of(farm, farm.bring_up)
    assert len(changes) == len(PARTS) + len(["time to live", "recovery", "tags of the bucket"]) + 4  # its other aspects
    for served in changes:
        other = farm.another()
        with farm.cloud.trouble(Cut.AFTER, Reach.ALL, served=served), pytest.raises(NommerctlError):
            other.bring_up()

        other.bring_up()

        assert other.bring_up() == []
        assert len(other.names()) == len(PARTS)
        other.take_down()


@pytest.mark.slow
def test_an_end_that_is_interrupted_after_any_change_is_one_when_it_is_run_again(farm: StorageFarm) -> None:
    farm.bring_up()
    changes = changes_of(farm, farm.take_down)
    assert len(changes) == len(PARTS)
    for served in changes:
        other = farm.another()
        other.bring_up()
        with farm.cloud.trouble(Cut.AFTER, Reach.ALL, served=served), pytest.raises(NommerctlError):
            other.take_down()

        other.take_down()

        assert other.names() == []


def changes_of(farm: StorageFarm, run: Callable[[], object]) -> list[int]:
    """Return which of the calls of a run change something, by how many come before."""
    before = len(farm.cloud.calls)
    run()
    reads = ("Describe", "List", "Get", "GET", "HEAD")
    return [index for index, call in enumerate(farm.cloud.calls[before:]) if not call.operation.startswith(reads)]
