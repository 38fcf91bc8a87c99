"""A farm in a real AWS account: see "Tests against AWS" in the README.

What instances would do, workers on this machine do: how a worker comes onto an instance is no matter of this test. One
instance is launched and ended all the same, by the passes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws_account.account import AccountFarm, account_farm, use_the_account
from tests.cli import eventually
from tests.clips import Clips
from tests.end_to_end.aws_yard import everything_was_told_once, ledger, messages, outputs_are_whole, unfinished_uploads
from tests.web import reply, serving

pytestmark = [pytest.mark.aws, pytest.mark.timeout(900)]


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AccountFarm]:
    use_the_account(monkeypatch)
    with account_farm(tmp_path) as made:
        yield made


def passes(farm: AccountFarm) -> list[str]:
    """Make them, as cron does; return the states of the jobs."""
    farm.cli.run("run", "--quiet")
    return farm.cli.listed_states()


def nodes(farm: AccountFarm) -> list[str]:
    return [node["id"] for node in farm.cli.run("nodes", "--json").json["nodes"]]


def documents(farm: AccountFarm) -> list[dict[str, Any]]:
    return [farm.cli.run("show", job_id, "--json").json["job"] for job_id in farm.cli.listed()]


def test_six_clips_are_encoded_and_an_instance_comes_and_goes(farm: AccountFarm, clips: Clips, tmp_path: Path) -> None:
    with serving({"/told": reply()}) as listener:
        # given six clips, and an instance for them
        sources = [farm.put(f"in/{number}.mp4", clips["plain.mp4"]) for number in range(6)]
        there = "--dest", f"s3://{farm.bucket}/out/", "--preset", "web-480p", "--notify-url", listener.url("/told")
        farm.cli.run("submit", *sources, *there)
        passes(farm)
        launched = farm.instances()
        assert len(launched) == 1
        assert nodes(farm) == launched
        # when workers do what it would do
        workers = [farm.cli.start("worker", "--once", env={"AWS_EC2_METADATA_DISABLED": "true"}) for _ in range(2)]
        eventually(lambda: passes(farm) == ["FINISHED"] * 6, within=120, every=5)
        said = [worker.communicate(timeout=60)[1] for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0], said
        # and the instance, on which nothing came up, is given up
        farm.cli.settings["SCALE_BOOT_LIMIT"] = "1s"
        eventually(lambda: passes(farm) and not nodes(farm), within=180, every=5)
    # then
    outputs_are_whole(farm, [f"{number}-web-480p.mp4" for number in range(6)], tmp_path / "output.mp4")
    assert unfinished_uploads(farm) == []
    eventually(lambda: messages(farm) == {}, within=120, every=5)  # SQS calls its counts approximate
    assert not ledger(farm).heartbeats
    everything_was_told_once(documents(farm), listener)
    decisions = farm.cli.run("why", "--last", "100", "--json").json["decisions"]
    assert sum(each["launch"] for each in decisions) == 1
    assert [each["end"] for each in decisions if each["end"]] == [launched]
