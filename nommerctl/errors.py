"""One tree of errors. Each kind knows the exit code that a shell, cron or systemd sees."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a finished command says to its caller."""

    DONE = 0
    USAGE = 2
    ITEMS_FAILED = 3
    CHANGED = 10
    UNREACHABLE = 69
    BUG = 70
    TRY_AGAIN = 75
    PERMISSION = 77
    SETTINGS = 78
    TIME_LIMIT = 124
    INTERRUPTED = 130
    TERMINATED = 143


class NommerctlError(Exception):
    """Something a user can act on; its text is one sentence that says what to do."""

    code: ClassVar[ExitCode] = ExitCode.BUG
    kind: ClassVar[str] = "bug"


class UsageError(NommerctlError):
    """A flag, source, destination, preset or job name that cannot be used as given."""

    code = ExitCode.USAGE
    kind = "usage"


class SourceError(UsageError):
    """A source that is not there, or cannot be encoded."""


class DestinationError(UsageError):
    """A destination that cannot be written."""


class OptionsError(UsageError):
    """Options that ffmpeg cannot, or may not, get."""


class CredentialsError(UsageError):
    """A URI with credentials in it, which would be stored and shown."""


class UnreachableError(NommerctlError):
    """The store, a queue, the ledger or the fleet cannot be read or written."""

    code = ExitCode.UNREACHABLE
    kind = "unreachable"


class TryAgainError(NommerctlError):
    """Another run holds the lock, or something is busy: cron's next run tries again."""

    code = ExitCode.TRY_AGAIN
    kind = "busy"


class AlreadyRunningError(TryAgainError):
    """Another run of the same verb holds its lock: nothing is wrong, so cron need not mail it."""


class PermissionDeniedError(NommerctlError):
    """This user, or these credentials, may not do what was asked."""

    code = ExitCode.PERMISSION
    kind = "permission"


class OutputError(UnreachableError):
    """Standard output cannot be written, as when it goes to a full disk; what the command did stands."""

    kind = "output"


AWAY = (UnreachableError, TryAgainError, PermissionDeniedError)
"""What an adapter raises when it cannot do what it was asked, now or at all."""


class SettingsError(NommerctlError):
    """The settings file, a variable or a flag holds something unusable; names its TOML path."""

    code = ExitCode.SETTINGS
    kind = "settings"


class TimeLimitError(NommerctlError):
    """The pass used up its time; what it did stands, and the next run goes on."""

    code = ExitCode.TIME_LIMIT
    kind = "time_limit"


class InterruptedPassError(NommerctlError):
    """Ctrl-C or SIGINT, between two effects."""

    code = ExitCode.INTERRUPTED
    kind = "interrupted"


class TerminatedPassError(NommerctlError):
    """SIGTERM, between two effects."""

    code = ExitCode.TERMINATED
    kind = "terminated"


class IllegalMoveError(NommerctlError):
    """The job is not in a state from which this move may be made."""

    kind = "illegal_move"


class LeaseLostError(IllegalMoveError):
    """The job belongs to somebody else now, or to nobody: whoever gets this must stop working on it."""

    kind = "lease_lost"


class ConflictError(NommerctlError):
    """A conditional write found that somebody else had written first."""

    code = ExitCode.TRY_AGAIN
    kind = "conflict"


class EncodingError(NommerctlError):
    """The nommer, or the check of its output, says that this job failed; the text goes into its details.

    `command` is what was run, as a shell would take it, `log` the end of what it said; None before anything ran.
    """

    code = ExitCode.ITEMS_FAILED
    kind = "encoding"

    def __init__(self, message: str, *, command: str | None = None, log: str | None = None) -> None:
        super().__init__(message)
        self.command = command
        self.log = log


class ItemError(NommerctlError):
    """One item of a pass failed, for reasons of its own: the others go on."""

    code = ExitCode.ITEMS_FAILED
    kind = "item"


class NodeLivesOnError(ItemError):
    """A node was told to end, and killed, and lives on."""

    kind = "node_lives_on"


class TransferError(ItemError):
    """A source could not be fetched, an output not be put in place, or a notification not be delivered."""

    kind = "transfer"


class UnansweredError(TransferError):
    """Whoever was asked did not answer at all, or not in time: asking the same host for more is of no use now."""

    kind = "unanswered"


class HostAwayError(UnansweredError):
    """The host of a URL is unknown, cannot be connected to, or may not be: that holds for every URL on it."""

    kind = "host_away"


class GoneError(TransferError):
    """A listener answered that nobody wants to be told there any more."""

    kind = "gone"


class TransferInterruptedError(TransferError):
    """A transfer failed by trouble that will pass: nothing is wrong with the source or the destination."""

    kind = "transfer_interrupted"
