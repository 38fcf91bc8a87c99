"""What people and cron do with a farm on AWS, command by command: what was there before, and what is to come of it."""

from collections.abc import Callable
from typing import NamedTuple

from nommerctl.domain.fleet import Heartbeat
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.wiring import process
from tests.aws_farm import AwsFarm

DAY = 24 * 3600


class Deed(NamedTuple):
    """A command. `mended_by` is what cron or a person does next if it failed, `came_about` asserts that all is well.

    `kept` asserts that nothing is lost when the command has failed and nothing was done about it yet.
    """

    command: tuple[str, ...]
    mended_by: tuple[str, ...]
    came_about: Callable[[], bool]
    kept: Callable[[], bool] = lambda: True


def _ago(seconds: float) -> int:
    return process.clock() - micros(seconds)


def refresh(farm: AwsFarm) -> Deed:
    """A change is heard of."""
    job = farm.submitted()

    def cached() -> bool:
        return job.id in farm.here.listed()

    # a message that was received by a pass that failed comes back when that pass cannot be running any more
    return Deed(("refresh",), ("refresh", "--rebuild"), cached, kept=lambda: cached() or farm.changes.depth().total > 0)


def rebuild(farm: AwsFarm) -> Deed:
    """The whole store is read."""
    job = farm.stored()
    again = ("refresh", "--rebuild")
    return Deed(again, again, lambda: job.id in farm.here.listed())


def requeue(farm: AwsFarm) -> Deed:
    """A job whose message is gone gets another one."""
    farm.here.settings["UPKEEP_REQUEUE_AFTER"] = "0s"
    farm.new_jobs.delete(farm.new_jobs.receive(1000, 30))
    for earlier in list(farm.store.unfinished()):
        farm.store.remove(earlier)
    job = farm.stored(at=_ago(DAY))
    farm.here.run("refresh", "--rebuild")  # the first time that messages are missing, they may be on their way

    again = ("refresh", "--rebuild")
    return Deed(again, again, lambda: job.id in farm.queued())


def launch(farm: AwsFarm) -> Deed:
    """A node is launched, and not two."""
    farm.submitted()
    farm.here.run("refresh")
    wanted = farm.new_jobs.depth().total

    def launched() -> bool:
        assert len(farm.instances()) <= wanted
        return len(farm.instances()) == wanted and farm.ledger.overview().unsettled is None

    return Deed(("scale",), ("scale",), launched)


def end(farm: AwsFarm) -> Deed:
    """A node that has long been silent is ended."""
    node = farm.launched()
    farm.ledger.beat(Heartbeat(node=node, started=_ago(DAY), at=_ago(3600), slots=1))
    farm.ledger.mark(node, _ago(600))
    farm.here.run("refresh")
    return Deed(
        ("scale",),
        ("scale",),
        lambda: node not in farm.instances(),
        kept=lambda: node not in farm.instances() or node in farm.ledger.overview().heartbeats,
    )


def abandon(farm: AwsFarm) -> Deed:
    """A job without a sign of life is given up."""
    job = farm.stored(at=_ago(30 * DAY))
    return Deed(("abandon",), ("abandon",), lambda: farm.state(job) == "ABANDONED")


def prune(farm: AwsFarm) -> Deed:
    """A job that finished long ago is removed."""
    job = farm.stored(state=JobState.FINISHED, changed=_ago(60 * DAY))
    return Deed(("prune",), ("prune",), lambda: not farm.store.get([job.id]))


def submit(farm: AwsFarm) -> Deed:
    """A job is submitted, once."""
    client_id = f"mine-{len(farm.cloud.calls)}"
    dest = f"s3://{farm.bucket}/{client_id}.m4a"
    film = f"s3://{farm.bucket}/film.mov"
    again = ("submit", film, "--dest", dest, "--preset", "audio-m4a", "--client-id", client_id)

    def submitted_once() -> bool:
        found = [job for job in farm.store.unfinished() if job.client_id == client_id]
        return len(found) == 1 and found[0].id in farm.queued()

    return Deed(again, again, submitted_once)


def retry(farm: AwsFarm) -> Deed:
    """A job that failed gets into the queue again."""
    job = farm.stored(state=JobState.ERROR, details="no")
    return Deed(("retry", job.id), ("retry", job.id), lambda: farm.state(job) == "PENDING")


def cancel(farm: AwsFarm) -> Deed:
    """A job is given up because somebody says so."""
    job = farm.submitted()
    return Deed(("cancel", job.id), ("cancel", job.id), lambda: farm.state(job) == "ABANDONED")


def revive(farm: AwsFarm) -> Deed:
    """A dead letter is put back."""
    farm.dead.send([farm.stored().id])
    letters = len(list(farm.store.unfinished()))

    def kept() -> bool:
        return farm.new_jobs.depth().total + farm.dead.depth().total >= letters

    # dead letters that were being looked at come back after a minute: nobody waits for it here
    return Deed(("queue", "dead", "retry"), ("queue", "dead", "list"), kept)


DEEDS = (refresh, rebuild, requeue, launch, end, abandon, prune, submit, retry, cancel, revive)
