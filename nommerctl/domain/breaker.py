"""The breaker: nodes that never come up, one after the other, have a fault that launching more of them does not mend.

It opens when scale.breaker_nodes nodes in a row never gave a heartbeat; then nothing is launched. It is closed by a
person, or by a node that comes up after all. When scale.breaker_time is over it is half-open: one node is tried, which
closes it, or opens it again.
"""

from collections.abc import Container, Iterable, Sequence
from enum import StrEnum
from itertools import takewhile

from msgspec import Struct

from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import Instance, Launch, NodeId
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import AHEAD, Instant, impossible, micros, rfc3339

OPENING = "open breaker"
CLOSING = "close breaker"
"""What the two are called as effects of a pass."""

REMEDY = "mend that, then run 'nommerctl resume'"


class Breaker(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The breaker's row in the ledger.

    It is `opened` since an instant, for a `reason`; None while it is closed. Nodes that were ordered until it was last
    `resumed` do not count. `number` is how often it was switched, the condition of the next switch.
    """

    number: int = 0
    opened: Instant | None = None
    resumed: Instant = 0
    reason: str = ""


class Boot(Struct, frozen=True, kw_only=True):
    """What became of a node that was ordered: whether it came `up`, None as long as it still may.

    `failure` is what it said of its own boot when that failed, empty if it said nothing.
    """

    node: NodeId
    ordered: Instant
    up: bool | None
    failure: str = ""


class BreakerState(StrEnum):
    """How it stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Standing(Struct, frozen=True, kw_only=True):
    """How the breaker stands in a pass.

    `failed` is how many nodes in a row never came up. While it is open, that is `until` an instant, if nobody closes it
    before. `most` is how many nodes may be launched, None for any number. `sentence` says all this, and is empty while
    it is closed. With a `switch` its row is to be written so, because of `why`.
    """

    state: BreakerState
    failed: int = 0
    until: Instant | None = None
    most: int | None = None
    sentence: str = ""
    switch: Breaker | None = None
    why: str = ""


def boots(
    launches: Iterable[Launch],
    *,
    up: Container[NodeId],
    instances: Iterable[Instance],
    lag: float,
    limit: float,
    now: Instant,
) -> list[Boot]:
    """Return what became of the nodes of these orders, in the order in which the orders were answered.

    A node that gave a sign came `up`. One did not if it has gone, or is not shown though the fleet takes `lag` seconds
    at most to do so, or if it is older than `limit` seconds. One that was taken back before it could is left out. Of
    the nodes of one order those that came up stand last: they show that such an order can be filled.
    """
    known = {instance.id: instance for instance in instances}
    found: list[Boot] = []
    for launch in sorted(launches, key=lambda launch: launch.answered):
        some = [
            _boot(node, launch, known.get(node), up, lag=lag, limit=limit, now=now)
            for node in launch.nodes
            if node in up or node not in known or not known[node].taken_back
        ]
        found += sorted(some, key=lambda boot: (False, None, True).index(boot.up))
    return found


def _boot(
    node: NodeId,
    launch: Launch,
    instance: Instance | None,
    up: Container[NodeId],
    *,
    lag: float,
    limit: float,
    now: Instant,
) -> Boot:
    def became(up: bool | None) -> Boot:  # noqa: FBT001 - three answers
        return Boot(node=node, ordered=launch.ordered, up=up, failure=instance.failure if instance else "")

    if node in up:
        return became(up=True)
    answered = max(launch.ordered, launch.answered)
    if instance is None:
        gone = now >= answered + (micros(lag) + AHEAD if lag else 0)  # as `joined` counts it until then
    else:
        gone = instance.gone or not instance.alive
    since = answered if instance is None else instance.launched
    too_late = since + micros(limit) < now or impossible(since, now)
    return became(up=False if gone or too_late else None)


def standing(breaker: Breaker, booted: Sequence[Boot], settings: ScaleSettings, now: Instant) -> Standing:
    """Return how the breaker stands by its row and by the nodes' boots, and how it is to be switched."""
    counts_from = 0 if impossible(breaker.resumed, now) else breaker.resumed
    counting = [boot for boot in booted if boot.ordered > counts_from]
    over = [boot for boot in counting if boot.up is not None]
    failed = list(takewhile(lambda boot: not boot.up, reversed(over)))
    last = failed[0] if failed else None
    if breaker.opened is None:
        if last is None or len(failed) < settings.breaker_nodes:
            return Standing(state=BreakerState.CLOSED, failed=len(failed))
        why = f"{counted(len(failed), 'node')} in a row never gave a heartbeat{_said(last)}"
        return _open(breaker, why, len(failed), settings, now)
    if over and last is None:
        closed = Breaker(number=breaker.number + 1, resumed=breaker.resumed)
        return Standing(state=BreakerState.CLOSED, switch=closed, why=f"{over[-1].node} came up")
    if impossible(breaker.opened, now):  # the clock went back: it would stay open until it is as late again
        return _open(breaker, breaker.reason, len(failed), settings, now)
    until = breaker.opened + micros(settings.breaker_time)
    tried = [boot for boot in counting if boot.ordered >= until]
    if last is not None and last in tried and all(boot.up is not None for boot in tried):
        why = f"the node that was tried never gave a heartbeat either{_said(last)}"
        return _open(breaker, why, len(failed), settings, now)
    state = stands(breaker, settings, now)
    return Standing(
        state=state,
        failed=len(failed),
        until=until if state is BreakerState.OPEN else None,
        most=0 if state is BreakerState.OPEN or tried else 1,
        sentence=sentence(breaker, settings, now),
    )


def stands(breaker: Breaker, settings: ScaleSettings, now: Instant) -> BreakerState:
    """Return how it stands by its row alone."""
    if breaker.opened is None:
        return BreakerState.CLOSED
    over = breaker.opened + micros(settings.breaker_time) <= now
    return BreakerState.HALF_OPEN if over else BreakerState.OPEN


def sentence(breaker: Breaker, settings: ScaleSettings, now: Instant) -> str:
    """Return how it stands, why, and what to do; nothing while it is closed."""
    if breaker.opened is None:
        return ""
    if stands(breaker, settings, now) is BreakerState.HALF_OPEN:
        return f"the breaker is half-open, one node is tried: {breaker.reason}; {REMEDY}"
    until = rfc3339(breaker.opened + micros(settings.breaker_time))[:19]
    return f"the breaker is open until {until}Z, no node is launched: {breaker.reason}; {REMEDY}"


def resumed(breaker: Breaker, now: Instant) -> Breaker:
    """Return the row of a breaker that a person closed: it begins to count anew."""
    return Breaker(number=breaker.number + 1, resumed=now)


def _open(breaker: Breaker, why: str, failed: int, settings: ScaleSettings, now: Instant) -> Standing:
    row = Breaker(number=breaker.number + 1, opened=now, resumed=breaker.resumed, reason=why)
    return Standing(
        state=BreakerState.OPEN,
        failed=failed,
        until=now + micros(settings.breaker_time),
        most=0,
        sentence=sentence(row, settings, now),
        switch=row,
        why=why,
    )


def _said(boot: Boot) -> str:
    return f" ({boot.node} said: {shown(boot.failure)})" if boot.failure else ""
