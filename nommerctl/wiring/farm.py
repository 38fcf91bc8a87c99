"""One farm and its adapters, each made when it is first asked for."""

import functools
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from msgspec import Struct

from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.local.pass_files import PassRecords
from nommerctl.adapters.os_errors import translated
from nommerctl.domain.cached import CacheStatus
from nommerctl.domain.config import Backend as BackendName
from nommerctl.domain.s3_uris import S3
from nommerctl.domain.schedule import noticed, overdue, overdue_sentence
from nommerctl.domain.uris import HTTP_SCHEMES, LOCAL_SCHEMES
from nommerctl.errors import PermissionDeniedError, SettingsError
from nommerctl.settings.load import Loaded, load_settings
from nommerctl.wiring import process

if TYPE_CHECKING:
    from nommerctl.adapters.disk_cache import JobCache
    from nommerctl.domain.options import Preset
    from nommerctl.passes.means import FarmReads, FarmWrites
    from nommerctl.ports import Storage
    from nommerctl.wiring.aws import AwsBackend
    from nommerctl.wiring.backend import Backend
    from nommerctl.wiring.on_aws import Surroundings
    from nommerctl.wiring.simpledb import SimpledbBackend


class Invocation(Struct, frozen=True, kw_only=True):
    """The flags that stand before every verb."""

    config: Path | None = None
    backend: str | None = None
    state_dir: str | None = None


def load(invocation: Invocation, *, ledger: str = "") -> Loaded:
    """Load the settings for these flags; those of a node, with what it finds in this table of a ledger."""
    if invocation.state_dir == "" or process.environment().get("NOMMERCTL_STATE_DIR") == "":
        msg = "--state-dir or NOMMERCTL_STATE_DIR is empty: name a folder, or leave it out"
        raise SettingsError(msg)
    flags = {"farm.backend": invocation.backend, "farm.state_dir": invocation.state_dir}
    found = None
    if ledger:
        if BackendName.SIMPLEDB in {invocation.backend, process.environment().get("NOMMERCTL_BACKEND")}:
            msg = "--ledger names a DynamoDB table, which no farm of backend simpledb has: give --config instead"
            raise SettingsError(msg)
        from nommerctl.wiring.node_settings import published

        found = published(ledger)
    return load_settings(process.surroundings(), config_file=invocation.config, flags=flags, ledger=found)


