"""How a node is."""

from enum import StrEnum

from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import Node
from nommerctl.domain.times import Instant, impossible, micros


class NodeCondition(StrEnum):
    """How a node is, as a person asks."""

    RUNNING = "running"
    BOOTING = "not up yet"
    SILENT = "silent"
    DEAD = "dead"


def silent(node: Node, *, now: Instant, limits: ScaleSettings) -> bool:
    """Whether a node has given no sign for longer than it may: since its last beat, or since its launch.

    A sign from the future says nothing: a node that lives gives another one soon, by the clock as it is now.
    """
    allowed = limits.silent_after if node.beat else limits.boot_limit
    return node.last_sign + micros(allowed) < now or impossible(node.last_sign, now)


def node_condition(node: Node, *, now: Instant, limits: ScaleSettings) -> NodeCondition:
    """How a node is: by the fleet's word first, then by its heartbeats and the limits that scale ends nodes by."""
    if not node.alive:
        return NodeCondition.DEAD
    if silent(node, now=now, limits=limits):
        return NodeCondition.SILENT
    return NodeCondition.RUNNING if node.beat else NodeCondition.BOOTING
