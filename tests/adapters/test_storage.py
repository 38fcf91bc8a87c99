"""One storage made of others: each URI goes to the one that has its scheme."""

from functools import partial
from pathlib import Path

import pytest

from nommerctl.adapters.http_source import HttpSource
from nommerctl.adapters.local.files import FileStorage
from nommerctl.adapters.storage import SchemeStorage
from nommerctl.domain.config import StorageSettings
from nommerctl.domain.uris import usable
from nommerctl.errors import TransferError, UsageError
from nommerctl.ports import Storage
from tests.web import reply, serving


@pytest.fixture
def storage() -> Storage:
    files = FileStorage()
    http = HttpSource(StorageSettings())
    return SchemeStorage(sources={"file": files, "http": http, "https": http}, destinations={"file": files})


def go_on() -> None:
    """Nothing stops the transfer."""


def test_a_source_is_looked_at_and_fetched_where_its_scheme_says(storage: Storage, tmp_path: Path) -> None:
    film = tmp_path / "film.mov"
    film.write_bytes(b"from disk")
    (tmp_path / "work").mkdir()
    with serving({"/film.mov": reply(200, b"from the web")}) as web:
        looks = [storage.look(str(film)).size, storage.look(web.url("/film.mov")).size]
        contents = [
            storage.fetch(source, tmp_path / "work", go_on).read_bytes()
            for source in (str(film), web.url("/film.mov"), str(film))
        ]
    assert looks == [9, 12]
    assert contents == [b"from disk", b"from the web", b"from disk"]
    assert film.read_bytes() == b"from disk"


def test_an_output_is_placed_where_its_scheme_says(storage: Storage, tmp_path: Path) -> None:
    dest = tmp_path / "out.mp4"
    storage.check_destination(str(dest))
    with storage.output(str(dest), "job-1") as output:
        output.path.write_bytes(b"encoded")
        output.place(go_on)
    assert dest.read_bytes() == b"encoded"


def test_a_scheme_that_nothing_is_there_for_is_refused(storage: Storage, tmp_path: Path) -> None:
    no_source = "^a source cannot be 's3:' with this backend: it takes file:, http:, https:$"
    no_destination = "^a destination cannot be 'http:' with this backend: it takes file:$"
    with pytest.raises(UsageError, match=no_source):
        storage.look("s3://bucket/a.mov")
    with pytest.raises(TransferError, match=no_source):
        storage.fetch("s3://bucket/a.mov", tmp_path, go_on)
    with pytest.raises(UsageError, match=no_destination):
        storage.check_destination("http://host/a.mp4")
    with pytest.raises(TransferError, match=no_destination):
        storage.output("http://host/a.mp4", "job-1")


def test_a_uri_that_is_not_usable_is_refused_before_anything_is_asked_with_its_secret_untold(tmp_path: Path) -> None:
    files = FileStorage()
    storage = SchemeStorage(
        sources={"s3": files}, destinations={"s3": files}, usable=partial(usable, strip_credentials=False)
    )
    uri = "s3://AKIAIOSFODNN7EXAMPLE:hunter2@films/a.mov"
    hint = r"give the farm access instead \(aws\.buckets .* or set storage\.strip_credentials = true"
    for at_submit in (partial(storage.look, uri), partial(storage.check_destination, uri)):
        with pytest.raises(UsageError, match=hint) as refused:
            at_submit()
        assert "hunter2" not in str(refused.value)
    for at_work in (partial(storage.fetch, uri, tmp_path, go_on), partial(storage.output, uri, "job-1")):
        with pytest.raises(TransferError, match=hint) as refused_at_work:
            at_work()
        assert "hunter2" not in str(refused_at_work.value)
