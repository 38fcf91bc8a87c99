"""Outputs to S3: a destination is never anything but the old object or the whole new one; nothing is left behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from nommerctl.adapters.aws import clients as aws_clients
from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.s3_content_types import CONTENT_TYPES
from nommerctl.adapters.aws.s3_output import LEAST_PART, part_size
from nommerctl.domain.formats import MUXERS
from nommerctl.errors import LeaseLostError, TransferError, TransferInterruptedError, UsageError
from tests.adapters.aws.buckets import (
    Bucket,
    at_first,
    clients_of,
    effect_without_reply,
    encode,
    made,
    permit,
    refusal,
)
from tests.adapters.local.folders import ODD_NAMES, names

pytestmark = pytest.mark.slow

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def clients(moto_url: str) -> Iterator[Clients]:
    clients = clients_of(moto_url)
    yield clients
    clients.close()


@pytest.fixture
def hasty(moto_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket of which each thing is asked once."""
    monkeypatch.setattr(aws_clients, "ATTEMPTS", 1)
    clients = clients_of(moto_url)
    with made(clients, tmp_path / "scratch") as bucket:
        yield bucket
    clients.close()


@pytest.fixture
def bucket(clients: Clients, tmp_path: Path) -> Iterator[Bucket]:
    with made(clients, tmp_path / "scratch") as bucket:
        yield bucket


def refuse() -> None:
    msg = "the job is another worker's now"
    raise LeaseLostError(msg)


@pytest.mark.parametrize("key", [name for name in ODD_NAMES if name.isprintable()] + ["a/b//c?x=1&y=2.mp4"])
def test_an_output_appears_at_its_destination_when_it_is_placed_and_not_before(bucket: Bucket, key: str) -> None:
    with bucket.storage.output(bucket.uri(key), "0123456789abcdef-1-lease") as output:
        encode(output)
        assert bucket.keys() == []
        output.place(permit)
        assert bucket.content(key) == b"encoded"
    assert (bucket.keys(), bucket.left_behind()) == ([key], [])


def test_an_output_replaces_what_was_there(bucket: Bucket) -> None:
    bucket.put("a.mp4", b"old, and longer than the new one")
    with bucket.storage.output(bucket.uri("a.mp4"), "job-1") as output:
        output.path.unlink()
        encode(output)
        output.place(permit)
    assert bucket.content("a.mp4") == b"encoded"


def test_an_output_says_what_it_is_and_whose(bucket: Bucket) -> None:
    with bucket.storage.output(bucket.uri("a.MP4"), "job-7-lease") as output:
        encode(output)
        output.place(permit)
    found = bucket.s3.head_object(Bucket=bucket.name, Key="a.MP4")
    assert found["ContentType"] == "video/mp4"
    assert found["Metadata"] == {"nommerctl-job": "job", "nommerctl-turn": "7"}


def test_every_extension_that_an_output_may_have_has_its_content_type() -> None:
    assert CONTENT_TYPES.keys() == MUXERS.keys()


def test_an_output_that_is_not_permitted_leaves_the_old_object_as_it_was(bucket: Bucket) -> None:
    bucket.put("a.mp4", b"old")
    with bucket.storage.output(bucket.uri("a.mp4"), "job-1") as output:
        encode(output)
        with pytest.raises(LeaseLostError):
            output.place(refuse)
    assert (bucket.content("a.mp4"), bucket.left_behind()) == (b"old", [])


def test_an_output_is_permitted_when_all_of_it_is_uploaded_and_placed_by_one_request_more(bucket: Bucket) -> None:
    asked: list[str] = []
    with bucket.storage.output(bucket.uri("a.mp4"), "job-1") as output:
        output.path.write_bytes(b"a" * 16 * MEGABYTE + b"b" * 16 * MEGABYTE + b"c")
        output.place(lambda: asked.extend(bucket.asked))
    look_and_try = ["ListMultipartUploads", "CreateMultipartUpload", "AbortMultipartUpload"]
    mark, parts = ["UploadPart"], ["UploadPart"] * 3
    assert asked == [*look_and_try, "CreateMultipartUpload", *mark, *parts]
    assert bucket.asked == [*asked, "CompleteMultipartUpload"]
    assert bucket.content("a.mp4") == b"a" * 16 * MEGABYTE + b"b" * 16 * MEGABYTE + b"c"


@pytest.mark.parametrize("size", [1, 140 * 1024 * MEGABYTE, 141 * 1024 * MEGABYTE, 5 * 1024 * 1024 * MEGABYTE])
def test_parts_grow_so_that_there_are_not_too_many(size: int) -> None:
    assert part_size(size) >= 16 * MEGABYTE
    assert (size - 1) // part_size(size) < 9_000


def test_an_output_that_is_not_placed_is_thrown_away(bucket: Bucket) -> None:
    with bucket.storage.output(bucket.uri("a.mp4"), "job-1") as output:
        encode(output)
    output.discard()
    assert (bucket.keys(), bucket.left_behind()) == ([], [])


