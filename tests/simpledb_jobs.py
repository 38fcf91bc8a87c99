"""Jobs in SimpleDB for tests: an empty farm on a server, and items as media-nommer's own programs write them."""

from nommerctl.adapters.aws.names import jobs_table
from nommerctl.domain.config_aws import SimpledbSettings
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
