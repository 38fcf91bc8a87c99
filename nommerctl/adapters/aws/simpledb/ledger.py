"""The ledger in SimpleDB, where a write has one condition on one item and there are no transactions.

So generation, the one order that may be unsettled, and the answer to it stand in one item, whose `turn` is the
condition of every change of these. The order that is settled there is copied to an item of its own before the next one
is journalled over it, which may be done twice and loses nothing if it is not done to the end.
"""

from collections.abc import Callable
from itertools import count, islice

from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import ledger_table
from nommerctl.adapters.aws.side_by_side import side_by_side
from nommerctl.adapters.aws.simpledb.chunks import PARTS, chunked
from nommerctl.adapters.aws.simpledb.domains import PAGE, WRITTEN_AT_ONCE, Attributes, Domain, Expected
from nommerctl.adapters.aws.simpledb.heartbeats import OldHeartbeats
from nommerctl.adapters.aws.simpledb.ledger_records import (
    BREAKER,
    CONTROL,
    CONTROLLER,
    FARM,
    LAST_DECISION,
    MARKED,
    NUMBER,
    PUBLISHED,
    REPEATED,
    TURN,
    UNMARKED,
    Control,
    LedgerItems,
    Order,
    Turn,
    beat_item,
    boot_name,
    breaker_item,
    check_in_item,
    control_item,
    decision_item,
    decision_name,
    decisions_since,
    expired_before,
    launch_name,
    node_name,
    settled_item,
    sign_item,
    unseen_item,
)
from nommerctl.domain.breaker import Breaker
from nommerctl.domain.config_aws import SimpledbSettings
from nommerctl.domain.fleet import CheckIn, Heartbeat, Launch, NodeId, Spawned
from nommerctl.domain.keeping import DECISIONS_KEPT
from nommerctl.domain.outcome import Decision
from nommerctl.domain.overview import Overview
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import ConflictError, TryAgainError
from nommerctl.ports import Clock

