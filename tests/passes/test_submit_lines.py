import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import pytest

from nommerctl.adapters.local.files import FileStorage
from nommerctl.domain.job import EncodePass, EncodingJob
from nommerctl.domain.job_lines import Faults, FaultyLinesError, JobLine, Planned, content_client_id
from nommerctl.errors import InterruptedPassError, UsageError
from nommerctl.passes.submit import Request, client_job_id, one_by_one
from nommerctl.passes.submit_lines import check_encoders, check_lines, plan_lines, store_by_hundreds
from nommerctl.ports import SourceLook
from tests.builders import job_id, make_job
from tests.fakes.clock import START, FakeClock
from tests.passes.farm import FakeFarm

PASSES = (EncodePass(outfile_options=(("vcodec", "libx264"),)),)


def asked(line: JobLine) -> Request:
    return Request(
        sources=(line.source,),
        dest="/out/" if line.dest is None else line.dest,
        dest_is_folder=line.dest is None,
        cwd="/home/me",
        farm="farm",
        by="me@here",
        options=PASSES,
        suffix="-web.mp4",
        preset="web-720p",
        client_id=line.client_id,
    )


def plan(*lines: dict[str, str], clock: FakeClock | None = None) -> list[Planned]:
    numbered = enumerate((json.dumps(line).encode() for line in lines), start=1)
    return plan_lines(numbered, asked, Faults("'jobs.jsonl'"), clock=clock or FakeClock())


