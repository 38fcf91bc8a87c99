"""A farm whose users mean harm: sources are submitted, and a real worker, in a process of its own, works them off."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli import Cli, InProcessCli
from tests.hostile.canaries import Canaries, places_of_the_secret

Options = Sequence[Sequence[object]]


@dataclass
class HostileFarm:
    """`here` is its command line; sources lie in `sources`, and outputs go to `out`."""

    here: InProcessCli
    folder: Path

    def __post_init__(self) -> None:
        self.sources = self.folder / "sources"
        self.out = self.folder / "out"
        self.sources.mkdir()
        self.out.mkdir()

    def source(self, name: str, content: bytes) -> Path:
        """Put a file among the sources, old enough not to be taken for one that is still being written."""
        path = self.sources / name
        path.write_bytes(content)
        os.utime(path, (1, 1))
        return path

    def submit(self, *sources: Path | str, options: Options | None = None, suffix: str = ".mp4") -> None:
        """Submit for the output folder: with these options of one pass, else with a preset."""
        how: tuple[str, ...] = ("--preset", "web-480p")
        if options is not None:
            (self.folder / "options.json").write_text(json.dumps([{"outfile_options": options}]))
            how = ("--options", "options.json")
        self.here.run("submit", "--dest", f"{self.out}/", "--suffix", suffix, *how, "--", *sources)

    def work(self) -> list[dict[str, Any]]:
        """Have a worker do all there is to do; return the jobs in the order of their submission."""
        Cli.run(self.here, "worker", "--once", "--slots", "2")
        return list(self.here.refreshed().values())

    def outputs(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir())

    def check(self, canaries: Canaries) -> None:
        """Nothing was touched, and nothing that the farm keeps or made tells the secret."""
        assert canaries.touched() == []
        assert places_of_the_secret([self.out, self.here.state_dir]) == []
