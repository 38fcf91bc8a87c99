"""Sources and destinations by names that mean something to ffmpeg, to a shell, or to a path."""

from pathlib import Path

import pytest

from tests.clips import Clips
from tests.hostile.canaries import Canaries
from tests.hostile.farm import HostileFarm
from tests.web import reply, serving

pytestmark = pytest.mark.slow

COPY = [["c", "copy"]]

LIKE_SOMETHING_ELSE = [
    "concat:{canary}",
    "-y",
    "http:..",
    "http:%2f%2f127.0.0.1",
    "pipe:0",
    "subfile,,start,0,end,9,,:canary",
    "data:video,x",
    "file:canary",
    "film%03d",
    "*.ts",
    "@list",
    "|cat",
    "$(cat canary)",
    "nul\x01\x1b[2J",
    "[0:v]movie=canary[out]",
    "film.mp4;rm -rf canary",
]
"""What ffmpeg, or a shell, would not take for the name of a file; `{canary}` is one without slashes."""


def test_sources_are_files_whatever_they_are_called(farm: HostileFarm, canaries: Canaries, clips: Clips) -> None:
    film = clips["plain.mp4"].read_bytes()
    names = [f"{name}.mp4".format(canary=canaries.film.name) for name in LIKE_SOMETHING_ELSE]
    (farm.sources / canaries.film.name).symlink_to(canaries.film)
    farm.submit(*(farm.source(name, film) for name in names), options=COPY)

    jobs = farm.work()

    assert [(job["state"], job["details"]) for job in jobs] == [("FINISHED", None)] * len(names)
    assert farm.outputs() == sorted(names)
    farm.check(canaries)


def test_a_picture_among_numbered_ones_is_not_taken_for_all_of_them(
    farm: HostileFarm, canaries: Canaries, clips: Clips, tmp_path: Path
) -> None:
    made = Clips(tmp_path / "made").make("one.png", "-i", str(clips["plain.mp4"]), "-frames:v", "1", "-update", "1")
    (farm.sources / "img001.png").symlink_to(canaries.film)
    farm.submit(farm.source("img%03d.png", made.read_bytes()))

    (job,) = farm.work()

    assert (job["state"], farm.outputs()) == ("ERROR", [])
    assert "the source cannot be read as a media file: " in job["details"]
    farm.check(canaries)


# --- destinations -----------------------------------------------------------------------------------------------------


@pytest.fixture
def film(farm: HostileFarm, clips: Clips) -> Path:
    return farm.source("film.mp4", clips["plain.mp4"].read_bytes())


def refused(farm: HostileFarm, film: Path, dest: str) -> str:
    said = farm.here.run("submit", film, "--dest", dest, "--preset", "web-480p", code=2).stderr
    assert farm.here.listed() == {}
    return said


@pytest.mark.parametrize("climb", ["%2e%2e", "%2E%2e", "..%2f", "%2e%2e%2f..", "\uff0e\uff0e", "..\\"])
def test_a_path_is_not_decoded(farm: HostileFarm, canaries: Canaries, film: Path, climb: str) -> None:
    said = refused(farm, film, f"{farm.out}/{climb}/canary/fallen.mp4")

    assert f"there is no folder '{farm.out}/{climb}/canary': make it first" in said
    farm.check(canaries)


