r"""Credentials in URIs: found, and masked wherever a text from outside is shown.

A secret is what stands before the host (user, password, key), and the value of a query parameter whose name says so.
A secret that is part of a path, or of a parameter with a harmless name, is not known for one.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from nommerctl.domain.job import EncodingJob

MASK = "***"

_SCHEMES = "https?|s3|s?ftp"
"""Those that people write without `//` too, by mistake."""

_SECRET_NAME = re.compile(
    r"token|secret|passw|pwd|credential|signature|auth|key|session|jwt|policy|hmac|bearer|ticket|hdn[et]"
    r"|^(?:.*[-_.])?(?:sig|sign|pass|pw|sid|code|otp|md5|hash)$|^x-(?:amz|goog|ms)-"
)

_ALONE = re.compile(rf"[a-z][a-z0-9+.-]*://|(?:{_SCHEMES}):(?![ \t\r\n])", re.IGNORECASE)
"""How a text begins that is a URI as a whole, or up to the first colon with a blank after it."""


class _Patterns(NamedTuple):
    """What finds the secrets of URIs."""

    userinfo: re.Pattern[str]
    path: re.Pattern[str]
    parameter: re.Pattern[str]


@cache
def _patterns(ends: str) -> _Patterns:
    """Return the patterns for URIs that end at the first of these characters; made when they are first needed."""
    anything = f"[^{ends}]" if ends else r"[\s\S]"
    host = rf"(?:\[[0-9A-Fa-f:.]*+\]|[^/?#@:\[{ends}]*+)(?::[0-9]*+)?+(?![\w%@:])"
    at = "(?:@|%40)"
    userinfo = (
        rf"(://|(?:\b|(?<=%40))(?:{_SCHEMES}):/{{0,2}}(?!/))(?:"
        rf"[^/?#{ends}]*{at}(?={host})"  # user:password, up to the last @ before the host
        rf"|(?<=s3://)[^/?#:@{ends}]*:{anything}*{at}"  # S3 has no ports: a secret may begin like one
        # key:secret whose secret holds what should have been encoded, as AWS's may; a number there is a port
        rf"|(?!\[)[^/?#:{ends}]*:(?![0-9]*(?:[/?#{ends}]|$)){anything}*{at}"
        rf"|[^/?#{ends}]*{at})"
    )
    return _Patterns(
        userinfo=re.compile(userinfo, re.IGNORECASE),
        path=re.compile(rf"((?:://|\b(?:{_SCHEMES}):/{{0,2}})[^/?#{ends}]*+)([/?#]{anything}*)", re.IGNORECASE),
        parameter=re.compile(rf"(?<=[?&;#])([^=&;#{ends}]+)=(?!\*\*\*(?:['\"&#{ends}]|$))[^&#{ends}]*"),
    )


_BLANKS = r" \t\r\n"
_NOTHING = ""


def masked(text: str) -> str:
    """Return a text with `***` for the user and password, and for secret query parameters, of every URI in it.

    A URI ends at a blank. One that a text begins with goes on to its end, or to the first colon with a blank after it:
    so that a record which holds a URI with a blank in it does not show what comes after.
    """
    if "@" not in text and "=" not in text and "%40" not in text:
        return text
    if _ALONE.match(text) is None:
        return _masked(text, _patterns(_BLANKS))
    uri, colon, rest = text.partition(": ")
    return _masked(uri, _patterns(_NOTHING)) + colon + _masked(rest, _patterns(_BLANKS))


def without_credentials(job: "EncodingJob") -> "EncodingJob":
    """Return a job as it is kept where nothing is fetched from its source and nobody told: its URIs are masked.

    So are its details. The rest of what was said of it was masked when it was noted (moves.py).
    """
    from msgspec import structs  # here, so that a sentence does not pay for it

    texts = {"source": job.source, "dest": job.dest, "notify_url": job.notify_url, "details": job.details}
    fit = {name: None if text is None else masked(text) for name, text in texts.items()}
    return job if fit == texts else structs.replace(job, **fit)


def has_credentials(uri: str) -> bool:
    """Whether a text that is one URI, blanks and all, has a user name, a password or a key before its host."""
    found = _patterns(_NOTHING).userinfo.finditer(uri)
    return any(userinfo.start() == 0 or userinfo[1].endswith("//") for userinfo in found)


def _masked(text: str, patterns: _Patterns) -> str:
    once = patterns.path.sub(
        lambda uri: uri[1] + patterns.parameter.sub(_parameter_masked, uri[2]),
        patterns.userinfo.sub(rf"\1{MASK}@", text),
    )
    return once if once == text else _masked(once, patterns)  # a URI within a URI may show when that is masked


def _parameter_masked(parameter: re.Match[str]) -> str:
    secret = _SECRET_NAME.search(unquote(parameter[1]).lower())
    return f"{parameter[1]}={MASK}" if secret else parameter[0]
