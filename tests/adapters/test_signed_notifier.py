"""Telling real listeners as Standard Webhooks say: they verify it with the package of that name."""

import base64
import json
import subprocess
import sys
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from nommerctl.adapters.notifier import Post
from nommerctl.adapters.signed_notifier import SignedNotifier
from nommerctl.domain.delivery import StateChange
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros, rfc3339
from nommerctl.wiring.process import clock
from tests.fakes.clock import START
from tests.web import Asked, reply, serving

OLD, NEW, OTHER = (f"whsec_{base64.b64encode(bytes([number] * 32)).decode()}" for number in (1, 2, 3))


def told(*secrets: str, now: Instant, times: int = 1, details: str | None = "füße & co") -> list[Asked]:
    change = StateChange(
        id="ab" * 25, seq=7, state=JobState.ERROR, at=START, now=now, source="/a.mov", dest="/a.mp4", details=details
    )
    with serving({"/hook": reply(204)}) as web:
        for _ in range(times):
            SignedNotifier(Post(5.0, allow_private=["127.0.0.0/8"]), secrets).tell(web.url("/hook"), change)
    return web.asked


def verified(asked: Asked, secret: str) -> Any:  # noqa: ANN401 - a document
    headers = {name.lower(): value for name, value in asked.headers.items()}
    return Webhook(secret).verify(asked.body, headers)


def test_a_listener_verifies_the_signature_and_reads_the_change() -> None:
    (asked,) = told(NEW, now=clock())
    assert asked.headers["Content-Type"] == "application/json"
    assert verified(asked, NEW) == {
        "type": "job.error",
        "timestamp": rfc3339(START),
        "data": {
            "id": "ab" * 25,
            "client_id": None,
            "state": "ERROR",
            "details": "füße & co",
            "source": "/a.mov",
            "dest": "/a.mp4",
        },
    }
    with pytest.raises(WebhookVerificationError):
        verified(asked, OTHER)


def test_while_secrets_change_the_old_one_verifies_it_as_well_as_the_new_one() -> None:
    (asked,) = told(NEW, OLD, now=clock())
    assert verified(asked, OLD) == verified(asked, NEW)
    with pytest.raises(WebhookVerificationError):
        verified(asked, OTHER)


def test_the_id_stays_through_all_attempts_and_the_time_is_that_of_the_attempt() -> None:
    first, later = *told(NEW, now=START), *told(NEW, now=START + micros(300))
    assert first.headers["webhook-id"] == later.headers["webhook-id"] == f"{'ab' * 25}-7"
    times = [int(each.headers["webhook-timestamp"]) for each in (first, later)]
    assert times == [START // 1_000_000, START // 1_000_000 + 300]
    assert json.loads(first.body) == json.loads(later.body)


def test_without_the_package_it_is_said_what_to_install() -> None:
    program = (
        "import sys; sys.modules['standardwebhooks'] = None\n"
        "from nommerctl.adapters.signed_notifier import _signers\n"
        "from nommerctl.errors import SettingsError\n"
        "try: _signers(['x'])\n"
        "except SettingsError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "notify.format is 'standard', and what signs messages is missing: pip install 'nommerctl[notify]'\n"
