import pytest
from msgspec import structs

from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.fleet import Depth
from nommerctl.domain.soundness import CacheFacts, QueueFacts, StoreFacts, judge_cache, judge_queue, judge_store
from nommerctl.domain.times import micros
from tests.fakes.clock import START

NOW = START + micros(40)


@pytest.mark.parametrize(
    ("facts", "finding"),
    [
        (StoreFacts(size=None), Finding("store", Verdict.OK, "none yet")),
        (StoreFacts(size=0), Finding("store", Verdict.OK, "none yet")),
        (StoreFacts(size=4096, jobs=1), Finding("store", Verdict.OK, "sound, 1 job")),
        (
            StoreFacts(size=4096, jobs=9, complaints=("one", "two", "three", "four")),
            Finding(
                "store",
                Verdict.FAILED,
                "'/srv/farm.db' is damaged: one; two; and 2 more",
                "restore it from a backup; without one, 'sqlite3 /srv/farm.db .recover' saves what is whole",
            ),
        ),
    ],
)
def test_the_store(facts: StoreFacts, finding: Finding) -> None:
    assert judge_store("/srv/farm.db", facts, folder="/srv/my cache", known=None) == finding


@pytest.mark.parametrize(("size", "how"), [(None, "is gone"), (0, "is empty")])
@pytest.mark.parametrize(("known", "trace"), [(2, "the cache knows 2 jobs"), (0, "the cache was filled from it")])
def test_a_store_that_has_gone_after_the_cache_was_filled(size: int | None, how: str, known: int, trace: str) -> None:
    assert judge_store("/srv/farm.db", StoreFacts(size=size), folder="/srv/my cache", known=known) == Finding(
        "store",
        Verdict.FAILED,
        f"'/srv/farm.db' {how}, and {trace}",
        "move its -wal and -shm away, then restore it from a backup; to begin anew without it: rm -r '/srv/my cache'",
    )


def test_a_store_in_which_jobs_are_is_never_lost() -> None:
    finding = judge_store("/srv/farm.db", StoreFacts(size=4096, jobs=1), folder="/srv/my cache", known=2)
    assert finding.verdict is Verdict.OK


@pytest.mark.parametrize(
    ("facts", "verdict", "found"),
    [
        (QueueFacts(depth=Depth(3, 1)), Verdict.OK, "3 waiting, 1 in work"),
        (
            QueueFacts(depth=Depth(3), needless=2),
            Verdict.OK,
            "3 waiting, 0 in work, 2 of jobs that are over (workers drop them)",
        ),
        (QueueFacts(depth=Depth(), dead=1), Verdict.WARNING, "0 waiting, 0 in work, 1 dead"),
        (
            QueueFacts(depth=Depth(), unannounced=2),
            Verdict.WARNING,
            "0 waiting, 0 in work; 2 PENDING jobs without a message",
        ),
    ],
)
def test_the_queue(facts: QueueFacts, verdict: Verdict, found: str) -> None:
    finding = judge_queue(facts)
    assert (finding.verdict, finding.found) == (verdict, found)
    assert bool(finding.advice) == (verdict is Verdict.WARNING)


SOUND = CacheFacts(jobs=5, unfinished=2, refreshed=START)
ANEW = "rm -r '/srv/my cache'; nommerctl refresh"


@pytest.mark.parametrize(
    ("how", "verdict", "found", "advice"),
    [
        ({}, Verdict.OK, "sound, 5 jobs, refreshed 40 s ago", ""),
        ({"behind": 1}, Verdict.OK, "sound, 5 jobs, refreshed 40 s ago, 1 behind the store", ""),
        ({"refreshed": None}, Verdict.OK, "cold, 5 jobs: the next refresh fills it", ""),
        ({"complaints": ("torn",)}, Verdict.FAILED, "'/srv/my cache' is damaged: torn", ANEW),
        (
            {"ahead": 3},
            Verdict.FAILED,
            "3 of 5 jobs newer than in the store: it was set back, or is another farm's",
            ANEW,
        ),
        ({"jobs": 0, "complaints": ("one",)}, Verdict.FAILED, "'/srv/my cache' is damaged: one", ANEW),
        ({"unknown": 4}, Verdict.WARNING, "4 of 5 jobs not in the store", ANEW),
        (
            {"unknown": 5},
            Verdict.WARNING,
            "5 of 5 jobs not in the store",
            f"restore the store first; only if these jobs are to be forgotten: {ANEW}",
        ),
        (
            {"compared": False},
            Verdict.WARNING,
            "sound, 5 jobs, refreshed 40 s ago; the store cannot be read to compare them",
            "",
        ),
        (
            {"refreshed": NOW - micros(1000)},
            Verdict.WARNING,
            "sound, 5 jobs, refreshed 17 min ago: too old for scale to launch anything",
            "nommerctl refresh",
        ),
        ({"refreshed": NOW - micros(1000), "unfinished": 0}, Verdict.OK, "sound, 5 jobs, refreshed 17 min ago", ""),
    ],
)
def test_the_cache(how: dict[str, object], verdict: Verdict, found: str, advice: str) -> None:
    finding = judge_cache("/srv/my cache", structs.replace(SOUND, **how), max_age=900, now=NOW)
    assert finding == Finding("cache", verdict, found, advice)
