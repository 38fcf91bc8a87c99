"""Jobs in SimpleDB for tests: an empty farm on a server, and items as media-nommer's own programs write them."""

from collections.abc import Mapping

from nommerctl.adapters.aws.names import jobs_table
from nommerctl.domain.config_aws import SimpledbSettings
from nommerctl.domain.job import JobId
from tests.simpledb.server import SimpleDB

FARM = "test"
SETTINGS = SimpledbSettings()
OURS = jobs_table(FARM)


def simpledb_farm(server: SimpleDB) -> str:
    """The name of a farm that takes over a domain of media-nommer's which is empty."""
    server.clear()
    server.put(SETTINGS.job_domain, "x", {"x": "x"})
    server.delete(SETTINGS.job_domain, "x")
    return FARM


NOMMER = "media_nommer.ec2nommerd.nommers.ffmpeg.FFmpegNommer"
OPTIONS = '[{"outfile_options": [["threads", 0], ["vcodec", "libx264"], ["an", null]]}]'


EIGHT = "2026-01-01 08:00:00.000000"
"""An hour before START."""


NOTHING: Mapping[str, str | None] = {}


class OldPrograms:
    """Media-nommer's own producers and workers: they write whole items, whatever stands there, in the zone of UTC."""

    def __init__(self, server: SimpleDB) -> None:
        self._server = server

    def submit(self, job_id: JobId, at: str = EIGHT, overrides: Mapping[str, str | None] = NOTHING) -> None:
        """Write the item of a new job; an attribute that is None is left out."""
        item: dict[str, str | None] = {
            "unique_id": job_id,
            "source_path": "s3://films/in.mov",
            "dest_path": "s3://films/out.mp4",
            "nommer": NOMMER,
            "job_options": OPTIONS,
            "job_state": "PENDING",
            "notify_url": "http://listener.example/",
            "creation_dtime": at,
            "last_modified_dtime": at,
        }
        item.update(overrides)
        self._server.put(SETTINGS.job_domain, job_id, {name: each for name, each in item.items() if each is not None})

    def change(self, job_id: JobId, state: str, at: str, details: str | None = None) -> None:
        """Write a job as a worker has it in hand."""
        item = {"job_state": state, "last_modified_dtime": at}
        item |= {} if details is None else {"job_state_details": details}
        self._server.put(SETTINGS.job_domain, job_id, item)
