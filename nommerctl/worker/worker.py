"""The worker's loop: claim jobs, keep them by heartbeats, and go when there is nothing to do."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TypeAlias

from nommerctl.domain.config import WorkerSettings
from nommerctl.domain.costs import slot_price
from nommerctl.domain.job import (
    EncodingJob,
    Lease,
    held_without_lease,
    is_job_id,
    lease_live,
    short_id,
    waits_for_on_demand,
)
from nommerctl.domain.moves import claimable, taken
from nommerctl.domain.states import JobState
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import Instant, micros, seconds_between
from nommerctl.errors import IllegalMoveError, UsageError
from nommerctl.ports import Message
from nommerctl.worker.attempt import Attempt
from nommerctl.worker.fitness import Fitness
from nommerctl.worker.idleness import Idleness
from nommerctl.worker.notice import Notice
from nommerctl.worker.ports import OUT_OF_REACH, WorkerPorts
from nommerctl.worker.presence import Identity, Presence
from nommerctl.worker.watching import watching

POLL = 0.25
"""Seconds between two looks at the queue, and at whether the worker was told to end."""

OLD_WORKER_SILENT = micros(180)
"""How old the heartbeat of a media-nommer's worker is that is not counted upon any more."""

ELSEWHERE = 15.0
"""Seconds that the message of a job is hidden for which is left to an on-demand node.

Less than half of the usual worker.idle_exit, so that an on-demand node does not leave before the message shows. Within
ON_DEMAND_WITHIN of domain/job.py it is received 40 times at most by that, which is under the 50 of a dead letter.
"""


FollowUp: TypeAlias = Callable[[], object]


class _LeftToOnDemandError(IllegalMoveError):
    """The job asks for a node that is not taken back, which this one is."""


class _NoSuchNommerError(IllegalMoveError):
    """The job asks for a nommer that this worker does not have. One of another release, or another's, may have it."""


def _nothing() -> None:
    """Follow nothing up."""


