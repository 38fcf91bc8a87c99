"""Submitting the job that a request of media-nommer's producers asks for."""

from typing import NamedTuple

from nommerctl.domain.job import JobId
from nommerctl.domain.job_requests import JobRequest, NotifyUrlError, faults_of, parse_job_request
from nommerctl.domain.options import muxer_for
from nommerctl.domain.outcome import Outcome
from nommerctl.domain.text import shown
from nommerctl.domain.uris import check_notify_url
from nommerctl.errors import DestinationError, NommerctlError, SourceError
from nommerctl.passes.submit import Request
from nommerctl.wiring.farm import Farm
from nommerctl.wiring.line_files import whole_file
from nommerctl.wiring.requesting import MOST_OPTIONS, Requests, Submission
from nommerctl.wiring.submitting import submit_request


class Granted(NamedTuple):
    """The job that was stored. `trouble` is what went wrong all the same, `warmed` as in Submitted."""

    job_id: JobId
    trouble: NommerctlError | None
    warmed: Outcome | None


def submit_json(farm: Farm, file: str) -> Granted:
    """Submit the job of the request in this file, `-` for standard input.

    Once it is stored the request is granted, whatever happens then: who got a refusal would ask for the same again.

    Raises:
        UsageError: of the kinds of domain/job_requests.py; nothing was stored.
    """
    asked = parse_job_request(whole_file(file, MOST_OPTIONS, "request"))
    submitted, trouble = submit_request(farm, _request(farm, asked))
    return Granted(submitted.jobs[0].id, trouble, submitted.warmed)


def _request(farm: Farm, asked: JobRequest) -> Request:
    requests = Requests(farm)
    with faults_of(DestinationError):
        if requests.folder(asked.dest_path):
            msg = f"'{shown(asked.dest_path)}' is a folder: name the file to write in it"
            raise DestinationError(msg)
        muxer_for(requests.place(asked.dest_path))
    with faults_of(SourceError):
        requests.place(asked.source_path)
    if asked.notify_url is not None:
        with faults_of(NotifyUrlError):
            check_notify_url(asked.notify_url, farm.settings.notify.allow_private)
    return requests.request(
        Submission(
            sources=(asked.source_path,), dest=asked.dest_path, options=asked.options, notify_url=asked.notify_url
        )
    )
