"""A job as other programs get it from `list` and `show`: times in RFC 3339, ids whole."""

from typing import Any

import msgspec

from nommerctl.domain.costs import job_cost, job_price
from nommerctl.domain.job import Delivery, EncodingJob
from nommerctl.domain.reasons import reason
from nommerctl.domain.times import Instant, rfc3339

KEYS = (
    "id",
    "state",
    "source",
    "dest",
    "preset",
    "attempt",
    "progress",
    "eta_s",
    "node",
    "created",
    "changed",
    "details",
    "reason",
    "usd_per_hour",
    "cost_usd",
)
"""What `list` says of a job, in this order, in JSON and in TSV."""


def job_record(job: EncodingJob, now: Instant, *, as_of: Instant | None = None) -> dict[str, str | int | float | None]:
    """Return what KEYS name: `progress` is a fraction of 1, `eta_s` seconds, both None while they are not known.

    `usd_per_hour` is what the job costs at the moment, `cost_usd` what it has cost so far; None if no price is known.
    """
    return {
        "id": job.id,
        "state": job.state.value,
        "source": job.source,
        "dest": job.dest,
        "preset": job.preset,
        "attempt": job.attempt,
        "progress": job.progress.fraction if job.progress else None,
        "eta_s": job.progress.eta_s if job.progress else None,
        "node": job.node,
        "created": rfc3339(job.created),
        "changed": rfc3339(job.changed),
        "details": job.details,
        "reason": reason(job, now, as_of=as_of),
        "usd_per_hour": job_price(job, now) or None,
        "cost_usd": job_cost(job, now) or None,
    }


def _delivery_record(delivery: Delivery | None) -> dict[str, Any] | None:
    """Return how telling stands: `next` None if it was given up."""
    if delivery is None:
        return None
    return {**msgspec.structs.asdict(delivery), "next": rfc3339(delivery.next) if delivery.next else None}


def whole_job_record(job: EncodingJob, now: Instant) -> dict[str, Any]:
    """Return job_record, and after it everything else that the job's record holds."""
    lease = job.lease and {"id": job.lease.id, "owner": job.lease.owner, "until": rfc3339(job.lease.until)}
    return {
        **job_record(job, now),
        "nommer": job.nommer,
        "options": msgspec.to_builtins(job.options),
        "notify_url": job.notify_url,
        "told": job.told,
        "delivery": _delivery_record(job.delivery),
        "client_id": job.client_id,
        "queued_at": rfc3339(job.queued_at) if job.queued_at else None,
        "interruptions": job.interruptions,
        "lease": lease,
        "fps": job.progress.fps if job.progress else None,
        "speed": job.progress.speed if job.progress else None,
        "media": msgspec.to_builtins(job.media),
        "command": job.command,
        "log": job.log,
        "history": [{**msgspec.to_builtins(entry), "at": rfc3339(entry.at)} for entry in job.history],
        "version": job.version,
    }
