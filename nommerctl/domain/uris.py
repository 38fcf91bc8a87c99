"""What a user gives as a source or a destination, and what is stored of it: an absolute path, an HTTP or an S3 URL.

A path is anything that does not begin like a URI, so it may hold colons, percent signs, `#` and `?`. A text begins
like a URI if it begins with `word://`, or with one of the words of _SCHEMES and a colon. `a:b.mov` is a path;
whoever has a file called `data:1.mov` writes `./data:1.mov`.
"""

import posixpath
import re
from collections.abc import Sequence
from urllib.parse import unquote, unquote_to_bytes

from nommerctl.domain.credentials import has_credentials
from nommerctl.domain.s3_uris import S3, normalised_s3, s3_place, without_keys
from nommerctl.domain.text import shown
from nommerctl.errors import CredentialsError, UsageError

FILE = "file"
HTTP_SCHEMES = frozenset({"http", "https"})

LOCAL_SCHEMES = HTTP_SCHEMES | {FILE}
"""What a farm on one machine takes."""

_SCHEMES = LOCAL_SCHEMES | {S3, "ftp", "sftp", "concat", "crypto", "data", "fd", "lavfi", "pipe", "subfile"}
"""Schemes taken for such without `//` too: ours, and those that people know from ffmpeg and from S3."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::([0-9]{0,5}))?")
_HIGHEST_PORT = 65_535
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def scheme_of(uri: str) -> str:
    """Return what tells which storage has a source or destination: `file` for a path, else the URI's scheme."""
    return _scheme(uri) or FILE


def _scheme(text: str) -> str | None:
    """Return the scheme, in lower case, of what begins like a URI, None for a path."""
    match = _SCHEME.match(text)
    if match is None:
        return None
    scheme = match[1].lower()
    return scheme if scheme in _SCHEMES or text.startswith("//", match.end()) else None


def normalised(text: str, cwd: str, schemes: frozenset[str] = LOCAL_SCHEMES, *, strip_credentials: bool = False) -> str:
    """Return a source or destination as it is stored: an absolute path, an S3 URI, or an HTTP URL as it was given.

    `cwd` is the working folder without symbolic links, as getcwd(3) gives it; `schemes` are those that the backend
    takes. A slash at the end stays: it says that a folder is meant, and a bucket alone gets one. So does `..` after a
    name, because only the file system knows where it leads when that name is a symbolic link; what `..` takes away
    from `cwd` is taken away here. With `strip_credentials` an S3 URI loses the keys of AWS in it.

    Raises:
        CredentialsError: it has a user name, a password or a key in it.
        UsageError: it can be none of these.
    """
    _check_storable(text)
    scheme = _scheme(text)
    if scheme is None:
        return _absolute(text, cwd)
    if scheme == S3 and S3 in schemes:
        return _keyless(text, strip_credentials=strip_credentials)
    if has_credentials(text):
        msg = f"a {scheme}: URI with a user name or password in it is refused: it would be stored and shown"
        raise CredentialsError(msg)
    if scheme in schemes:
        return _normalised_uri(text, scheme, cwd)
    hint = "" if text.startswith("//", len(scheme) + 1) else f"; a file of that name is './{shown(text)}'"
    *others, last = (f"{each}:" for each in sorted(schemes))
    msg = f"'{scheme}:' is not supported by this backend: give a path or a {', '.join(others)} or {last} URI{hint}"
    raise UsageError(msg)


def _normalised_uri(uri: str, scheme: str, cwd: str) -> str:
    if scheme == FILE:
        return _absolute(_file_uri_path(uri), cwd)
    check_http_url(uri)
    return uri


def usable(uri: str, *, strip_credentials: bool) -> str:
    """Return the source or destination of a job as it is used, wherever the job comes from.

    An S3 URI is as `normalised` makes it, and refused as there; what others stored may have keys in it. All the rest is
    as it was.
    """
    return _keyless(uri, strip_credentials=strip_credentials) if _scheme(uri) == S3 else uri


def _keyless(uri: str, *, strip_credentials: bool) -> str:
    """Return an S3 URI as it is stored, which has no keys in it."""
    fit = without_keys(uri) if strip_credentials else uri
    if not has_credentials(fit):
        return normalised_s3(fit)
    msg = (
        "an s3: URI with a user name or password in it is refused, keys of AWS too: it would be stored and shown; "
        "give the farm access instead (aws.buckets for its nodes, your profile for you), or set "
        "storage.strip_credentials = true to have such keys dropped"
    )
    if strip_credentials:
        msg = (
            "an s3: URI has keys or a password in it that cannot be told from the rest of it: write it without them, "
            "as s3://bucket/folder/name"
        )
    raise CredentialsError(msg)


