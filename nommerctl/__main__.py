"""The entry point of the `nommerctl` command and of `python -m nommerctl`."""

import atexit
import gc
import signal
import sys
from types import FrameType

from nommerctl.cli.funnel import run
from nommerctl.errors import TerminatedPassError
from nommerctl.wiring.last_resort import end_in_time

_A_MOMENT = 0.001


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        sys.unraisablehook = _not_raised
        atexit.register(gc.freeze)  # at its end Python looks for cycles in all there is: 30 ms of a pass on AWS
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


def _not_raised(unraisable: "sys.UnraisableHookArgs") -> None:
    """See to an error that nobody gets, because it came while an object was destroyed.

    If it is that of the signal, let it come again in a moment. After that, what is left half done, such as a
    transaction that was just about to begin, complains of nothing that anybody should read.
    """
    if isinstance(unraisable.exc_value, TerminatedPassError):
        signal.signal(signal.SIGALRM, _terminate)
        signal.setitimer(signal.ITIMER_REAL, _A_MOMENT)
    elif signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    main()
