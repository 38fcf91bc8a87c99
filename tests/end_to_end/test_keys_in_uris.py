"""Keys of AWS in the URIs of media-nommer's producers: told to nobody, and not used."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from nommerctl.domain.job import EncodingJob
from tests.aws_farm import AwsFarm
from tests.clips import Clips

KEY = "AKIAIOSFODNN7EXAMPLE"
HIDDEN = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PRESET = ("--preset", "audio-m4a")
HINT = "give the farm access instead (aws.buckets for its nodes, your profile for you)"


@pytest.fixture
def farm(aws: AwsFarm, clips: Clips) -> Iterator[AwsFarm]:
    aws.put("film.mov", clips["plain.mp4"].read_bytes())
    aws.here.settings |= {"FFMPEG_THREADS": "1"}
    yield aws
    told = [aws.here.run("list", *flags) for flags in ((), ("--json",))]
    told += [aws.here.run("show", job, "--json") for job in aws.here.listed()]
    written = [file.read_bytes() for file in aws.here.state_dir.rglob("*") if file.is_file()]
    assert not any(part in f"{each.stdout}{each.stderr}" for each in told for part in (KEY, HIDDEN, HIDDEN[:14]))
    assert not any(HIDDEN.encode() in each for each in written)


def keyed(farm: AwsFarm, name: str) -> str:
    return f"s3://{KEY}:{HIDDEN}@{farm.bucket}/{name}"


def old_job(farm: AwsFarm) -> EncodingJob:
    """A job as an old producer stored it, with the message about it."""
    job = farm.stored(source=keyed(farm, "film.mov"), dest=keyed(farm, "old.m4a"))
    farm.new_jobs.send([job.id])
    return job


def there(farm: AwsFarm, name: str) -> bool:
    found = farm.clients.s3().list_objects_v2(Bucket=farm.bucket, Prefix=name)
    return found["KeyCount"] == 1


@pytest.mark.slow
def test_a_submitted_uri_with_keys_is_refused_with_a_hint(farm: AwsFarm) -> None:
    for pair in ((keyed(farm, "film.mov"), f"s3://{farm.bucket}/out.m4a"), ("s3://x/a.mov", keyed(farm, "out.m4a"))):
        refused = farm.here.run("submit", pair[0], "--dest", pair[1], *PRESET, "--json", code=2)
        assert HINT in refused.json["error"]["message"]
        assert HIDDEN[:14] not in refused.stdout + refused.stderr
    assert farm.here.listed() == {}


@pytest.mark.slow
def test_a_submitted_uri_loses_its_keys_where_that_is_wanted(farm: AwsFarm, tmp_path: Path) -> None:
    farm.here.settings["STORAGE_STRIP_CREDENTIALS"] = "true"
    (tmp_path / "jobs.jsonl").write_text(
        f'{{"source": "{keyed(farm, "film.mov")}", "dest": "{keyed(farm, "b.m4a")}", "preset": "audio-m4a"}}\n'
    )
    farm.here.run("submit", keyed(farm, "film.mov"), "--dest", keyed(farm, "a.m4a"), *PRESET)
    farm.here.run("submit", "--from", "jobs.jsonl")
    farm.here.run("submit", keyed(farm, "film.mov"), "--dest", keyed(farm, "c/"), *PRESET)
    jobs = farm.store.get(farm.here.listed()).values()
    assert {job.source for job in jobs} == {f"s3://{farm.bucket}/film.mov"}
    assert {job.dest.partition(farm.bucket)[2] for job in jobs} == {"/a.m4a", "/b.m4a", "/c/film-audio.m4a"}


@pytest.mark.slow
def test_a_request_with_keys_is_refused_or_loses_them(farm: AwsFarm, tmp_path: Path) -> None:
    job_options = {"nommer": "ffmpeg", "options": [{"outfile_options": [["vn", None], ["acodec", "aac"]]}]}
    places = {"source_path": keyed(farm, "film.mov"), "dest_path": keyed(farm, "out.m4a")}
    (tmp_path / "request.json").write_text(json.dumps({**places, "job_options": job_options}))
    refused = farm.here.run("submit", "--request", "request.json", code=2)
    assert refused.json["error_code"] == "CREDENTIALS"
    assert HINT in refused.json["message"]
    farm.here.settings["STORAGE_STRIP_CREDENTIALS"] = "true"
    granted = farm.here.run("submit", "--request", "request.json")
    job = farm.store.get([granted.json["job_id"]])[granted.json["job_id"]]
    assert (job.source, job.dest) == (f"s3://{farm.bucket}/film.mov", f"s3://{farm.bucket}/out.m4a")
    assert not any(HIDDEN[:14] in each.stdout + each.stderr for each in (refused, granted))


@pytest.mark.slow
def test_nodes_are_told_whether_to_drop_keys(farm: AwsFarm) -> None:
    farm.here.settings |= {"STORAGE_STRIP_CREDENTIALS": "true", "SCALE_MAX_NODES": "0"}
    farm.here.run("refresh")
    farm.here.run("scale")
    assert json.loads(farm.ledger.overview().node_settings)["storage"]["strip_credentials"] is True


@pytest.mark.slow
def test_a_stored_job_with_keys_is_an_error_with_a_hint(farm: AwsFarm) -> None:
    job = old_job(farm)
    worked = farm.here.run("worker", "--once")
    assert farm.state(job) == "ERROR"
    assert HINT in (farm.store.get([job.id])[job.id].details or "")
    assert HIDDEN[:14] not in worked.stdout + worked.stderr
    farm.here.run("refresh", code=None)


@pytest.mark.slow
def test_a_stored_job_with_keys_is_done_by_the_farms_own_where_that_is_wanted(farm: AwsFarm) -> None:
    farm.here.settings["STORAGE_STRIP_CREDENTIALS"] = "true"
    job = old_job(farm)
    worked = farm.here.run("worker", "--once")
    assert farm.state(job) == "FINISHED", worked.stderr
    assert there(farm, "old.m4a")
    assert HIDDEN[:14] not in worked.stdout + worked.stderr
    farm.here.run("refresh", code=None)
