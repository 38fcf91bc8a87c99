"""The records in the ledger's tables of `farm.db`; each function is given a row's key, and its body in bytes."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from nommerctl.adapters.local.records import CHECK_INS, DECISIONS, DOCUMENTS, HEARTBEATS, LAUNCHES
from nommerctl.domain.breaker import Breaker
from nommerctl.domain.fleet import CheckIn, Heartbeat, Launch, NodeId
from nommerctl.domain.outcome import Decision

BREAKER = "breaker"
NODE_SETTINGS = "settings/worker"
"""The names of two documents."""


class Text(Struct, frozen=True):
    """A text that is kept whole."""

    text: str


_check_ins = msgspec.json.Decoder(CheckIn)
_breakers = msgspec.json.Decoder(Breaker)
_texts = msgspec.json.Decoder(Text)
_heartbeats = msgspec.json.Decoder(Heartbeat)
_launches = msgspec.json.Decoder(Launch)
_decisions = msgspec.json.Decoder(Decision)


def beat_in(node: NodeId, body: object) -> Heartbeat:
    """Return a node's heartbeat; UnreachableError if it is damaged, as for all of these."""
    beat = HEARTBEATS.unsealed(node, body, _heartbeats)
    if beat.node != node:
        raise HEARTBEATS.damaged(node, "it is that of another node")
    return beat


def check_in_in(node: NodeId, body: object) -> CheckIn:
    """Return what a node left with its first heartbeat."""
    check_in = CHECK_INS.unsealed(node, body, _check_ins)
    if check_in.node != node:
        raise CHECK_INS.damaged(node, "it is that of another node")
    return check_in


def breaker_in(documents: Mapping[str, object]) -> Breaker:
    """Return the breaker's row among the documents."""
    body = documents.get(BREAKER)
    return Breaker() if body is None else DOCUMENTS.unsealed(BREAKER, body, _breakers)


def node_settings_in(documents: Mapping[str, object]) -> str:
    """Return what was published for nodes, among the documents."""
    body = documents.get(NODE_SETTINGS)
    return "" if body is None else DOCUMENTS.unsealed(NODE_SETTINGS, body, _texts).text


def launch_in(token: str, body: object) -> Launch:
    """Return an order."""
    launch = LAUNCHES.unsealed(token, body, _launches)
    if launch.token != token:
        raise LAUNCHES.damaged(token, "it is that of another order")
    return launch


def decision_in(number: int, body: object) -> Decision:
    """Return a decision."""
    return DECISIONS.unsealed(number, body, _decisions)
