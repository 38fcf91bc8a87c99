"""How the models of AWS services are cut down; see models.py for what for."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from nommerctl.adapters.aws.model_copies import SHARED, Cut
from nommerctl.adapters.aws.operations import CREDENTIAL_SERVICES, OPERATIONS

Json: TypeAlias = dict[str, Any]

_UNFINISHED = "."
"""Begins the name of a folder that is not a copy yet."""


def make_copy(copy: Path) -> None:
    """Make the copy, and remove all that is beside it: others, and what was left unfinished.

    Several processes may do so at once: the first one's stays. OSError if it cannot be written; what botocore
    raises, or LookupError, TypeError or ValueError, if its models are not what they were.
    """
    copy.parent.mkdir(mode=0o700, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{copy.name}-", dir=copy.parent))
    try:
        _fill(unfinished)
        unfinished.rename(copy)
    except OSError:
        if not copy.is_dir():  # else another one was first, and may have removed ours
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    for other in copy.parent.iterdir():
        if other != copy:
            shutil.rmtree(other, ignore_errors=True)


def _fill(folder: Path) -> None:
    for cut in cuts():
        text = msgspec.json.encode(cut)
        path = folder / f"{cut.name}.json"
        path.touch(mode=0o600)
        path.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


def cuts() -> Iterator[Cut]:
    """Yield what is kept of each service, and what is kept of what they share, by what botocore brings with it."""
    own = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    for service, operations in OPERATIONS.items():
        yield _service(own, service, frozenset(operations))
    yield _shared(own)


def _service(own: Loader, service: str, operations: frozenset[str]) -> Cut:
    version = own.determine_latest_version(service, "service-2")
    models = {
        "service-2": cut_model(own.load_service_model(service, "service-2", version), operations),
        "endpoint-rule-set-1": own.load_service_model(service, "endpoint-rule-set-1", version),
        "paginators-1": _paginators(_load_if_any(own, service, "paginators-1", version), operations),
        "waiters-2": _waiters(_load_if_any(own, service, "waiters-2", version), operations),
    }
    return Cut(service, version, {name: model for name, model in models.items() if model is not None})


def _load_if_any(own: Loader, service: str, type_name: str, version: str) -> Json | None:
    try:
        found: Json = own.load_service_model(service, type_name, version)
    except DataNotFoundError:
        return None
    return found


def _paginators(model: Json | None, operations: frozenset[str]) -> Json | None:
    if model is None:
        return None
    return {**model, "pagination": {name: how for name, how in model["pagination"].items() if name in operations}}


def _waiters(model: Json | None, operations: frozenset[str]) -> Json | None:
    if model is None:
        return None
    waiters = {name: how for name, how in model["waiters"].items() if how["operation"] in operations}
    return {**model, "waiters": waiters}


def cut_model(model: Json, operations: frozenset[str]) -> Json:
    """Return a service's model with these operations, the shapes that they lead to and those of all errors.

    The rest stands as it is, but for the documentation. An operation that botocore does not know is left out.
    """
    kept = {name: each for name, each in model["operations"].items() if name in operations}
    errors = [name for name, shape in model["shapes"].items() if shape.get("exception")]
    shapes = _reachable(model["shapes"], [*errors, *_shapes_of_operations(kept.values())])
    return {
        **_undocumented(model),
        "operations": {name: _operation(each) for name, each in kept.items()},
        "shapes": {name: _shape(each) for name, each in model["shapes"].items() if name in shapes},
    }


def _shapes_of_operations(operations: Iterable[Json]) -> Iterator[str]:
    for operation in operations:
        for reference in (operation.get("input"), operation.get("output"), *operation.get("errors", ())):
            if reference is not None:
                yield reference["shape"]


def _reachable(shapes: Json, begin: Iterable[str]) -> set[str]:
    found: set[str] = set()
    left = list(begin)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left.extend(reference["shape"] for reference in _references(shapes[name]))
    return found


def _references(shape: Json) -> list[Json]:
    """Return what a shape says of others: the members of a structure, what a list or a map holds."""
    parts = (shape.get("member"), shape.get("key"), shape.get("value"))
    return [*shape.get("members", {}).values(), *(part for part in parts if part is not None)]


def _operation(operation: Json) -> Json:
    bare = _undocumented(operation)
    for side in ("input", "output"):
        if side in bare:
            bare[side] = _undocumented(bare[side])
    if "errors" in bare:
        bare["errors"] = [_undocumented(error) for error in bare["errors"]]
    return bare


def _shape(shape: Json) -> Json:
    bare = _undocumented(shape)
    for part in ("member", "key", "value"):
        if part in bare:
            bare[part] = _undocumented(bare[part])
    if "members" in bare:
        bare["members"] = {name: _undocumented(member) for name, member in bare["members"].items()}
    return bare


def _undocumented(part: Json) -> Json:
    return {name: value for name, value in part.items() if name != "documentation"}


def _shared(own: Loader) -> Cut:
    """Return what is read whenever a first client is made; of the endpoints, those of the services that are used."""
    endpoints = own.load_data("endpoints")
    prefixes = {
        own.load_service_model(service, "service-2")["metadata"]["endpointPrefix"]
        for service in (*OPERATIONS, *CREDENTIAL_SERVICES)
    }
    partitions = [
        {**partition, "services": {name: each for name, each in partition["services"].items() if name in prefixes}}
        for partition in endpoints["partitions"]
    ]
    models = {
        "endpoints": {**endpoints, "partitions": partitions},
        "partitions": own.load_data("partitions"),
        "sdk-default-configuration": own.load_data("sdk-default-configuration"),
    }
    return Cut(SHARED, "", models)
