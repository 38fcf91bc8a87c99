import pytest
from msgspec import structs

from nommerctl.domain.aws_parts import BOOTSTRAP, Key, QueueForm, TableFacts, queue_troubles, table_troubles
from nommerctl.domain.checkup import Verdict

KEY = Key((("kind", "S"), ("key", "S")))
INDEX = Key((("head", "S"), ("id", "S")), ("created", "state"))
WANTED = TableFacts(key=KEY, indexes={"by-id": INDEX}, expires="expires")


def said(found: TableFacts | None) -> list[tuple[Verdict, str]]:
    return [(each.verdict, each.found) for each in table_troubles("ledger", "t", found, WANTED)]


def test_of_a_table_as_it_is_wanted_nothing_is_said_whatever_it_has_besides() -> None:
    assert said(WANTED) == []
    assert said(structs.replace(WANTED, indexes={"by-id": INDEX, "mine": KEY}, state="UPDATING")) == []


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (None, "table 't' is not there in this account and region"),
        (structs.replace(WANTED, state="DELETING"), "table 't' is in state DELETING"),
        (structs.replace(WANTED, key=Key((("id", "S"),))), "table 't' has the key id (S)"),
        (structs.replace(WANTED, indexes={}), "index 'by-id' of table 't' is not there"),
        (
            structs.replace(WANTED, indexes={"by-id": Key((("head", "S"),), ("ALL",))}),
            "index 'by-id' of table 't' is not as it should be: head (S); with ALL",
        ),
        (structs.replace(WANTED, unusable=("by-id",)), "index 'by-id' of table 't' cannot be used yet"),
    ],
)
def test_a_table_that_cannot_serve(found: TableFacts | None, sentence: str) -> None:
    assert said(found) == [(Verdict.FAILED, sentence)]


def test_a_table_that_grows_for_ever_serves() -> None:
    assert said(structs.replace(WANTED, expires="")) == [
        (Verdict.WARNING, "the entries of table 't' do not expire by 'expires': it grows for ever")
    ]


@pytest.mark.parametrize(
    ("form", "verdict", "sentence"),
    [
        (
            QueueForm(dead_letters="", dead=None),
            Verdict.WARNING,
            "dead letters of queue 'q' go nowhere, not to 'q-dead'",
        ),
        (QueueForm(dead_letters="x", dead=0), Verdict.WARNING, "dead letters of queue 'q' go to 'x', not to 'q-dead'"),
        (QueueForm(dead_letters="q-dead", dead=None), Verdict.FAILED, "dead letters, 'q-dead', is not there"),
    ],
)
def test_a_queue_whose_dead_letters_do_not_go_where_they_should(
    form: QueueForm, verdict: Verdict, sentence: str
) -> None:
    (finding,) = queue_troubles("queue", "q", form, "q-dead")
    assert (finding.verdict, finding.advice) == (verdict, BOOTSTRAP)
    assert finding.found.endswith(sentence)


def test_of_a_queue_as_it_should_be_nothing_is_said() -> None:
    assert list(queue_troubles("queue", "q", QueueForm(dead_letters="q-dead", dead=3), "q-dead")) == []
