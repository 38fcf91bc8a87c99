"""Files in which one byte is not what was written."""

import os
import random
from pathlib import Path

PAGE = 4096
LOG_HEADER = 32


class Flips:
    """The files of a folder as they are now, and one flip at a time in one of them: the same flips for a seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._whole = {path.name: path.read_bytes() for path in folder.iterdir()}
        self._chance = random.Random(seed)  # noqa: S311 - chance for a test

    def flip(self, name: str) -> str:
        """Put everything back as it was but for a byte of one file; return where, for a person to read.

        Half of them are anywhere. The others are in the head of a page and in its first pointers, where a flip loses,
        or takes in, whole rows; and never in the head of a log, without which a reader leaves it to the next writer.
        """
        whole = self._whole[name]
        first = LOG_HEADER if name.endswith("-wal") else 0
        at = self._chance.randrange(first, len(whole))
        if self._chance.random() < 0.5:
            at = min(self._chance.randrange(first, len(whole), PAGE) + self._chance.randrange(60), len(whole) - 1)
        flipped = bytearray(whole)
        flipped[at] ^= self._chance.randrange(1, 256)
        self.put(self._whole | {name: bytes(flipped)})
        return f"byte {at} of {name}: {whole[at]:#x} was made {flipped[at]:#x}"

    def put(self, files: dict[str, bytes]) -> None:
        """Make these the files of the folder, as if they were old: who reads them need not wait for a clock to tick."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for path in self._folder.iterdir():
            path.unlink()
        for name, content in files.items():
            (self._folder / name).write_bytes(content)
            os.utime(self._folder / name, (1, 1))
