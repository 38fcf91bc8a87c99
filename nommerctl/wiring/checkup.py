"""What `doctor` looks at: one list of checks for every farm, and one for each backend."""

from collections.abc import Callable
from functools import partial

from nommerctl.adapters.os_errors import translated
from nommerctl.domain.checkup import Checkup, Finding
from nommerctl.domain.config import Backend
from nommerctl.passes.doctor import Check, Look, doctor
from nommerctl.wiring.aws_checks import aws_checks
from nommerctl.wiring.farm import Farm
from nommerctl.wiring.ffmpeg_checks import ffmpeg_checks
from nommerctl.wiring.limits import Limits
from nommerctl.wiring.local_checks import local_checks
from nommerctl.wiring.machine_checks import machine_checks
from nommerctl.wiring.simpledb_checks import simpledb_checks

OF_BACKEND: dict[Backend, Callable[[Farm, Callable[[], None]], list[Check]]] = {
    Backend.LOCAL: local_checks,
    Backend.AWS: aws_checks,
    Backend.SIMPLEDB: simpledb_checks,
}
"""What there is to look at where the jobs are kept."""


def examine(farm: Farm, *, attended: bool) -> Checkup:
    """Look at everything within farm.time_limit, and change nothing; `attended` is whether a person is there."""
    limits = Limits(farm.settings.farm.time_limit)
    with limits.in_force(), farm.heeding(limits.heed):
        checks = [
            *machine_checks(farm, attended=attended),
            *(ffmpeg_checks(farm, limits.heed) if farm.is_local else []),
            *OF_BACKEND[farm.settings.farm.backend](farm, limits.heed),  # last: a large store takes long
        ]
        ours = [Check(check.name, partial(_in_our_words, check.look)) for check in checks]
        return doctor(ours, heed=limits.heed, clock=farm.clock)


def _in_our_words(look: Look) -> list[Finding]:
    """Look; what the system refuses meanwhile, such as to enter a folder, is an error that `doctor` knows."""
    try:
        return list(look())
    except OSError as error:
        what = f"'{error.filename}' cannot be looked at" if error.filename else "the system refused"
        raise translated(error, what) from error