class Farm:
    """The farm of these settings: how to look at it, and how to act upon it."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.settings = loaded.settings
        self.state_dir: Path = loaded.state_dir
        self.clock = process.clock
        self._heed: Callable[[], None] = lambda: None
        self.worker_flags: tuple[str, ...] = ()
        """What the workers that this process launches are told besides."""
        self.records = PassRecords(self.locks)

    @property
    def is_local(self) -> bool:
        """Whether nodes are processes of this machine, and see the files that are here."""
        return self.settings.farm.backend is BackendName.LOCAL

    @property
    def is_taken_over(self) -> bool:
        """Whether it goes on with what media-nommer left."""
        return self.settings.farm.backend is BackendName.SIMPLEDB

    @property
    def locks(self) -> Path:
        """Where the passes' locks and records are."""
        return self.state_dir / "locks"

    @property
    def workers(self) -> Path:
        """Where each node has a folder."""
        return self.state_dir / "workers"

    @property
    def logs(self) -> Path:
        """Where each node has a log."""
        return self.state_dir / "logs"

    @property
    def store_file(self) -> Path:
        """The database of jobs, messages and the ledger, of a farm on this machine."""
        return self.state_dir / "farm.db"

    @property
    def cache_folder(self) -> Path:
        """The job cache's."""
        return self.state_dir / "cache"

    @property
    def _folders_of_backend(self) -> tuple[Path, ...]:
        """Where the backend keeps what saves it requests and time."""
        return () if self.is_local else (self.state_dir / "aws",)

    def prepare(self) -> None:
        """Make the state folder and what belongs into it, for this user alone.

        Raises:
            PermissionDeniedError: it cannot be made, or it is there and others could change what is in it.
        """
        try:
            for folder in (self.state_dir, self.locks, self.workers, self.logs, *self._folders_of_backend):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_owner(self.state_dir.stat())
        except OSError as error:
            what = f"the state folder '{self.state_dir}' cannot be used (--state-dir names another)"
            raise translated(error, what) from error

    def _check_owner(self, found: os.stat_result) -> None:
        if found.st_uid != os.geteuid():
            msg = f"the state folder '{self.state_dir}' belongs to another user: run nommerctl as that one"
            raise PermissionDeniedError(msg)
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            msg = f"others may write in the state folder '{self.state_dir}': use another, or chmod 700 it"
            raise PermissionDeniedError(msg)

    # --- to look at, leaving no trace ---

    @functools.cached_property
    def cached_jobs(self) -> CachedJobs:
        """The job cache, read only."""
        return CachedJobs(self.cache_folder)

    def look(self) -> "FarmReads":
        """Return the farm for a dry run, or for somebody who only looks: nothing of it can write."""
        return self._backend.look()

    # --- to act upon ---

    @contextmanager
    def heeding(self, heed: Callable[[], None]) -> Iterator[None]:
        """Let `heed` break off, by raising, what waits for other processes meanwhile."""
        before, self._heed = self._heed, heed
        try:
            yield
        finally:
            self._heed = before

    def _keep_on(self) -> None:
        """Raise if what is heeded at the moment says so."""
        self._heed()

    @functools.cached_property
    def _backend(self) -> "Backend":
        match self.settings.farm.backend:
            case BackendName.LOCAL:
                from nommerctl.wiring.local import LocalBackend

                return LocalBackend(
                    file=self.store_file,
                    cached=self.cached_jobs,
                    cache_folder=self.cache_folder,
                    workers=self.workers,
                    logs=self.logs,
                    worker=self._worker_command(),
                    clock=self.clock,
                    keep_on=self._keep_on,
                )
            case BackendName.AWS | BackendName.SIMPLEDB:
                return self.aws
            case unknown:
                assert_never(unknown)

    @functools.cached_property
    def aws(self) -> "AwsBackend | SimpledbBackend":
        """What a farm on AWS stands on."""
        around: Surroundings = {
            "folder": self.state_dir / "aws",
            "cached": self.cached_jobs,
            "clock": self.clock,
            "keep_on": self._keep_on,
            "environment": process.environment(),
        }
        if self.is_taken_over:
            from nommerctl.wiring.simpledb import SimpledbBackend

            return SimpledbBackend(self.settings, **around)
        from nommerctl.wiring.aws import AwsBackend

        return AwsBackend(self.settings.farm.name, self.settings.aws, **around)

    @property
    def backend(self) -> "Backend":
        """Job store, ledger, queues and nodes, to act upon."""
        self.prepare()
        return self._backend

    @functools.cached_property
    def cache(self) -> "JobCache":
        """The job cache; a damaged one is set aside, and this one is cold."""
        from nommerctl.adapters.disk_cache import open_cache

        self.prepare()
        return open_cache(self.cache_folder, keep_on=self._keep_on)

    def writes(self, heed: Callable[[], None]) -> "FarmWrites":
        """Return the farm for a pass, whose calls to listeners are broken off when `heed` raises."""
        from nommerctl.passes.means import FarmWrites
        from nommerctl.wiring.outside import archive, notifier

        backend = self.backend
        return FarmWrites(
            store=backend.store,
            cache=self.cache,
            ledger=backend.ledger,
            fleet=backend.fleet(process.environment()),
            new_jobs=backend.new_jobs,
            changes=backend.changes,
            notifier=notifier(self.settings.notify, heed),
            archive=archive(self.settings.upkeep),
            together=backend.together,
        )

    def reopen_cache(self) -> None:
        """Begin with a new cache after the old one was found damaged, and set aside."""
        self.cache.close()
        del self.cache

    def forget_jobs(self) -> None:
        """Empty this machine's cache of a farm that is no more, so that nothing lists its jobs."""
        if self.cache_folder.exists():
            self.cache.reset((), as_of=self.clock() + 1)
            self.cache.set_status(lambda _: CacheStatus())

    def close(self) -> None:
        """Close what was opened."""
        for name in ("_backend", "aws"):
            if name in vars(self):
                vars(self)[name].close()
        if "cache" in vars(self):
            self.cache.close()

    @functools.cached_property
    def storage(self) -> "Storage":
        """Sources and destinations."""
        from nommerctl.wiring.outside import files_and_web, objects_and_web

        if self.is_local:
            return files_and_web(self.settings.storage)
        return objects_and_web(self.settings.storage, self.aws.clients, self.state_dir / "outputs")

    @property
    def schemes(self) -> frozenset[str]:
        """The schemes of sources and destinations that the storage takes; `file` is for plain paths."""
        return LOCAL_SCHEMES if self.is_local else HTTP_SCHEMES | {S3}

    def preset(self, name: str) -> "Preset":
        """Return a preset; UsageError if there is none of this name."""
        from nommerctl.adapters.presets import PresetLibrary

        return PresetLibrary().load(name)

    def preset_names(self) -> list[str]:
        """Return the names of the presets."""
        from nommerctl.adapters.presets import PresetLibrary

        return PresetLibrary().names()

    def _worker_command(self) -> Sequence[str]:
        command = process.worker_command(config=self.loaded.file, state_dir=self.state_dir)
        return [*command, *self.worker_flags]

    def overdue(self) -> list[str]:
        """Return a sentence for each pass that a scheduler runs and that has not succeeded for three intervals."""
        now = self.clock()
        schedule = self.settings.schedule
        return [
            overdue_sentence(record, interval, now)
            for record in self.records.read()
            if record.name in schedule.__struct_fields__
            and overdue(record, interval := getattr(schedule, record.name), now)
        ]

    def notices(self) -> list[str]:
        """Return what passes left for every command to say."""
        now = self.clock()
        return [notice for record in self.records.read() if (notice := noticed(record, now))]
