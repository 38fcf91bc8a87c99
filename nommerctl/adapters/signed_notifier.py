"""Telling listeners by JSON that is signed as Standard Webhooks say."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nommerctl.adapters.notifier import Post
from nommerctl.domain.delivery import StateChange
from nommerctl.domain.times import moment, rfc3339
from nommerctl.errors import SettingsError

if TYPE_CHECKING:
    from standardwebhooks import Webhook

JSON = "application/json"


class SignedNotifier:
    """A ports.Notifier. Each message has a signature by each secret, so that a listener may know the old or the new.

    The id of a message is that of the job and the number of the change: the same at each attempt.
    """

    def __init__(self, post: Post, secrets: Sequence[str]) -> None:
        self._post = post
        self._secrets = secrets

    def tell(self, url: str, change: StateChange) -> None:
        """Post one change of state, once; SettingsError if what signs it is not installed."""
        body = json.dumps(_message(change), separators=(",", ":"))
        name, at = f"{change.id}-{change.seq}", moment(change.now)
        signatures = [signer.sign(name, at, body) for signer in _signers(self._secrets)]
        headers = {
            "Content-Type": JSON,
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        self._post(url, headers, body.encode())


def _signers(secrets: Sequence[str]) -> list["Webhook"]:
    try:
        from standardwebhooks import Webhook
    except ImportError as error:
        msg = "notify.format is 'standard', and what signs messages is missing: pip install 'nommerctl[notify]'"
        raise SettingsError(msg) from error
    return [Webhook(secret) for secret in secrets]


def _message(change: StateChange) -> dict[str, object]:
    return {
        "type": f"job.{change.state.value.lower()}",
        "timestamp": rfc3339(change.at),
        "data": {
            "id": change.id,
            "client_id": change.client_id,
            "state": change.state.value,
            "details": change.details,
            "source": change.source,
            "dest": change.dest,
        },
    }
