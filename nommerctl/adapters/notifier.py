"""Telling listeners by a POST to the job's notify URL, in media-nommer's form."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from urllib.parse import urlencode

from nommerctl.adapters.http import Line, attended
from nommerctl.domain.delivery import StateChange
from nommerctl.domain.networks import check_private
from nommerctl.domain.text import shown
from nommerctl.errors import GoneError, HostAwayError, TransferError

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Post:
    """Posts, and waits `timeout` seconds for an answer, however slowly it comes, or until `keep_on` raises.

    The body of the answer is not read and no redirect is followed: 2xx is taken, everything else is not. Hosts that are
    not on the internet are left alone, but for those in the networks that `allow_private` has.
    """

    def __init__(
        self, timeout: float, *, allow_private: Sequence[str] = (), keep_on: Callable[[], None] = lambda: None
    ) -> None:
        self._timeout = timeout
        self._allow_private = allow_private
        self._keep_on = keep_on

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Post once; TransferError if the listener did not answer 2xx in time (ports.Notifier)."""

        def admit(address: str) -> None:
            refused = check_private(address, self._allow_private)
            if refused is not None:
                msg = f"'{shown(url)}' {refused}"
                raise HostAwayError(msg)

        def post(line: Line) -> None:
            status = line.ask("POST", url, headers, body, admit=admit, silence=self._timeout).status
            if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                msg = f"'{shown(url)}' answered {status}"
                raise GoneError(msg) if status == HTTPStatus.GONE else TransferError(msg)

        attended(url, post, limit=self._timeout, keep_on=self._keep_on)


class FormNotifier:
    """A ports.Notifier: the three fields that media-nommer's listeners know."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def tell(self, url: str, change: StateChange) -> None:
        """Post one change of state, once."""
        fields = {
            "unique_id": change.id,
            "job_state": change.state.value,
            "job_state_details": change.details or "",
        }
        self._post(url, _FORM, urlencode(fields, errors="replace").encode())
