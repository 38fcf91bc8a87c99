"""One job in a worker's hands, from its claim to its end."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import structs

from nommerctl.adapters.local.files import FileOutput, FileStorage
from nommerctl.domain.job import EncodingJob, Media, Progress
from nommerctl.domain.moves import cancelled, claimed, retried
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros, seconds_between
from nommerctl.errors import EncodingError
from nommerctl.ports import Done, Message, Move, nobody, nothing
from nommerctl.worker import attempt as attempt_module
from nommerctl.worker.attempt import Attempt
from nommerctl.worker.notice import Notice
from tests.builders import job_id, make_lease
from tests.cli import eventually
from tests.fakes.queue import FakeQueue
from tests.worker.bench import SETTINGS, AwayStore, Bench, CountingQueue, ForbiddenQueue


def test_a_job_goes_through_all_its_states_and_its_claim_and_its_end_are_announced(bench: Bench) -> None:
    bench.submit(1)
    assert bench.worker().run() == 1
    job = bench.job(1)
    assert [entry.state.value for entry in job.history] == [
        "PENDING",
        "DOWNLOADING",
        "ENCODING",
        "UPLOADING",
        "FINISHED",
    ]
    assert (job.media, job.command, job.log, job.lease) == (Media(seconds=1.0), "cp", "copied", None)
    assert (bench.folder / "1.mp4").read_text() == "film 1"
    assert [message.body for message in bench.changes.receive(10, 1)] == [job.id] * 2
    assert bench.new_jobs.depth().total == 0


def test_a_job_with_a_fault_is_in_error_at_once_and_its_source_is_not_fetched(bench: Bench) -> None:
    bench.submit(1)
    (bench.folder / "1.mov").unlink()
    bench.store.transition(job_id(1), lambda job: structs.replace(job, fault="its job_options are no JSON", options=()))

    bench.worker().run()

    assert [entry.state.value for entry in bench.job(1).history] == ["PENDING", "DOWNLOADING", "ERROR"]
    assert bench.job(1).details == "its job_options are no JSON: submit the job anew"
    assert bench.new_jobs.depth().total == 0


def test_beats_renew_the_lease_with_the_progress_and_the_node_says_what_it_does(
    bench: Bench, running: Callable[..., object]
) -> None:
    bench.nommer.gate = threading.Event()
    bench.submit(1)
    running(bench.worker())
    eventually(lambda: bench.job(1).progress == Progress(fraction=0.5, fps=25.0), every=0.01)
    bench.clock.advance(60)
    renewed = make_lease(
        "lease0", until=bench.clock() + micros(SETTINGS.lease), seconds=SETTINGS.lease, since=bench.clock() - micros(60)
    )
    eventually(lambda: bench.job(1).lease == renewed, every=0.01)
    assert bench.ledger.overview().heartbeats["node-1"].jobs == (job_id(1),)


def test_a_beat_is_one_write_of_the_lease_or_of_the_visibility_as_long_as_both_have_time(bench: Bench) -> None:
    # given: an attempt that begins now, with a lease of 2 s
    queue = bench.new_jobs = CountingQueue(bench.clock)
    bench.submit(1)
    (message,) = bench.new_jobs.receive(1, 2)
    lease = make_lease("lease0", until=bench.clock() + micros(2), seconds=2)
    job = bench.store.transition(
        job_id(1), lambda job: claimed(job, lease=lease, now=bench.clock(), limits=SETTINGS.limits)
    )
    attempt = Attempt(
        job,
        message,
        ports=bench.ports(),
        settings=structs.replace(SETTINGS, lease=2),
        folder=bench.folder,
        notice=Notice(),
    )
    began = time.monotonic()

    def beat_at(seconds: float) -> tuple[int, int]:
        """Let it beat so long after its beginning; return how often lease and visibility were written by that."""
        time.sleep(max(began + seconds - time.monotonic(), 0))
        version, hidden = bench.job(1).version, queue.extended
        attempt.beat()
        with attempt.hiding() as due:
            queue.extend(due, 2)
        return bench.job(1).version - version, queue.extended - hidden

    # then
    assert beat_at(0.5) == (1, 0)
    assert beat_at(0.9) == (1, 0)
    assert beat_at(1.1) == (0, 1), "half of the message's time is over, and the lease was just renewed"
    assert beat_at(1.8) == (1, 0)
    assert beat_at(2.4) == (1, 1), "beats a third of the lease apart, or a little less, renew it each time"


def test_all_leases_are_renewed_before_the_messages_are_hidden_for_longer_by_one_request(
    bench: Bench, running: Callable[..., object]
) -> None:
    # given two jobs in work, by a worker whose beat is a third of the lease
    done: list[str] = []

    class Noting(AwayStore):
        def transition(self, job: str | EncodingJob, move: Move) -> EncodingJob:
            written = super().transition(job, move)
            if isinstance(job, EncodingJob) and written.state is job.state is JobState.ENCODING:
                done.append("renewed")
            return written

    class Hiding(FakeQueue):
        def extend(self, messages: Sequence[Message], visibility: float) -> None:
            done.append(f"{len(messages)} hidden")
            super().extend(messages, visibility)

    bench.store, bench.new_jobs = Noting(), Hiding(bench.clock)
    bench.nommer.gate = threading.Event()
    bench.submit(1, 2)
    # when
    running(bench.worker(slots=2, settings=structs.replace(SETTINGS, lease=0.9, heartbeat=0.3)))
    # then
    eventually(lambda: len(done) >= 5, every=0.01)
    assert done[:5] == [*["renewed"] * 4, "2 hidden"]


def test_a_node_that_cannot_work_hands_the_job_back_and_says_why(bench: Bench) -> None:
    """As when the system no longer lets ffmpeg be confined: it is not the job's fault, so it is no ERROR at once."""
    bench.nommer.error = OSError(1, "ffmpeg cannot be confined")
    bench.submit(1)

    assert bench.worker().run() == 1, "and this node does not take it up again at once"

    job = bench.job(1)
    assert (job.state, job.interruptions) == (JobState.PENDING, 1)
    assert job.details == "this node cannot work: ffmpeg cannot be confined"
    assert bench.new_jobs.depth().visible == 1, "another one may"


