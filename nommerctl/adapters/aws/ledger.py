"""The ledger in DynamoDB: the generation and the one order that may be unsettled are won by conditional writes."""

from collections.abc import Callable
from itertools import count, islice

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.ledger_items import (
    DECISIONS,
    FARM,
    GENERATION,
    LAST_DECISION,
    PUBLISHED,
    REPEATED,
    answer_values,
    beat_item,
    breaker_item,
    check_in_item,
    damaged,
    decision_key,
    decision_of,
    expiry,
    generation_of,
    key_of,
    launch_item,
    launch_key,
    node_key,
    overview_of,
    settings_key,
    sign_item,
    text_of,
)
from nommerctl.adapters.aws.names import ledger_table
from nommerctl.adapters.aws.resources import EXPIRES
from nommerctl.adapters.aws.tables import Item, Table, delete, put, update
from nommerctl.domain.breaker import Breaker
from nommerctl.domain.fleet import CheckIn, Heartbeat, Launch, NodeId, Spawned
from nommerctl.domain.keeping import DECISIONS_KEPT
from nommerctl.domain.outcome import Decision
from nommerctl.domain.overview import Overview
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import ConflictError, UnreachableError
from nommerctl.ports import Clock

_PAUSES = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Seconds between looks at a ledger that is just being written to."""


class DynamoLedgerReads:
    """A ports.LedgerReads. DynamoDB removes what has expired days late: what is too old is left out by the clock."""

    def __init__(self, clients: Clients, farm: str, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._table = Table(clients, ledger_table(farm), sleep)
        self._clock = clock
        self._sleep = sleep

    def overview(self) -> Overview:
        """Return all that the ledger knows of the farm but for its older decisions.

        Generation and orders are of one instant; heartbeats may be newer by as long as the query takes. What was read
        while an order was being written is read again.
        """
        for pause in _PAUSES:
            items = self._table.query("#kind = :farm", {":farm": {"S": FARM}})
            overview = overview_of(items, self._table.name, self._clock())
            if overview is not None:
                return overview
            self._sleep(pause)
        msg = (
            f"table '{self._table.name}' is at odds with itself: the order that its item {GENERATION} names as"
            " 'unsettled' and the items of orders that have no 'answer' must be one and the same, or none: restore the"
            " table to an earlier point in time"
        )
        raise UnreachableError(msg)

    def decisions(self, limit: int) -> list[Decision]:
        """Return the last decisions, newest first."""
        if limit <= 0:
            return []
        oldest = decision_key(self._clock() - micros(DECISIONS_KEPT))
        values = {":kind": {"S": DECISIONS}, ":oldest": oldest["key"]}
        found = self._table.query("#kind = :kind AND #key >= :oldest", values, limit=limit, backwards=True)
        return [decision_of(item, self._table.name) for item in islice(found, limit)]


class DynamoLedger(DynamoLedgerReads):
    """A ports.Ledger: each write is one request, and may be repeated when its answer was lost."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write a node's heartbeat over its last one."""
        self._table.write(put(beat_item(heartbeat)))

    def mark(self, node: NodeId, at: Instant) -> None:
        """Note that a node was found silent at `at`, unless it is already marked."""
        never = Heartbeat(node=node, started=0, at=0, slots=0)
        change = "SET #marked = if_not_exists(#marked, :at), #record = if_not_exists(#record, :never)"
        self._table.write(update(node_key(node), change, values={":at": {"N": str(at)}, ":never": text_of(never)}))

    def forget(self, node: NodeId) -> None:
        """Drop a node's heartbeat; no error if it has none."""
        self._table.write(delete(node_key(node)))

    def check_in(self, check_in: CheckIn) -> None:
        """Keep what a node leaves with its first heartbeat."""
        self._table.write(put(check_in_item(check_in)))

    def journal(self, launch: Launch) -> None:
        """Write an order before it is given; ConflictError if somebody else decided at the same time."""
        first = "attribute_not_exists(#generation) OR " if launch.generation == 0 else ""
        turn = update(
            key_of(GENERATION),
            "SET #generation = :generation, #unsettled = :token",
            condition=f"({first}#generation = :generation)"
            " AND (attribute_not_exists(#unsettled) OR #unsettled = :token)",
            values={":generation": {"N": str(launch.generation)}, ":token": {"S": launch.token}},
        )
        order = put(launch_item(launch), condition="attribute_not_exists(#key)")
        failed = self._table.write_together([turn, order])
        if 0 in failed:
            raise ConflictError(self._refused(launch, failed[0].item))
        if 1 in failed and "answer" in failed[1].item:
            msg = f"order {launch.token} has been settled already"
            raise ConflictError(msg)

    def repeat(self, token: str) -> None:
        """Note that an order is going to be given again; ConflictError if it is not unsettled any more."""
        again = update(
            launch_key(token),
            f"SET #{REPEATED} = :true",
            condition="attribute_exists(#order) AND attribute_not_exists(#answer)",
            values={":true": {"BOOL": True}},
        )
        if self._table.write(again) is not None:
            msg = f"order {token} has been settled already"
            raise ConflictError(msg)

    def settle(self, token: str, spawned: Spawned) -> None:
        """Note what came of an order and raise the generation; nothing if it is not the unsettled one."""
        answer, expires = answer_values(spawned.nodes, spawned.refused, self._clock())
        turn = update(
            key_of(GENERATION),
            "SET #generation = #generation + :one REMOVE #unsettled",
            condition="#unsettled = :token",
            values={":one": {"N": "1"}, ":token": {"S": token}},
        )
        needed_no_more = f"#request, #{REPEATED}" if spawned.certain else "#request"
        order = update(
            launch_key(token),
            f"SET #answer = :answer, #{EXPIRES} = :expires REMOVE {needed_no_more}",
            condition="attribute_exists(#order)",
            values={":answer": answer, ":expires": expires},
        )
        failed = self._table.write_together([turn, order])
        if 1 in failed and 0 not in failed:
            raise damaged(launch_key(token), self._table.name, "it is not there")

    def switch(self, breaker: Breaker) -> None:
        """Write the breaker's row; ConflictError if it has been switched since."""
        item = breaker_item(breaker)
        first = "attribute_not_exists(#key) OR " if breaker.number == 1 else ""
        values = {":before": {"N": str(breaker.number - 1)}}
        standing = self._table.write(put(item, condition=f"{first}#number = :before", values=values))
        if standing is not None and standing.item.get("record") != item["record"]:
            msg = "the breaker has been switched meanwhile"
            raise ConflictError(msg)

    def publish(self, text: str) -> None:
        """Write the settings that nodes read, and a copy beside what passes read."""
        content: Item = {"text": {"S": text}}
        self._table.write_together([put({**settings_key(), **content}), put({**key_of(PUBLISHED), **content})])

    def sign(self, at: Instant) -> None:
        """Leave the controller's sign of life."""
        self._table.write(put(sign_item(at)))

    def decide(self, decision: Decision) -> None:
        """Keep a decision for a week, and besides as the last one; the very same at one instant is one decision."""
        record = {"record": text_of(decision)}
        last = put({**key_of(LAST_DECISION), **record})
        sign = put(sign_item(decision.at))
        for number in count():
            expires = {EXPIRES: expiry(decision.at, DECISIONS_KEPT)}
            one = put(
                {**decision_key(decision.at, number), **record, **expires}, condition="attribute_not_exists(#key)"
            )
            failed = self._table.write_together([one, last, sign])
            if not failed or failed[0].item.get("record") == record["record"]:
                return

    def _refused(self, launch: Launch, control: Item) -> str:
        """Say why an order may not be given, from the item GENERATION as it stands."""
        generation = generation_of(control, self._table.name)
        if generation != launch.generation:
            return f"order {launch.token} is for generation {launch.generation} of the farm, which is at {generation}"
        standing = control["unsettled"]["S"]
        return f"order {launch.token} must wait: the answer to order {standing} is not known yet"
