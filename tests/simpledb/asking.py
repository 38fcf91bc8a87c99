"""Asking SimpleDB as no client of botocore does: any parameters, and the XML as it came."""

import http.client
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.simpledb.server import SimpleDB

SIGNED = {
    "AWSAccessKeyId": "testing",
    "SignatureVersion": "2",
    "SignatureMethod": "HmacSHA256",
    "Timestamp": "2010-01-25T15:03:05-07:00",
    "Version": "2009-04-15",
    "Signature": "none",
}

_VARYING = re.compile(r"(?<=<RequestId>)[^<]+|(?<=<RequestID>)[^<]+")


def ask(
    server: SimpleDB,
    action: str,
    fields: Mapping[str, str],
    *,
    method: str = "POST",
    signed: Mapping[str, str] = SIGNED,
    patience: float = 10,
) -> tuple[int, str]:
    """Return the status and the XML, in which each request's id is `ID`."""
    form = urlencode({"Action": action} | dict(fields) | dict(signed))
    return ask_form(server, form, method=method, patience=patience)


def ask_form(server: SimpleDB, form: str, *, method: str = "POST", patience: float = 10) -> tuple[int, str]:
    """Ask with a form as it is."""
    path, body = ("/", form) if method == "POST" else (f"/?{form}", None)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=patience)
    try:
        connection.request(method, path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        return answer.status, _VARYING.sub("ID", answer.read().decode())
    finally:
        connection.close()


def refused(call: Callable[[], object]) -> tuple[str, int]:
    """Return the code and the HTTP status by which botocore says that a call was refused."""
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