def test_dots_lead_where_the_file_system_says_and_not_where_the_text_does(
    farm: HostileFarm, canaries: Canaries, film: Path, tmp_path: Path
) -> None:
    """`..` behind a symbolic link is the parent of the folder that it points to. A file: URI is a path once decoded."""
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (farm.out / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    assert "there is no folder" in refused(farm, film, f"{farm.out}/nowhere/../../canary/fallen.mp4")
    for uri in (f"{farm.out}/link/../1.mp4", f"file://{farm.out}/link/%2e%2e/2.mp4"):
        farm.here.run("submit", film, "--dest", uri, "--preset", "web-480p")

    jobs = farm.work()

    assert [job["state"] for job in jobs] == ["FINISHED"] * 2
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["1.mp4", "2.mp4", "deep"]
    assert farm.outputs() == ["link"]
    farm.check(canaries)


def test_a_link_in_the_place_of_an_output_is_replaced_even_one_put_there_later(
    farm: HostileFarm, canaries: Canaries, film: Path
) -> None:
    (farm.out / "before.mp4").symlink_to(canaries.film)
    for name in ("before.mp4", "after.mp4"):
        farm.here.run("submit", film, "--dest", farm.out / name, "--preset", "web-480p")
    (farm.out / "after.mp4").symlink_to(canaries.folder / "fallen.mp4")

    jobs = farm.work()

    assert [job["state"] for job in jobs] == ["FINISHED"] * 2
    assert [(farm.out / name).is_symlink() for name in farm.outputs()] == [False, False]
    farm.check(canaries)


def test_a_folder_that_has_become_a_link_to_nowhere_makes_none(
    farm: HostileFarm, canaries: Canaries, film: Path
) -> None:
    folder = farm.out / "folder"
    folder.mkdir()
    farm.here.run("submit", film, "--dest", f"{folder}/out.mp4", "--preset", "web-480p")
    folder.rmdir()
    folder.symlink_to(canaries.folder / "fallen")

    (job,) = farm.work()

    assert (job["state"], job["details"]) == (
        "ERROR",
        f"'{folder}/out.mp4' cannot be written: its folder does not exist",
    )
    farm.check(canaries)


@pytest.mark.parametrize("suffix", ["/../../canary/fallen.mp4", "../x.mp4", "/x.mp4"])
def test_the_end_of_a_name_leads_to_no_other_folder(
    farm: HostileFarm, canaries: Canaries, film: Path, suffix: str
) -> None:
    (farm.out / "film").mkdir()

    said = farm.here.run(
        "submit", film, "--dest", f"{farm.out}/", "--suffix", suffix, "--preset", "web-480p", code=2
    ).stderr

    assert said == f"nommerctl: --suffix '{suffix}' has a slash: it ends the name of a file in the folder of --dest\n"
    farm.check(canaries)


@pytest.mark.parametrize(
    ("path", "output"),
    [
        ("/..%2F..%2Fcanary%2Ffallen.mp4", ".._.._canary_fallen-web-480p.mp4"),
        ("/%2E%2E%2Fcanary%2F%2E%2E", ".._canary_.-web-480p.mp4"),
        ("/a/%2E%2E", "source-web-480p.mp4"),
        ("/%2Fetc%2Fpasswd%00.mp4", "_etc_passwd_-web-480p.mp4"),
        ("/-y%0A.mp4", "-y_-web-480p.mp4"),
    ],
)
def test_a_url_names_an_output_in_its_folder_and_nowhere_else(
    farm: HostileFarm, canaries: Canaries, clips: Clips, path: str, output: str
) -> None:
    answer = reply(200, clips["plain.mp4"].read_bytes(), last_modified="Thu, 01 Jan 1970 00:01:00 GMT")
    with serving({path: answer}) as web:
        farm.here.run("submit", "--dest", f"{farm.out}/", "--preset", "web-480p", "--", web.url(path))
        (job,) = farm.work()

    assert (job["state"], job["details"]) == ("FINISHED", None)
    assert farm.outputs() == [output]
    farm.check(canaries)


def test_links_under_the_names_of_unfinished_outputs_are_not_followed(
    farm: HostileFarm, canaries: Canaries, film: Path
) -> None:
    submitted = farm.here.run("submit", film, "--dest", farm.out / "out.mp4", "--preset", "web-480p", "--json")
    job_id = submitted.json["jobs"][0]["id"]
    for lease in ("1", "2"):
        (farm.out / f".nommerctl-{job_id}-{lease}.part").symlink_to(canaries.film)

    (job,) = farm.work()

    assert job["state"] == "FINISHED"
    farm.check(canaries)
