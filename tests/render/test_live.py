from nommerctl.domain.job import Progress
from nommerctl.domain.states import JobState
from nommerctl.render.live import bar_fields
from nommerctl.render.shorten import cells
from tests.builders import make_job

HALF = Progress(fraction=0.5, fps=119.6, speed=3.98, eta_s=12.3)


def test_a_running_job_has_its_pace_beside_its_bar() -> None:
    fields = bar_fields(make_job(1, state=JobState.ENCODING, progress=HALF, source="/in/film.mov"))
    assert fields["name"].rstrip() == "film.mov"
    assert fields["pace"].split() == ["120", "fps", "4.0x", "ETA", "12", "s"]
    assert (fields["fraction"], fields["state"]) == (0.5, "ENCODING")


def test_a_bar_is_full_when_the_job_is_finished_and_empty_when_it_failed() -> None:
    assert bar_fields(make_job(1, state=JobState.FINISHED))["fraction"] == 1.0
    assert bar_fields(make_job(1, state=JobState.ERROR, progress=HALF))["fraction"] == 0.0


def test_names_of_any_kind_take_the_same_room_and_no_effect() -> None:
    names = ("a.mov", "x" * 200 + ".mov", "新年晚会现场录像完整版第一部分高清.mp4", "\x1b[31mred.mov")
    fields = [bar_fields(make_job(1, source=f"/in/{name}"))["name"] for name in names]
    assert {cells(name) for name in fields} == {24}
    assert not any("\x1b" in name for name in fields)


def test_the_name_of_what_is_fetched_shows_no_secret_of_its_query() -> None:
    names = [
        bar_fields(make_job(1, source=f"https://host/a.mov?token={token}"))["name"].rstrip()
        for token in ("abc", "ab/c", "ab;c")
    ]
    assert names == ["a.mov?token=***"] * 3
