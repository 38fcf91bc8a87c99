"""The wheel in the farm's own bucket, on moto."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.domain.stack import Part
from nommerctl.errors import ItemError
from tests.adapters.aws.stack.storage_farm import ACCOUNT, StorageFarm, storage_farm
from tests.aws_servers import REGION
from tests.cloud import Cloud

pytestmark = pytest.mark.slow  # each part is made and deleted over the wire


@pytest.fixture
def farm(
    cloud: Cloud, cloud_clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StorageFarm]:
    with storage_farm(cloud, cloud_clients, tmp_path, monkeypatch) as farm:
        yield farm


def bucket_of(farm: StorageFarm) -> str:
    return f"nommerctl-{farm.name}-{ACCOUNT}-{REGION}"


def make(farm: StorageFarm, *logicals: str) -> None:
    for logical in logicals or ("PackageBucket",):
        farm.stack.create(farm.part(logical))


def test_a_wheel_that_was_put_is_as_it_is_wanted(farm: StorageFarm) -> None:
    assert farm.stack.find(farm.part("Wheel")) is None
    make(farm, "PackageBucket")
    assert farm.stack.find(farm.part("Wheel")) is None

    make(farm, "Wheel")

    key = "wheels/nommerctl-1.0-py3-none-any.whl"
    assert farm.gaps("Wheel") == []
    assert (farm.found("Wheel").id, farm.found("Wheel").farm) == (key, farm.name)
    assert farm.clients.s3().get_object(Bucket=bucket_of(farm), Key=key)["Body"].read() == b"a wheel"


def test_a_wheel_with_other_content_is_seen_and_put_anew(farm: StorageFarm) -> None:
    make(farm, "PackageBucket", "Wheel")
    farm.wheel.write_bytes(b"another wheel")
    assert farm.gaps("Wheel") == ["Sha256"]

    farm.mend("Wheel")

    assert farm.gaps("Wheel") == []


def test_a_wheel_that_somebody_else_put_there_is_put_anew(farm: StorageFarm) -> None:
    make(farm, "PackageBucket")
    farm.clients.s3().put_object(Bucket=bucket_of(farm), Key="wheels/nommerctl-1.0-py3-none-any.whl", Body=b"a wheel")

    assert farm.gaps("Wheel") == ["Sha256"]


def test_a_wheel_that_is_changed_while_the_farm_is_brought_up_is_not_put(farm: StorageFarm) -> None:
    make(farm, "PackageBucket")
    resource = farm.part("Wheel")
    farm.wheel.write_bytes(b"another wheel")
    with pytest.raises(ItemError, match=r"aws\.package, '.*', was changed meanwhile: run 'nommerctl aws bootstrap'"):
        farm.stack.create(resource)

    farm.wheel.unlink()
    with pytest.raises(ItemError, match=r"aws\.package, '.*', cannot be read: No such file or directory"):
        farm.stack.create(resource)
    farm.wheel.write_bytes(b"a wheel")


def test_a_wheel_is_deleted_and_may_be_deleted_again(farm: StorageFarm) -> None:
    make(farm, "PackageBucket", "Wheel")

    farm.stack.delete(farm.named("Wheel"))
    farm.stack.delete(farm.named("Wheel"))
    assert farm.names() == [f"bucket {bucket_of(farm)}"]

    farm.stack.delete(farm.named("PackageBucket"))
    farm.stack.delete(farm.named("Wheel"))


def test_an_object_in_another_bucket_is_not_deleted(farm: StorageFarm) -> None:
    with pytest.raises(
        ItemError, match=r"media/film\.mov is not in the bucket that 'nommerctl aws bootstrap' makes for"
    ):
        farm.stack.delete(Part("nommerctl::Wheel", "media/film.mov"))
