"""The entry point of the `nommerctl` command and of `python -m nommerctl`."""

import signal
import sys
from types import FrameType

from nommerctl.cli.funnel import run
from nommerctl.errors import TerminatedPassError
from nommerctl.wiring.last_resort import end_in_time


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        signal.signal(signal.SIGTERM, _terminate)
        end_in_time()
        code = run()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    except TerminatedPassError as error:  # just before or after the command itself
        code = int(error.code)
    sys.exit(code)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, with things put in order on the way out. Passes and workers have handlers of their own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # told twice, it would be disturbed in that
    msg = "terminated"
    raise TerminatedPassError(msg)


if __name__ == "__main__":
    main()