def check_notify_url(url: str, allow_private: Sequence[str] = ()) -> None:
    """UsageError unless this is an HTTP URL with a host and without credentials.

    The host may not be an address that is not on the internet, unless `allow_private` has its network.
    """
    from nommerctl.domain.networks import check_private_host  # here, because few that use this module need it

    _check_storable(url)
    if has_credentials(url):
        msg = "a notify URL with a user name or password in it is refused: it would be stored and shown"
        raise CredentialsError(msg)
    check_http_url(url)
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    refused = check_private_host(re.sub(r":[0-9]*$", "", authority), allow_private)
    if refused is not None:
        msg = f"the notify URL '{shown(url)}' {refused}"
        raise UsageError(msg)


def check_http_url(url: str) -> None:
    """UsageError with one sentence unless HTTP can be spoken to this URL; it may have a query, but no credentials."""
    if _scheme(url) not in HTTP_SCHEMES:
        msg = f"'{shown(url)}' is not an http: or https: URL"
        raise UsageError(msg)
    if has_credentials(url):
        msg = "a URL with a user name or password in it is refused"
        raise CredentialsError(msg)
    before_blank = re.split(r"[\s\x00-\x1f\x7f]", url, maxsplit=1)[0]
    if before_blank != url:
        msg = f"a URL has a blank or control character after '{shown(before_blank)}': write a space as %20"
        raise UsageError(msg)
    scheme, _, rest = url.partition(":")
    authority = _AUTHORITY.fullmatch(re.split(r"[/?#]", rest.removeprefix("//"), maxsplit=1)[0])
    if not rest.startswith("//") or authority is None or int(authority[1] or 0) > _HIGHEST_PORT:
        msg = f"'{shown(url)}' names no host: a URL looks like {scheme.lower()}://host/path"
        raise UsageError(msg)


def name_in(uri: str) -> str:
    """Return what a path or a URI calls the file itself: what follows the last slash, without a query."""
    path = re.split(r"[?#]", uri, maxsplit=1)[0] if scheme_of(uri) in HTTP_SCHEMES else uri
    return path.rpartition("/")[2]


def file_name_stem(source: str) -> str:
    """Return the name of a stored source without its extension, to build the name of its output from.

    For a URL it is the last part of its path, decoded, with `_` for what a file name had better not hold, and
    `source` if there is none; for an S3 URI the same, but that nothing in it is encoded.
    """
    scheme = scheme_of(source)
    if scheme == FILE:
        name = source.rstrip("/").rpartition("/")[2]
    elif scheme == S3:
        name = _printable(s3_place(source).key.rstrip("/").rpartition("/")[2])
    else:
        path = re.split(r"[?#]", source.partition("://")[2], maxsplit=1)[0].partition("/")[2]
        name = _printable(unquote(path.rstrip("/").rpartition("/")[2]))
    stem, _ = posixpath.splitext(name)
    return stem if stem not in {"", ".", ".."} else "source"


def _printable(name: str) -> str:
    return "".join(each if each.isprintable() and each not in "/\ufffd" else "_" for each in name)


def _check_storable(text: str) -> None:
    if not text:
        msg = "a source, destination or URL is empty"
        raise UsageError(msg)
    if "\0" in text:
        msg = f"'{shown(text)}' holds a NUL character, which no file name or URL can"
        raise UsageError(msg)
    if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text):
        msg = f"'{shown(text)}' is not valid UTF-8, and a job is stored as UTF-8: rename the file"
        raise UsageError(msg)


def _absolute(path: str, cwd: str) -> str:
    parts = [] if path.startswith("/") else [part for part in cwd.split("/") if part]
    named = False
    for part in path.split("/"):
        if part == ".." and not named:
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
            named = True
    slash = "/" if parts and path.endswith("/") else ""
    return f"/{'/'.join(parts)}{slash}"


def _file_uri_path(uri: str) -> str:
    """Return the path that a file: URI (RFC 8089) means: `file:///a` and `file:/a`, percent-decoded."""
    rest = uri[len("file:") :]
    host = ""
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        rest = slash + path
    if host.lower() not in {"", "localhost"} or not rest.startswith("/"):
        msg = f"'{shown(uri)}' names no file of this machine: a file: URI looks like file:///folder/name"
        raise UsageError(msg)
    if _PERCENT.search(rest) or "?" in rest or "#" in rest:
        msg = f"'{shown(uri)}' is not a file: URI: in a file name '%' is written as %25, '?' as %3F, '#' as %23"
        raise UsageError(msg)
    try:
        path = unquote_to_bytes(rest).decode()
    except UnicodeDecodeError as error:
        msg = f"'{shown(uri)}' is not valid UTF-8, and a job is stored as UTF-8: rename the file"
        raise UsageError(msg) from error
    _check_storable(path)
    return path
