"""Telling listeners in media-nommer's form: a POST of form fields to the job's notify URL."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from nommerctl.adapters.http import Line, attended
from nommerctl.domain.text import shown
from nommerctl.errors import TransferError

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class FormNotifier:
    """A ports.Notifier that waits `timeout` seconds for an answer, however slowly it comes, or until `keep_on` raises.

    The body of the answer is not read and no redirect is followed: 2xx is taken, everything else is not.
    """

    def __init__(self, timeout: float, *, keep_on: Callable[[], None] = lambda: None) -> None:
        self._timeout = timeout
        self._keep_on = keep_on

    def tell(self, url: str, fields: Mapping[str, str]) -> None:
        """Post one change of state, once; TransferError if the listener did not answer 2xx in time."""
        body = urlencode(fields, errors="replace").encode()

        def post(line: Line) -> None:
            status = line.ask("POST", url, _FORM, body).status
            if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                msg = f"'{shown(url)}' answered {status}"
                raise TransferError(msg)

        attended(url, post, limit=self._timeout, keep_on=self._keep_on)
