"""Launch templates of nodes, on moto, which knows no way to delete a version: that call is answered here."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from nommerctl.adapters.aws.names import FARM_TAG
from nommerctl.adapters.aws.stack.blueprint import GROUP, PROFILE, ROLE, TEMPLATE
from nommerctl.domain.stack import Part, differences
from nommerctl.errors import ItemError, TryAgainError, UnreachableError
from tests.adapters.aws.stack.node_account import BOOT, Farm, NodeAccount
from tests.cloud import Cut, refusal

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import TagTypeDef

pytestmark = pytest.mark.slow  # each part is made and deleted over the wire


NO_PROFILE = "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"


@pytest.fixture
def farm(account: NodeAccount) -> Farm:
    """A farm all of whose parts are there."""
    farm = account.farm()
    farm.bring_up()
    return farm


def mended(farm: Farm) -> None:
    resource, found = farm.part(TEMPLATE), farm.found(TEMPLATE)
    farm.stack.update(resource, found, differences(found.properties, resource.properties))


def gaps(farm: Farm) -> list[tuple[str, str, str]]:
    """What is not as it is wanted: path, what is there, what is wanted."""
    found = differences(farm.found(TEMPLATE).properties, farm.part(TEMPLATE).properties)
    return [(gap.path, gap.found, gap.wanted) for gap in found]


def default(farm: Farm) -> dict[str, Any]:
    """The version that nodes are launched from."""
    (version,) = farm.account.clients.ec2.describe_launch_template_versions(
        LaunchTemplateName=f"nommerctl-{farm.name}", Versions=["$Default"]
    )["LaunchTemplateVersions"]
    return dict(version)


@contextmanager
def deleted_versions(farm: Farm) -> Iterator[list[str]]:
    """Answer the call that deletes versions, and note which ones."""
    deleted: list[str] = []

    def answer(request: Any, **_: object) -> Any:  # noqa: ANN401 - botocore's own
        deleted.extend(value for key, value in parse_qsl(request.body) if key.startswith("LaunchTemplateVersion."))
        return AWSResponse(request.url, 200, HTTPHeaders(), _Raw(b"<DeleteLaunchTemplateVersionsResponse/>"))

    events = farm.account.clients.ec2.meta.events
    events.register("before-send.ec2.DeleteLaunchTemplateVersions", answer)
    try:
        yield deleted
    finally:
        events.unregister("before-send.ec2.DeleteLaunchTemplateVersions", answer)


class _Raw:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._content


def test_a_template_that_was_made_is_as_it_is_wanted(farm: Farm) -> None:
    data = default(farm)["LaunchTemplateData"]

    assert gaps(farm) == []
    assert farm.found(TEMPLATE).farm == farm.name
    assert data["ImageId"] == "resolve:ssm:/aws/service/debian/release/12/latest/amd64"
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert data["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert data["BlockDeviceMappings"][0]["Ebs"]["VolumeType"] == "gp3"
    assert base64.b64decode(data["UserData"]).decode() == BOOT
    assert Part("AWS::EC2::LaunchTemplate", f"nommerctl-{farm.name}") in farm.stack.parts()


def test_changed_settings_are_seen_and_make_a_new_default_version(farm: Farm) -> None:
    farm.set(disk_gb=80, key_name="mine", ami="ami-12c6146b", launch_template=f"nommerctl-{farm.name}")

    seen = gaps(farm)
    mended(farm)

    assert seen == [
        (
            "LaunchTemplateData.ImageId",
            '"resolve:ssm:/aws/service/debian/release/12/latest/amd64"',
            '"ami-12c6146b"',
        ),
        ("LaunchTemplateData.BlockDeviceMappings.0.Ebs.VolumeSize", "50", "80"),
        ("LaunchTemplateData.KeyName", "", '"mine"'),
    ]
    assert gaps(farm) == []
    assert default(farm)["VersionNumber"] == 2
    assert default(farm)["LaunchTemplateData"]["KeyName"] == "mine"


def test_a_key_pair_that_is_wanted_no_more_is_seen_and_left_out(farm: Farm) -> None:
    farm.set(key_name="mine")
    mended(farm)
    farm.set(key_name="")

    seen = gaps(farm)
    with deleted_versions(farm):
        mended(farm)

    assert seen == [("LaunchTemplateData.KeyName", '"mine"', "")]
    assert gaps(farm) == []
    assert "KeyName" not in default(farm)["LaunchTemplateData"]


def test_other_user_data_is_shown_by_its_digest(farm: Farm) -> None:
    farm.boot = BOOT + "# more\n" * 1000

    ((path, found, wanted),) = gaps(farm)
    mended(farm)

    assert path == "LaunchTemplateData.UserData"
    assert found == '"IyEvdXNyL2Jpbi9weXRob24zCnByaW50KCdib290JykK"'
    assert wanted == "sha256:7a557cdce35d (9382 bytes)"
    assert gaps(farm) == []


def test_of_old_versions_the_last_two_are_kept(farm: Farm) -> None:
    with deleted_versions(farm) as deleted:
        for size in (60, 70, 80):
            farm.set(disk_gb=size)
            mended(farm)

    assert default(farm)["VersionNumber"] == 4
    assert deleted == ["1", "2", "1"]  # moto deletes none, so the first is seen again


def test_a_version_that_was_made_and_not_yet_the_default_is_taken(farm: Farm) -> None:
    farm.set(disk_gb=80)
    farm.account.cloud.fail("ec2", "ModifyLaunchTemplate", *[Cut.BEFORE] * 4)
    with pytest.raises(UnreachableError):
        mended(farm)
    assert default(farm)["VersionNumber"] == 1

    mended(farm)

    assert gaps(farm) == []
    assert default(farm)["VersionNumber"] == 2


def test_somebody_elses_version_that_is_newer_is_not_taken(farm: Farm) -> None:
    name, ec2 = f"nommerctl-{farm.name}", farm.account.clients.ec2
    ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData={"ImageId": "ami-12c6146b"})
    assert gaps(farm) == []
    ec2.modify_launch_template(LaunchTemplateName=name, DefaultVersion="2")

    seen = {path.split(".")[1] for path, _, _ in gaps(farm)}
    with deleted_versions(farm) as deleted:
        mended(farm)

    assert seen >= {"ImageId", "IamInstanceProfile", "SecurityGroupIds", "MetadataOptions", "UserData"}
    assert gaps(farm) == []
    assert default(farm)["VersionNumber"] == 3
    assert deleted == ["1"]


def test_a_template_without_the_tag_is_found_as_nobodys_and_gets_it(account: NodeAccount) -> None:
    farm = account.farm()
    for part in (GROUP, ROLE, PROFILE):
        farm.stack.create(farm.part(part))
    made_by_somebody(farm)

    found = farm.found(TEMPLATE)
    seen = gaps(farm)
    mended(farm)

    assert found.farm is None
    assert "TagSpecifications" in [path for path, _, _ in seen]
    tags = account.clients.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [found.id]}])["Tags"]
    assert [(tag["Key"], tag["Value"]) for tag in tags] == [(FARM_TAG, farm.name)]


def test_another_farms_template_of_that_name_is_left_alone(account: NodeAccount) -> None:
    farm = account.farm()
    for part in (GROUP, ROLE, PROFILE):
        farm.stack.create(farm.part(part))
    resource = farm.part(TEMPLATE)
    made_by_somebody(farm, {"Key": FARM_TAG, "Value": "theirs"})

    with pytest.raises(ItemError, match="theirs, so it is another farm's"):
        farm.stack.create(resource)
    with pytest.raises(ItemError, match="so it is another farm's"):
        farm.stack.delete(Part("AWS::EC2::LaunchTemplate", resource.name))

    kept = account.clients.ec2.describe_launch_templates(LaunchTemplateNames=[resource.name])["LaunchTemplates"]
    assert len(kept) == 1


def made_by_somebody(farm: Farm, *tags: "TagTypeDef") -> None:
    """Make a template of the farm's name, otherwise than it would."""
    farm.account.clients.ec2.create_launch_template(
        LaunchTemplateName=f"nommerctl-{farm.name}",
        LaunchTemplateData={"ImageId": "ami-12c6146b"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}] if tags else [],
    )


