"""The ffmpeg runs of one job: under one watch, and remembered, so that a failure can show what was run and said."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from nommerctl.errors import EncodingError
from nommerctl.ports import Watch
from nommerctl.worker.nommers.ffmpeg.complaint import complaint, ending
from nommerctl.worker.nommers.ffmpeg.limits import Limits
from nommerctl.worker.nommers.ffmpeg.process import Ran, Sink, run

LOG_CHARACTERS = 16 * 1024


def _ignore(_: bytes) -> None:
    """Take no interest in what a run prints."""


class Runs:
    """Runs commands in the job's folder and collects the encode's commands, the end of the log, and limits that struck.

    `output` is what they write or read of the job's, `time_limit` is in seconds, `limits` are all others.
    """

    def __init__(self, folder: Path, output: Path, *, time_limit: float, watch: Watch, limits: Limits) -> None:
        self._folder = folder
        self._output = output
        self._time_limit = time_limit
        self._watch = watch
        self.limits = limits
        self._struck: str | None = None
        self._commands: list[str] = []
        self.log = ""

    @property
    def command(self) -> str:
        """The encoding commands so far, as one line for a shell."""
        return " && ".join(self._commands)

    def note(self, argv: Sequence[str]) -> None:
        """Count a command, about to be run, among those that encode."""
        self._commands.append(shlex.join(argv))

    def run(self, argv: Sequence[str], on_stdout: Sink = _ignore, on_stderr: Sink = _ignore) -> Ran:
        """Run a command and return how it ended, with any code; EncodingError if it takes too long."""
        try:
            ran = run(
                argv,
                folder=self._folder,
                time_limit=self._time_limit,
                keep_on=self._watch.keep_on,
                limits=self.limits,
                output=self._output,
                on_stdout=on_stdout,
                on_stderr=on_stderr,
            )
        except EncodingError as error:
            raise self.failure(str(error)) from error
        self.log = (self.log + ran.tail)[-LOG_CHARACTERS:]
        self._struck = self._limit_of(ran) or self._struck
        return ran

    def must_run(self, argv: Sequence[str], failing: str, on_stdout: Sink = _ignore) -> Ran:
        """Run a command; if it does not end well, EncodingError with `failing` and ffmpeg's own words."""
        ran = self.run(argv, on_stdout)
        if ran.code != 0:
            raise self.failed(ran, failing)
        return ran

    def failed(self, ran: Ran, failing: str) -> EncodingError:
        """Return the error for a run that did not end well: `failing` and ffmpeg's own words."""
        words = complaint(ran.tail) if ran.code > 0 else ""  # one that was killed did not see it coming
        return self.failure(f"{failing}: {self._limit_of(ran) or words or ending(ran.code)}")

    def failure(self, message: str) -> EncodingError:
        """Return an error that carries the commands and the log.

        A limit that struck is named too, even where ffmpeg went on without what it could not have.
        """
        if self._struck and self._struck not in message:
            message = f"{message}; {self._struck}"
        return EncodingError(message, command=self.command or None, log=self.log or None)

    def _limit_of(self, ran: Ran) -> str | None:
        return self.limits.struck(ran.code, ran.head + ran.tail)
