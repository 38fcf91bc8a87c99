"""nommerctl in a process whose clock goes wrong by as many seconds as a file says, at any instant.

Run as `python -m tests.end_to_end.shifted ...`, with the file in $CLOCK_OFFSET. The workers that it starts go by the
same clock. `paused STATE` instead of a command is the paused worker of that name.
"""

import os
import runpy
import sys
from pathlib import Path

from nommerctl.cli import funnel
from nommerctl.domain.times import Instant, micros
from nommerctl.wiring import process

_right_clock = process.clock
_right_command = process.worker_command


def clock() -> Instant:
    return _right_clock() + micros(float(Path(os.environ["CLOCK_OFFSET"]).read_text()))


def worker_command(*, config: Path | None, state_dir: Path) -> list[str]:
    command = _right_command(config=config, state_dir=state_dir)
    return [sys.executable, "-m", "tests.end_to_end.shifted", *command[command.index("nommerctl") + 1 :]]


def main() -> int:
    process.clock = clock
    process.worker_command = worker_command
    if sys.argv[1] == "paused":
        del sys.argv[1]
        runpy.run_module("tests.end_to_end.paused_worker", run_name="__main__")
        return 0
    return funnel.run()


if __name__ == "__main__":
    sys.exit(main())
