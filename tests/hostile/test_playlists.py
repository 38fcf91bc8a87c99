"""Playlists and scripts as sources: they lead to no file and no server, whatever they are called or look like."""

import subprocess
from itertools import cycle

import pytest

from tests.clips import Clips, ffmpeg
from tests.hostile.canaries import Canaries
from tests.hostile.farm import HostileFarm
from tests.hostile.playlists import EXTENSIONS, PLAYLISTS, PREFIXES, hls_segments
from tests.web import reply, serving

pytestmark = pytest.mark.slow

CREDULOUS = {
    "hls-segments": (),
    "hls-key": (),
    "hls-master": (),
    "dash": (),
    "ffconcat": ("-safe", "0"),
    "concat": ("-f", "concat", "-safe", "0"),
}
"""Those with which ffmpeg by itself goes astray, and what it has to be told for that."""


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_leads_nowhere(farm: HostileFarm, canaries: Canaries, name: str) -> None:
    playlist = PLAYLISTS[name](canaries.film, canaries.url())
    disguised = zip(PREFIXES.values(), cycle(EXTENSIONS), strict=False)
    farm.submit(
        *(farm.source(f"plain{number}{extension}", playlist) for number, extension in enumerate(EXTENSIONS)),
        *(
            farm.source(f"disguised{number}{extension}", prefix + playlist)
            for number, (prefix, extension) in enumerate(disguised)
        ),
    )

    jobs = farm.work()

    assert [job["state"] for job in jobs] == ["ERROR"] * (len(EXTENSIONS) + len(PREFIXES))
    for job in jobs:
        assert job["details"].startswith("the source cannot be read as a media file: "), job["source"]
    assert farm.outputs() == []
    farm.check(canaries)


def test_a_playlist_from_a_server_leads_nowhere_either(farm: HostileFarm, canaries: Canaries) -> None:
    """Whatever the server calls it, or its content."""
    answers = {
        f"/{name}.m3u8": reply(200, make(canaries.film, canaries.url()), content_type="application/vnd.apple.mpegurl")
        for name, make in PLAYLISTS.items()
    }
    with serving(answers) as web:
        farm.submit(*(web.url(path) for path in answers))
        jobs = farm.work()

    assert [job["state"] for job in jobs] == ["ERROR"] * len(PLAYLISTS)
    assert farm.outputs() == []
    farm.check(canaries)


def test_a_playlist_behind_a_film_is_no_part_of_it(farm: HostileFarm, canaries: Canaries, clips: Clips) -> None:
    playlist = hls_segments(canaries.film, canaries.url())
    farm.submit(farm.source("film.m3u8", clips["plain.mp4"].read_bytes() + playlist))

    (job,) = farm.work()

    assert job["state"] == "FINISHED"
    farm.check(canaries)


@pytest.mark.parametrize("name", CREDULOUS)
def test_ffmpeg_by_itself_would_have_gone_where_they_lead(farm: HostileFarm, canaries: Canaries, name: str) -> None:
    """That the canaries sing: else the tests above would show nothing."""
    source = farm.source("list.m3u8", PLAYLISTS[name](canaries.film, canaries.url()))
    trusting = ("-protocol_whitelist", "file,http,tcp,crypto,concat,subfile")
    quiet = ("-nostdin", "-loglevel", "quiet")

    subprocess.run(
        [ffmpeg(), *quiet, *trusting, *CREDULOUS[name], "-i", source, "-t", "1", "-f", "null", "-"],
        timeout=60,
        check=False,
    )

    assert canaries.touched() != []
