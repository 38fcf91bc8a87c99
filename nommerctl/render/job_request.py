"""The answer to a request of media-nommer's producers: its two objects, one line each."""

from nommerctl.domain.job import JobId
from nommerctl.domain.job_requests import error_code
from nommerctl.errors import NommerctlError
from nommerctl.render.json_text import json_text


def accepted_json(job_id: JobId) -> str:
    """Return the answer that a job is stored."""
    return json_text({"success": True, "job_id": job_id})


def refused_json(error: NommerctlError) -> str:
    """Return the answer that none is, and why."""
    return json_text({"success": False, "error_code": error_code(error).value, "message": str(error)})