def test_an_output_that_nothing_was_written_to_replaces_nothing(bucket: Bucket) -> None:
    dest = bucket.put("a.mp4", b"old")
    with pytest.raises(TransferError) as refused, bucket.storage.output(dest, "job-1") as output:
        output.place(permit)
    assert str(refused.value) == f"'{dest}' is not replaced: what was to be put there is empty"
    assert bucket.content("a.mp4") == b"old"


def test_a_worker_whose_output_was_removed_places_nothing(bucket: Bucket) -> None:
    dest = bucket.uri("a.mp4")
    with bucket.storage.output(dest, "job-2") as output:
        output.path.unlink()
        with pytest.raises(TransferError) as refused:
            output.place(permit)
    assert str(refused.value) == f"'{dest}' cannot be written: what was to be put there has been removed"
    assert (bucket.keys(), bucket.left_behind()) == ([], [])


def test_word_of_an_output_is_left_before_it_is_there(bucket: Bucket) -> None:
    found: list[tuple[Path, bool]] = []
    dest = bucket.uri("a.mp4")
    with bucket.storage.output(dest, "job-1", lambda path: found.append((path, path.exists()))) as output:
        assert found == [(output.path, False)]
        assert output.path.is_absolute()
        assert output.path.parent == bucket.scratch


def test_a_scratch_folder_that_cannot_be_made_is_told(bucket: Bucket) -> None:
    bucket.scratch.write_bytes(b"a file")
    with pytest.raises(TransferError) as refused, bucket.storage.output(bucket.uri("a.mp4"), "job-1"):
        pass
    assert str(refused.value) == (
        f"'{bucket.scratch}/.nommerctl-job-1.part' cannot be written: a file of that name is in the way"
    )


# --- what S3 refuses -------------------------------------------------------------------------------------------------


ALLOW = "it must be allowed to these credentials, by the policy of the bucket too"


