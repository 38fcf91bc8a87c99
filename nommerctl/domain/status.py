"""How the farm stands, in what a person asks first: what `status` shows."""

from msgspec import Struct

from nommerctl.domain.outcome import Decision
from nommerctl.domain.scaling import FarmView


class FarmStatus(Struct, frozen=True, kw_only=True):
    """What scale would decide from, the number of dead letters, and scale's last decision (None: none is kept)."""

    view: FarmView
    dead: int
    decision: Decision | None
