"""The items of the table of the ledger, and what they say.

All that is read together stands in one partition, so that one query reads it: control/*, launch/TOKEN,
node/ID and boot/ID. The decisions, which are many, stand in another.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct, structs

from nommerctl.adapters.aws.resources import EXPIRES
from nommerctl.adapters.aws.tables import Item
from nommerctl.domain.breaker import Breaker
from nommerctl.domain.fleet import CheckIn, Heartbeat, Launch, NodeId, Pool, Refusal
from nommerctl.domain.keeping import BEATS_KEPT, CHECK_INS_SHOWN, LAUNCHES_SHOWN, REFUSALS_SHOWN, SPARE
from nommerctl.domain.outcome import Decision
from nommerctl.domain.overview import Overview
from nommerctl.domain.text import shown
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import UnreachableError

R = TypeVar("R")

FARM = "farm"
"""The partition that nodes write to. Their policy keeps them from writing to any other."""

DECISIONS = "decision"
_SETTINGS = "settings"

GENERATION = "control/generation"
"""Has `generation`, and as `unsettled` the token of the order whose answer is not known yet."""

REPEATED = "repeated"
"""Stands in an order that was given again."""

CONTROLLER = "control/controller"
LAST_DECISION = "control/decision"
BREAKER = "control/breaker"
PUBLISHED = "control/settings"
"""A copy of what stands in `settings_key`, to be read with the rest: what nodes themselves read they cannot write."""

_LAUNCH = "launch/"
_BOOT = "boot/"
_NODE = "node/"


class _Answer(Struct, frozen=True):
    """What came of an order, and when that was noted."""

    at: Instant
    nodes: tuple[NodeId, ...]
    refused: tuple[Pool, ...]


_to_json = msgspec.json.Encoder()
_heartbeats = msgspec.json.Decoder(Heartbeat)
_check_ins = msgspec.json.Decoder(CheckIn)
_breakers = msgspec.json.Decoder(Breaker)
_launches = msgspec.json.Decoder(Launch)
_answers = msgspec.json.Decoder(_Answer)
_decisions = msgspec.json.Decoder(Decision)
_instants = msgspec.json.Decoder(Instant)


def key_of(key: str, kind: str = FARM) -> Item:
    """Return the key of an item."""
    return {"kind": {"S": kind}, "key": {"S": key}}


def launch_key(token: str) -> Item:
    """Return the key of an order's item."""
    return key_of(_LAUNCH + token)


def node_key(node: NodeId) -> Item:
    """Return the key of a node's item."""
    return key_of(_NODE + node)


def settings_key() -> Item:
    """Return the key of the item that nodes read their settings from."""
    return key_of("worker", _SETTINGS)


def sign_item(at: Instant) -> Item:
    """Return the item of the controller's sign of life."""
    return {**key_of(CONTROLLER), "at": {"N": str(at)}}


def text_of(record: Struct) -> Item:
    """Return the value that keeps a record."""
    return {"S": _to_json.encode(record).decode()}


def launch_item(launch: Launch) -> Item:
    """Return the item of an order that is journalled.

    The request stands beside the order, to be removed when it is settled: it is the largest part of it by far.
    """
    order = text_of(structs.replace(launch, request=""))
    return {**launch_key(launch.token), "order": order, "request": {"S": launch.request}}


def answer_values(nodes: tuple[NodeId, ...], refused: tuple[Pool, ...], now: Instant) -> tuple[Item, Item]:
    """Return what is added to an order when it is settled: its answer, and when it expires.

    The pools that refused it are kept with it, and not one by one: so any number of them is noted in one step.
    """
    return text_of(_Answer(now, nodes, refused)), expiry(now, LAUNCHES_SHOWN + SPARE)


def beat_item(beat: Heartbeat) -> Item:
    """Return the item of a node.

    It expires by itself: an instance whose host failed takes no leave, and is none that scale could end.
    """
    marked = {} if beat.marked is None else {"marked": {"N": str(beat.marked)}}
    record = {"record": text_of(structs.replace(beat, marked=None))}
    return {**node_key(beat.node), **record, **marked, EXPIRES: expiry(beat.at, BEATS_KEPT)}


def check_in_item(check_in: CheckIn) -> Item:
    """Return the item of a node's first heartbeat."""
    record = {"record": text_of(check_in), EXPIRES: expiry(check_in.at, CHECK_INS_SHOWN + SPARE)}
    return {**key_of(_BOOT + check_in.node), **record}


def breaker_item(breaker: Breaker) -> Item:
    """Return the item of the breaker; its number stands beside it, for conditions."""
    return {**key_of(BREAKER), "record": text_of(breaker), "number": {"N": str(breaker.number)}}


def decision_key(at: Instant, number: int = 0) -> Item:
    """Return the key of a decision: that of a later one, or of one with a higher number at the same instant, is higher.

    That of number 0 at an instant is the lowest of all from then on.
    """
    return key_of(f"{max(at, 0):020d}-{number:04d}", DECISIONS)


