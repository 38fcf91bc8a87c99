"""Role and instance profile of nodes, on moto."""

import json

import pytest

from nommerctl.adapters.aws.names import FARM_TAG
from nommerctl.adapters.aws.stack.blueprint import PROFILE, ROLE
from nommerctl.adapters.aws.stack.profiles import SHOWN_WITHIN
from nommerctl.domain.stack import Part, differences
from nommerctl.errors import ItemError, PermissionDeniedError, TryAgainError
from tests.adapters.aws.stack.node_account import Farm, NodeAccount
from tests.cloud import Cut, refusal

pytestmark = pytest.mark.slow  # each part is made and deleted over the wire


ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture
def farm(account: NodeAccount) -> Farm:
    """A farm whose role and instance profile are there."""
    farm = account.farm()
    farm.stack.create(farm.part(ROLE))
    farm.stack.create(farm.part(PROFILE))
    return farm


def mended(farm: Farm, logical: str) -> None:
    resource, found = farm.part(logical), farm.found(logical)
    farm.stack.update(resource, found, differences(found.properties, resource.properties))


def gaps(farm: Farm, logical: str) -> list[str]:
    """The paths of what is not as it is wanted."""
    return [gap.path for gap in differences(farm.found(logical).properties, farm.part(logical).properties)]


def test_what_was_made_is_as_it_is_wanted(farm: Farm) -> None:
    name = f"nommerctl-{farm.name}-node"

    assert gaps(farm, ROLE) == gaps(farm, PROFILE) == []
    assert farm.found(ROLE).farm == farm.found(PROFILE).farm == farm.name
    assert farm.found(PROFILE).properties["Roles"] == [name]
    assert farm.stack.parts() == [Part("AWS::IAM::Role", name), Part("AWS::IAM::InstanceProfile", name)]


def test_a_bucket_more_is_seen_in_the_policy_and_put_there(farm: Farm) -> None:
    farm.set(buckets=("films", "masters/in", "out"))

    statement = "Policies.0.PolicyDocument.Statement"
    assert gaps(farm, ROLE) == [
        f"{statement}.UseMedia.Resource",
        f"{statement}.ListUploads.Resource",
        f"{statement}.ListMedia.Resource",
    ]
    mended(farm, ROLE)

    assert gaps(farm, ROLE) == []


def test_what_somebody_changed_of_a_role_is_seen_and_mended(farm: Farm) -> None:
    iam, name = farm.account.clients.iam, f"nommerctl-{farm.name}-node"
    trusted = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    iam.put_role_policy(RoleName=name, PolicyName="admin", PolicyDocument=json.dumps(ANYTHING))
    iam.delete_role_policy(RoleName=name, PolicyName="nommerctl")
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trusted))

    assert {path.split(".")[0] for path in gaps(farm, ROLE)} == {"AssumeRolePolicyDocument", "Policies"}
    mended(farm, ROLE)

    assert gaps(farm, ROLE) == []
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["nommerctl"]


def test_a_profile_with_another_role_gets_the_farms(farm: Farm) -> None:
    iam, name = farm.account.clients.iam, f"nommerctl-{farm.name}-node"
    other = f"other-{farm.name}"
    iam.create_role(RoleName=other, AssumeRolePolicyDocument="{}")
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=other)

    assert gaps(farm, PROFILE) == ["Roles"]
    mended(farm, PROFILE)

    assert gaps(farm, PROFILE) == []


@pytest.mark.parametrize("logical", [ROLE, PROFILE])
def test_what_lacks_the_tag_is_found_as_nobodys_and_gets_it(farm: Farm, logical: str) -> None:
    iam, name = farm.account.clients.iam, f"nommerctl-{farm.name}-node"
    iam.untag_role(RoleName=name, TagKeys=[FARM_TAG])
    iam.untag_instance_profile(InstanceProfileName=name, TagKeys=[FARM_TAG])
    assert farm.stack.parts() == []

    found = farm.found(logical)
    mended(farm, logical)

    assert found.farm is None
    assert gaps(farm, logical) == []
    assert len(farm.stack.parts()) == 1


@pytest.mark.parametrize("logical", [ROLE, PROFILE])
def test_what_is_there_is_returned_as_it_is(farm: Farm, logical: str) -> None:
    assert farm.stack.create(farm.part(logical)) == farm.found(logical)


