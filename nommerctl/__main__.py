"""The entry point of the `nommerctl` command and of `python -m nommerctl`."""

import signal
import sys
from types import FrameType

from nommerctl.cli.funnel import run
from nommerctl.errors import TerminatedPassError


def main() -> None:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run())


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, with things put in order on the way out. Passes and workers have handlers of their own."""
    msg = "terminated"
    raise TerminatedPassError(msg)


if __name__ == "__main__":
    main()
