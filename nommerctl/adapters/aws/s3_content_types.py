"""What a browser is told that an output is: the same on every node, whatever its system knows of file names."""

from types import MappingProxyType

CONTENT_TYPES = MappingProxyType(
    {
        "3gp": "video/3gpp",
        "aac": "audio/aac",
        "ac3": "audio/ac3",
        "aif": "audio/aiff",
        "aiff": "audio/aiff",
        "avi": "video/x-msvideo",
        "flac": "audio/flac",
        "flv": "video/x-flv",
        "gif": "image/gif",
        "m4a": "audio/mp4",
        "m4b": "audio/mp4",
        "m4v": "video/mp4",
        "mka": "audio/x-matroska",
        "mkv": "video/x-matroska",
        "mov": "video/quicktime",
        "mp3": "audio/mpeg",
        "mp4": "video/mp4",
        "mpeg": "video/mpeg",
        "mpg": "video/mpeg",
        "mxf": "application/mxf",
        "oga": "audio/ogg",
        "ogg": "audio/ogg",
        "ogv": "video/ogg",
        "opus": "audio/ogg",
        "ts": "video/mp2t",
        "wav": "audio/wav",
        "webm": "video/webm",
        "wma": "audio/x-ms-wma",
        "wmv": "video/x-ms-wmv",
    }
)
"""By the extensions of domain/formats.py."""


def content_type(name: str) -> str:
    """Return the content type of what has this name."""
    return CONTENT_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")
