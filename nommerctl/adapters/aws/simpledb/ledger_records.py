"""The items of the domain of the ledger, and what they say.

All that is read together has a name that begins with `farm/`, so that one Select reads it. The decisions, which are
many, have others. Nothing expires by itself in SimpleDB: what has `expires`, an instant of twenty digits, may be
removed after it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct, structs

from nommerctl.adapters.aws.simpledb.chunks import chunked, joined, single
from nommerctl.adapters.aws.simpledb.domains import Attributes
from nommerctl.domain.breaker import Breaker
from nommerctl.domain.fleet import CheckIn, Heartbeat, Launch, NodeId, Pool, Refusal
from nommerctl.domain.keeping import (
    BEATS_KEPT,
    CHECK_INS_SHOWN,
    DECISIONS_KEPT,
    LAUNCHES_SHOWN,
    REFUSALS_SHOWN,
    SPARE,
)
from nommerctl.domain.outcome import Decision
from nommerctl.domain.overview import Overview
from nommerctl.domain.text import shown
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import UnreachableError

R = TypeVar("R")

FARM = "itemName() >= 'farm/' and itemName() < 'farm0'"
"""Selects what is read together: `0` comes after `/`."""

CONTROL = "farm/control"
"""Has the `turn`, and the order that is unsettled, or was settled last: one item, so that one condition guards both."""

CONTROLLER = "farm/controller"
LAST_DECISION = "farm/decision"
BREAKER = "farm/breaker"
PUBLISHED = "farm/settings"

TURN = "turn"
REPEATED = "repeated"
"""Has the token of the order in CONTROL if that was given again."""

MARKED = "marked"
UNMARKED = "-"
"""What stands in `marked` of a node that is not: SimpleDB writes over attributes, and does not take any away by it."""

NUMBER = "number"
EXPIRES = "expires"

_AT = "at"
_LAUNCH = "farm/launch/"
_BOOT = "farm/boot/"
_NODE = "farm/node/"
_DECISION = "decision/"
_NOTHING = "-"


class Turn(NamedTuple):
    """Whose turn it is to write: the farm's generation, and the token of the order that is unsettled, if one is."""

    generation: int
    token: str | None = None

    @property
    def text(self) -> str:
        """It as the one value that a write has as its condition."""
        return f"{self.generation}|{self.token or _NOTHING}"


class Order(Struct, frozen=True, kw_only=True):
    """An order as it is kept. Once it is settled the `refused` pools stand with it, and whether that was `certain`."""

    launch: Launch
    certain: bool = False
    refused: tuple[Pool, ...] = ()


class Control(NamedTuple):
    """The item CONTROL: `standing` is the order in it, unsettled or settled last, None on a new farm."""

    turn: Turn = Turn(0)
    standing: Order | None = None
    is_new: bool = True


_heartbeats = msgspec.json.Decoder(Heartbeat)
_check_ins = msgspec.json.Decoder(CheckIn)
_breakers = msgspec.json.Decoder(Breaker)
_orders = msgspec.json.Decoder(Order)
_decisions = msgspec.json.Decoder(Decision)
_texts = msgspec.json.Decoder(str)
_instants = msgspec.json.Decoder(Instant)


def launch_name(token: str) -> str:
    """Return the name of the item of an order that was settled."""
    return _LAUNCH + token


def boot_name(node: NodeId) -> str:
    """Return the name of the item of a node's first heartbeat."""
    return _BOOT + node


def node_name(node: NodeId) -> str:
    """Return the name of the item of a node."""
    return _NODE + node


def decision_name(at: Instant, number: int = 0) -> str:
    """Return the name of a decision: it is higher than that of an earlier one, or of a lower number at that instant.

    That of number 0 at an instant is the lowest of all from then on.
    """
    return f"{_DECISION}{max(at, 0):020d}-{number:04d}"


def decisions_since(oldest: Instant) -> str:
    """Return what selects the decisions that were made at an instant or later."""
    return f"itemName() >= '{decision_name(oldest)}' and itemName() < 'decision0'"


