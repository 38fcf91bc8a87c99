"""What a seal shows."""

import zlib

import msgspec
import pytest

from nommerctl.adapters.seal import BrokenSealError, sealed, unsealed
from nommerctl.domain.job import EncodingJob
from tests.builders import make_job

JOBS = msgspec.json.Decoder(EncodingJob)


def seal(text: bytes) -> bytes:
    """What somebody would write who knows how it is done."""
    return b"%08x" % zlib.crc32(text) + text


def test_a_record_comes_back() -> None:
    job = make_job(1, details="déjà vu \U0001f3ac")
    assert unsealed(sealed(job).encode(), JOBS) == job


def test_every_flip_of_every_byte_is_noticed() -> None:
    text = sealed(make_job(1)).encode()
    for at, byte in enumerate(text):
        for mask in (1, 2, 16, 128, 255):
            flipped = text[:at] + bytes([byte ^ mask]) + text[at + 1 :]
            with pytest.raises(BrokenSealError):
                unsealed(flipped, JOBS)


def test_a_record_that_was_cut_short_is_noticed() -> None:
    text = sealed(make_job(1)).encode()
    for length in range(len(text)):
        with pytest.raises(BrokenSealError):
            unsealed(text[:length], JOBS)


@pytest.mark.parametrize("value", [None, 7, 1.5, "text"])
def test_what_is_no_text_is_noticed(value: object) -> None:
    with pytest.raises(BrokenSealError, match="no text"):
        unsealed(value, JOBS)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"{half a rec",
        b"\xff\xfe",
        b'{"id":"x","source":"a","dest":"b","created":1,"changed":1,"options":[],"more":' + b"[" * 100_000,
        b'{"id":"x","source":"a","dest":"b","changed":1,"options":[],"created":' + b"9" * 1_000_000 + b"}",
        b'{"id":"x","source":"a","dest":"b","changed":1,"options":[],"created":999999999999999999}',
        b'{"id":"x","source":"a","dest":"b","changed":-1,"options":[],"created":1}',
    ],
    ids=["nothing", "array", "object", "half", "not utf-8", "nested", "large number", "no date", "before all dates"],
)
def test_a_sealed_text_that_is_no_record_is_noticed(text: bytes) -> None:
    with pytest.raises(BrokenSealError):
        unsealed(seal(text), JOBS)
