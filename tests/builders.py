"""Valid records with little to say, so that a test names only what it is about."""

from typing import Any

from msgspec import structs

from nommerctl.domain.job import EncodePass, EncodingJob, JobId, Lease
from nommerctl.domain.times import Instant, micros
from tests.fakes.clock import START


def job_id(number: int) -> JobId:
    """The id of the job that `make_job(number)` makes: the number in fifty hexadecimal digits, in order of numbers."""
    return f"{number:050x}"


def make_job(number: int = 1, /, **overrides: Any) -> EncodingJob:  # noqa: ANN401 - any field of the record
    """A PENDING job as the producer fills it in, created `number` seconds after START; fields by keyword.

    It has no history and version 0: pass it through `moves.submitted` or a store's `submit` for those.
    """
    created = overrides.get("created", START + micros(number))
    job = EncodingJob(
        id=job_id(number),
        source=f"/srv/in/{number}.mov",
        dest=f"/srv/out/{number}.mp4",
        created=created,
        changed=created,
        preset="web-720p",
        options=(EncodePass(outfile_options=(("vcodec", "libx264"), ("crf", 23))),),
    )
    return structs.replace(job, **overrides)


def make_lease(
    name: str = "lease-1",
    *,
    owner: str = "node-1",
    until: Instant = START + 90_000_000,
    seconds: float = 0.0,
    last_call: Instant = 0,
    since: Instant = 0,
    usd_per_hour: float = 0.0,
) -> Lease:
    """A lease that lasts 90 seconds from START."""
    return Lease(
        id=name,
        owner=owner,
        until=until,
        seconds=seconds,
        last_call=last_call,
        since=since,
        usd_per_hour=usd_per_hour,
    )
