from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from nommerctl.render.shorten import shorten_end, shorten_middle, shorten_path


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (40, "/srv/media/in/2024/holiday-part-04.mov"),
        (37, "…/media/in/2024/holiday-part-04.mov"),
        (27, "…/2024/holiday-part-04.mov"),
        (21, "…/holiday-part-04.mov"),
        (19, "holiday-part-04.mov"),
        (12, "holida…4.mov"),
        (1, "…"),
        (0, ""),
    ],
)
def test_a_path_gives_up_its_folders_before_its_name(width: int, expected: str) -> None:
    assert shorten_path("/srv/media/in/2024/holiday-part-04.mov", width) == expected


def test_a_slash_at_the_end_is_no_name() -> None:
    assert shorten_path("a-folder-with-a-long-name/", 10) == "a-fol…name"


def test_the_end_is_cut_off() -> None:
    assert shorten_end("no space left on device", 14) == "no space left…"


def test_a_wide_character_is_not_halved() -> None:
    assert shorten_middle("新年晚会", 6) == "新…会"


def test_an_accent_stays_with_its_letter() -> None:
    assert shorten_end("abcde\u0301f", 6) == "abcde\u0301f"
    assert shorten_end("abcde\u0301fg", 6) == "abcde\u0301…"


@settings(deadline=None)
@given(text=st.text(), width=st.integers(0, 30))
@pytest.mark.parametrize("shorten", [shorten_end, shorten_middle, shorten_path])
def test_what_is_too_long_fits_afterwards(shorten: Callable[[str, int], str], text: str, width: int) -> None:
    # given, when
    shorter = shorten(text, width)

    # then
    assert cell_len(shorter) <= width
    assert shorter == text or cell_len(text) > width