def faults_of(*lines: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(FaultyLinesError) as refusal:
        plan(*lines)
    return refusal.value.sentences


def test_lines_become_jobs_that_keep_their_order() -> None:
    planned = plan({"source": "a.mov"}, {"source": "b.mov", "dest": "/x.mp4"})
    assert [(line, job.source, job.dest) for line, job in planned] == [
        (1, "/home/me/a.mov", "/out/a-web.mp4"),
        (2, "/home/me/b.mov", "/x.mp4"),
    ]
    assert [job.created for _, job in planned] == [START, START + 1]


def test_the_same_line_is_the_same_job_at_another_time_and_by_another_name_of_its_source() -> None:
    later = FakeClock()
    later.advance(60)
    ((_, first),) = plan({"source": "a.mov"})
    ((_, again),) = plan({"source": "/home/me/./a.mov"}, clock=later)
    assert again.id == first.id == client_job_id("farm", content_client_id(first))
    assert first.client_id == content_client_id(first)


def test_a_line_with_a_client_id_is_the_job_of_that_id() -> None:
    ((_, job),) = plan({"source": "a.mov", "client_id": "film 7"})
    assert (job.client_id, job.id) == ("film 7", client_job_id("farm", "film 7"))


def test_two_equal_lines_are_a_fault_that_names_both() -> None:
    said = "it is the same job as line 1: leave one out, or give one of them a client_id"
    assert faults_of({"source": "a.mov"}, {"source": "b.mov"}, {"source": "./a.mov"}) == (f"line 3: {said}",)


def test_two_lines_with_one_client_id_are_a_fault_that_names_both() -> None:
    same = {"client_id": "x"}
    assert faults_of({"source": "a.mov", **same}, {"source": "b.mov", **same}) == (
        "line 2: its client_id 'x' is that of line 1 too",
    )


def test_two_lines_to_one_destination_are_a_fault_that_names_both() -> None:
    assert faults_of({"source": "a.mov"}, {"source": "/in/a.mov"}) == (
        "line 2: it would be written to '/out/a-web.mp4', as the job of line 1 would",
    )


def test_every_line_that_cannot_be_planned_is_told() -> None:
    assert faults_of({"source": "ftp://host/a"}, {"source": "b.mov"}, {"source": "c.mov", "dest": ""}, {}) == (
        "line 1: 'ftp:' is not supported by this backend: give a path or a file:, http: or https: URI",
        "line 3: a source, destination or URL is empty",
        "line 4: it has no source",
    )


class Shelf(FileStorage):
    """Sources of a size and an age each; those that it does not hold are missing. Anything can be written."""

    def __init__(self, looks: dict[str, list[SourceLook]]) -> None:
        self._looks = looks

    def look(self, source: str) -> SourceLook:
        if source not in self._looks:
            msg = f"'{source}' is missing"
            raise UsageError(msg)
        looks = self._looks[source]
        return looks.pop(0) if len(looks) > 1 else looks[0]

    def check_destination(self, dest: str) -> None:
        """Anything can be written."""

    def is_same(self, source: str, dest: str) -> bool:
        return source == dest


OLD = SourceLook(5, START - 60_000_000)


def check(planned: Sequence[Planned], shelf: Shelf, farm: FakeFarm) -> list[float]:
    """Return how long it slept."""
    slept: list[float] = []
    faults = Faults("'jobs.jsonl'")
    check_lines(planned, shelf, farm.store, faults, now=START, sleep=slept.append, each=one_by_one)
    return slept


def test_what_is_wrong_with_files_is_told_by_line() -> None:
    planned = [Planned(number * 10, make_job(number)) for number in range(1, 6)]
    new, grown = SourceLook(5, START - 1), SourceLook(6, START)
    shelf = Shelf(
        {
            "/srv/in/1.mov": [OLD],
            "/srv/in/2.mov": [SourceLook(0, START)],
            "/srv/in/4.mov": [new, grown],
            "/srv/in/5.mov": [new, new],
        }
    )
    with pytest.raises(FaultyLinesError) as refusal:
        check(planned, shelf, FakeFarm())
    assert refusal.value.sentences == (
        "line 20: source '/srv/in/2.mov' is empty",
        "line 30: '/srv/in/3.mov' is missing",
        "line 40: source '/srv/in/4.mov' is still being written: submit it when it is complete",
    )


def test_fresh_sources_are_waited_for_once() -> None:
    new = SourceLook(5, START - 1)
    shelf = Shelf({f"/srv/in/{number}.mov": [new, new] for number in (1, 2)})
    assert check([Planned(number, make_job(number)) for number in (1, 2)], shelf, FakeFarm()) == [0.5]


def test_the_source_of_a_job_that_is_stored_already_may_be_gone() -> None:
    farm = FakeFarm()
    farm.submit(1)
    planned = [Planned(number, make_job(number)) for number in (1, 2)]
    shelf = Shelf({"/srv/in/2.mov": [OLD]})
    check(planned, shelf, farm)
    with pytest.raises(FaultyLinesError, match=r"line 3: '/srv/in/3\.mov' is missing$"):
        check([*planned, Planned(3, make_job(3))], shelf, farm)


def test_encoders_are_looked_for_once_and_the_first_line_that_needs_them_is_named() -> None:
    other = (EncodePass(outfile_options=(("vcodec", "libvpx"),)),)
    planned = [Planned(number, make_job(number, options=PASSES if number % 2 else other)) for number in range(1, 7)]
    wanted: list[frozenset[str]] = []

    def none_but_x264(needed: frozenset[str]) -> None:
        wanted.append(needed)
        if needed != {"libx264"}:
            msg = "there is no such encoder"
            raise UsageError(msg)

    with pytest.raises(FaultyLinesError) as refusal:
        check_encoders(planned, Faults("'jobs.jsonl'"), none_but_x264)
    assert refusal.value.sentences == ("line 2: there is no such encoder",)
    assert wanted == [{"libx264"}, {"libvpx"}]


class Interrupted:
    """Heeds, and is interrupted before one of the hundreds, counted from 0."""

    def __init__(self, before: int) -> None:
        self._left = before

    def __call__(self) -> None:
        if not self._left:
            msg = "interrupted"
            raise InterruptedPassError(msg)
        self._left -= 1


def store(farm: FakeFarm, jobs: Sequence[EncodingJob], heed: Callable[[], None]) -> list[int]:
    """Return how many jobs each hundred had."""
    sizes: list[int] = []
    with pytest.raises(InterruptedPassError) if isinstance(heed, Interrupted) else nullcontext():
        sizes.extend(
            len(stored)
            for stored in store_by_hundreds(
                jobs,
                store=farm.store,
                new_jobs=farm.new_jobs,
                changes=farm.changes,
                together=nullcontext,
                heed=heed,
            )
        )
    return sizes


@pytest.mark.parametrize("before", [0, 1, 2])
def test_what_is_interrupted_before_a_hundred_goes_on_there(before: int) -> None:
    farm = FakeFarm()
    jobs = [make_job(number) for number in range(1, 251)]
    store(farm, jobs, Interrupted(before))
    assert set(farm.store.jobs) == {job_id(number) for number in range(1, 100 * before + 1)}
    assert farm.new_jobs.depth().total == farm.changes.depth().total == 100 * before

    assert store(farm, jobs, lambda: None) == [100, 100, 50]
    assert set(farm.store.jobs) == {job.id for job in jobs}
    assert {job.version for job in farm.store.jobs.values()} == {1}
