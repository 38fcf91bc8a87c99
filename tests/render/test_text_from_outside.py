"""I9: whatever stands in a field, nothing of it is alive in any form that we write."""

import json
import re
from unicodedata import category

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import Heartbeat, Node
from nommerctl.domain.job import EncodingJob, HistoryEntry, Lease, Progress
from nommerctl.domain.outcome import Change, Decision, Failure, Held, Outcome
from nommerctl.domain.states import JobState
from nommerctl.errors import TransferError, UsageError
from nommerctl.render.decisions import decisions_json, decisions_text
from nommerctl.render.errors import error_json, error_line
from nommerctl.render.job_detail import job_detail_json, job_detail_text
from nommerctl.render.jobs import jobs_json, jobs_table, jobs_tsv
from nommerctl.render.nodes import nodes_json, nodes_table, nodes_tsv
from nommerctl.render.outcome import outcome_json, outcome_text
from tests.builders import make_job
from tests.render.farm import NOW, ago

LIMITS = ScaleSettings()
COLOUR = re.compile(r"\x1b\[[0-9;]+m")
ALIVE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

NASTY = (
    *("\x1b[2J", "\x1b]8;;http://example.org\x07", "\x9b31m", "\r", "\n", "\t", "\x00", "\x7f", "\u202e", "\u2066"),
    *("\u200b", "\u2028", "\udc80", "[red]x[/red]", "[link=http://example.org]x[/link]", "[/]", "\\[bold]"),
    *(":smile:", "新年", "e\u0301", "👩\u200d👩", "☺\ufe0f", "/", "://a:b@c/"),
)

texts = st.lists(st.one_of(st.sampled_from(NASTY), st.text(st.characters(), max_size=8)), max_size=8).map("".join)
optional_texts = st.none() | texts
widths = st.integers(20, 200)

with_any_text = settings(deadline=None, max_examples=60)


@st.composite
def jobs(draw: st.DrawFn) -> EncodingJob:
    state = draw(st.sampled_from(JobState))
    fraction = st.floats(0, 1)
    number = st.none() | st.floats(0, 1e6)
    lease = st.builds(Lease, id=texts, owner=texts, until=st.sampled_from([ago(60), ago(-60)]))
    return make_job(
        id=draw(texts),
        source=draw(texts),
        dest=draw(texts),
        state=state,
        preset=draw(optional_texts),
        nommer=draw(texts),
        details=draw(optional_texts),
        notify_url=draw(optional_texts),
        client_id=draw(optional_texts),
        command=draw(optional_texts),
        log=draw(optional_texts),
        attempt=draw(st.integers(0, 20)),
        lease=draw(st.none() | lease),
        progress=draw(st.none() | st.builds(Progress, fraction, number, number, number)),
        history=(HistoryEntry(1, state, ago(5), draw(texts), draw(optional_texts)),),
    )


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    beat = st.builds(
        Heartbeat,
        node=texts,
        started=st.just(ago(90)),
        at=st.sampled_from([0, ago(5), ago(5000)]),
        slots=st.just(1),
        jobs=st.tuples(texts),
        host=texts,
        pid=st.integers(0, 2**22),
        marked=st.none() | st.just(ago(4)),
    )
    return Node(id=draw(texts), alive=draw(st.booleans()), launched=ago(100), slots=1, beat=draw(st.none() | beat))


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    return Outcome(
        command="refresh",
        dry_run=draw(st.booleans()),
        changed=(Change(draw(texts), draw(texts), draw(texts)),),
        failed=(Failure(draw(texts), draw(texts), draw(texts)),),
        held=(Held(draw(texts), draw(texts)),),
        facts=draw(st.dictionaries(texts, st.integers(0, 9), max_size=3)),
        ended_by=TransferError(draw(texts)),
    )


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    return Decision(
        at=ago(5), launch=1, end=(draw(texts),), reasons=(draw(texts),), inputs={draw(texts): draw(texts), "nodes": 1}
    )


def alive(text: str, *, allowed: str = "\n") -> list[str]:
    """What in a text could act upon a terminal."""
    return [character for character in text if category(character) in ALIVE and character not in allowed]


def assert_fit_for_a_terminal(plain: str, coloured: str, *, width: int | None = None) -> None:
    assert alive(plain) == []
    assert COLOUR.sub("", coloured) == plain
    assert width is None or max(cell_len(line) for line in plain.splitlines()) <= width


def assert_rows(text: str, *, rows: int) -> None:
    lines = text.removesuffix("\n").split("\n")
    assert alive(text, allowed="\n\t") == []
    assert len(lines) == rows + 1
    assert {line.count("\t") for line in lines} == {lines[0].count("\t")}


def assert_document(text: str) -> None:
    assert re.fullmatch(r"[ -~]+\n", text)
    assert json.loads(text)["schema"] == 1


@with_any_text
@given(st.lists(jobs(), max_size=3), widths)
def test_jobs(some: list[EncodingJob], width: int) -> None:
    assert_fit_for_a_terminal(
        jobs_table(some, now=NOW, width=width, color=False, as_of=ago(40)),
        jobs_table(some, now=NOW, width=width, color=True, as_of=ago(40)),
        width=width,
    )
    assert_rows(jobs_tsv(some, now=NOW, as_of=NOW), rows=len(some))
    assert_document(jobs_json(some, command="list", as_of=NOW, now=NOW))


@with_any_text
@given(jobs())
def test_one_job(job: EncodingJob) -> None:
    assert_fit_for_a_terminal(job_detail_text(job, now=NOW, color=False), job_detail_text(job, now=NOW, color=True))
    assert_document(job_detail_json(job, now=NOW))


@with_any_text
@given(st.lists(nodes(), max_size=3), widths)
def test_nodes(some: list[Node], width: int) -> None:
    assert_fit_for_a_terminal(
        nodes_table(some, now=NOW, limits=LIMITS, width=width, color=False),
        nodes_table(some, now=NOW, limits=LIMITS, width=width, color=True),
        width=width,
    )
    assert_rows(nodes_tsv(some, now=NOW, limits=LIMITS), rows=len(some))
    assert_document(nodes_json(some, now=NOW, limits=LIMITS))


@with_any_text
@given(outcomes())
def test_outcomes(outcome: Outcome) -> None:
    assert_fit_for_a_terminal(outcome_text(outcome, color=False), outcome_text(outcome, color=True))
    assert_document(outcome_json(outcome))


@with_any_text
@given(decisions())
def test_decisions(decision: Decision) -> None:
    assert_fit_for_a_terminal(
        decisions_text([decision], now=NOW, color=False), decisions_text([decision], now=NOW, color=True)
    )
    assert_document(decisions_json([decision], now=NOW))


@with_any_text
@given(texts)
def test_errors(text: str) -> None:
    line = error_line(UsageError(text))
    assert alive(line) == []
    assert line.count("\n") == 1
    assert_document(error_json(UsageError(text)))


@pytest.mark.parametrize("markup", ["[red]x[/red]", "[link=http://example.org]x[/link]", "[/]", ":smile:"])
def test_markup_is_shown_as_it_stands(markup: str) -> None:
    # given
    job = make_job(source=f"file:///in/{markup}.mov", state=JobState.ERROR, details=markup)

    # when
    table = jobs_table([job], now=NOW, width=120, color=True, as_of=NOW)
    detail = job_detail_text(job, now=NOW, color=True)

    # then
    assert f"{markup.rpartition('/')[2]}.mov" in table
    assert f"{markup}\x1b[0m\n" in table
    assert f"{markup}.mov\n" in detail
