"""Checks of what the nodes of a farm on AWS are launched from, and of how many the account may have."""

from collections.abc import Iterator
from functools import cached_property

from nommerctl.adapters.aws.checkup.launch_examination import (
    BY_PARAMETER,
    image_facts,
    image_of_parameter,
    quota_limit,
    template_facts,
    type_facts,
)
from nommerctl.adapters.aws.orders import template_of
from nommerctl.domain.aws_launch import (
    TemplateFacts,
    TypeFacts,
    judge_image,
    judge_quota,
    judge_template,
    judge_types,
    needs,
    no_image,
)
from nommerctl.domain.checkup import Finding
from nommerctl.errors import AWAY
from nommerctl.passes.doctor import Check
from nommerctl.wiring.aws_account_checks import Account


class LaunchChecks:
    """The checks. What several of them go by is looked at once."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._aws = account.farm.settings.aws
        self._template_name = template_of(self._aws, account.farm.settings.farm.name)

    def checks(self) -> list[Check]:
        """Return them."""
        looks = {
            "launch template": self._look_at_template,
            "image": self._look_at_image,
            "instance types": self._look_at_types,
            "vCPU quota": self._look_at_quotas,
        }
        return [Check(name, self._account.told(name, look)) for name, look in looks.items()]

    @cached_property
    def _template(self) -> TemplateFacts | None:
        return template_facts(self._account.clients, self._template_name)

    @cached_property
    def _types(self) -> dict[str, TypeFacts]:
        return type_facts(self._account.clients, self._aws.instance_types)

    def _types_if_known(self) -> dict[str, TypeFacts]:
        """What cannot be read has a check of its own."""
        try:
            return self._types
        except AWAY:
            return {}

    def _look_at_template(self) -> Iterator[Finding]:
        if self._template_name:
            is_set = bool(self._aws.launch_template)
            yield from judge_template(self._template_name, self._template, is_set=is_set)

    def _look_at_image(self) -> Iterator[Finding]:
        named, where = self._aws.ami, "aws.ami"
        if self._template_name:
            if self._template is None:
                return
            named, where = self._template.image, f"launch template '{self._template_name}'"
        image: str | None = named
        if named.startswith(BY_PARAMETER):
            where = named.removeprefix(BY_PARAMETER)
            image = image_of_parameter(self._account.clients, where)
        found = image_facts(self._account.clients, image) if image else None
        yield no_image(image or "", where) if found is None else judge_image(found, where, self._types_if_known())

    def _look_at_types(self) -> Iterator[Finding]:
        yield from judge_types(self._aws.instance_types, self._types)

    def _look_at_quotas(self) -> Iterator[Finding]:
        for need in needs(self._types_if_known(), self._aws.market, self._account.farm.settings.scale.max_nodes):
            limit = None if need.quota is None else quota_limit(self._account.clients, need.quota)
            yield judge_quota(need, limit)
