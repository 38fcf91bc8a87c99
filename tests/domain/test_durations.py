import pytest
from hypothesis import given
from hypothesis import strategies as st

from nommerctl.domain.durations import LONGEST, duration_text, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90.0),
        ("15min", 900.0),
        ("15m", 900.0),
        ("24h", 86_400.0),
        ("14d", 1_209_600.0),
        ("1h30min", 5_400.0),
        (" 1 d 12 h ", 129_600.0),
        ("0.5h", 1_800.0),
        ("90", 90.0),
        ("0", 0.0),
    ],
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "s", "1h30", "30min1h", "1w", "-1s", "nan", "inf", "1.s", "\u0663s", "1h1h"])
def test_what_is_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (45, "45s"), (90, "90s"), (120, "2min"), (5_400, "90min"), (86_400, "1d"), (0.5, "0.5s")],
)
def test_a_duration_is_written_in_its_largest_whole_unit(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@given(st.floats(min_value=0, max_value=LONGEST) | st.integers(0, int(LONGEST)).map(float))
def test_a_written_duration_reads_as_the_same_number(seconds: float) -> None:
    assert parse_duration(duration_text(seconds)) == seconds