def expired_before(now: Instant) -> str:
    """Return what selects the items that may be removed."""
    return f"{EXPIRES} < '{_digits(now)}'"


def beat_item(beat: Heartbeat) -> dict[str, str]:
    """Return the item of a node: an instance whose host failed takes no leave, and is none that scale could end."""
    marked = UNMARKED if beat.marked is None else str(beat.marked)
    return {**chunked(structs.replace(beat, marked=None)), MARKED: marked, EXPIRES: _expiry(beat.at, BEATS_KEPT)}


def unseen_item(node: NodeId, marked: Instant) -> dict[str, str]:
    """Return the item of a node that never gave a heartbeat."""
    never = Heartbeat(node=node, started=0, at=0, slots=0)
    return {**chunked(never), MARKED: str(marked), EXPIRES: _expiry(marked, BEATS_KEPT)}


def check_in_item(check_in: CheckIn) -> dict[str, str]:
    """Return the item of a node's first heartbeat."""
    return {**chunked(check_in), EXPIRES: _expiry(check_in.at, CHECK_INS_SHOWN + SPARE)}


def breaker_item(breaker: Breaker) -> dict[str, str]:
    """Return the item of the breaker; its number stands beside it, for conditions."""
    return {**chunked(breaker), NUMBER: str(breaker.number)}


def sign_item(at: Instant) -> dict[str, str]:
    """Return the item of the controller's sign of life."""
    return {_AT: str(at)}


def decision_item(decision: Decision) -> dict[str, str]:
    """Return the item of a decision."""
    return {**chunked(decision), EXPIRES: _expiry(decision.at, DECISIONS_KEPT)}


def control_item(turn: Turn, order: Order) -> dict[str, str]:
    """Return what is written to the item CONTROL. What says there that an order was given again names it."""
    return {TURN: turn.text, **chunked(order)}


def settled_item(order: Order) -> dict[str, str]:
    """Return the item of an order that was settled, for when another one stands in CONTROL."""
    return {**chunked(order), EXPIRES: _expiry(order.launch.answered, LAUNCHES_SHOWN + SPARE)}


def _expiry(at: Instant, seconds: float) -> str:
    return _digits(at + micros(seconds))


def _digits(at: Instant) -> str:
    return f"{max(at, 0):020d}"


def repeated_in(order: Order, *, again: bool) -> Order:
    """Return an order with what it says of being given `again`: no more once its answer is certain."""
    settled = order.launch.settled
    return structs.replace(
        order, launch=structs.replace(order.launch, repeated=again and not (settled and order.certain))
    )


