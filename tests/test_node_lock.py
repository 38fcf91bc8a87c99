"""What nodes install is pinned, and is what nommerctl depends on."""

import re

import pytest

from tests.node_lock import LOCK, faults, locked


def test_the_lock_is_what_nommerctl_depends_on() -> None:
    assert faults(locked(LOCK.read_text())) == []


def test_a_package_that_is_missing_too_old_or_asked_for_by_nobody_is_found() -> None:
    versions = locked(LOCK.read_text())
    del versions["six"]
    assert faults(versions | {"rich": "12.0", "left-pad": "1.0"}) == [
        "rich 12.0 is not >=13.9",
        "six is not in the lock",
        "nothing asks for left-pad",
    ]


@pytest.mark.parametrize("line", ["six", "six>=1.17.0", "six==1.17.0", "six==1.17.0 --hash=md5:aa"])
def test_a_line_that_pins_nothing_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=re.escape(line)):
        locked(line)
