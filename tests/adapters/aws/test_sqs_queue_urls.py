"""URLs of queues: asked for once, remembered in a file, and asked for again when they do not serve."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.sqs import SqsQueue
from nommerctl.errors import PermissionDeniedError, SettingsError
from tests.adapters.aws.sqs_farm import MISSING, SqsFarm, refusal, sqs_farm

pytestmark = pytest.mark.slow


@pytest.fixture
def farm(ministack_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsFarm]:
    with sqs_farm(ministack_url, tmp_path, monkeypatch) as farm:
        yield farm


def started_anew(farm: SqsFarm, path: Path | None = None, *, remember: bool = True) -> SqsQueue:
    """The queue as another process would have it, with its requests counted by the same wire."""
    return SqsQueue(farm.clients, farm.name, QueueUrls(farm.clients, path or farm.urls_file, remember=remember))


def spoil(farm: SqsFarm, url: str) -> None:
    """Make the file remember another URL."""
    known = json.loads(farm.urls_file.read_text())
    farm.urls_file.write_text(json.dumps({key: url if key.endswith(farm.name) else old for key, old in known.items()}))


# --- remembered


def test_the_first_start_asks_and_the_next_one_remembers(farm: SqsFarm, tmp_path: Path) -> None:
    path = tmp_path / "new.json"

    started_anew(farm, path).depth()
    started_anew(farm, path).depth()

    assert farm.wire.requests == {"GetQueueUrl": 1, "GetQueueAttributes": 2}


def test_the_file_is_for_this_user_alone_and_nothing_is_left_beside_it(farm: SqsFarm) -> None:
    assert farm.urls_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in farm.urls_file.parent.iterdir()] == [farm.urls_file.name]


def test_what_others_remembered_stays(farm: SqsFarm) -> None:
    theirs = {"eu-west-1 https://sqs.example theirs": "https://sqs.example/theirs"}
    urls = QueueUrls(farm.clients, farm.urls_file.with_name("shared.json"))
    urls.of(farm.name)
    path = farm.urls_file.with_name("shared.json")
    path.write_text(json.dumps(theirs))

    urls.of(farm.dead_name)

    assert json.loads(path.read_text()).items() > theirs.items()


def test_another_region_has_queues_of_its_own(farm: SqsFarm) -> None:
    elsewhere = Clients(region="us-west-2")

    with pytest.raises(SettingsError, match=f"^queue '{farm.name}' is not there"):
        QueueUrls(elsewhere, farm.urls_file).of(farm.name)

    elsewhere.close()


def test_a_dry_run_reads_and_writes_nothing(farm: SqsFarm, tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    started_anew(farm, path, remember=False).depth()
    assert not path.exists()

    started_anew(farm, remember=False).depth()
    assert farm.wire.requests["GetQueueUrl"] == 1


# --- a file that is of no use


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "\x00", '{"a": {"b": "c"}}', "null", "[" * 100_000])
def test_a_damaged_file_is_as_good_as_none(farm: SqsFarm, text: str) -> None:
    farm.urls_file.write_text(text)

    started_anew(farm).depth()
    started_anew(farm).depth()

    assert farm.wire.requests["GetQueueUrl"] == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(damage=st.binary(max_size=100), at=st.integers(0, 200))
def test_a_file_with_any_damage_in_it_does_no_harm(farm: SqsFarm, damage: bytes, at: int) -> None:
    text = farm.urls_file.read_bytes()
    farm.urls_file.write_bytes(text[:at] + damage + text[at + len(damage) :])
    try:
        started_anew(farm).depth()
    finally:
        farm.urls_file.write_bytes(text)


def test_a_file_that_cannot_be_read_or_replaced_is_as_good_as_none(farm: SqsFarm, tmp_path: Path) -> None:
    folder = tmp_path / "folder.json"
    (folder / "within").mkdir(parents=True)

    for path in (folder, tmp_path / "missing" / "queues.json"):
        started_anew(farm, path).depth()

    assert farm.wire.requests["GetQueueUrl"] == 2
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("folder.json.")]


# --- a URL that does not serve


@pytest.mark.parametrize("fault", [MISSING, refusal("AccessDenied"), refusal("InvalidAddress")])
def test_a_remembered_url_that_does_not_serve_is_asked_for_again_once(farm: SqsFarm, fault: object) -> None:
    # given a URL of another account
    spoil(farm, f"{farm.url}-of-old")
    farm.wire.meets("GetQueueAttributes", fault)  # type: ignore[arg-type]
    # when
    queue = started_anew(farm)
    queue.depth()
    queue.depth()
    started_anew(farm).depth()
    # then
    assert farm.wire.requests == {"GetQueueAttributes": 4, "GetQueueUrl": 1}
    assert {asked["QueueUrl"] for asked in farm.wire.asked["GetQueueAttributes"][1:]} == {farm.url}


def test_a_queue_that_is_really_not_there_costs_one_more_request(farm: SqsFarm) -> None:
    farm.clients.sqs.delete_queue(QueueUrl=farm.url)
    farm.wire.requests.clear()

    with pytest.raises(SettingsError, match=f"^queue '{farm.name}' is not there in this account and region"):
        started_anew(farm).depth()

    assert farm.wire.requests == {"GetQueueAttributes": 1, "GetQueueUrl": 1}


def test_one_that_was_asked_for_already_is_not_asked_for_again(farm: SqsFarm, tmp_path: Path) -> None:
    queue = started_anew(farm, tmp_path / "new.json")
    farm.wire.always_meets("GetQueueAttributes", refusal("AccessDenied"))

    for _ in range(2):
        with pytest.raises(PermissionDeniedError, match="sqs:GetQueueAttributes"):
            queue.depth()

    assert farm.wire.requests == {"GetQueueAttributes": 2, "GetQueueUrl": 1}


def test_not_being_allowed_to_ask_names_the_action(farm: SqsFarm, tmp_path: Path) -> None:
    farm.wire.always_meets("GetQueueUrl", refusal("AccessDenied"))

    with pytest.raises(PermissionDeniedError) as caught:
        started_anew(farm, tmp_path / "new.json").depth()

    refused = f"AWS refuses sqs:GetQueueUrl on queue '{farm.name}': the credentials lack the permission for it"
    assert str(caught.value) == refused


def test_many_threads_ask_once(farm: SqsFarm, tmp_path: Path) -> None:
    urls = QueueUrls(farm.clients, tmp_path / "new.json")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(urls.of(farm.name))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [farm.url] * 8
    assert farm.wire.requests == {"GetQueueUrl": 1}
