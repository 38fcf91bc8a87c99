"""What is asked of an account, and which parts follow from it."""

import pytest
from msgspec import structs

from nommerctl.adapters.aws.stack.blueprint import GROUP, PROFILE, ROLE, TEMPLATE, node_parts
from nommerctl.adapters.aws.stack.facts import AccountFacts, account_facts
from nommerctl.domain.config import FarmSettings, Settings
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.errors import PermissionDeniedError, SettingsError
from tests.adapters.aws.stack.node_account import BOOT, NodeAccount
from tests.cloud import refusal

FACTS = AccountFacts(account="123456789012", region="eu-central-1", partition="aws", vpc="vpc-1", architecture="x86_64")


def settings(**aws: object) -> Settings:
    return Settings(farm=FarmSettings(name="a"), aws=structs.replace(AwsSettings(), **aws))


def test_an_account_says_who_it_is_where_its_default_network_is_and_what_its_machines_are(
    account: NodeAccount,
) -> None:
    facts = account_facts(account.clients, AwsSettings(instance_types=("c7g.large", "c7g.xlarge")))

    ec2 = account.clients.ec2
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    assert facts == AccountFacts(
        account="123456789012", region="eu-central-1", partition="aws", vpc=vpc["VpcId"], architecture="arm64"
    )


def test_subnets_that_are_set_say_which_network(account: NodeAccount) -> None:
    ec2 = account.clients.ec2
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    elsewhere = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"][0]

    assert account_facts(account.clients, AwsSettings(subnets=(subnet,))).vpc == vpc
    with pytest.raises(SettingsError, match=rf"aws.subnets are in different VPCs \(.*{subnet} in {vpc}.*\)"):
        account_facts(account.clients, AwsSettings(subnets=(subnet, elsewhere["SubnetId"])))


def test_a_subnet_that_is_not_there_is_named(account: NodeAccount) -> None:
    with pytest.raises(SettingsError, match=r"aws.subnets \(subnet-12345678\) is not there"):
        account_facts(account.clients, AwsSettings(subnets=("subnet-12345678",)))


def test_an_account_without_default_network_needs_subnets(account: NodeAccount) -> None:
    no_vpc = refusal("ec2", "none")._replace(status=200, body=b"<DescribeVpcsResponse><vpcSet/></DescribeVpcsResponse>")
    account.cloud.fail("ec2", "DescribeVpcs", no_vpc)

    with pytest.raises(SettingsError, match=r"has no default VPC in this region: set aws\.subnets"):
        account_facts(account.clients, AwsSettings())


def test_groups_that_are_set_need_no_network(account: NodeAccount) -> None:
    assert account_facts(account.clients, AwsSettings(security_groups=("sg-1",))).vpc == ""


def test_instance_types_of_two_architectures_are_refused(account: NodeAccount) -> None:
    with pytest.raises(SettingsError) as refused:
        account_facts(account.clients, AwsSettings(instance_types=("c7i.large", "c7g.large", "m7g.large")))

    assert str(refused.value) == (
        "aws.instance_types must all be of one architecture, x86_64 or arm64, for nodes come from one image, and these"
        " are not (arm64: c7g.large, m7g.large; x86_64: c7i.large)"
    )


@pytest.mark.parametrize("types", [("c7i.larg",), ()])
def test_instance_types_that_are_none_are_refused(account: NodeAccount, types: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match=r"aws\.instance_types"):
        account_facts(account.clients, AwsSettings(instance_types=types))


def test_an_image_says_what_its_disk_is_called(account: NodeAccount) -> None:
    facts = account_facts(account.clients, AwsSettings(ami="ami-12c6146b"))

    assert facts.root_device == "/dev/sda1"
    with pytest.raises(SettingsError, match=r"image ami-12345678 \(aws.ami\) is not there"):
        account_facts(account.clients, AwsSettings(ami="ami-12345678"))


def test_a_refusal_names_the_permission(account: NodeAccount) -> None:
    account.cloud.fail("ec2", "DescribeInstanceTypes", refusal("ec2", "UnauthorizedOperation", 403))

    with pytest.raises(PermissionDeniedError, match="ec2:DescribeInstanceTypes"):
        account_facts(account.clients, AwsSettings())


def test_parts_come_in_the_order_in_which_they_refer_to_each_other() -> None:
    parts = node_parts(settings(), FACTS, BOOT)

    assert [part.logical for part in parts] == [GROUP, ROLE, PROFILE, TEMPLATE]
    data = parts[-1].properties["LaunchTemplateData"]
    assert data["SecurityGroupIds"] == [{"Fn::GetAtt": [GROUP, "GroupId"]}]
    assert data["IamInstanceProfile"] == {"Name": {"Ref": PROFILE}}
    assert parts[2].properties["Roles"] == [{"Ref": ROLE}]


def test_every_part_and_what_comes_of_it_carries_the_farms_tag() -> None:
    tag = [{"Key": "nommerctl:farm", "Value": "a"}]
    *others, template = node_parts(settings(), FACTS, BOOT)

    assert [part.properties["Tags"] for part in others] == [tag] * 3
    assert template.properties["TagSpecifications"] == [{"ResourceType": "launch-template", "Tags": tag}]
    assert template.properties["LaunchTemplateData"]["TagSpecifications"] == [
        {"ResourceType": kind, "Tags": tag} for kind in ("instance", "volume", "network-interface")
    ]


def test_what_the_settings_name_is_not_made() -> None:
    named = settings(security_groups=("sg-1", "sg-2"), instance_profile="theirs")

    (template,) = node_parts(named, structs.replace(FACTS, vpc=""), BOOT)

    data = template.properties["LaunchTemplateData"]
    assert data["SecurityGroupIds"] == ["sg-1", "sg-2"]
    assert data["IamInstanceProfile"] == {"Name": "theirs"}


@pytest.mark.parametrize("aws", [{"launch_template": "theirs"}, {"ami": "ami-1"}])
def test_nothing_is_made_where_nodes_are_launched_otherwise(aws: dict[str, str]) -> None:
    assert node_parts(settings(**aws), FACTS, BOOT) == []


def test_an_image_of_ones_own_goes_into_the_template_where_that_is_named() -> None:
    own = settings(ami="ami-1", launch_template="nommerctl-a")

    *_, template = node_parts(own, structs.replace(FACTS, root_device="/dev/sda1"), BOOT)

    data = template.properties["LaunchTemplateData"]
    assert data["ImageId"] == "ami-1"
    assert data["BlockDeviceMappings"][0]["DeviceName"] == "/dev/sda1"


def test_arm_machines_get_an_image_for_them() -> None:
    *_, template = node_parts(settings(), structs.replace(FACTS, architecture="arm64"), BOOT)

    image = template.properties["LaunchTemplateData"]["ImageId"]
    assert image == "resolve:ssm:/aws/service/debian/release/12/latest/arm64"


def test_the_role_may_fetch_the_package_where_there_is_one() -> None:
    without = node_parts(settings(), FACTS, BOOT)[1]
    with_it = node_parts(settings(), FACTS, BOOT, package_bucket="wheels-of-a")[1]

    assert "wheels-of-a" not in str(without.properties)
    assert "arn:aws:s3:::wheels-of-a/wheels/*" in str(with_it.properties)
