"""Closing the breaker by hand: what kept nodes from coming up is mended, and they may be launched again."""

from msgspec import structs

from nommerctl.domain.breaker import CLOSING, Breaker, resumed
from nommerctl.domain.outcome import Change, Notice, Outcome
from nommerctl.domain.times import rfc3339
from nommerctl.passes.means import Effect, FarmReads, Performer
from nommerctl.ports import Clock


def resume(reads: FarmReads, perform: Performer, *, clock: Clock) -> Outcome:
    """Close the breaker if it is open. Nodes that were ordered until now do not count any more."""
    breaker = reads.ledger.overview().breaker
    if breaker.opened is not None:
        since = f"open since {rfc3339(breaker.opened)[:19]}Z"
        if not perform(Change(CLOSING, since, breaker.reason), _switch(resumed(breaker, clock()))):
            return perform.outcome("resume")
    return structs.replace(perform.outcome("resume"), notice=Notice())


def _switch(breaker: Breaker) -> Effect:
    return lambda writes: writes.ledger.switch(breaker)
