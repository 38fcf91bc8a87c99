"""What media-nommer's workers say of themselves, and what it finds of ours. Its hosts are in New York."""

import pytest
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.heartbeats import BadRow, OldHeartbeats
from nommerctl.adapters.aws.simpledb.ledger import SimpledbLedger
from nommerctl.domain.fleet import Heartbeat
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import ExitCode, SettingsError
from tests.adapters.aws.simpledb.ledger.conftest import NEW_YORK
from tests.fakes.clock import START, FakeClock
from tests.simpledb.server import SimpleDB

DOMAIN = NEW_YORK.heartbeat_domain
MINUTE = 60.0
DAY = 24 * 3600.0

NOW_THERE = "2026-01-01 04:00:00.000000"
ROW = {"id": "i-old", "active_jobs": "2", "last_report_dtime": NOW_THERE, "state": "ACTIVE"}
BEAT = Heartbeat(node="i-1", started=START, at=START + micros(1.5), slots=1, active=1, jobs=("a" * 50,))


def old_beat(node: str = "i-old", *, at: Instant = START, active: int = 2) -> Heartbeat:
    return Heartbeat(node=node, started=at, at=at, slots=2, active=active, takes_leases=False)


# --- theirs


def test_an_old_worker_is_shown_as_taking_jobs_without_leases(ledger: SimpledbLedger, server: SimpleDB) -> None:
    server.put(DOMAIN, "i-old", ROW)

    assert ledger.overview().heartbeats == {"i-old": old_beat()}


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-01-01 03:59:59.5", START - micros(0.5)),
        ("2026-01-01 04:00:00", START),
        ("2026-01-01 09:00:00.000000", START + micros(5 * 3600.0)),
    ],
    ids=["a fraction", "no microseconds", "by another zone"],
)
def test_the_time_in_it_is_that_of_its_host(
    ledger: SimpledbLedger, server: SimpleDB, written: str, at: Instant
) -> None:
    server.put(DOMAIN, "i-old", ROW | {"last_report_dtime": written})

    assert ledger.overview().heartbeats["i-old"].at == at


def test_the_hour_that_comes_twice_is_its_second_unless_that_is_still_to_come(
    ledger: SimpledbLedger, server: SimpleDB, clock: FakeClock
) -> None:
    # given 2026-11-01 01:30 in New York, which is 05:30 and then 06:30 UTC
    first = 1_793_511_000_000_000
    server.put(DOMAIN, "i-old", ROW | {"last_report_dtime": "2026-11-01 01:30:00.000000"})

    clock.now = first + micros(1.0)
    assert ledger.overview().heartbeats["i-old"].at == first

    clock.advance(3600)
    assert ledger.overview().heartbeats["i-old"].at == first + micros(3600.0)


def test_those_that_ended_or_said_nothing_for_a_day_are_left_out(ledger: SimpledbLedger, server: SimpleDB) -> None:
    server.put(DOMAIN, "i-ended", ROW | {"state": "TERMINATED"})
    server.put(DOMAIN, "i-died", ROW | {"last_report_dtime": "2025-12-31 03:59:59.999999"})
    server.put(DOMAIN, "i-quiet", ROW | {"last_report_dtime": "2025-12-31 04:00:00.000000"})

    assert list(ledger.overview().heartbeats) == ["i-quiet"]


