"""Copying the jobs of one backend into another: both farms of one settings file, side by side."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TypeAlias

from msgspec import structs

from nommerctl.adapters.local.pass_files import pass_lock
from nommerctl.domain.config import Backend
from nommerctl.domain.copying import Copied
from nommerctl.domain.text import shown
from nommerctl.errors import AlreadyRunningError, NommerctlError, TryAgainError, UsageError
from nommerctl.passes.copying import COMMAND, CopyReads, CopyWrites, Moved, Route, copy_jobs
from nommerctl.passes.performing import DoerOf, RehearsalOf
from nommerctl.wiring.farm import Farm, Invocation, load
from nommerctl.wiring.limits import Limits
from nommerctl.wiring.running import ALL

TIME_LIMIT = 86_400.0
"""Seconds that a copy may take: no cron line waits for it, and a hundred thousand jobs take their time."""

LOCKS = ("store-copy", *(which.verb for which in ALL))
"""Of this verb, and of every pass: none may run on this machine meanwhile."""

_Acting: TypeAlias = DoerOf[CopyWrites] | RehearsalOf[CopyWrites]


class _Apart(Farm):
    """A farm that the job cache of this machine is not of: what that holds says nothing about it."""

    @property
    def cache_folder(self) -> Path:
        """One that is not there."""
        return self.state_dir / "no-cache"


def copy_store(invocation: Invocation, source: str, destination: str, *, dry_run: bool, moved: Moved) -> Copied:
    """Copy the jobs of a backend into another; in a dry run, say what would be copied. `moved` is told how far it is.

    Raises:
        UsageError: these are not two backends.
        TryAgainError: a pass is at work on this machine.
    """
    route = Route(_backend(source, "--from"), _backend(destination, "--to"))
    if route.source == route.destination:
        msg = f"--from and --to both name {route.source}: give two backends"
        raise UsageError(msg)
    of_cache = load(invocation).settings.farm.backend.value
    there = load(structs.replace(invocation, backend=route.source))
    farms = (
        Farm(there) if route.source == of_cache else _Apart(there),
        _Apart(load(structs.replace(invocation, backend=route.destination))),
    )
    limits = Limits(TIME_LIMIT)
    with ExitStack() as stack:
        stack.enter_context(limits.in_force())
        for farm in farms:
            stack.enter_context(closing(farm))
            stack.enter_context(farm.heeding(limits.heed))
        if not dry_run:
            stack.enter_context(_no_passes(farms[0]))
        return _copied(*farms, route, limits, dry_run=dry_run, moved=moved)


def _backend(name: str, flag: str) -> str:
    try:
        return Backend(name).value
    except ValueError:
        msg = f"{flag} '{shown(name)}' is no backend: give one of {', '.join(Backend)}"
        raise UsageError(msg) from None


@contextmanager
def _no_passes(farm: Farm) -> Iterator[None]:
    """Hold the locks of all passes; TryAgainError if one of them runs."""
    farm.prepare()
    with ExitStack() as stack:
        for verb in LOCKS:
            try:
                stack.enter_context(pass_lock(farm.locks, verb, now=farm.clock()))
            except AlreadyRunningError as error:
                busy, _, _ = str(error).rpartition(":")
                msg = f"{busy}: stop cron, and copy when that has ended"
                raise TryAgainError(msg) from error
        yield


def _copied(source: Farm, destination: Farm, route: Route, limits: Limits, *, dry_run: bool, moved: Moved) -> Copied:
    """Make the copy; if an error or a signal ends it, return what it did until then, and the error."""
    perform: _Acting = RehearsalOf[CopyWrites](heed=limits.heed)
    try:
        if not dry_run:
            perform = DoerOf(_writes(destination), heed=limits.heed)
        copied = copy_jobs(
            _reads(source, destination),
            perform,
            route,
            silent_after=source.settings.scale.silent_after,
            now=source.clock(),
            moved=moved,
        )
    except NommerctlError as error:
        outcome = structs.replace(perform.outcome(COMMAND), ended_by=error, dry_run=dry_run)
        return Copied(source=route.source, destination=route.destination, outcome=outcome)
    interruption = limits.interruption()
    if interruption is None:
        return copied
    return structs.replace(copied, outcome=structs.replace(copied.outcome, ended_by=interruption))


def _reads(source: Farm, destination: Farm) -> CopyReads:
    from_there, to_there = source.look(), destination.look()
    return CopyReads(
        source=from_there.store, ledger=from_there.ledger, destination=to_there.store, new_jobs=to_there.new_jobs
    )


def _writes(farm: Farm) -> CopyWrites:
    backend = farm.backend
    return CopyWrites(
        store=backend.store, new_jobs=backend.new_jobs, changes=backend.changes, together=backend.together
    )
