"""A real worker, on a real farm, that waits when its job reaches a given state: to be killed there, or told to go on.

Run as `python -m tests.end_to_end.paused_worker STATE`, with the farm in $NOMMERCTL_STATE_DIR. It is the product's own
worker; only its storage, or its nommer, waits where it is told to: it says so on standard output, and goes on when a
line comes on standard input. In UPLOADING it waits before its lease is checked for the last time; in PERMITTED, which
is no state but the moment after that, before the output is moved into place.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nommerctl.adapters.local.files import FileStorage
from nommerctl.adapters.local.node_home import NodeHome
from nommerctl.domain.job import Media, Progress
from nommerctl.ports import Done, Encoded, Output, Watch, Work, nobody, nothing
from nommerctl.wiring.farm import Farm, Invocation, load
from nommerctl.wiring.working import worker_ports
from nommerctl.worker.presence import Identity
from nommerctl.worker.worker import Worker

NODE = "paused"


def wait_to_be_told() -> None:
    print("here", flush=True)  # noqa: T201 - the test waits for it
    sys.stdin.readline()


@dataclass
class PausedOutput:
    output: Output
    path: Path
    permitted: bool

    def place(self, permit: Callable[[], None], keep_on: Callable[[], None] = nothing, done: Done = nobody) -> None:
        def permit_and_wait() -> None:
            permit()
            wait_to_be_told()

        if self.permitted:
            self.output.place(permit_and_wait, keep_on, done)
        else:
            wait_to_be_told()
            self.output.place(permit, keep_on, done)

    def discard(self) -> None:
        self.output.discard()


class PausedFiles(FileStorage):
    def __init__(self, state: str) -> None:
        self._state = state

    def fetch(self, source: str, folder: Path, keep_on: Callable[[], None], done: Done = nobody) -> Path:
        if self._state == "DOWNLOADING":
            wait_to_be_told()
        return super().fetch(source, folder, keep_on, done)

    @contextmanager
    def output(  # type: ignore[override] # an Output is all it promises
        self, dest: str, tag: str, leave_word: Callable[[Path], None] = lambda _: None
    ) -> Iterator[Output]:
        with super().output(dest, tag, leave_word) as output:
            placing = self._state in {"UPLOADING", "PERMITTED"}
            yield PausedOutput(output, output.path, self._state == "PERMITTED") if placing else output


class PausedNommer:
    def encode(self, work: Work, watch: Watch) -> Encoded:
        work.output.write_bytes(b"half an output")
        watch.report(Progress(fraction=0.5, fps=25.0, speed=1.5, eta_s=30.0))
        wait_to_be_told()
        return Encoded(media=Media(seconds=1.0), command="none", log="")


def main() -> None:
    state = sys.argv[1]
    farm = Farm(load(Invocation()))
    farm.prepare()
    home = NodeHome(farm.workers / NODE)
    home.occupy(farm.clock())
    home.sign(os.getpid())
    ports = replace(worker_ports(farm, NODE), storage=PausedFiles(state))
    if state == "ENCODING":
        ports = replace(ports, nommers={"ffmpeg": PausedNommer()})
    identity = Identity(node=NODE, folder=home.folder, host="here", pid=os.getpid(), started=farm.clock())
    Worker(identity, ports=ports, settings=farm.settings.worker, slots=1, once=True).run()


if __name__ == "__main__":
    main()
