"""Security groups of nodes, on moto."""

from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from nommerctl.adapters.aws.names import FARM_TAG
from nommerctl.adapters.aws.stack.blueprint import GROUP
from nommerctl.adapters.aws.stack.network import FREED_WITHIN
from nommerctl.domain.stack import Part, differences
from nommerctl.errors import ItemError, PermissionDeniedError, SettingsError, TryAgainError
from tests.adapters.aws.stack.node_account import Farm, NodeAccount
from tests.cloud import refusal

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpPermissionTypeDef

pytestmark = pytest.mark.slow  # each part is made and deleted over the wire


SSH: "IpPermissionTypeDef" = {
    "IpProtocol": "tcp",
    "FromPort": 22,
    "ToPort": 22,
    "IpRanges": [{"CidrIp": "203.0.113.0/24", "Description": "office"}],
}


@pytest.fixture
def farm(account: NodeAccount) -> Farm:
    """A farm whose security group is there."""
    farm = account.farm()
    farm.stack.create(farm.part(GROUP))
    return farm


def mended(farm: Farm) -> None:
    resource, found = farm.part(GROUP), farm.found(GROUP)
    farm.stack.update(resource, found, differences(found.properties, resource.properties))


def gaps(farm: Farm) -> list[tuple[str, str, str]]:
    """What is not as it is wanted: path, what is there, what is wanted."""
    found = differences(farm.found(GROUP).properties, farm.part(GROUP).properties)
    return [(gap.path, gap.found, gap.wanted) for gap in found]


def test_a_group_that_was_made_is_as_it_is_wanted_and_lets_nothing_in(farm: Farm) -> None:
    found = farm.found(GROUP)

    assert gaps(farm) == []
    assert found.farm == farm.name
    assert found.attributes["GroupId"] == found.id
    (shown,) = farm.account.clients.ec2.describe_security_groups(GroupIds=[found.id])["SecurityGroups"]
    assert shown["IpPermissions"] == []
    assert farm.stack.parts() == [Part("AWS::EC2::SecurityGroup", f"nommerctl-{farm.name}")]


def test_a_rule_that_somebody_added_is_seen_and_taken_away(farm: Farm) -> None:
    group = farm.found(GROUP).id
    farm.account.clients.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[SSH])

    seen = gaps(farm)
    mended(farm)

    rule = '[{"CidrIp":"203.0.113.0/24","FromPort":22,"IpProtocol":"tcp","ToPort":22}]'
    assert seen == [("SecurityGroupIngress", rule, "[]")]
    assert gaps(farm) == []


def test_an_outbound_rule_that_is_missing_is_added_and_another_one_taken_away(farm: Farm) -> None:
    group, ec2 = farm.found(GROUP).id, farm.account.clients.ec2
    everything: IpPermissionTypeDef = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[everything])
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[SSH])

    seen = gaps(farm)
    mended(farm)

    assert {path.split(".")[0] for path, _, _ in seen} == {"SecurityGroupEgress"}
    assert gaps(farm) == []


def test_a_group_that_is_there_is_returned_as_it_is(farm: Farm) -> None:
    assert farm.stack.create(farm.part(GROUP)) == farm.found(GROUP)


def test_a_group_without_the_tag_is_found_as_nobodys_and_gets_it(account: NodeAccount) -> None:
    farm = account.farm()
    resource = farm.part(GROUP)
    account.clients.ec2.create_security_group(
        GroupName=resource.name,
        Description=resource.properties["GroupDescription"],
        VpcId=resource.properties["VpcId"],
    )

    assert farm.found(GROUP).farm is None
    assert gaps(farm)[-1] == ("Tags", "[]", f'[{{"Key":"{FARM_TAG}","Value":"{farm.name}"}}]')
    mended(farm)

    assert farm.found(GROUP).farm == farm.name
    assert gaps(farm) == []


def test_what_cannot_be_changed_says_what_to_do(farm: Farm) -> None:
    resource, found = farm.part(GROUP), farm.found(GROUP)
    other = structs.replace(resource, properties={**resource.properties, "GroupDescription": "another"})

    with pytest.raises(ItemError) as refused:
        farm.stack.update(other, found, differences(found.properties, other.properties))

    assert str(refused.value) == (
        f"security group nommerctl-{farm.name}: AWS does not let GroupDescription be changed: delete it, and run"
        " 'nommerctl aws bootstrap' again"
    )


def test_another_farms_group_of_that_name_is_left_alone(farm: Farm) -> None:
    group = farm.found(GROUP).id
    farm.account.clients.ec2.create_tags(Resources=[group], Tags=[{"Key": FARM_TAG, "Value": "theirs"}])

    with pytest.raises(ItemError, match="theirs"):
        farm.stack.create(farm.part(GROUP))
    with pytest.raises(SettingsError, match="theirs"):
        farm.stack.find(farm.part(GROUP))
    with pytest.raises(ItemError) as kept:
        farm.stack.delete(Part("AWS::EC2::SecurityGroup", f"nommerctl-{farm.name}"))

    assert str(kept.value) == (
        f"security group nommerctl-{farm.name} carries the tag {FARM_TAG} = theirs, so it is another farm's: call this"
        f" one otherwise (farm.name is {farm.name})"
    )
    assert farm.stack.parts() == []


def test_a_group_of_that_name_in_another_network_is_left_alone_and_keeps_ours_from_nothing(farm: Farm) -> None:
    # given three networks with such a group: another farm's, ours, nobody's
    ec2, name = farm.account.clients.ec2, f"nommerctl-{farm.name}"
    theirs = farm.found(GROUP).id
    ours, nobodys = (
        ec2.create_security_group(
            GroupName=name, Description="another", VpcId=ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        )["GroupId"]
        for _ in range(2)
    )
    ec2.create_tags(Resources=[theirs], Tags=[{"Key": FARM_TAG, "Value": "theirs"}])
    ec2.create_tags(Resources=[ours], Tags=[{"Key": FARM_TAG, "Value": farm.name}])

    farm.stack.delete(Part("AWS::EC2::SecurityGroup", name))

    left = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"]
    assert {each["GroupId"] for each in left} == {theirs, nobodys}


def test_a_group_in_use_is_deleted_once_it_is_free(farm: Farm) -> None:
    busy = refusal("ec2", "DependencyViolation")
    farm.account.cloud.fail("ec2", "DeleteSecurityGroup", busy, busy)

    farm.tear_down()

    assert farm.slept.seconds == [0.5, 1.0]
    assert farm.stack.parts() == []


def test_a_group_that_stays_in_use_is_given_up_in_the_end(farm: Farm) -> None:
    farm.account.cloud.fail("ec2", "DeleteSecurityGroup", *[refusal("ec2", "DependencyViolation")] * 100)

    with pytest.raises(TryAgainError) as given_up:
        farm.tear_down()

    farm.account.cloud.heal()
    assert "is still in use" in str(given_up.value)
    assert sum(farm.slept.seconds) >= FREED_WITHIN
    assert len(farm.stack.parts()) == 1


def test_a_group_that_is_gone_is_no_error(farm: Farm) -> None:
    (part,) = farm.stack.parts()
    farm.stack.delete(part)

    farm.stack.delete(part)

    assert farm.stack.find(farm.part(GROUP)) is None


def test_a_refusal_names_the_permission(farm: Farm) -> None:
    farm.account.cloud.fail("ec2", "DeleteSecurityGroup", refusal("ec2", "UnauthorizedOperation", 403))

    with pytest.raises(PermissionDeniedError, match="ec2:DeleteSecurityGroup on security group nommerctl-"):
        farm.tear_down()
