"""That no operation of AWS is called that the cut-down models do not have: the source is read for what it calls."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from botocore import xform_name
from botocore.loaders import Loader

from nommerctl.adapters import aws
from nommerctl.adapters.aws.operations import OPERATIONS

Call: TypeAlias = tuple[str, str]
"""A service, or "" where the source does not say which, and what is called, by botocore's name for Python."""

FOLDER = Path(next(iter(aws.__path__)))

BY_WHOLE_MODELS = {FOLDER / "checkup", FOLDER / "node", FOLDER / "stack"}

SOURCES = sorted(each for each in FOLDER.rglob("*.py") if each.parent not in BY_WHOLE_MODELS)
"""All but what goes by botocore's own models."""

FOR_WAITERS = {
    xform_name(waiter): xform_name(how["operation"])
    for service in OPERATIONS
    if service not in {"pricing", "sdb", "sqs"}
    for waiter, how in Loader().load_service_model(service, "waiters-2")["waiters"].items()
}
"""What is called by each waiter."""

KNOWN = {
    service: {xform_name(name): name for name in Loader().load_service_model(service, "service-2")["operations"]}
    for service in OPERATIONS
}
"""All that each service can do, by both names."""

BY_AWS_NAME = {name: python for names in KNOWN.values() for python, name in names.items()}

BY_OTHERS = {
    "s3transfer": {"s3": {"GetObject", "HeadObject"}},
    "botocore": {"dynamodb": {"DescribeEndpoints"}, "s3": {"CreateSession", "HeadBucket"}},
}
"""What others call for us."""


def calls(source: str) -> Iterator[Call]:
    """Yield what a module may call: attributes of the name of an operation, and texts that name one, or a waiter."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=value, attr=name) if any(name in names for names in KNOWN.values()):
                yield _service(value), name
            case ast.Constant(value=str(text)) if text in FOR_WAITERS:
                yield "", FOR_WAITERS[text]
            case ast.Constant(value=str(text)) if text in BY_AWS_NAME:
                yield "", BY_AWS_NAME[text]
            case ast.Constant(value=str(text)) if any(text in names for names in KNOWN.values()):
                yield "", text


def _service(client: ast.expr) -> str:
    """Return the service of an expression such as `self._clients.sqs`, `clients.s3(region)` or `ec2`."""
    if isinstance(client, ast.Call):
        client = client.func
    name = client.attr if isinstance(client, ast.Attribute) else client.id if isinstance(client, ast.Name) else ""
    return next((service for service in OPERATIONS if service == name.lstrip("_")), "")


def missing(found: Iterable[Call]) -> list[str]:
    """Return what is called and not there, where no service that has it keeps it."""
    return sorted({
        f"{service or 'one of its services'}: {name}"
        for service, name in found
        if not any(
            KNOWN[each].get(name) in OPERATIONS[each] for each in ([service] if service else OPERATIONS)
        )
    })  # fmt: skip


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_all_that_is_called_is_in_the_list(path: Path) -> None:
    assert missing(calls(path.read_text())) == [], "add it to nommerctl/adapters/aws/operations.py"


@pytest.mark.parametrize(
    ("whose", "service"), [(whose, service) for whose in BY_OTHERS for service in BY_OTHERS[whose]]
)
def test_what_others_call_for_us_is_in_the_list(whose: str, service: str) -> None:
    assert BY_OTHERS[whose][service] <= set(OPERATIONS[service])


@pytest.mark.parametrize("service", OPERATIONS)
def test_all_in_the_list_is_known_to_aws(service: str) -> None:
    assert set(OPERATIONS[service]) <= set(KNOWN[service].values())
    assert list(OPERATIONS[service]) == sorted(set(OPERATIONS[service]))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("self._clients.sqs.purge_queue(QueueUrl=url)", ["sqs: purge_queue"]),
        ("clients.s3(region).copy_object()", ["s3: copy_object"]),
        ("ec2.create_table()", ["ec2: create_table"]),
        ("ask = client.list_tables", ["one of its services: list_tables"]),
        ("client.get_paginator('list_object_versions')", ["one of its services: list_object_versions"]),
        ("client.get_waiter('instance_running'); client.get_waiter('bucket_exists')", []),
        ("client.get_waiter('image_available')", ["one of its services: describe_images"]),
        ("order = {'operation': 'RequestSpotFleet'}", ["one of its services: request_spot_fleet"]),
        ("sqs.receive_message(); 'sqs:PurgeQueue'; 'ReceiveMessage'; getattr(ec2, 'create_fleet')", []),
    ],
)
def test_a_call_is_found_whichever_way_it_is_written(source: str, found: list[str]) -> None:
    assert missing(calls(source)) == found
