import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from nommerctl.render.styled import Span
from nommerctl.render.wrapped import hanging, wrapped


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("one two", ["one two"]),
        ("one two three", ["one two", "three"]),
        ("/a/very/long/path", ["/a/very/", "long/pat", "h"]),
        ("in /a/long/path here", ["in", "/a/long/", "path", "here"]),
        ("longer-than-it  too-long-as-well", ["longer-t", "han-it ", "too-long", "-as-well"]),
        ("新年晚会 ok", ["新年晚会", "ok"]),
        ("新年晚会现", ["新年晚会", "现"]),
    ],
)
def test_text_in_eight_cells(text: str, lines: list[str]) -> None:
    assert wrapped(text, 8) == lines


@given(st.text(st.sampled_from("ab 新e\u0301/"), max_size=60), st.integers(2, 30))
def test_no_line_is_too_wide_and_nothing_is_lost(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_further_lines_hang_below_the_first() -> None:
    assert hanging((Span("ok  "),), ["one", "two"], indent=4) == [(Span("ok  "), Span("one")), (Span("    two"),)]
