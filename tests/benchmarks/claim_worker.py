"""One worker of the claims row, in a process of its own: the real loop, store and queues, but nothing to encode."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nommerctl.domain.config import WorkerSettings
from nommerctl.domain.job import Media
from nommerctl.ports import Done, Encoded, SourceLook, Watch, Work, nobody, nothing
from nommerctl.wiring.farm import Farm, Invocation, load
from nommerctl.wiring.working import worker_ports
from nommerctl.worker.presence import Identity
from nommerctl.worker.worker import Worker
from tests.benchmarks.crowd import ready_then_go


class NoOpNommer:
    """Encodes nothing."""

    def encode(self, work: Work, watch: Watch) -> Encoded:  # noqa: ARG002 - a Nommer
        return Encoded(media=Media(seconds=1.0), command="true", log="")


class NoOpOutput:
    """A ports.Output without a file. Like the real one it asks for leave before it would move anything."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def place(
        self,
        permit: Callable[[], None],
        keep_on: Callable[[], None] = nothing,  # noqa: ARG002 - an Output
        done: Done = nobody,  # noqa: ARG002
    ) -> None:
        permit()

    def discard(self) -> None:
        """There is nothing to discard."""


class NoOpStorage:
    """A ports.Storage without files."""

    def look(self, source: str) -> SourceLook:  # noqa: ARG002 - a Storage
        return SourceLook(size=1, modified=None)

    def check_destination(self, dest: str) -> None:
        """Anything will do."""

    def is_same(self, source: str, dest: str) -> bool:
        return source == dest

    def fetch(
        self,
        source: str,
        folder: Path,  # noqa: ARG002 - a Storage
        keep_on: Callable[[], None],
        done: Done = nobody,  # noqa: ARG002
    ) -> Path:
        keep_on()
        return Path(source)

    @contextmanager
    def output(
        self,
        dest: str,
        tag: str,  # noqa: ARG002 - a Storage
        leave_word: Callable[[Path], None] = lambda _: None,
    ) -> Iterator[NoOpOutput]:
        leave_word(Path(dest))
        yield NoOpOutput(Path(dest))


def main(state_dir: str, node: str) -> None:
    """Work until the queue is empty."""
    farm = Farm(load(Invocation(state_dir=state_dir)))
    ports = replace(
        worker_ports(farm, node), nommers={"ffmpeg": NoOpNommer()}, storage=NoOpStorage(), log=lambda _: None
    )
    folder = farm.workers / node
    worker = Worker(
        Identity(node=node, folder=folder, host="here", pid=0, started=farm.clock()),
        ports=ports,
        settings=WorkerSettings(),
        slots=1,
        once=True,
    )
    ready_then_go()
    worker.run()
    farm.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
