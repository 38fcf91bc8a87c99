"""Films, sounds and subtitles that name what is not theirs: a worker encodes what is in them, and goes nowhere else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clips import Clips
from tests.hostile.canaries import Canaries
from tests.hostile.containers import (
    avi,
    flac_with_linked_cover,
    mov_with_alias,
    mov_with_url,
    mp3_with_linked_cover,
    reference_movie,
    subtitles_with_fonts,
)
from tests.hostile.farm import HostileFarm
from tests.hostile.playlists import hls_segments
from tests.worker.nomming import described

pytestmark = pytest.mark.slow

EVERYTHING = [["c", "copy"], ["map", "0"]]
SOUND = [["c:a", "aac"]]


@pytest.fixture
def made(tmp_path: Path) -> Clips:
    """Clips of one test alone, since they tell of its own folders."""
    return Clips(tmp_path / "made")


@pytest.fixture
def mov(clips: Clips, made: Clips) -> bytes:
    """A QuickTime film whose index comes last."""
    return made.make("film.mov", "-i", str(clips["plain.mp4"]), "-c", "copy").read_bytes()


@pytest.fixture
def finished(farm: HostileFarm, canaries: Canaries) -> Callable[..., Path]:
    """Encode one source that is called so, and return its output; no canary saw it."""

    def encode(name: str, content: bytes, options: list[list[str]] | None = None, suffix: str = ".mp4") -> Path:
        farm.submit(farm.source(name, content), options=options, suffix=suffix)
        (job,) = farm.work()
        assert (job["state"], job["details"]) == ("FINISHED", None)
        farm.check(canaries)
        (output,) = farm.outputs()
        return farm.out / output

    return encode


def failed(farm: HostileFarm, source: Path) -> str:
    farm.submit(source)
    (job,) = farm.work()
    assert job["state"] == "ERROR"
    assert farm.outputs() == []
    return str(job["details"])


def test_a_track_said_to_be_in_another_file_is_not_taken_from_there(
    farm: HostileFarm, canaries: Canaries, mov: bytes
) -> None:
    said = failed(farm, farm.source("film.mov", mov_with_alias(mov, canaries.film)))

    assert said.startswith("ffmpeg failed: ")
    farm.check(canaries)


def test_a_track_said_to_be_on_a_server_is_not_fetched(
    finished: Callable[..., Path], canaries: Canaries, mov: bytes
) -> None:
    assert finished("film.mov", mov_with_url(mov, canaries.url())).exists()


def test_a_movie_that_names_the_one_to_play_in_its_place_is_none(farm: HostileFarm, canaries: Canaries) -> None:
    said = failed(farm, farm.source("film.mov", reference_movie(canaries.url())))

    assert said == "the source has neither a moving picture nor sound"
    farm.check(canaries)


def test_a_playlist_in_the_place_of_subtitles_is_not_followed(
    finished: Callable[..., Path], canaries: Canaries
) -> None:
    playlist = hls_segments(canaries.film, canaries.url())

    assert finished("film.avi", avi(bytes(768), bytes(4), (16, 16), subtitles=playlist)).exists()


@pytest.mark.parametrize(("extension", "attack"), [("flac", flac_with_linked_cover), ("mp3", mp3_with_linked_cover)])
def test_a_cover_that_is_only_a_link_is_not_fetched(
    finished: Callable[..., Path],
    canaries: Canaries,
    *,
    clips: Clips,
    made: Clips,
    extension: str,
    attack: Callable[[bytes, str], bytes],
) -> None:
    tone = made.make(f"tone.{extension}", "-i", str(clips["tone.wav"])).read_bytes()

    assert finished(f"tone.{extension}", attack(tone, canaries.url("/cover.png")), SOUND, ".m4a").exists()


def test_attachments_land_nowhere_whatever_they_are_called(
    finished: Callable[..., Path], canaries: Canaries, *, clips: Clips, made: Clips, tmp_path: Path
) -> None:
    (tmp_path / "attached").write_text("harmless")
    fallen = f"{canaries.folder}/fallen"
    names = [f"{fallen}.txt", f"../../../../../../../..{fallen}.txt", f"file:{fallen}.txt", "-y", "|tee fallen"]
    attached = [word for _ in names for word in ("-attach", str(tmp_path / "attached"))]
    called = [
        word
        for number, name in enumerate(names)
        for word in (f"-metadata:s:t:{number}", f"filename={name}", f"-metadata:s:t:{number}", "mimetype=text/plain")
    ]
    film = made.make("attached.mkv", "-i", str(clips["plain.mp4"]), *attached, *called, "-c", "copy")

    output = finished("film.mkv", film.read_bytes(), EVERYTHING, ".mkv")

    assert [name for name in names if name not in described(output)] == []  # they are in the output, and there alone
    assert sorted(path.name for path in canaries.folder.iterdir()) == ["canary.ts", "passwd"]


@pytest.mark.parametrize(
    ("options", "suffix"), [(EVERYTHING, ".mkv"), ([["c", "copy"], ["map", "0"], ["c:s", "mov_text"]], ".mp4")]
)
def test_subtitles_that_name_fonts_open_none(
    finished: Callable[..., Path],
    canaries: Canaries,
    *,
    clips: Clips,
    made: Clips,
    tmp_path: Path,
    options: list[list[str]],
    suffix: str,
) -> None:
    (tmp_path / "lines.ass").write_bytes(subtitles_with_fonts(canaries.film))
    inputs = ("-i", str(clips["plain.mp4"]), "-i", str(tmp_path / "lines.ass"))
    film = made.make("styled.mkv", *inputs, "-c", "copy", "-map", "0", "-map", "1")

    assert "Subtitle: " in described(finished("film.mkv", film.read_bytes(), options, suffix))


def test_what_a_film_says_of_itself_is_only_said(
    finished: Callable[..., Path], canaries: Canaries, clips: Clips, made: Clips
) -> None:
    film = str(canaries.film)
    tags = {
        "title": f"file://{film}",
        "comment": canaries.url(),
        "artist": f"-i {film}",
        "album": f"`cat {film}` $(cat {film})",
        "genre": f"%s%n%d{film}",
        "copyright": f"\n-i {film}\nfile '{film}'\n#EXTM3U\n{film}",
    }
    told = [word for tag, text in tags.items() for word in ("-metadata", f"{tag}={text}")]
    source = made.make("telling.mp4", "-i", str(clips["plain.mp4"]), "-c", "copy", *told)

    output = finished("film.mp4", source.read_bytes())

    assert f"file://{film}" in described(output)
