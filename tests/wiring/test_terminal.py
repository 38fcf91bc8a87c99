import pytest

from nommerctl.wiring.terminal import colored


@pytest.mark.parametrize(
    ("environment", "is_terminal", "wanted"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm"}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({}, True, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colour_follows_the_terminal_and_what_its_user_said(
    environment: dict[str, str],
    is_terminal: bool,  # noqa: FBT001 - a parameter of the test
    wanted: bool,  # noqa: FBT001 - as above
) -> None:
    assert colored(environment, is_terminal=is_terminal) is wanted