def test_a_template_that_is_there_is_returned_as_it_is(farm: Farm) -> None:
    assert farm.stack.create(farm.part(TEMPLATE)) == farm.found(TEMPLATE)


def test_a_profile_that_ec2_does_not_know_yet_is_waited_for(account: NodeAccount) -> None:
    farm = account.farm()
    unknown = refusal("ec2", "InvalidParameterValue", message=NO_PROFILE)
    account.cloud.fail("ec2", "CreateLaunchTemplate", unknown, unknown)

    farm.bring_up()

    assert farm.slept.seconds == [0.5, 1.0]
    assert farm.differences() == []


def test_a_profile_that_ec2_never_gets_to_know_is_given_up_in_the_end(farm: Farm) -> None:
    unknown = refusal("ec2", "InvalidParameterValue", message=NO_PROFILE)
    farm.account.cloud.fail("ec2", "CreateLaunchTemplateVersion", *[unknown] * 50)
    farm.set(disk_gb=80)

    with pytest.raises(TryAgainError, match="EC2 does not know its instance profile yet"):
        mended(farm)

    farm.account.cloud.heal()


def test_a_template_that_is_gone_is_no_error(farm: Farm) -> None:
    part = Part("AWS::EC2::LaunchTemplate", f"nommerctl-{farm.name}")
    farm.stack.delete(part)

    farm.stack.delete(part)

    assert part not in farm.stack.parts()