BAD: dict[str, tuple[dict[str, str | list[str]], str]] = {
    "text None": ({**ROW, "last_report_dtime": "None"}, "last_report_dtime 'None' is no time"),
    "no such time": ({**ROW, "last_report_dtime": "2026-13-01 04:00:00"}, "'2026-13-01 04:00:00' is no time"),
    "before 1970": ({**ROW, "last_report_dtime": "1969-01-01 04:00:00"}, "'1969-01-01 04:00:00' is no time"),
    "no time": ({"active_jobs": "1", "state": "ACTIVE"}, "it lacks 'last_report_dtime'"),
    "no state": ({"active_jobs": "1", "last_report_dtime": NOW_THERE}, "it lacks 'state'"),
    "no jobs": ({"state": "ACTIVE", "last_report_dtime": NOW_THERE}, "it lacks 'active_jobs'"),
    "no number": ({**ROW, "active_jobs": "-1"}, "active_jobs '-1' is no number of jobs"),
    "too many": ({**ROW, "active_jobs": "9" * 500}, "is no number of jobs"),
    "unknown state": ({**ROW, "state": "active"}, "state 'active' is neither ACTIVE nor TERMINATED"),
    "two values": ({**ROW, "active_jobs": ["1", "2"]}, "active_jobs has several values"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_is_badly_written_stops_nobody_and_can_be_found(
    ledger: SimpledbLedger, server: SimpleDB, clients: Clients, clock: FakeClock, name: str
) -> None:
    row, why = BAD[name]
    server.put(DOMAIN, "i-bad", row)
    server.put(DOMAIN, "i-old", ROW)

    assert list(ledger.overview().heartbeats) == ["i-old"]

    beats, bad = OldHeartbeats(clients, NEW_YORK, clock, slots=2).examine()
    assert beats == [old_beat()]
    assert [row.node for row in bad] == ["i-bad"]
    assert why in bad[0].why


def test_who_looks_for_what_is_wrong_sees_old_rows_too(server: SimpleDB, clients: Clients, clock: FakeClock) -> None:
    server.put(DOMAIN, "i-died", ROW | {"last_report_dtime": "2011-07-01 12:00:00.000000"})
    server.put(DOMAIN, "i-ended", {"state": "TERMINATED"})

    beats, bad = OldHeartbeats(clients, NEW_YORK, clock, slots=2).examine()

    assert ([beat.node for beat in beats], bad) == (["i-died"], list[BadRow]())


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_a_domain_that_is_not_there_is_a_fault_of_the_settings(
    ledger: SimpledbLedger, clients: Clients, *, write: bool
) -> None:
    clients.sdb.delete_domain(DomainName=DOMAIN)

    with pytest.raises(SettingsError, match=f"domain '{DOMAIN}' is not there in this account and region") as caught:
        ledger.beat(BEAT) if write else ledger.overview()

    assert caught.value.code is ExitCode.SETTINGS
    assert "simpledb.heartbeat_domain" in str(caught.value)


# --- ours


def test_a_heartbeat_of_ours_is_written_as_media_nommer_reads_it(ledger: SimpledbLedger, server: SimpleDB) -> None:
    ledger.beat(BEAT)

    assert server.items(DOMAIN) == {
        "i-1": {
            "id": {"i-1"},
            "active_jobs": {"1"},
            "last_report_dtime": {"2026-01-01 04:00:01.500000"},
            "state": {"ACTIVE"},
        }
    }
    assert ledger.overview().heartbeats == {"i-1": BEAT}


def test_a_whole_second_is_written_with_its_microseconds(ledger: SimpledbLedger, server: SimpleDB) -> None:
    ledger.beat(structs.replace(BEAT, at=START))

    assert server.items(DOMAIN)["i-1"]["last_report_dtime"] == {NOW_THERE}


def test_a_node_that_takes_leave_is_terminated_for_media_nommer(ledger: SimpledbLedger, server: SimpleDB) -> None:
    ledger.beat(BEAT)

    ledger.forget("i-1")
    ledger.forget("i-1")

    row = server.items(DOMAIN)["i-1"]
    assert (row["state"], row["active_jobs"]) == ({"TERMINATED"}, {"0"})
    assert ledger.overview().heartbeats == {}


def test_who_never_gave_a_heartbeat_is_no_row_and_a_mark_changes_none(ledger: SimpledbLedger, server: SimpleDB) -> None:
    server.put(DOMAIN, "i-old", ROW)
    before = server.items(DOMAIN)

    ledger.forget("i-9")
    ledger.mark("i-9", START)
    ledger.mark("i-old", START)

    assert server.items(DOMAIN) == before