def test_a_job_that_is_cancelled_is_let_go_and_nothing_is_written(bench: Bench, running: Callable[..., object]) -> None:
    bench.nommer.gate = threading.Event()
    (job,) = bench.submit(1)
    (bench.folder / "1.mp4").write_text("older")
    running(bench.worker())
    eventually(lambda: bench.job(1).state is JobState.ENCODING, every=0.01)
    bench.store.transition(job.id, lambda current: cancelled(current, now=bench.clock(), by="somebody"))
    eventually(lambda: bench.nommer.running == 0 and bench.new_jobs.depth().total == 0, every=0.01)
    assert bench.job(1).state is JobState.ABANDONED
    assert (bench.folder / "1.mp4").read_text() == "older"
    assert list(bench.folder.glob(".nommerctl-*")) == list((bench.folder / "node").iterdir()) == []


def test_a_failed_encode_is_an_error_with_command_and_log(bench: Bench) -> None:
    bench.nommer.error = EncodingError("the picture is upside down", command="cp -x", log="oh")
    bench.submit(1)
    bench.worker().run()
    job = bench.job(1)
    assert (job.state, job.details, job.command, job.log) == (
        JobState.ERROR,
        "the picture is upside down",
        "cp -x",
        "oh",
    )
    assert bench.new_jobs.depth().total == 0


def test_a_bug_in_a_nommer_ends_its_job_and_not_the_worker(bench: Bench) -> None:
    bench.nommer.error = ZeroDivisionError("by zero")
    bench.submit(1, 2)
    assert bench.worker().run() == 2
    assert bench.job(1).details == "a bug in nommerctl: ZeroDivisionError('by zero')"
    assert "ZeroDivisionError" in str(bench.job(2).log)


def test_a_bug_in_writing_how_a_job_ended_goes_by_the_log_and_ends_no_worker(bench: Bench) -> None:
    bench.store.breaks_at = JobState.FINISHED
    bench.submit(1, 2)
    assert bench.worker().run() == 2
    bugs = [text for text in bench.log if "left to its lease by a bug in nommerctl\nTraceback" in text]
    assert ["ValueError: \x1b[2J is no state" in bug for bug in bugs] == [True, True]


def test_a_source_that_is_gone_is_an_error(bench: Bench) -> None:
    bench.submit(1)
    (bench.folder / "1.mov").unlink()
    bench.worker().run()
    assert bench.job(1).state is JobState.ERROR
    assert "1.mov' cannot be read: there is no such file" in str(bench.job(1).details)


def test_a_store_that_is_away_for_a_moment_costs_nothing(bench: Bench, running: Callable[..., object]) -> None:
    bench.nommer.gate = threading.Event()
    bench.submit(1)
    running(bench.worker())
    eventually(lambda: bench.job(1).state is JobState.ENCODING, every=0.01)
    bench.store.away = 3
    bench.nommer.gate.set()
    eventually(lambda: bench.job(1).state is JobState.FINISHED, every=0.01)
    assert bench.store.away == 0


def test_a_lease_is_reckoned_from_when_it_is_written_and_not_from_when_the_store_went_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a store that lets each write wait for a minute
    monkeypatch.setattr(attempt_module, "RETRY_PAUSE", 0.01)
    leases: list[float] = []

    class SlowStore(AwayStore):
        waited = False

        def transition(self, job: str | EncodingJob, move: Move) -> EncodingJob:
            if isinstance(job, EncodingJob):
                self.waited = not self.waited
                self.away = int(self.waited)
            if self.away:
                bench.clock.advance(60)
            written = super().transition(job, move)
            if written.lease is not None:
                leases.append(seconds_between(bench.clock(), written.lease.until))
            return written

    bench.store = SlowStore()
    bench.submit(1)
    # when
    bench.worker(settings=structs.replace(SETTINGS, heartbeat=30)).run()
    # then all of them are whole: that of the claim, of each step, and of the check before the output is placed
    assert bench.job(1).state is JobState.FINISHED
    assert leases == [SETTINGS.lease] * 4


