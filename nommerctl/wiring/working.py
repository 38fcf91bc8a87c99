"""Running a worker in this process."""

import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType

from msgspec import structs

from nommerctl.adapters.local.node_home import NodeHome
from nommerctl.adapters.local.worker_log import rotate
from nommerctl.adapters.os_errors import translated
from nommerctl.domain.text import shown_lines
from nommerctl.domain.times import Instant, rfc3339
from nommerctl.errors import ExitCode, InterruptedPassError, NommerctlError, TerminatedPassError, UnreachableError
from nommerctl.ports import Ledger
from nommerctl.wiring import process
from nommerctl.wiring.farm import Farm
from nommerctl.wiring.machine import Machine, hourly_price, this_instance, this_machine
from nommerctl.worker.nommers.ffmpeg.nommer import FfmpegNommer
from nommerctl.worker.ports import WorkerPorts
from nommerctl.worker.presence import Identity
from nommerctl.worker.worker import Worker


def run_worker(
    farm: Farm,
    *,
    slots: int | None = None,
    idle_exit: float | None = None,
    heartbeat: float | None = None,
    once: bool = False,
    node: str | None = None,
    lock: int | None = None,
    power_off: bool = False,
    of_ledger: bool = False,
) -> ExitCode:
    """Work until there is no more to do, or SIGTERM or SIGINT; return the exit code that says which.

    `node` and `lock` (a descriptor) are given to workers that scale starts: their folder is made and locked already.
    With `power_off` the machine is shut down afterwards, whatever ended the worker, unless it was a signal: then
    somebody else sees to the machine, or it is shutting down already. One whose settings are `of_ledger` is a node that
    scale launched, as is one with `power_off`, but what started it sees to the machine.

    Raises:
        UnreachableError: the machine cannot be shut down, or is to be and does not know which node it is.
    """
    must_know = (power_off or of_ledger) and not farm.is_local
    machine = this_machine(farm, must_know=must_know)
    if must_know and machine.identity is None:  # it may be somebody's own
        msg = "this node does not know which instance it is: EC2's metadata service does not answer"
        raise UnreachableError(msg)
    flags = {"idle_exit": idle_exit, "heartbeat": heartbeat}
    given = {name: value for name, value in flags.items() if value is not None}
    launched = lock is not None or power_off or of_ledger
    usual_slots = farm.settings.scale.jobs_per_node if launched else farm.settings.worker.slots
    node = node or node_name(farm, machine)
    ending = _Ending()
    with _powering_off(_NodeLog(farm.logs, node), ending) if power_off else nullcontext():
        farm.prepare()
        with _home(farm, node, lock) as home:
            ports = replace(worker_ports(farm, home.node), notices=machine.notices)
            worker = Worker(
                _identity(farm, home, machine, ports.log),
                ports=ports,
                settings=structs.replace(farm.settings.worker, **given),
                slots=slots or usual_slots,
                once=once,
                keep_nodes=farm.settings.scale.min_nodes if launched else 0,
                controller_seen=partial(_controller_seen, ports.ledger) if launched else None,
                leave_to_on_demand=machine.leaves_to_on_demand(farm.settings.aws),
            )
            _work(farm, worker, ending)
    return ending.told


@contextmanager
def ending_without_settings() -> Iterator[None]:
    """Shut an EC2 instance down if what is done in here fails: it would cost money, and nobody would end it.

    A machine that is none is left on: it may be somebody's own.
    """
    try:
        yield
    except NommerctlError:
        if this_instance() is not None:
            process.power_off()
        raise


@dataclass
class _Ending:
    """What a signal told the worker, DONE if there was none."""

    told: ExitCode = ExitCode.DONE


@contextmanager
def _powering_off(log: Callable[[str], None], ending: _Ending) -> Iterator[None]:
    """Shut the machine down at the end, unless a signal told of it. An error is logged before, and comes out."""
    try:
        yield
    except (InterruptedPassError, TerminatedPassError):
        raise
    except Exception as error:
        if ending.told is ExitCode.DONE:
            why = str(error) if isinstance(error, NommerctlError) else traceback.format_exc()
            log(f"this machine is shut down, for its worker failed: {why}")
            try:
                process.power_off()
            except UnreachableError as stays_on:
                log(str(stays_on))
        raise
    if ending.told is ExitCode.DONE:
        process.power_off()


def _controller_seen(ledger: Ledger) -> Instant | None:
    return ledger.overview().controller_seen


def node_name(farm: Farm, machine: Machine) -> str:
    """Return the id of the node: that by which the fleet knows it, or one of its own for a worker by hand."""
    if not farm.is_local and machine.identity is not None:
        return machine.identity.instance
    return f"{process.new_token()}-hand"


def _identity(farm: Farm, home: NodeHome, machine: Machine, log: Callable[[str], None]) -> Identity:
    instance = machine.identity
    return Identity(
        node=home.node,
        folder=home.folder,
        host=process.host(),
        pid=process.pid(),
        started=farm.clock(),
        launched=instance.launched if instance else home.birth().launched,
        usd_per_hour=hourly_price(farm, machine, log),
        instance_type=instance.instance_type if instance else "",
        zone=instance.zone if instance else "",
        market=instance.market if instance else "",
    )


@contextmanager
def _home(farm: Farm, node: str, lock: int | None) -> Iterator[NodeHome]:
    """Occupy the folder of a node and clear it away afterwards; one whose process died is cleared away before."""
    home = NodeHome(farm.workers / node)
    try:
        if lock is None:
            if not home.alive():
                home.clear()
            home.occupy(farm.clock())
            home.sign(process.pid())
        else:
            home.inherit(lock)
    except OSError as error:
        raise translated(error, f"the worker's folder {home.folder} cannot be made") from error
    try:
        yield home
    finally:
        home.clear()
        home.let_go()


def _work(farm: Farm, worker: Worker, ending: _Ending) -> None:
    """Let it work until its end, of which signals tell it."""

    def stop(number: int, _frame: FrameType | None) -> None:
        ending.told = ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED
        worker.stop(f"the worker was told to end ({signal.Signals(number).name})")

    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, stop)
    with farm.heeding(worker.heed):
        worker.run()


def worker_ports(farm: Farm, node: str) -> WorkerPorts:
    """Return what a worker of this farm needs of the world."""
    backend = farm.backend
    return WorkerPorts(
        store=backend.store,
        ledger=backend.ledger,
        together=backend.together_at_work,
        new_jobs=backend.new_jobs,
        changes=backend.changes,
        storage=farm.storage,
        nommers={"ffmpeg": FfmpegNommer(farm.settings.ffmpeg, search_path=process.search_path())},
        clock=farm.clock,
        new_lease_id=process.new_lease_id,
        log=_NodeLog(farm.logs, node),
    )


class _NodeLog:
    """Writes lines to standard error, which for a worker that scale started is its log file."""

    def __init__(self, folder: Path, node: str) -> None:
        self._folder = folder
        self._node = node
        self._one_at_a_time = threading.Lock()

    def __call__(self, text: str) -> None:
        """Write a text, each of its lines safe for a terminal, with the time before the first."""
        first, *further = shown_lines(text) or [""]
        lines = [f"{rfc3339(process.clock())[:19]}Z {first}", *(f"    {line}" for line in further)]
        with self._one_at_a_time, suppress(OSError):  # a line that cannot be written must not cost the worker
            sys.stderr.write("".join(f"{line}\n" for line in lines))
            sys.stderr.flush()
            rotate(self._folder, self._node)
