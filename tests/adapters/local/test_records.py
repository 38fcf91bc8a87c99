import pytest

from nommerctl.adapters.local.records import HEARTBEATS, JOBS


def test_a_damaged_record_is_said_with_the_command_that_removes_it() -> None:
    assert str(JOBS.damaged("0a1b", "it is no text")) == (
        "the record of job 0a1b in farm.db is damaged (it is no text): restore farm.db from a backup, or take this"
        " record out of it: sqlite3 farm.db \"DELETE FROM jobs WHERE id = '0a1b'\""
    )


@pytest.mark.parametrize("key", ["x' OR ''='", 'x"; rm -rf ~; "', "$(id)", "`id`", "a\nb", b"x", ""])
def test_no_command_is_made_of_a_name_that_is_not_ours(key: object) -> None:
    said = str(HEARTBEATS.damaged(key, "it is no text"))
    assert said.endswith("restore farm.db from a backup, or take this record out of it")
