"""The operations: each takes the domains and a request's parameters, and returns the XML of its result, if any."""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from tests.simpledb.answers import attributes, element
from tests.simpledb.domains import Domains, Pair
from tests.simpledb.expressions import Selection
from tests.simpledb.language import DEFAULT_LIMIT, read
from tests.simpledb.matching import Item, Place, found
from tests.simpledb.parameters import Parameters
from tests.simpledb.refusals import RefusedError, invalid

MOST_BATCHED = 25
LARGEST_RESULT = 1 << 20
MOST_LISTED = 100

Operation: TypeAlias = Callable[[Domains, Parameters], str | None]


def create_domain(domains: Domains, asked: Parameters) -> None:
    domains.create(asked.required("DomainName"))


def delete_domain(domains: Domains, asked: Parameters) -> None:
    domains.delete_domain(asked.required("DomainName"))


def list_domains(domains: Domains, asked: Parameters) -> str:
    most = asked.get("MaxNumberOfDomains") or str(MOST_LISTED)
    if not most.isdecimal() or not 1 <= int(most) <= MOST_LISTED:
        raise invalid(most, "MaxNumberOfDomains", "MaxNumberOfDomains must be between 1 and 100.")
    (after,) = _opened(asked.get("NextToken"), 1) or ("",)
    names = [name for name in domains.names() if name > after]
    page = names[: int(most)]
    token = element("NextToken", _token(page[-1])) if len(page) < len(names) else ""
    return "".join(element("DomainName", name) for name in page) + token


def domain_metadata(domains: Domains, asked: Parameters) -> str:
    items = domains.items(asked.required("DomainName"), consistent=True)
    names = {name for item in items.values() for name in item}
    values = [value for item in items.values() for some in item.values() for value in some]
    told = {
        "ItemCount": len(items),
        "ItemNamesSizeBytes": _bytes(items),
        "AttributeNameCount": len(names),
        "AttributeNamesSizeBytes": _bytes(names),
        "AttributeValueCount": len(values),
        "AttributeValuesSizeBytes": _bytes(values),
        "Timestamp": int(time.time()),
    }
    return "".join(element(name, str(number)) for name, number in told.items())


def get_attributes(domains: Domains, asked: Parameters) -> str:
    name = asked.required("ItemName")
    items = domains.items(asked.required("DomainName"), consistent=asked.flag("ConsistentRead"))
    return attributes(items.get(name, {}), asked.attribute_names() or None)


def put_attributes(domains: Domains, asked: Parameters) -> None:
    domain, name = asked.required("DomainName"), asked.required("ItemName")
    domains.put(domain, {name: asked.puts()}, asked.expected())


def delete_attributes(domains: Domains, asked: Parameters) -> None:
    domain, name = asked.required("DomainName"), asked.required("ItemName")
    domains.delete(domain, {name: asked.deletes()}, asked.expected())


def batch_put_attributes(domains: Domains, asked: Parameters) -> None:
    domains.put(asked.required("DomainName"), _batch(asked.item_puts()))


def batch_delete_attributes(domains: Domains, asked: Parameters) -> None:
    domains.delete(asked.required("DomainName"), _batch(asked.item_deletes()))


def select(domains: Domains, asked: Parameters) -> str:
    selection = read(asked.required("SelectExpression"))
    items = domains.items(selection.domain, consistent=asked.flag("ConsistentRead"))
    matched = found(selection, items, _place(selection, asked.get("NextToken")))
    if selection.counts:
        size = len(matched) if selection.limit is None else min(selection.limit, len(matched))
        count = attributes({"Count": [str(size)]}, None)
        page = [f"<Item>{element('Name', 'Domain')}{count}</Item>"]
    else:
        page = _page(selection, items, [name for _, name in matched])
        size = len(page)
    if size < len(matched):
        page.append(element("NextToken", _token(_meaning(selection), *matched[size - 1][0])))
    return "".join(page)


def _page(selection: Selection, items: Mapping[str, Item], names: Sequence[str]) -> list[str]:
    """Return the XML of the first of these items: as many as the limit lets, and the size of an answer."""
    page: list[str] = []
    left = LARGEST_RESULT
    for name in names[: selection.limit or DEFAULT_LIMIT]:
        item = f"<Item>{element('Name', name)}{attributes(items[name], selection.attributes)}</Item>"
        left -= len(item.encode())
        if page and left < 0:
            break
        page.append(item)
    return page


OPERATIONS: Mapping[str, Operation] = {
    "BatchDeleteAttributes": batch_delete_attributes,
    "BatchPutAttributes": batch_put_attributes,
    "CreateDomain": create_domain,
    "DeleteAttributes": delete_attributes,
    "DeleteDomain": delete_domain,
    "DomainMetadata": domain_metadata,
    "GetAttributes": get_attributes,
    "ListDomains": list_domains,
    "PutAttributes": put_attributes,
    "Select": select,
}


def _batch(items: Sequence[tuple[str, list[Pair]]]) -> dict[str, list[Pair]]:
    if not items:
        raise RefusedError(code="MissingParameter", message="The request must contain the parameter ItemName.")
    if len(items) > MOST_BATCHED:
        msg = "Too many items in a single call. Up to 25 items per call allowed."
        raise RefusedError(code="NumberSubmittedItemsExceeded", message=msg)
    batch: dict[str, list[Pair]] = {}
    for name, pairs in items:
        if name in batch:
            raise RefusedError(code="DuplicateItemName", message=f"Item {name} was specified more than once.")
        batch[name] = pairs
    return batch


def _bytes(texts: Sequence[str] | Mapping[str, object] | set[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def _meaning(selection: Selection) -> str:
    """What a token is good for: the same where and order by; what is put out, and how much, may differ."""
    said = repr((selection.domain, selection.where, selection.order))
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def _place(selection: Selection, token: str | None) -> Place | None:
    opened = _opened(token, 3)
    if opened is None:
        return None
    meaning, key, name = opened
    if meaning != _meaning(selection):
        raise _not_valid()
    return key, name


def _token(*parts: str) -> str:
    return base64.b64encode(json.dumps(parts).encode()).decode()


def _opened(token: str | None, size: int) -> list[str] | None:
    if token is None:
        return None
    try:
        parts = json.loads(base64.b64decode(token, validate=True))
    except ValueError as error:
        raise _not_valid() from error
    if not isinstance(parts, list) or len(parts) != size:
        raise _not_valid()
    return [str(part) for part in parts]


def _not_valid() -> RefusedError:
    return RefusedError(code="InvalidNextToken", message="The specified next token is not valid.")