def test_a_queue_of_changes_that_may_not_be_used_ends_no_encode(bench: Bench) -> None:
    bench.changes = ForbiddenQueue(bench.clock)
    bench.submit(1)
    bench.worker().run()
    assert bench.job(1).state is JobState.FINISHED
    assert any("change not announced: forbidden" in line for line in bench.log)


def test_an_output_is_not_put_in_place_once_the_lease_is_lost(bench: Bench) -> None:
    # given a job that is cancelled while its encode ends, before any heartbeat could notice
    (job,) = bench.submit(1)
    (bench.folder / "1.mp4").write_text("older")
    bench.nommer.at_the_end = lambda: bench.store.transition(
        job.id, lambda current: cancelled(current, now=bench.clock(), by="somebody")
    )
    # when
    bench.worker().run()
    # then
    assert (bench.folder / "1.mp4").read_text() == "older"
    assert bench.job(1).state is JobState.ABANDONED


def test_the_lease_is_checked_between_the_last_state_and_the_move_into_place(bench: Bench) -> None:
    # given a job that is cancelled at the very last moment, while its output is made to last
    (job,) = bench.submit(1)
    (bench.folder / "1.mp4").write_text("older")

    class LateStorage(FileStorage):
        @contextmanager
        def output(
            self, dest: str, tag: str, leave_word: Callable[[Path], None] = lambda _: None
        ) -> Iterator[FileOutput]:
            with super().output(dest, tag, leave_word) as output:
                yield LateOutput(output)

    class LateOutput(FileOutput):
        def __init__(self, output: FileOutput) -> None:
            self.__dict__.update(vars(output))

        def place(self, permit: Callable[[], None], keep_on: Callable[[], None] = nothing, done: Done = nobody) -> None:
            bench.store.transition(job.id, lambda current: cancelled(current, now=bench.clock(), by="somebody"))
            super().place(permit, keep_on, done)

    bench.storage = LateStorage()
    # when
    bench.worker().run()
    # then
    assert (bench.folder / "1.mp4").read_text() == "older"
    assert bench.job(1).state is JobState.ABANDONED


def test_a_job_that_comes_back_while_its_earlier_attempt_is_on_its_way_out_is_attempted_anew(
    bench: Bench, running: Callable[..., object]
) -> None:
    # given a worker of two slots with a job in hand
    bench.nommer.gate = threading.Event()
    (job,) = bench.submit(1)
    running(bench.worker(slots=2, once=False))
    eventually(lambda: bench.nommer.running == 1, every=0.01)
    # when the job is cancelled and tried again, before a heartbeat could notice
    bench.store.transition(job.id, lambda current: cancelled(current, now=bench.clock(), by="somebody"))
    bench.store.transition(job.id, lambda current: retried(current, now=bench.clock(), by="somebody"))
    bench.new_jobs.send([job.id])
    # then the second attempt runs to its end and the first one is gone
    eventually(lambda: bench.job(1).attempt == 1 and bench.job(1).state is JobState.ENCODING, every=0.01)
    bench.nommer.gate.set()
    eventually(lambda: bench.job(1).state is JobState.FINISHED, every=0.01)
    eventually(lambda: bench.nommer.running == 0 and list((bench.folder / "node").iterdir()) == [], every=0.01)
    assert (bench.folder / "1.mp4").read_text() == "film 1"
    assert list(bench.folder.glob(".nommerctl-*")) == []


def test_a_source_that_changes_while_it_is_encoded_is_an_error(bench: Bench) -> None:
    bench.submit(1)
    bench.nommer.at_the_end = lambda: (bench.folder / "1.mov").write_text("film 1, and a part more")
    bench.worker().run()
    assert bench.job(1).details == "the source changed while it was encoded: submit it again when it is complete"
    assert not (bench.folder / "1.mp4").exists()


def test_a_job_says_how_much_of_its_source_is_there(bench: Bench, running: Callable[..., object]) -> None:
    half, go_on = threading.Event(), threading.Event()

    class SlowStorage(FileStorage):
        def fetch(self, source: str, folder: Path, keep_on: Callable[[], None], done: Done = nobody) -> Path:
            done(0.5)
            half.set()
            go_on.wait(10)
            return super().fetch(source, folder, keep_on, done)

    bench.storage = SlowStorage()
    bench.submit(1)
    running(bench.worker())
    half.wait(10)
    eventually(lambda: bench.job(1).progress == Progress(fraction=0.5), every=0.01)
    assert bench.job(1).state is JobState.DOWNLOADING
    go_on.set()
    eventually(lambda: bench.job(1).state is JobState.FINISHED, every=0.01)
    assert bench.job(1).progress == Progress(fraction=1.0)
