"""What nodes and jobs cost, in US dollars, as far as it is known.

A node asks for its price once, when it starts. Each of its jobs pays for one slot, from the claim to the end of the
lease, whether anything came of the attempt or not: the machine was paid for.
"""

from nommerctl.domain.fleet import Node
from nommerctl.domain.job import EncodingJob, Lease, lease_live
from nommerctl.domain.times import Instant, seconds_between

HOUR = 3600.0

_DIGITS = 6
"""Decimals that are kept: a millionth of a dollar is what a small spot node costs in a tenth of a second."""


def cost(usd_per_hour: float, since: Instant, until: Instant) -> float:
    """Return what a price per hour comes to; 0 if the clock went back in between."""
    return round(usd_per_hour * max(seconds_between(since, until), 0.0) / HOUR, _DIGITS)


def slot_price(usd_per_hour: float | None, slots: int) -> float:
    """Return the share of one slot in the price of a node, 0 if that is not known."""
    return round((usd_per_hour or 0.0) / slots, _DIGITS)


def node_price(node: Node) -> float | None:
    """Return the price of a node per hour, None if it is not known."""
    return node.beat.usd_per_hour if node.beat else None


def node_cost(node: Node, now: Instant) -> float | None:
    """Return what a node has cost since it was launched, a dead one until its last sign; None if it is not known."""
    price = node_price(node)
    if price is None:
        return None
    return cost(price, node.launched, now if node.alive else node.last_sign)


def attempt_cost(lease: Lease | None, now: Instant) -> float:
    """Return what the attempt under a lease has cost by now: no more than until the lease ends."""
    if lease is None or not lease.since:
        return 0.0
    return cost(lease.usd_per_hour, lease.since, min(now, lease.until))


def job_price(job: EncodingJob, now: Instant) -> float:
    """Return what a job costs per hour at the moment: 0 if nobody has it in hand, or the price is not known."""
    return job.lease.usd_per_hour if job.lease and lease_live(job, now) else 0.0


def job_cost(job: EncodingJob, now: Instant) -> float:
    """Return what a job has cost so far, the attempt in hand too."""
    return round(job.cost_usd + attempt_cost(job.lease, now), _DIGITS)
