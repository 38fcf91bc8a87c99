"""How the farm stands, in what a person asks first: what `status` shows."""

from msgspec import Struct

from nommerctl.domain.scaling import FarmView


class FarmStatus(Struct, frozen=True, kw_only=True):
    """What scale would decide from, with its last decision; how many dead letters there are, and changes to learn."""

    view: FarmView
    dead: int
    changes: int
