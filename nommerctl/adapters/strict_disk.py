"""How diskcache keeps the entries of the job cache: keys and values as text in its table, and nothing else.

diskcache unpickles whatever a row marks as pickled, and its `JSONDisk` too opens and removes files by the names that
rows give (CVE-2025-69872). Whoever can write the database could so run code or remove files. Here a row that asks for
either is damage.
"""

from typing import Any, NoReturn

import diskcache
from diskcache.core import MODE_RAW, UNKNOWN

from nommerctl.adapters.cache_table import CacheDamagedError


class StrictDisk(diskcache.Disk):  # type: ignore[misc] # diskcache has no types
    """A `diskcache.Disk` that never makes, reads or removes a file, and never pickles or unpickles."""

    def put(self, key: object) -> tuple[str, bool]:
        """Return what stands in the table for a key."""
        return _own_text(key), True

    def get(self, key: object, raw: object) -> str:
        """Return the key that stands in the table."""
        if not raw or type(key) is not str:
            what = "a key is not text"
            raise CacheDamagedError(what)
        return key

    def store(self, value: object, read: object, key: object = UNKNOWN) -> tuple[int, int, None, str]:  # noqa: ARG002 - diskcache's signature
        """Return size, mode, file name and value of the row that keeps a value."""
        return 0, MODE_RAW, None, _own_text(value)

    def fetch(self, mode: object, filename: object, value: object, read: object) -> str:  # noqa: ARG002 - diskcache's signature
        """Return the value that a row keeps."""
        if mode != MODE_RAW or filename is not None or type(value) is not str:
            what = "a value is not JSON text"
            raise CacheDamagedError(what)
        return value

    def filename(self, key: Any = UNKNOWN, value: Any = UNKNOWN) -> NoReturn:  # noqa: ANN401, ARG002 - diskcache's signature
        """Refuse: no value is kept in a file."""
        msg = "the job cache keeps no files"
        raise TypeError(msg)

    def remove(self, file_path: object) -> NoReturn:
        """Refuse: only a row that we have not written names a file."""
        what = f"an entry names a file: {file_path!r}"
        raise CacheDamagedError(what)


def _own_text(given: object) -> str:
    if type(given) is not str:
        msg = f"the job cache keeps text, not {type(given).__name__}"
        raise TypeError(msg)
    return given
