"""I2: what costs money never exceeds the bound, whatever overlaps, lags, repeats or dies."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.ledger import SimpledbLedger
from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.ledger import SqliteLedger
from nommerctl.domain.config_aws import SimpledbSettings
from nommerctl.ports import Clock, Ledger
from tests.bound.farm import BoundFarm
from tests.bound.scenarios import POOLS, SCENARIOS, Scenario
from tests.fakes.ec2 import EVER
from tests.simpledb.server import simpledb_server
from tests.simpledb_farm import clients_of_simpledb

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it

generated = settings(
    database=None,
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)

slow = pytest.mark.slow, pytest.mark.timeout(3600)

FLEETS = int(os.environ.get("NOMMERCTL_TEST_FLEETS", "2500"))
"""How many fleets the slow test generates, others each time; whoever changes how nodes are launched asks for 10,000."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is such a thing."""
    folder = Path(mkdtemp(dir=MEMORY if MEMORY.is_dir() else tmp_path))
    yield folder
    shutil.rmtree(folder)


def play(farm: BoundFarm, scenario: Scenario) -> None:
    """Let it all happen; then all is quiet, and the farm has to come to what is wanted."""
    with farm.open():
        farm.ec2.lag = scenario.lag
        for event in scenario.events:
            event.happen(farm)
            assert farm.ec2.violations == []
        come_to_rest(farm)
    assert farm.ec2.violations == []
    assert farm.ec2.mismatched == []
    assert farm.ledger.overview().unsettled is None
    assert len(farm.ec2.running) >= 4


def come_to_rest(farm: BoundFarm) -> None:
    """Let all faults stop, and passes go on: four nodes are wanted, and allowed.

    An order may need the second pass to be settled, and be in doubt until the third, by the slowest of clocks.
    """
    farm.all_die()
    farm.ec2.room |= dict.fromkeys(POOLS, EVER)
    farm.want(4)
    for number, seconds in enumerate((700, 1900, 3100, 700, 700)):
        farm.time_passes(seconds)
        farm.beat()
        controller = farm.controllers[number % len(farm.controllers)]
        controller.settings = structs.replace(controller.settings, max_nodes=4, min_nodes=0)
        farm.whole_pass(controller)


@pytest.mark.parametrize("examples", [80, pytest.param(FLEETS, marks=slow)])
def test_i2_in_every_generated_fleet_nothing_is_launched_beyond_the_bound(client: "EC2Client", examples: int) -> None:
    @settings(generated, max_examples=examples)
    @given(SCENARIOS)
    def all_of_them(scenario: Scenario) -> None:
        play(BoundFarm(client, aws=scenario.aws, clocks_off=scenario.clocks_off), scenario)

    all_of_them()


@pytest.mark.parametrize("examples", [15, pytest.param(500, marks=slow)])
def test_i2_holds_as_well_with_the_ledger_in_a_database(client: "EC2Client", folder: Path, examples: int) -> None:
    @settings(generated, max_examples=examples)
    @given(SCENARIOS)
    def all_of_them(scenario: Scenario) -> None:
        with ExitStack() as stack:
            ledger_of = in_a_database(folder, stack)
            farm = BoundFarm(client, aws=scenario.aws, clocks_off=scenario.clocks_off, ledger_of=ledger_of)
            play(farm, scenario)

    all_of_them()


@pytest.mark.parametrize("examples", [5, pytest.param(60, marks=slow)])
def test_i2_holds_as_well_with_the_ledger_in_simpledb(client: "EC2Client", examples: int) -> None:
    with simpledb_server() as server, clients_of_simpledb(server.url) as clients:

        @settings(generated, max_examples=examples)
        @given(SCENARIOS)
        def all_of_them(scenario: Scenario) -> None:
            server.clear()
            clients.sdb.create_domain(DomainName=SimpledbSettings().heartbeat_domain)
            farm = BoundFarm(client, aws=scenario.aws, clocks_off=scenario.clocks_off, ledger_of=in_simpledb(clients))
            play(farm, scenario)

        all_of_them()


def in_simpledb(clients: Clients) -> Callable[[Clock], Ledger]:
    """The one in there, to which each controller has a way of its own."""
    return lambda clock: SimpledbLedger(clients, "farm", SimpledbSettings(), clock, slots=1, sleep=lambda _: None)


def in_a_database(folder: Path, stack: ExitStack) -> Callable[[Clock], Ledger]:
    """A new one in this folder, to which each controller has a way of its own."""
    for left in folder.iterdir():
        left.unlink()
    return lambda clock: SqliteLedger(stack.enter_context(closing(Database(folder / "farm.db"))), clock)