@pytest.mark.parametrize(
    ("operation", "permission"),
    [
        ("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
        ("CreateMultipartUpload", "s3:PutObject"),
        ("AbortMultipartUpload", "s3:AbortMultipartUpload"),
    ],
)
def test_who_may_not_write_is_told_before_the_encode(bucket: Bucket, operation: str, permission: str) -> None:
    dest = bucket.uri("a.mp4")
    with (
        bucket.answering(operation, refusal(403, "AccessDenied", "Access Denied")),
        pytest.raises(TransferError) as refused,
        bucket.storage.output(dest, "job-1"),
    ):
        pytest.fail("an encode would begin here")
    assert str(refused.value) == f"'{dest}' cannot be written: AWS refuses {permission}: {ALLOW}"
    assert not bucket.scratch.exists() or names(bucket.scratch) == []


def test_an_upload_that_is_refused_in_the_end_leaves_the_old_object_as_it_was(bucket: Bucket) -> None:
    dest = bucket.put("a.mp4", b"old")
    with bucket.storage.output(dest, "job-1") as output:
        encode(output)
        too_large = refusal(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        with bucket.answering("CompleteMultipartUpload", too_large), pytest.raises(TransferError) as refused:
            output.place(permit)
    assert str(refused.value) == f"'{dest}' cannot be written: it is larger than S3 takes"
    assert (bucket.content("a.mp4"), bucket.left_behind()) == (b"old", [])


def test_a_part_whose_connection_is_reset_is_sent_again(bucket: Bucket) -> None:
    def reset(request: AWSPreparedRequest) -> None:
        raise ConnectionClosedError(endpoint_url=request.url)

    with bucket.storage.output(bucket.uri("a.mp4"), "job-1") as output:
        output.path.write_bytes(b"x" * 17 * MEGABYTE)
        with bucket.answering("UploadPart", at_first(reset)):
            output.place(permit)
    assert bucket.content("a.mp4") == b"x" * 17 * MEGABYTE


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_an_output_whose_upload_was_interrupted_can_be_placed_again(hasty: Bucket, operation: str) -> None:
    # given an S3 that asks to slow down
    with hasty.storage.output(hasty.uri("a.mp4"), "job-1") as output:
        encode(output)
        with (
            hasty.answering(operation, refusal(400, "SlowDown")),
            pytest.raises(TransferInterruptedError),
        ):
            output.place(permit)
        # when it no longer does
        output.place(permit)
        # then the first upload was ended
        assert hasty.unfinished() == []
    assert (hasty.content("a.mp4"), hasty.left_behind()) == (b"encoded", [])


def test_nor_is_an_upload_forgotten_that_could_not_be_ended_at_once(hasty: Bucket) -> None:
    with hasty.storage.output(hasty.uri("a.mp4"), "job-1") as output:
        encode(output)
        for operation in ("UploadPart", "AbortMultipartUpload"):
            with hasty.answering(operation, refusal(400, "SlowDown")), pytest.raises(TransferInterruptedError):
                output.place(permit)
    assert (hasty.keys(), hasty.left_behind()) == ([], [])


def test_an_upload_that_was_completed_without_our_being_told_is_placed(bucket: Bucket) -> None:
    # given an S3 that completes the upload, whose answer is lost, and which then knows of no such upload any more
    lost = effect_without_reply(ReadTimeoutError(endpoint_url="http://s3"))
    gone = refusal(404, "NoSuchUpload")
    with bucket.storage.output(bucket.uri("a.mp4"), "job-1") as output:
        encode(output)
        # when
        with bucket.answering("CompleteMultipartUpload", at_first(lost, gone)):
            output.place(permit)
        # then
        assert bucket.asked[-3:] == ["CompleteMultipartUpload", "CompleteMultipartUpload", "HeadObject"]
    assert (bucket.content("a.mp4"), bucket.left_behind()) == (b"encoded", [])


def test_what_another_turn_placed_is_not_taken_for_ours(bucket: Bucket) -> None:
    # given an output whose upload is ended, by a rule of the bucket, when it was permitted
    dest = bucket.uri("a.mp4")

    def be_ended() -> None:
        (upload,) = bucket.s3.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
        bucket.s3.abort_multipart_upload(Bucket=bucket.name, Key="a.mp4", UploadId=upload["UploadId"])
        with bucket.storage.output(dest, "job-2") as successor:
            encode(successor, b"of the successor")
            successor.place(permit)

    # when
    with bucket.storage.output(dest, "job-1") as output:
        encode(output)
        with pytest.raises(TransferError) as refused:
            output.place(be_ended)
    # then
    assert str(refused.value) == (
        f"'{dest}' cannot be written: others ended its upload: a worker that took the job over, or a rule of the bucket"
    )
    assert bucket.content("a.mp4") == b"of the successor"


# --- destinations before anything is written -------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["new.mp4", "old.mp4", "no such folder/a.mp4"])
def test_a_destination_that_can_be_written_passes_and_nothing_is_left_behind(bucket: Bucket, key: str) -> None:
    bucket.put("old.mp4")
    bucket.storage.check_destination(bucket.uri(key))
    assert (bucket.keys(), bucket.left_behind()) == (["old.mp4"], [])


@pytest.mark.parametrize(
    ("dest", "sentence"),
    [
        (
            "s3://no-such-films/a.mp4",
            "'s3://no-such-films/a.mp4' cannot be written: there is no bucket 'no-such-films'",
        ),
        ("s3://films/out/", "'s3://films/out/' is a folder: name the file to write in it"),
        ("s3://films/", "'s3://films/' is a folder: name the file to write in it"),
    ],
)
def test_a_destination_that_cannot_be_written_is_refused_with_the_reason(
    bucket: Bucket, dest: str, sentence: str
) -> None:
    with pytest.raises(UsageError) as at_submit:
        bucket.storage.check_destination(dest)
    with pytest.raises(TransferError) as at_work, bucket.storage.output(dest, "job-1"):
        pass
    assert [str(at_submit.value), str(at_work.value)] == [sentence, sentence]


def test_a_bucket_that_is_closed_to_us_is_refused(bucket: Bucket) -> None:
    dest = bucket.uri("a.mp4")
    with (
        bucket.answering("ListMultipartUploads", refusal(403, "AccessDenied", "Access Denied")),
        pytest.raises(UsageError) as refused,
    ):
        bucket.storage.check_destination(dest)
    assert str(refused.value) == f"'{dest}' cannot be written: AWS refuses s3:ListBucketMultipartUploads: {ALLOW}"


def test_a_destination_is_its_source_where_bucket_and_key_are_the_same(bucket: Bucket) -> None:
    assert bucket.storage.is_same("s3://films/a.mp4", "s3://films/a.mp4")
    assert not bucket.storage.is_same("s3://films/a.mp4", "s3://films/A.mp4")
    assert not bucket.storage.is_same("s3://films/a.mp4", "s3://film/a.mp4")


def test_it_is_told_how_much_of_an_output_is_uploaded(bucket: Bucket) -> None:
    told: list[float] = []
    with bucket.storage.output(bucket.uri("a.mp4"), "job-1") as output:
        encode(output, bytes(2 * LEAST_PART + 1))
        output.place(permit, permit, told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_an_upload_stops_when_the_job_is_to_be_stopped_and_places_nothing(bucket: Bucket) -> None:
    def stop() -> None:
        msg = "the worker has to go"
        raise LeaseLostError(msg)

    with bucket.storage.output(bucket.uri("a.mp4"), "job-1") as output:
        encode(output, bytes(12 * LEAST_PART))
        with pytest.raises(LeaseLostError):
            output.place(permit, stop)
    assert bucket.asked.count("UploadPart") < 13, "that of the mark, and not all of the others"
    assert (bucket.keys(), bucket.left_behind()) == ([], [])
