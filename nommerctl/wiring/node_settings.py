"""The settings that a node finds in the ledger of its farm."""

from nommerctl.settings.published import Published
from nommerctl.wiring import process


def published(table: str) -> Published:
    """Read what scale published in a table, in the region and by the credentials of the usual chain."""
    from nommerctl.adapters.aws.clients import Clients
    from nommerctl.adapters.aws.node_settings import node_settings

    clients = Clients(region=process.environment().get("AWS_REGION", ""))
    try:
        return Published(table=table, text=node_settings(clients, table))
    finally:
        clients.close()
