"""What this process finds around itself: the clock, chance, its environment, its user and its host."""

import math
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from nommerctl.domain.text import storable
from nommerctl.domain.times import Instant
from nommerctl.errors import UnreachableError
from nommerctl.settings.load import Surroundings


def clock() -> Instant:
    """Return the time of day."""
    return time.time_ns() // 1000


def new_job_id() -> str:
    """Return an id that nobody can guess and nobody else has."""
    return os.urandom(25).hex()


def new_lease_id() -> str:
    """Return the id of a lease."""
    return os.urandom(8).hex()


def new_token(size: int = 4) -> str:
    """Return the token of an order for nodes, of so many bytes."""
    return os.urandom(size).hex()


def environment() -> Mapping[str, str]:
    """Return the variables of this process."""
    return os.environ


def surroundings() -> Surroundings:
    """Return what settings depend on."""
    return Surroundings(environment=environment(), home=Path.home(), folder=Path.cwd(), is_root=os.geteuid() == 0)


def user_name() -> str:
    """Return the name of the account that runs this, its number if it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def user() -> str:
    """Return who runs this, as `name@host`, for the history of a job."""
    return storable(f"{user_name()}@{host()}")


def host() -> str:
    """Return the name of this machine, for the ledger: the kernel takes any bytes for one."""
    return storable(os.uname().nodename)


def executable() -> str:
    """Return the command that a crontab calls: nommerctl beside the interpreter that runs it now."""
    return str(Path(sys.executable).with_name("nommerctl"))


def worker_command(*, config: Path | None, state_dir: Path) -> list[str]:
    """Return what starts a worker of the same farm: the same interpreter, settings file and state folder."""
    named = [] if config is None else ["--config", str(config)]
    return [sys.executable, "-P", "-m", "nommerctl", *named, "--state-dir", str(state_dir), "worker"]


def pid() -> int:
    """Return the id of this process."""
    return os.getpid()


def root_disk_gb() -> int:
    """Return how large the disk of this machine is, in whole GB as a volume is paid for."""
    root = os.statvfs("/")
    return math.ceil(root.f_blocks * root.f_frsize / 1024**3)


USUAL_PLACES = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"
"""Where programs are that cron's bare PATH does not name."""


def search_path() -> str:
    """Return where to look for an ffmpeg of the system: PATH, then the usual places, under cron as by hand."""
    own = environment().get("PATH")
    return f"{own}:{USUAL_PLACES}" if own else USUAL_PLACES


def cron_search_path() -> str:
    """Return the same under cron, whose PATH is bare."""
    return f"/usr/bin:/bin:{USUAL_PLACES}"


SHUT_DOWN = ("shutdown", "-h", "now")
"""An instance that was launched to terminate at its shutdown is gone by this, without any permission for it."""

SYSTEM_PLACES = "/usr/sbin:/sbin"
"""Where programs are that only an administrator needs."""


def power_off(command: Sequence[str] = SHUT_DOWN) -> None:
    """Shut this machine down; UnreachableError if that cannot be done."""
    program, *arguments = command
    found = shutil.which(program, path=f"{search_path()}:{SYSTEM_PLACES}")
    why = f"there is no '{program}'"
    if found is not None:
        try:
            done = subprocess.run([found, *arguments], stdin=subprocess.DEVNULL, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            why = str(error)
        else:
            if done.returncode == 0:
                return
            why = f"'{' '.join(command)}' ended with {done.returncode}"
    msg = f"this machine cannot be shut down, and goes on to cost money: {why}"
    raise UnreachableError(msg)
