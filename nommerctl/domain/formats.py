"""Containers, as data: which ffmpeg muxer a destination's extension means, and which demuxers a source may need."""

from types import MappingProxyType

MUXERS = MappingProxyType(
    {
        "3gp": "3gp",
        "aac": "adts",
        "ac3": "ac3",
        "aif": "aiff",
        "aiff": "aiff",
        "avi": "avi",
        "flac": "flac",
        "flv": "flv",
        "gif": "gif",
        "m4a": "ipod",
        "m4b": "ipod",
        "m4v": "mp4",
        "mka": "matroska",
        "mkv": "matroska",
        "mov": "mov",
        "mp3": "mp3",
        "mp4": "mp4",
        "mpeg": "mpeg",
        "mpg": "mpeg",
        "mxf": "mxf",
        "oga": "oga",
        "ogg": "ogg",
        "ogv": "ogv",
        "opus": "opus",
        "ts": "mpegts",
        "wav": "wav",
        "webm": "webm",
        "wma": "asf",
        "wmv": "asf",
    }
)
"""The muxer for each extension that a destination may have. Each of them writes one file."""

SOUND_ONLY = frozenset({"ac3", "adts", "aiff", "flac", "mp3", "oga", "opus", "wav"})
"""Muxers that take a moving picture only as cover art, so that ffmpeg leaves it out by itself."""

PICTURE_ONLY = frozenset({"gif"})

INDEX_AT_END = frozenset({"3gp", "ipod", "mov", "mp4"})
"""Muxers that write their index (media-nommer's "moov atom") last, and can move it to the front."""

DEMUXERS = (
    "aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dts", "dv", "eac3", "flac", "flv", "gif", "h264",
    "hevc", "ivf", "m4v", "matroska", "mjpeg", "mov", "mp3", "mp4", "mpeg", "mpegts", "mpegvideo", "mxf", "nut", "ogg",
    "rm", "swf", "tta", "vc1", "voc", "w64", "wav", "webm", "wtv", "wv", "yuv4mpegpipe",
)  # fmt: skip
"""Demuxers that find everything in the one file that they are given; playlists (hls, dash, concat) fetch elsewhere."""