@pytest.mark.parametrize("logical", [ROLE, PROFILE])
@pytest.mark.parametrize("owner", ["theirs", None])
def test_what_is_another_farms_or_nobodys_is_not_deleted(farm: Farm, logical: str, owner: str | None) -> None:
    resource = farm.part(logical)
    parts = {ROLE: farm.stack.parts()[0], PROFILE: farm.stack.parts()[1]}
    iam, name = farm.account.clients.iam, f"nommerctl-{farm.name}-node"
    iam.untag_role(RoleName=name, TagKeys=[FARM_TAG])
    iam.untag_instance_profile(InstanceProfileName=name, TagKeys=[FARM_TAG])
    if owner:
        iam.tag_role(RoleName=name, Tags=[{"Key": FARM_TAG, "Value": owner}])
        iam.tag_instance_profile(InstanceProfileName=name, Tags=[{"Key": FARM_TAG, "Value": owner}])

    with pytest.raises(ItemError, match=r"so it is (left alone|another farm's)"):
        farm.stack.delete(parts[logical])
    if owner:
        with pytest.raises(ItemError, match=f"{FARM_TAG} = theirs, so it is another farm's"):
            farm.stack.create(resource)

    assert iam.get_role(RoleName=name)["Role"]["RoleName"] == name
    assert iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"] != []


def test_a_role_is_deleted_with_all_that_holds_it(farm: Farm) -> None:
    iam, name = farm.account.clients.iam, f"nommerctl-{farm.name}-node"
    attached = iam.create_policy(PolicyName=farm.name, PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=attached)

    farm.stack.delete(Part("AWS::IAM::Role", name))

    assert farm.stack.parts() == [Part("AWS::IAM::InstanceProfile", name)]
    assert farm.found(PROFILE).properties["Roles"] == []
    assert iam.get_policy(PolicyArn=attached)["Policy"]["AttachmentCount"] == 0


def test_what_is_gone_is_no_error(farm: Farm) -> None:
    parts = farm.stack.parts()
    farm.tear_down()

    for part in parts:
        farm.stack.delete(part)

    assert farm.stack.parts() == []


def test_a_role_that_iam_does_not_show_yet_is_waited_for(account: NodeAccount) -> None:
    farm = account.farm()
    unknown = refusal("iam", "NoSuchEntity", 404)
    resource = farm.part(ROLE)
    account.cloud.fail("iam", "GetRole", unknown, unknown)

    made = farm.stack.create(resource)

    assert farm.slept.seconds == [0.5, 1.0]
    assert differences(made.properties, resource.properties) == ()


def test_a_role_that_the_profile_cannot_have_yet_is_waited_for(account: NodeAccount) -> None:
    farm = account.farm()
    farm.stack.create(farm.part(ROLE))
    resource = farm.part(PROFILE)
    account.cloud.fail("iam", "AddRoleToInstanceProfile", refusal("iam", "NoSuchEntity", 404))

    made = farm.stack.create(resource)

    assert farm.slept.seconds == [0.5]
    assert differences(made.properties, resource.properties) == ()


def test_a_role_that_iam_never_shows_is_given_up_in_the_end(account: NodeAccount) -> None:
    farm = account.farm()
    resource = farm.part(ROLE)
    account.cloud.fail("iam", "GetRole", *[refusal("iam", "NoSuchEntity", 404)] * 50)

    with pytest.raises(TryAgainError, match="run 'nommerctl aws bootstrap' again"):
        farm.stack.create(resource)

    account.cloud.heal()
    assert sum(farm.slept.seconds) >= SHOWN_WITHIN


def test_a_role_whose_place_in_the_profile_was_granted_without_an_answer_is_there(account: NodeAccount) -> None:
    farm = account.farm()
    farm.stack.create(farm.part(ROLE))
    account.cloud.fail("iam", "AddRoleToInstanceProfile", Cut.AFTER)

    made = farm.stack.create(farm.part(PROFILE))

    assert made.properties["Roles"] == [f"nommerctl-{farm.name}-node"]


def test_a_refusal_names_the_permission(account: NodeAccount) -> None:
    farm = account.farm()
    resource = farm.part(ROLE)
    account.cloud.fail("iam", "CreateRole", refusal("iam", "AccessDenied", 403))

    with pytest.raises(PermissionDeniedError, match="AWS refuses iam:CreateRole on role nommerctl-"):
        farm.stack.create(resource)