_PAUSES = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Seconds between looks at a ledger that is just being written to."""


class SimpledbLedgerReads:
    """A ports.LedgerReads. Media-nommer's own workers are in it too, each as taking `slots` jobs at once.

    What is too old is left out by the clock; it is removed by and by, when decisions are kept.
    """

    def __init__(
        self,
        clients: Clients,
        farm: str,
        settings: SimpledbSettings,
        clock: Clock,
        *,
        slots: int,
        sleep: Callable[[float], None],
    ) -> None:
        self._domain = Domain(clients, ledger_table(farm), ours=True)
        self._items = LedgerItems(self._domain.name)
        self._old = OldHeartbeats(clients, settings, clock, slots=slots)
        self._clock = clock
        self._sleep = sleep

    def overview(self) -> Overview:
        """Return all that the ledger knows of the farm but for its older decisions.

        Generation and orders are of one instant; heartbeats may be newer by as long as the reading takes. What was read
        while the turn changed is read again: orders that were copied aside meanwhile could be missing.
        """
        for pause in _PAUSES:
            self._sleep(pause)
            before = self._domain.get(CONTROL)
            items, old = self._read()
            if _turn_in(items.get(CONTROL)) == _turn_in(before):
                return self._items.overview(items, old, self._clock())
        msg = f"domain '{self._domain.name}' is being written to all the time: the next run tries again"
        raise TryAgainError(msg)

    def _read(self) -> tuple[dict[str, Attributes], dict[NodeId, Heartbeat]]:
        items: dict[str, Attributes] = {}
        old: dict[NodeId, Heartbeat] = {}
        side_by_side([lambda: items.update(self._domain.select(FARM)), lambda: old.update(self._old.read())])
        return items, old

    def decisions(self, limit: int) -> list[Decision]:
        """Return the last decisions, newest first."""
        if limit <= 0:
            return []
        kept = decisions_since(self._clock() - micros(DECISIONS_KEPT))
        found = self._domain.select(kept, order="itemName() desc", limit=min(limit, PAGE))
        return [self._items.decision(name, item) for name, item in islice(found, limit)]

    def _control(self) -> Control:
        return self._items.control(self._domain.get(CONTROL))


class SimpledbLedger(SimpledbLedgerReads):
    """A ports.Ledger: each write may be repeated when its answer was lost, and may be cut off between two requests."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write a node's heartbeat over its last one, and to where media-nommer looks for it."""
        self._domain.put(node_name(heartbeat.node), beat_item(heartbeat))
        self._old.beat(heartbeat)

    def mark(self, node: NodeId, at: Instant) -> None:
        """Note that a node was found silent at `at`, unless it is already marked; media-nommer is not told."""
        name = node_name(node)
        if not self._domain.put(name, {MARKED: str(at)}, Expected(MARKED, UNMARKED)):
            self._domain.put(name, unseen_item(node, at), Expected(MARKED, None))

    def forget(self, node: NodeId) -> None:
        """Drop a node's heartbeat, and leave word to media-nommer that the node is gone; no error if it has none."""
        self._domain.delete(node_name(node))
        self._old.end(node)

    def check_in(self, check_in: CheckIn) -> None:
        """Keep what a node leaves with its first heartbeat."""
        self._domain.put(boot_name(check_in.node), check_in_item(check_in))

    def journal(self, launch: Launch) -> None:
        """Write an order before it is given; ConflictError if somebody else decided at the same time."""
        before = self._control()
        if before.standing is not None and before.standing.launch.settled:
            self._copy_aside(before.standing)
        awaited = Expected(TURN, None if before.is_new and launch.generation == 0 else Turn(launch.generation).text)
        order = control_item(Turn(launch.generation, launch.token), Order(launch=launch))
        if self._domain.put(CONTROL, order, awaited):
            return
        standing = self._control()
        if standing.turn != Turn(launch.generation, launch.token):  # else an answer was lost, or it was written before
            raise ConflictError(_refused(launch, standing))

    def _copy_aside(self, order: Order) -> None:
        """Copy an order that is settled to where it stays; everybody who does so writes the same."""
        self._domain.put(launch_name(order.launch.token), settled_item(order))

    def repeat(self, token: str) -> None:
        """Note that an order is going to be given again; ConflictError if it is not unsettled any more."""
        turn = self._control().turn
        if turn.token == token and self._domain.put(CONTROL, {REPEATED: token}, Expected(TURN, turn.text)):
            return
        msg = f"order {token} has been settled already"
        raise ConflictError(msg)

    def settle(self, token: str, spawned: Spawned) -> None:
        """Note what came of an order and raise the generation; nothing if it is not the unsettled one."""
        turn, standing, _ = self._control()
        if standing is None or turn.token != token:
            return
        launch = structs.replace(
            standing.launch, request="", repeated=False, settled=True, answered=self._clock(), nodes=spawned.nodes
        )
        order = Order(launch=launch, certain=spawned.certain, refused=spawned.refused)
        # if the condition fails, an answer stands already
        self._domain.put(CONTROL, control_item(Turn(turn.generation + 1), order), Expected(TURN, turn.text))

    def switch(self, breaker: Breaker) -> None:
        """Write the breaker's row; ConflictError if it has been switched since."""
        before = None if breaker.number == 1 else str(breaker.number - 1)
        if self._domain.put(BREAKER, breaker_item(breaker), Expected(NUMBER, before)):
            return
        if self._items.breaker(self._domain.get(BREAKER)) != breaker:
            msg = "the breaker has been switched meanwhile"
            raise ConflictError(msg)

    def publish(self, text: str) -> None:
        """Write the settings that nodes read."""
        self._domain.put(PUBLISHED, chunked(text))

    def sign(self, at: Instant) -> None:
        """Leave the controller's sign of life."""
        self._domain.put(CONTROLLER, sign_item(at))

    def decide(self, decision: Decision) -> None:
        """Keep a decision for a week, and besides as the last one; the very same at one instant is one decision."""
        item = decision_item(decision)
        for number in count():
            name = decision_name(decision.at, number)
            if self._domain.put(name, item, Expected(PARTS, None)):
                break
            standing = self._domain.get(name)
            if standing is not None and self._items.decision(name, standing) == decision:
                break
        self._domain.put_batch({LAST_DECISION: chunked(decision), CONTROLLER: sign_item(decision.at)})
        self._clear_away()

    def _clear_away(self) -> None:
        """Remove a few items that have expired; more go with the next decisions."""
        expired = self._domain.select(expired_before(self._clock()), limit=WRITTEN_AT_ONCE)
        names = [name for name, _ in islice(expired, WRITTEN_AT_ONCE)]
        if names:
            self._domain.delete_batch(names)


def _turn_in(item: Attributes | None) -> object:
    return None if item is None else item.get(TURN)


def _refused(launch: Launch, standing: Control) -> str:
    """Say why an order may not be given, by what stands instead."""
    generation, token = standing.turn
    if generation != launch.generation:
        return f"order {launch.token} is for generation {launch.generation} of the farm, which is at {generation}"
    return f"order {launch.token} must wait: the answer to order {token} is not known yet"