class LedgerItems:
    """Reads the items of a domain; UnreachableError for one that is damaged."""

    def __init__(self, domain: str) -> None:
        self._domain = domain

    def control(self, item: Attributes | None) -> Control:
        """Return what CONTROL says; that of a new farm if it is not there."""
        if item is None:
            return Control()
        order = self._decoded(CONTROL, item, _orders)
        generation, _, token = self._text(CONTROL, item, TURN).partition("|")
        turn = Turn(self._instant(CONTROL, generation), None if token == _NOTHING else token)
        if token not in {_NOTHING, order.launch.token} or order.launch.settled is not (token == _NOTHING):
            raise self.damaged(CONTROL, "its turn and its order do not belong together")
        again = item.get(REPEATED) == (order.launch.token,)
        return Control(turn, repeated_in(order, again=again), is_new=False)

    def breaker(self, item: Attributes | None) -> Breaker:
        """Return the breaker's row."""
        return Breaker() if item is None else self._decoded(BREAKER, item, _breakers)

    def decision(self, name: str, item: Attributes) -> Decision:
        """Return a decision."""
        return self._decoded(name, item, _decisions)

    def overview(self, items: Mapping[str, Attributes], old: Mapping[NodeId, Heartbeat], now: Instant) -> Overview:
        """Return what the items say; `old` are heartbeats of media-nommer's workers, which count if no other does."""
        control = self.control(items.get(CONTROL))
        orders = {order.launch.token: order for order in self._settled(items)}
        if control.standing is not None:
            orders[control.standing.launch.token] = control.standing
        launches = [order.launch for order in orders.values()]
        shown_ones = [each for each in launches if not each.settled or each.ordered >= now - micros(LAUNCHES_SHOWN)]
        beats = {node: self._beat(node, item) for node, item in _named(items, _NODE)}
        check_ins = [self._check_in(node, item) for node, item in _named(items, _BOOT)]
        sign, last, published = (items.get(name) for name in (CONTROLLER, LAST_DECISION, PUBLISHED))
        return Overview(
            generation=control.turn.generation,
            heartbeats={**old, **beats},
            check_ins={each.node: each for each in check_ins if each.at >= now - micros(CHECK_INS_SHOWN)},
            launches=tuple(sorted(shown_ones, key=lambda launch: launch.ordered)),
            breaker=self.breaker(items.get(BREAKER)),
            refusals=_refusals(orders.values(), now - micros(REFUSALS_SHOWN)),
            decision=None if last is None else self.decision(LAST_DECISION, last),
            controller_seen=None if sign is None else self._instant(CONTROLLER, self._text(CONTROLLER, sign, _AT)),
            node_settings="" if published is None else self._decoded(PUBLISHED, published, _texts),
        )

    def _settled(self, items: Mapping[str, Attributes]) -> Iterable[Order]:
        for token, item in _named(items, _LAUNCH):
            order = self._decoded(launch_name(token), item, _orders)
            if order.launch.token != token:
                raise self.damaged(launch_name(token), "it is that of another order")
            yield order

    def _beat(self, node: NodeId, item: Attributes) -> Heartbeat:
        name = node_name(node)
        beat = self._decoded(name, item, _heartbeats)
        if beat.node != node:
            raise self.damaged(name, "it is that of another node")
        marked = self._text(name, item, MARKED)
        return beat if marked == UNMARKED else structs.replace(beat, marked=self._instant(name, marked))

    def _check_in(self, node: NodeId, item: Attributes) -> CheckIn:
        check_in = self._decoded(boot_name(node), item, _check_ins)
        if check_in.node != node:
            raise self.damaged(boot_name(node), "it is that of another node")
        return check_in

    def _decoded(self, name: str, item: Attributes, decoder: msgspec.json.Decoder[R]) -> R:
        try:
            return decoder.decode(joined(item))
        except (KeyError, ValueError, RecursionError) as error:  # msgspec's are ValueErrors
            raise self.damaged(name, f"its record cannot be read: {error}") from error

    def _text(self, name: str, item: Attributes, attribute: str) -> str:
        try:
            return single(item, attribute)
        except (KeyError, ValueError) as error:
            raise self.damaged(name, f"it has not one '{attribute}'") from error

    def _instant(self, name: str, text: str) -> int:
        try:
            return _instants.decode(text)
        except msgspec.DecodeError as error:
            raise self.damaged(name, f"'{text}' is no number that it could have") from error

    def damaged(self, name: str, why: str) -> UnreachableError:
        """Return the error for a damaged item."""
        remedy = "put it right" if name == CONTROL else "put it right, or delete it"
        return UnreachableError(
            f"the item {shown(name)} in domain '{self._domain}' is damaged ({shown(why)}): {remedy}"
        )


def _named(items: Mapping[str, Attributes], prefix: str) -> Iterable[tuple[str, Attributes]]:
    return [(name.removeprefix(prefix), item) for name, item in items.items() if name.startswith(prefix)]


def _refusals(orders: Iterable[Order], since: Instant) -> tuple[Refusal, ...]:
    """Return the last refusal of each pool, oldest first."""
    last: dict[Pool, Instant] = {}
    for order in sorted(orders, key=lambda order: order.launch.answered):
        answered = order.launch.answered
        last |= {pool: answered for pool in order.refused if answered >= since}
    return tuple(Refusal(pool, at) for pool, at in sorted(last.items(), key=lambda entry: (entry[1], entry[0])))
