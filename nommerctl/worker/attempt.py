"""One job in the hands of a worker, from its claim to its end."""

import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from nommerctl.domain.config import WorkerSettings
from nommerctl.domain.job import EncodingJob, Progress, short_id
from nommerctl.domain.moves import advanced, failed, finished, handed_back, renewed
from nommerctl.domain.options import muxer_for
from nommerctl.domain.states import JobState
from nommerctl.domain.text import shown
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import (
    AWAY,
    EncodingError,
    IllegalMoveError,
    LeaseLostError,
    NommerctlError,
    TransferError,
    TransferInterruptedError,
    UnreachableError,
    UsageError,
)
from nommerctl.ports import Encoded, Message, Move, Nommer, Work
from nommerctl.worker.notice import Notice
from nommerctl.worker.placing import place
from nommerctl.worker.ports import OUT_OF_REACH, WorkerPorts

RETRY_PAUSE = 0.5
"""Seconds between two tries to reach a store that does not answer."""

T = TypeVar("T")


def _stamp(source: Path) -> tuple[int, int, int] | None:
    """What tells one version of a staged source from another; None once it is gone."""
    try:
        found = source.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class HandBackError(Exception):
    """The worker has to go: the job is to be given back to the queue."""


class Attempt:
    """Runs one claimed job to its end; a Watch for the nommer, and the thing that the worker's beat renews.

    Every write is conditional on the lease of the claim (I3). `folder` is the job's own, and removed at the end. When
    the worker is given `notice`, the job is handed back.
    """

    def __init__(
        self,
        job: EncodingJob,
        message: Message,
        *,
        ports: WorkerPorts,
        settings: WorkerSettings,
        folder: Path,
        notice: Notice,
    ) -> None:
        if job.lease is None:
            msg = f"job {job.id} was not claimed"
            raise LeaseLostError(msg)
        self.job_id = job.id
        self._job = job
        self._lease_id = job.lease.id
        self._message = message
        self._ports = ports
        self._settings = settings
        self._folder = folder
        self._notice = notice
        self._progress: Progress | None = None
        self._renewed = self._hidden = time.monotonic()
        self._one_write = threading.Lock()  # what one of our threads writes, the other need not read again
        self._lost = threading.Event()
        self.over = threading.Event()
        self.node_unfit = False
        """Whether it was handed back because of this node's own folder, as when the disk is full, or its transfers."""

    # --- what the worker's main loop calls ---

    def beat(self) -> None:
        """Renew the lease, with the progress; notice that the job is no longer ours.

        Not in a beat by which the message is to be hidden for longer, as long as both have time: so each beat is one
        request. A write of the attempt itself does as well as a beat.
        """
        if self.over.is_set() or not self._one_write.acquire(blocking=False):
            return
        try:
            if not self._is_to_be_hidden() or time.monotonic() - self._renewed >= self._settings.lease / 4:
                self._transition(self._renewal)
                self._renewed = time.monotonic()
        except (LeaseLostError, UsageError):  # somebody else's now, or removed from the store
            self._lost.set()
        except OUT_OF_REACH as error:
            self._log(f"heartbeat not written: {error}")
        finally:
            self._one_write.release()

    @contextmanager
    def hiding(self) -> Iterator[list[Message]]:
        """Give the message if it is to be hidden for longer, which then was done, unless something is raised in here.

        Nothing else is done with it meanwhile. It is due when half of its time is over.
        """
        if self.over.is_set() or self._lost.is_set() or not self._one_write.acquire(blocking=False):
            yield []
            return
        try:
            if not self._is_to_be_hidden():
                yield []
                return
            yield [self._message]
            self._hidden = time.monotonic()
        finally:
            self._one_write.release()

    def _is_to_be_hidden(self) -> bool:
        return time.monotonic() - self._hidden > self._settings.lease / 2

    # --- what the nommer and the storage call ---

    def report(self, progress: Progress) -> None:
        """Keep the progress for the next beat."""
        self._progress = progress

    def _transferred(self, fraction: float) -> None:
        self._progress = Progress(fraction=min(fraction, 1.0))

    def keep_on(self) -> None:
        """Raise when the lease is lost or the worker has to go."""
        if self._lost.is_set():
            msg = f"job {self.job_id} is no longer held by this worker"
            raise LeaseLostError(msg)
        if self._notice.reason is not None:
            raise HandBackError(self._notice.reason)

    # --- the attempt itself ---

    def run(self) -> None:
        """Work, then write how it ended. Raises nothing: what cannot be written is left to the lease to end."""
        try:
            self._conclude(self._ending())
        except (IllegalMoveError, UsageError):
            self._log("lost: cancelled, removed, or taken over by another worker")
            self._give_message_back()
        except AWAY as error:
            self._log(f"left to its lease: {error}")
        except Exception:  # noqa: BLE001 - a bug of ours: Python would write it to the log, as it is
            self._log(f"left to its lease by a bug in nommerctl\n{traceback.format_exc()}")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
            self.over.set()

    def _ending(self) -> Move:
        """Do the work and return the move that writes how it ended."""
        now = self._ports.clock
        lease = self._lease_id
        try:
            done = self._work()
        except (LeaseLostError, *AWAY):
            raise
        except HandBackError as reason:
            return self._handing_back(str(reason))
        except TransferInterruptedError as error:  # another node may do better, or this one later
            self.node_unfit = True
            return self._handing_back(str(error))
        except OSError as error:  # of our own folder: likewise
            self.node_unfit = True
            return self._handing_back(f"this node cannot work: {error.strerror}")
        except NommerctlError as error:
            details, command, log = str(error), None, None
            if isinstance(error, EncodingError):
                command, log = error.command, error.log
            return lambda job: failed(job, lease_id=lease, now=now(), details=details, command=command, log=log)
        except Exception as error:  # noqa: BLE001 - a bug of ours must end this job, not the whole worker
            details, log = f"a bug in nommerctl: {error!r}", traceback.format_exc()
            self._ports.log(log)
            return lambda job: failed(job, lease_id=lease, now=now(), details=details, command=None, log=log)
        return lambda job: finished(
            job, lease_id=lease, now=now(), media=done.media, command=done.command, log=done.log
        )

    def _handing_back(self, why: str) -> Move:
        now, limits = self._ports.clock, self._settings.limits
        return lambda job: handed_back(job, lease_id=self._lease_id, now=now(), limits=limits, why=why)

    def _work(self) -> Encoded:
        job = self._job
        if job.fault is not None:
            msg = f"{job.fault}: submit the job anew"
            raise EncodingError(msg)
        nommer = self._nommer(job.nommer)
        self._folder.mkdir(parents=True)
        turn = f"{job.id}-{job.history[-1].seq}-{self._lease_id}"  # every claim adds a line to the history
        with self._ports.storage.output(job.dest, turn, self._leave_word) as output:
            source = self._ports.storage.fetch(job.source, self._folder, self.keep_on, self._transferred)
            self._advance(JobState.ENCODING)
            work = Work(
                source=source,
                output=output.path,
                folder=self._folder,
                muxer=muxer_for(job.dest),
                options=job.options,
            )
            before = _stamp(source)
            done = nommer.encode(work, self)
            if _stamp(source) != before:
                msg = "the source changed while it was encoded: submit it again when it is complete"
                raise TransferError(msg)
            self._advance(JobState.UPLOADING)
            place(output, self._check_lease, self.keep_on, self._transferred, log=self._log)
            return done

    def _nommer(self, name: str) -> Nommer:
        try:
            return self._ports.nommers[name]
        except KeyError:
            msg = f"this worker has no nommer called '{shown(name)}'"
            raise EncodingError(msg) from None

    def _leave_word(self, output: Path) -> None:
        """Leave a link to the output that is about to be made, for whoever clears up after us if we are killed."""
        (self._folder / "output").symlink_to(output)

    def _advance(self, to: JobState) -> None:
        """Write the next state. No message tells of it: a pass looks at jobs in work anyway."""
        self.keep_on()
        self._progress = None
        now = self._ports.clock
        self._write(lambda job: advanced(job, lease_id=self._lease_id, to=to, until=self._until(), now=now()))
        self._renewed = time.monotonic()

    def _check_lease(self) -> None:
        """Renew the lease, out of turn; LeaseLostError if the job is no longer ours."""
        try:
            self._write(self._renewal)
        except UsageError as error:
            msg = f"job {self.job_id} was removed from the store"
            raise LeaseLostError(msg) from error
        self._renewed = time.monotonic()

    def _conclude(self, move: Move) -> None:
        """Write the end, announce it, then settle the message: effect first, acknowledgement after (I4)."""
        job = self._write(move, self._settle)
        self._log(f"{job.state.value}{': ' + job.details if job.details else ''}")

    def _log(self, text: str) -> None:
        self._ports.log(f"{short_id(self.job_id)} {text}")

    def _settle(self, job: EncodingJob) -> None:
        self._ports.announce(self.job_id)
        if job.finished:
            self._leave_message(self._ports.new_jobs.delete)
        else:
            self._give_message_back()

    def _give_message_back(self) -> None:
        """Let whoever receives it next find out what it is worth: a finished job's message is deleted there."""
        self._leave_message(lambda messages: self._ports.new_jobs.extend(messages, 0))

    def _leave_message(self, how: Callable[[list[Message]], None]) -> None:
        try:
            how([self._message])
        except OUT_OF_REACH as error:
            self._log(f"message left to its visibility: {error}")

    def _renewal(self, job: EncodingJob) -> EncodingJob:
        return renewed(job, lease_id=self._lease_id, until=self._until(), progress=self._progress)

    def _until(self) -> Instant:
        """The end of a lease from now on: to be asked when the move is made, which may be long after it is wanted."""
        return self._ports.clock() + micros(self._settings.lease)

    def _write(self, move: Move, then: Callable[[EncodingJob], None] = lambda _: None) -> EncodingJob:
        """Write a move, and with it what follows from it."""

        def both() -> EncodingJob:
            with self._one_write, self._ports.together():
                job = self._transition(move)
                then(job)
            return job

        return self._patiently(both)

    def _transition(self, move: Move) -> EncodingJob:
        self._job = self._ports.store.transition(self._job, move)
        return self._job

    def _patiently(self, call: Callable[[], T]) -> T:
        """Call a store that may be busy, away or gone, for as long as the lease lasts; then UnreachableError."""
        while True:
            try:
                return call()
            except OUT_OF_REACH as error:
                if time.monotonic() - self._renewed >= self._settings.lease:  # whatever the clock did meanwhile
                    raise UnreachableError(str(error)) from error
                time.sleep(RETRY_PAUSE)
