"""The tables of `farm.db` that keep sealed records, and what is said of one that is not as it was written.

It is the truth, so nobody here throws a record away. The sentence says how to do so by hand, so that one damaged record
need not keep the farm from all others.
"""

import re
from typing import NamedTuple

import msgspec

from nommerctl.adapters.seal import BrokenSealError, R, unsealed
from nommerctl.domain.text import shown
from nommerctl.errors import UnreachableError

_PLAIN = re.compile(r"[0-9A-Za-z-]+")
"""What may stand in a command that people copy."""


class Table(NamedTuple):
    """A table, the column that tells its rows apart, and what to call a row."""

    name: str
    key: str
    row: str

    def unsealed(self, key: object, body: object, decoder: msgspec.json.Decoder[R]) -> R:
        """Return the record in a row; UnreachableError if it is damaged."""
        try:
            return unsealed(body, decoder)
        except BrokenSealError as error:
            raise self.damaged(key, str(error)) from error

    def damaged(self, key: object, why: str) -> UnreachableError:
        """Return the error for a damaged row."""
        which = shown(str(key))
        by = ""
        if _PLAIN.fullmatch(which):  # else it is not ours, and could end the quotes that it would stand in
            by = f": sqlite3 farm.db \"DELETE FROM {self.name} WHERE {self.key} = '{which}'\""  # noqa: S608 - to read
        return UnreachableError(
            f"the record of {self.row} {which} in farm.db is damaged ({shown(why)}): restore farm.db from a backup, or"
            f" take this record out of it{by}"
        )


JOBS = Table("jobs", "id", "job")
HEARTBEATS = Table("heartbeats", "node", "the heartbeat of node")
LAUNCHES = Table("launches", "token", "order")
CHECK_INS = Table("check_ins", "node", "the first heartbeat of node")
DOCUMENTS = Table("documents", "name", "the farm's")
DECISIONS = Table("decisions", "id", "decision")