class Worker:
    """Works until it is told to stop, its machine is to be taken back, or it may go for want of work (see Idleness).

    A worker that is to `leave_to_on_demand` what asks for it gives the messages of such jobs back, for a while.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        ports: WorkerPorts,
        settings: WorkerSettings,
        slots: int,
        once: bool = False,
        keep_nodes: int = 0,
        controller_seen: Callable[[], Instant | None] | None = None,
        leave_to_on_demand: bool = False,
    ) -> None:
        self._identity = identity
        self._ports = ports
        self._settings = settings
        self._slots = slots
        self._leave_to_on_demand = leave_to_on_demand
        self._idleness = Idleness(
            identity.node,
            ports=ports,
            settings=settings,
            once=once,
            keep_nodes=keep_nodes,
            controller_seen=controller_seen,
        )
        self._presence = Presence(identity, ports, slots)
        self._active: dict[str, tuple[Attempt, threading.Thread]] = {}
        self._wake = threading.Event()
        self._notice = Notice()
        self._taken = 0
        self._others: set[str] = set()  # jobs that were left to workers with other nommers
        self._left = 0
        self._fitness = Fitness(identity.folder, settings.heartbeat)

    def stop(self, reason: str) -> None:
        """Have all jobs handed back and the loop end. May be called from a signal handler: it takes no lock."""
        self._notice.give(reason)

    def heed(self) -> None:
        """TryAgainError when the worker has to go and cannot wait for anything: to be called by all that waits."""
        self._notice.heed()

    def run(self) -> int:
        """Work; return how many jobs were begun."""
        self._ports.log(f"worker {self._identity.node} starts with {counted(self._slots, 'slot')}")
        with watching(self._ports.notices, self.stop, self._ports.log):
            self._work()
        self._leave()
        return self._taken

    def _work(self) -> None:
        self._beat()
        next_beat = time.monotonic() + self._settings.heartbeat
        idle_since = time.monotonic()
        while self._notice.reason is None:
            if time.monotonic() >= next_beat:  # first: a machine that slept has to learn what it lost meanwhile
                self._beat()
                next_beat = time.monotonic() + self._settings.heartbeat
            self._reap()
            left = self._left
            received = self._fill()
            if self._active or received > self._left - left:
                idle_since = time.monotonic()
            elif not received and self._idleness.may_go(time.monotonic() - idle_since):
                return
            if not received:
                self._wait(next_beat)

    def _wait(self, next_beat: float) -> None:
        """Sleep until a job ends, or it is time to look about: for messages, for a beat that is due, for a stop."""
        self._wake.wait(max(min(next_beat - time.monotonic(), POLL), 0))
        self._wake.clear()

    # --- jobs ---

    def _fill(self) -> int:
        """Receive for the free slots; return how many messages there were."""
        free = self._slots - len(self._active)
        if not free or not self._fitness.allows():
            return 0
        try:
            with self._ports.together():
                messages = self._ports.new_jobs.receive(free, self._settings.lease)
                follow = [self._take(message) for message in messages]
        except OUT_OF_REACH as error:
            self._ports.log(f"no messages received: {error}")
            return 0
        for what_follows in follow:
            what_follows()
        return len(messages)

    def _take(self, message: Message) -> FollowUp:
        """Settle what becomes of a message; return what is to be done once that is lasting."""
        try:
            return self._claim(message)
        except OUT_OF_REACH as error:
            return partial(self._ports.log, f"message left to its visibility: {error}")

    def _claim(self, message: Message) -> FollowUp:
        """Claim the job of a message, or do with the message what its job's state asks for."""
        log = self._ports.log
        if self._notice.reason is not None:
            self._ports.new_jobs.extend([message], 0)
            return _nothing
        if not is_job_id(message.body):
            self._ports.new_jobs.delete([message])
            return partial(log, "a message that names no job was deleted")
        return self._claim_job(message)

    def _claim_job(self, message: Message) -> FollowUp:
        log = self._ports.log
        now = self._ports.clock()
        length = self._settings.lease
        lease = Lease(
            self._ports.new_lease_id(),
            self._identity.node,
            until=now + micros(length),
            seconds=length,
            since=now,
            usd_per_hour=slot_price(self._identity.usd_per_hour, self._slots),
        )

        def claim(job: EncodingJob) -> EncodingJob:
            if claimable(job, now):
                self._check_fit(job, now)
            return taken(job, lease=lease, now=now, limits=self._settings.limits, respite=length / 2)

        try:
            job = self._ports.store.transition(message.body, claim)
        except UsageError:
            self._ports.new_jobs.delete([message])
            return partial(log, f"{short_id(message.body)} is not in the store: its message was deleted")
        except IllegalMoveError as error:
            return self._not_claimed(message, error)
        if job.lease is not None and job.lease.id != lease.id:
            self._turn_away(message)
            return partial(log, f"{short_id(job.id)} last call to {job.lease.owner}, which holds it no longer")
        self._ports.announce(job.id)
        if job.state is JobState.DOWNLOADING:
            return partial(self._begin, job, message, lease.id)
        self._ports.new_jobs.delete([message])
        return partial(log, f"{short_id(job.id)} {job.state.value}: {job.details}")

    def _check_fit(self, job: EncodingJob, now: Instant) -> None:
        """Raise if a job is for workers of another kind, and there are some."""
        if job.nommer and job.nommer not in self._ports.nommers and self._old_workers_live(now):
            raise _NoSuchNommerError(job.nommer)
        if self._leave_to_on_demand and waits_for_on_demand(job, now):
            raise _LeftToOnDemandError

    def _old_workers_live(self, now: Instant) -> bool:
        """Whether media-nommer's workers give heartbeats, which may have nommers that nobody here knows."""
        beats = self._ports.ledger.overview().heartbeats.values()
        return any(not beat.takes_leases and beat.at + OLD_WORKER_SILENT > now for beat in beats)

    def _not_claimed(self, message: Message, error: IllegalMoveError) -> FollowUp:
        match error:
            case _NoSuchNommerError():
                return self._leave_to_others(message, str(error))
            case _LeftToOnDemandError():
                self._ports.new_jobs.extend([message], ELSEWHERE)
                said = f"{short_id(message.body)} left to an on-demand node: it was interrupted too often"
                return partial(self._ports.log, said)
            case _:
                self._turn_away(message)
                return _nothing

    def _leave_to_others(self, message: Message, nommer: str) -> FollowUp:
        """Let a message be hidden for as long as it is. It is no work, or a worker would never go for want of any."""
        self._left += 1
        if message.body in self._others:
            return _nothing
        self._others.add(message.body)
        said = f"{short_id(message.body)} left to other workers: this one has no nommer called '{shown(nommer)}'"
        return partial(self._ports.log, said)

    def _turn_away(self, message: Message) -> None:
        """Delete the message of a job that is over, or that an old worker has, whose own is gone.

        That of another one that is held is hidden until it may be anybody's.
        """
        job = self._ports.store.get([message.body]).get(message.body)
        if job is None or job.finished or held_without_lease(job):
            self._ports.new_jobs.delete([message])
            return
        now = self._ports.clock()
        until = 0 if job.lease is None else job.lease.until if lease_live(job, now) else job.lease.last_call
        self._ports.new_jobs.extend([message], max(seconds_between(now, until), 1.0))

    def _begin(self, job: EncodingJob, message: Message, lease_id: str) -> None:
        """Start an attempt. It goes by its lease: an earlier one at the same job may still be on its way out."""
        attempt = Attempt(
            job,
            message,
            ports=self._ports,
            settings=self._settings,
            folder=self._identity.folder / lease_id,
            notice=self._notice,
        )
        thread = threading.Thread(target=self._run, args=(attempt,), name=f"job-{short_id(job.id)}", daemon=True)
        self._active[lease_id] = (attempt, thread)
        self._taken += 1
        self._ports.log(f"{short_id(job.id)} attempt {job.attempt}: {shown(job.source)} > {shown(job.dest)}")
        thread.start()

    def _run(self, attempt: Attempt) -> None:
        attempt.run()
        self._wake.set()

    def _reap(self) -> None:
        for lease_id, (attempt, thread) in list(self._active.items()):
            if attempt.over.is_set():
                thread.join()
                del self._active[lease_id]
                self._fitness.note(unfit=attempt.node_unfit)

    # --- the node ---

    def _beat(self) -> None:
        """One rhythm for all: the leases, visibilities and progress of the jobs, and the node's own heartbeat."""
        for attempt, _ in self._active.values():
            attempt.beat()
            if self._notice.reason is not None:
                return
        self._hide()
        self._presence.beat([attempt.job_id for attempt, _ in self._active.values()])

    def _hide(self) -> None:
        """Hide the messages for longer for which it is time: all at once, and after all leases, which matter more."""
        try:
            with ExitStack() as held:
                due = [held.enter_context(attempt.hiding()) for attempt, _ in self._active.values()]
                if messages := [message for each in due for message in each]:
                    self._ports.new_jobs.extend(messages, self._settings.lease)
        except OUT_OF_REACH as error:
            self._ports.log(f"messages not hidden for longer: {error}")

    def _leave(self) -> None:
        """Wait until what is in hand has been handed back, as far as there is time, and take leave of the ledger."""
        for attempt, thread in self._active.values():
            thread.join(self._notice.left)
            if thread.is_alive():
                self._ports.log(f"{short_id(attempt.job_id)} left to its lease: it cannot be handed back in time")
        self._active.clear()
        self._presence.leave()
        self._ports.log(f"worker {self._identity.node} ends: {self._notice.reason or 'no work'}")
