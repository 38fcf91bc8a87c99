"""What a farm has to do with that is not its own: sources and destinations, listeners, the archive of old jobs."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from nommerctl.adapters.http_source import HttpSource
from nommerctl.adapters.local.archive import JsonlArchive
from nommerctl.adapters.notifier import FormNotifier, Post
from nommerctl.adapters.storage import SchemeStorage, Sources
from nommerctl.domain.config import NotifyFormat, NotifySettings, StorageSettings, UpkeepSettings
from nommerctl.domain.uris import usable
from nommerctl.ports import Archive, Notifier, Storage

if TYPE_CHECKING:
    from nommerctl.adapters.aws.clients import Clients


def files_and_web(settings: StorageSettings) -> Storage:
    """Return the storage of a farm on one machine."""
    from nommerctl.adapters.local.files import FileStorage

    files = FileStorage()
    return SchemeStorage(sources={"file": files, **_web(settings)}, destinations={"file": files})


def objects_and_web(settings: StorageSettings, clients: "Clients", outputs: Path) -> Storage:
    """Return the storage of a farm on AWS; `outputs` is where outputs are until they are uploaded."""
    from nommerctl.adapters.aws.s3 import S3Storage

    s3 = S3Storage(clients, outputs)
    return SchemeStorage(
        sources={"s3": s3, **_web(settings)},
        destinations={"s3": s3},
        usable=partial(usable, strip_credentials=settings.strip_credentials),
    )


def _web(settings: StorageSettings) -> dict[str, Sources]:
    http = HttpSource(settings)
    return {"http": http, "https": http}


def notifier(settings: NotifySettings, keep_on: Callable[[], None]) -> Notifier:
    """Return what tells listeners, in the form that is wanted; it is broken off when `keep_on` raises."""
    post = Post(settings.timeout, allow_private=settings.allow_private, keep_on=keep_on)
    match settings.format:
        case NotifyFormat.FORM:
            return FormNotifier(post)
        case NotifyFormat.STANDARD:
            from nommerctl.adapters.signed_notifier import SignedNotifier

            return SignedNotifier(post, settings.secrets)
        case unknown:
            assert_never(unknown)


def archive(settings: UpkeepSettings) -> Archive | None:
    """Return where jobs go before they are removed, None if they go nowhere."""
    return JsonlArchive(Path(settings.archive)) if settings.archive else None