def expiry(at: Instant, seconds: int) -> Item:
    """Return when DynamoDB may remove what is not shown any more `seconds` after an instant."""
    return {"N": str(at // 1_000_000 + seconds + 1)}


def decision_of(item: Item, table: str) -> Decision:
    """Return the decision in an item; UnreachableError if it is damaged."""
    return _decoded(item, "record", _decisions, table)


def overview_of(items: Iterable[Item], table: str, now: Instant) -> Overview | None:
    """Return what the items say; None if some are of before an order was journalled or settled, and others of after.

    A query reads each item as it is at its own moment. Raises UnreachableError for one that is damaged.
    """
    rows = {item["key"]["S"]: item for item in items}
    control = rows.get(GENERATION, {})
    unsettled = control["unsettled"]["S"] if "unsettled" in control else None
    launches = [_launch(item, table) for key, item in rows.items() if key.startswith(_LAUNCH)]
    if [launch.token for launch in launches if not launch.settled] != ([] if unsettled is None else [unsettled]):
        return None
    shown_ones = [each for each in launches if not each.settled or each.ordered >= now - micros(LAUNCHES_SHOWN)]
    answers = [_decoded(item, "answer", _answers, table) for item in rows.values() if "answer" in item]
    check_ins = [_check_in(item, table) for key, item in rows.items() if key.startswith(_BOOT)]
    beats = [_beat(item, table) for key, item in rows.items() if key.startswith(_NODE)]
    return Overview(
        generation=generation_of(control, table),
        heartbeats={beat.node: beat for beat in beats},
        check_ins={each.node: each for each in check_ins if each.at >= now - micros(CHECK_INS_SHOWN)},
        breaker=_decoded(rows[BREAKER], "record", _breakers, table) if BREAKER in rows else Breaker(),
        launches=tuple(sorted(shown_ones, key=lambda launch: launch.ordered)),
        refusals=_refusals(answers, now - micros(REFUSALS_SHOWN)),
        decision=decision_of(rows[LAST_DECISION], table) if LAST_DECISION in rows else None,
        controller_seen=_number(rows[CONTROLLER], "at", table) if CONTROLLER in rows else None,
        node_settings=_text(rows[PUBLISHED], "text", table) if PUBLISHED in rows else "",
    )


def generation_of(control: Item, table: str) -> int:
    """Return the generation in the item GENERATION, 0 if that is empty: it is made by the first order."""
    return _number(control, "generation", table) if control else 0


def _refusals(answers: Iterable[_Answer], since: Instant) -> tuple[Refusal, ...]:
    """Return the last refusal of each pool, oldest first."""
    last: dict[Pool, Instant] = {}
    for answer in sorted(answers, key=lambda answer: answer.at):
        last |= {pool: answer.at for pool in answer.refused if answer.at >= since}
    return tuple(Refusal(pool, at) for pool, at in sorted(last.items(), key=lambda entry: (entry[1], entry[0])))


def _launch(item: Item, table: str) -> Launch:
    launch = structs.replace(_decoded(item, "order", _launches, table), repeated=REPEATED in item)
    if item["key"]["S"] != _LAUNCH + launch.token:
        raise damaged(item, table, "it is that of another order")
    if "answer" in item:
        answer = _decoded(item, "answer", _answers, table)
        return structs.replace(launch, settled=True, answered=answer.at, nodes=answer.nodes)
    return structs.replace(launch, request=_text(item, "request", table))


def _beat(item: Item, table: str) -> Heartbeat:
    beat = _decoded(item, "record", _heartbeats, table)
    if item["key"]["S"] != _NODE + beat.node:
        raise damaged(item, table, "it is that of another node")
    return structs.replace(beat, marked=_number(item, "marked", table)) if "marked" in item else beat


def _check_in(item: Item, table: str) -> CheckIn:
    check_in = _decoded(item, "record", _check_ins, table)
    if item["key"]["S"] != _BOOT + check_in.node:
        raise damaged(item, table, "it is that of another node")
    return check_in


def _decoded(item: Item, attribute: str, decoder: msgspec.json.Decoder[R], table: str) -> R:
    try:
        return decoder.decode(_text(item, attribute, table))
    except (msgspec.DecodeError, RecursionError) as error:
        raise damaged(item, table, str(error)) from error


def _number(item: Item, attribute: str, table: str) -> int:
    value: Mapping[str, str] = item.get(attribute, {})
    try:
        return _instants.decode(value.get("N", ""))
    except msgspec.DecodeError as error:
        raise damaged(item, table, f"'{attribute}' is no number that it could be") from error


def _text(item: Item, attribute: str, table: str) -> str:
    text: str | None = item.get(attribute, {}).get("S")
    if text is None:
        raise damaged(item, table, f"it has no text '{attribute}'")
    return text


def damaged(item: Item, table: str, why: str) -> UnreachableError:
    """Return the error for a damaged item."""
    key = item["key"]["S"]
    remedy = "" if key == GENERATION else ", or delete this item from it"
    return UnreachableError(
        f"the item {shown(key)} in table '{table}' is damaged ({shown(why)}): restore the table to an earlier point in"
        f" time{remedy}"
    )
