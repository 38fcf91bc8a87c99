"""Objects of S3 as sources: what is looked at and fetched, and what is refused and why."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.s3 import S3Storage
from nommerctl.errors import LeaseLostError, PermissionDeniedError, TransferError, TransferInterruptedError, UsageError
from tests.adapters.aws.buckets import Answer, Bucket, answer, at_first, clients_of, made, permit, refusal
from tests.adapters.local.folders import ODD_NAMES, names

pytestmark = pytest.mark.slow

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def clients(moto_url: str) -> Iterator[Clients]:
    clients = clients_of(moto_url)
    yield clients
    clients.close()


@pytest.fixture
def bucket(clients: Clients, tmp_path: Path) -> Iterator[Bucket]:
    with made(clients, tmp_path / "scratch") as bucket:
        yield bucket


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def refused(bucket: Bucket, source: str, folder: Path) -> list[str]:
    """Why a source is refused, at a look and at work."""
    with pytest.raises(UsageError) as at_submit:
        bucket.storage.look(source)
    with pytest.raises(TransferError) as at_work:
        bucket.storage.fetch(source, folder, permit)
    assert names(folder) == []
    return [str(at_submit.value), str(at_work.value)]


@pytest.mark.parametrize("key", [name for name in ODD_NAMES if name.isprintable()] + ["a/b//c?x=1&y=2.mov"])
def test_a_source_of_any_key_is_looked_at_and_fetched_under_a_plain_name(
    bucket: Bucket, folder: Path, key: str
) -> None:
    source = bucket.put(key)
    look = bucket.storage.look(source)
    staged = bucket.storage.fetch(source, folder, permit)
    modified = bucket.s3.head_object(Bucket=bucket.name, Key=key)["LastModified"]
    assert (look.size, look.modified) == (4, int(modified.timestamp()) * 1_000_000)
    assert (staged, staged.read_bytes()) == (folder / "source", b"film")
    assert names(folder) == ["source"]


def test_an_empty_source_has_size_0(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("empty.mov", b"")
    assert bucket.storage.look(source).size == 0
    assert bucket.storage.fetch(source, folder, permit).read_bytes() == b""


def test_a_source_is_fetched_again_by_a_later_attempt(bucket: Bucket, folder: Path) -> None:
    (folder / "source").symlink_to("/dev/null")
    source = bucket.put("a.mov")
    for _ in range(2):
        assert bucket.storage.fetch(source, folder, permit).read_bytes() == b"film"


def test_a_large_source_is_fetched_in_ranges_of_one_version(bucket: Bucket, folder: Path) -> None:
    content = b"a" * 16 * MEGABYTE + b"b" * 16 * MEGABYTE + b"c"
    source = bucket.put("large.mov", content)
    ranges: set[tuple[object, object]] = set()

    def note(request: AWSPreparedRequest) -> None:
        ranges.add((request.headers["Range"], request.headers["If-Match"]))

    with bucket.answering("GetObject", note):
        staged = bucket.storage.fetch(source, folder, permit)
    tag = bucket.s3.head_object(Bucket=bucket.name, Key="large.mov")["ETag"].encode()
    assert staged.read_bytes() == content
    assert ranges == {
        (b"bytes=0-16777215", tag),
        (b"bytes=16777216-33554431", tag),
        (b"bytes=33554432-", tag),
    }


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("missing.mov", "there is no such object"),
        ("films", "it is a folder"),
        ("films/", "it is a folder"),
        ("", "it is a folder"),
        ("film", "there is no such object"),
    ],
)
def test_a_source_that_is_no_object_is_refused_at_a_look_and_at_work(
    bucket: Bucket, folder: Path, key: str, why: str
) -> None:
    bucket.put("films/a.mov")
    sentence = f"'s3://{bucket.name}/{key}' cannot be read: {why}"
    assert refused(bucket, bucket.uri(key), folder) == [sentence, sentence]


def test_a_bucket_that_is_not_there_is_named(bucket: Bucket, folder: Path) -> None:
    sentence = "'s3://no-such-films/a.mov' cannot be read: there is no bucket 'no-such-films'"
    assert refused(bucket, "s3://no-such-films/a.mov", folder) == [sentence, sentence]


def test_an_archived_source_has_to_be_restored_first(bucket: Bucket, folder: Path) -> None:
    bucket.s3.put_object(Bucket=bucket.name, Key="old.mov", Body=b"film", StorageClass="DEEP_ARCHIVE")
    source = bucket.uri("old.mov")
    sentence = f"'{source}' cannot be read: it is archived (DEEP_ARCHIVE): restore it first"
    assert refused(bucket, source, folder) == [sentence, sentence]
    bucket.s3.restore_object(Bucket=bucket.name, Key="old.mov", RestoreRequest={"Days": 1})
    assert bucket.storage.fetch(source, folder, permit).read_bytes() == b"film"


def test_a_source_that_is_still_being_restored_is_waited_for(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("old.mov")
    restoring = answer(
        200,
        b"",
        Last_Modified="Sat, 01 Aug 2026 12:00:00 GMT",
        x_amz_storage_class="GLACIER",
        x_amz_restore='ongoing-request="true"',
    )
    with bucket.answering("HeadObject", restoring):
        sentence = f"'{source}' cannot be read: it is archived (GLACIER): wait until it has been restored"
        assert refused(bucket, source, folder) == [sentence, sentence]


def test_a_source_that_may_not_be_read_names_the_permission(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("secret.mov")
    denied = refusal(403, "AccessDenied", "Access Denied")
    with bucket.answering("HeadObject", denied), bucket.answering("GetObject", denied):
        sentence = (
            f"'{source}' cannot be read: AWS refuses s3:GetObject: these credentials lack the permission, or there is "
            "no such object (which S3 says only to who has s3:ListBucket)"
        )
        assert refused(bucket, source, folder) == [sentence, sentence]


def test_a_key_of_kms_that_may_not_be_used_is_what_is_named(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("secret.mov")
    said = "User: arn:aws:iam::1:user/ann is not authorized to perform: kms:Decrypt on this resource"
    with (
        bucket.answering("HeadObject", refusal(403, "")),
        bucket.answering("GetObject", refusal(403, "AccessDenied", said)),
    ):
        sentence = (
            f"'{source}' cannot be read: AWS refuses kms:Decrypt: it must be allowed to these credentials, by the "
            "policy of the bucket too"
        )
        assert refused(bucket, source, folder) == [sentence, sentence]


def test_a_bucket_whose_readers_pay_is_told_from_one_that_is_closed(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("theirs.mov")

    def unless_paid(request: AWSPreparedRequest) -> AWSResponse | None:
        return None if "x-amz-request-payer" in request.headers else refusal(403, "AccessDenied")(request)

    with bucket.answering("HeadObject", unless_paid), bucket.answering("GetObject", unless_paid):
        sentence = (
            f"'{source}' cannot be read: its bucket has whoever reads it pay (requester pays): copy it to a bucket of "
            "your own"
        )
        assert refused(bucket, source, folder) == [sentence, sentence]


def test_credentials_that_have_expired_are_no_fault_of_the_source(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("a.mov")
    expired = refusal(400, "ExpiredToken", "The provided token has expired.")
    with bucket.answering("HeadObject", expired), bucket.answering("GetObject", expired):
        with pytest.raises(PermissionDeniedError) as at_submit:
            bucket.storage.look(source)
        with pytest.raises(TransferError) as at_work:
            bucket.storage.fetch(source, folder, permit)
    sentence = f"AWS refuses s3:GetObject on '{source}': the credentials have expired: renew them"
    assert [str(at_submit.value), str(at_work.value)] == [sentence, sentence]


def test_without_credentials_it_is_said_how_to_give_some(
    moto_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    storage = S3Storage(Clients(), tmp_path)
    with pytest.raises(PermissionDeniedError, match="no AWS credentials are found for s3:GetObject"):
        storage.look("s3://films/a.mov")
    with pytest.raises(TransferError, match="no AWS credentials are found for s3:GetObject"):
        storage.fetch("s3://films/a.mov", tmp_path, permit)


# --- other regions ---------------------------------------------------------------------------------------------------


def elsewhere(status: int, code: str) -> Answer:
    """A bucket that answers to those only who sign for its own region."""

    def only_there(request: AWSPreparedRequest) -> AWSResponse | None:
        if b"/eu-west-1/s3/" in request.headers["Authorization"]:
            return None
        return refusal(status, code, x_amz_bucket_region="eu-west-1")(request)

    return only_there


@pytest.mark.parametrize(
    ("status", "code"), [(301, "PermanentRedirect"), (307, "TemporaryRedirect"), (400, "AuthorizationHeaderMalformed")]
)
def test_a_source_in_another_region_is_read_there(bucket: Bucket, folder: Path, status: int, code: str) -> None:
    source = bucket.put("a.mov")
    answers = elsewhere(status, code)
    with bucket.answering("HeadObject", answers), bucket.answering("GetObject", answers):
        assert bucket.storage.look(source).size == 4
        assert bucket.storage.fetch(source, folder, permit).read_bytes() == b"film"


def test_a_region_that_cannot_be_reached_from_here_is_named(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("a.mov")
    redirect = refusal(301, "PermanentRedirect", x_amz_bucket_region="cn-north-1")
    with bucket.answering("HeadObject", redirect), bucket.answering("GetObject", redirect):
        why = "its bucket is in another region (cn-north-1), which does not answer to this one"
        sentence = f"'{source}' cannot be read: {why}"
        assert refused(bucket, source, folder) == [sentence, sentence]


# --- while it is fetched ---------------------------------------------------------------------------------------------


def stop() -> None:
    msg = "the job is another worker's now"
    raise LeaseLostError(msg)


def test_nothing_is_fetched_for_a_job_that_is_to_be_stopped(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("a.mov")
    bucket.asked.clear()
    with pytest.raises(LeaseLostError):
        bucket.storage.fetch(source, folder, stop)
    assert (bucket.asked, names(folder)) == ([], [])


def test_a_transfer_stops_when_the_job_is_to_be_stopped_and_leaves_no_part_of_a_file(
    bucket: Bucket, folder: Path
) -> None:
    # given a server that does not answer before the job is stopped
    source = bucket.put("a.mov", b"x" * 20 * MEGABYTE)
    begun, stopped = threading.Event(), threading.Event()

    def dawdle(_: AWSPreparedRequest) -> None:
        begun.set()
        stopped.wait(30)

    def stop_once_it_has_begun() -> None:
        if begun.is_set():
            stopped.set()
            stop()

    # when / then
    with bucket.answering("GetObject", dawdle), pytest.raises(LeaseLostError):
        bucket.storage.fetch(source, folder, stop_once_it_has_begun)
    assert names(folder) == []


def test_a_source_that_changes_meanwhile_is_not_fetched(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("a.mov", b"the old one")

    def change(_: AWSPreparedRequest) -> None:
        bucket.put("a.mov", b"the new one")

    with bucket.answering("GetObject", at_first(change)), pytest.raises(TransferError) as failed:
        bucket.storage.fetch(source, folder, permit)
    assert str(failed.value) == (
        f"'{source}' cannot be read: it changed while it was fetched: submit it again when it is complete"
    )
    assert names(folder) == []


def test_a_connection_that_breaks_off_in_the_midst_of_the_film_is_made_again(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("a.mov")
    half = answer(206, b"fi", Content_Length="4", Content_Range="bytes 0-3/4")
    with bucket.answering("GetObject", at_first(half)):
        assert bucket.storage.fetch(source, folder, permit).read_bytes() == b"film"


def test_a_server_that_never_sends_the_whole_film_is_given_up(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("a.mov")
    with (
        bucket.answering("GetObject", answer(206, b"fi", Content_Length="4", Content_Range="bytes 0-3/4")),
        pytest.raises(TransferInterruptedError, match="the connection to S3 breaks off again and again"),
    ):
        bucket.storage.fetch(source, folder, permit)
    assert names(folder) == []


def test_a_request_that_is_reset_or_throttled_is_repeated(bucket: Bucket, folder: Path) -> None:
    source = bucket.put("a.mov")

    def reset(request: AWSPreparedRequest) -> None:
        raise ConnectionClosedError(endpoint_url=request.url)

    with (
        bucket.answering("HeadObject", at_first(refusal(503, "SlowDown"))),
        bucket.answering("GetObject", at_first(reset)),
    ):
        assert bucket.storage.fetch(source, folder, permit).read_bytes() == b"film"


def test_a_folder_that_cannot_be_written_to_is_told(bucket: Bucket, tmp_path: Path) -> None:
    source = bucket.put("a.mov")
    with pytest.raises(TransferError) as failed:
        bucket.storage.fetch(source, tmp_path / "gone", permit)
    assert str(failed.value) == f"'{source}' cannot be saved as '{tmp_path}/gone/source': there is no such file"


def test_it_is_told_how_much_of_a_source_is_there(bucket: Bucket, tmp_path: Path) -> None:
    source = bucket.put("a.mov", bytes(40 * 1024 * 1024))
    told: list[float] = []

    bucket.storage.fetch(source, tmp_path, permit, told.append)

    assert told == sorted(told)
    assert len(told) > 2
    assert told[-1] == 1.0
