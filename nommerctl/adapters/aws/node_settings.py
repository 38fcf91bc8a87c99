"""What a node reads of its farm before it knows the farm: its settings, in the table of the ledger."""

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.ledger_items import settings_key
from nommerctl.errors import SettingsError


def node_settings(clients: Clients, table: str) -> str:
    """Return the text that scale published; SettingsError if there is no such table, or nothing in it."""
    with calling("dynamodb:GetItem", f"table '{table}'"):
        try:
            found = clients.dynamodb.get_item(TableName=table, Key=settings_key(), ConsistentRead=True)
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            msg = (
                f"there is no table '{table}' in this account and region: --ledger and AWS_REGION must name that which"
                " 'nommerctl aws bootstrap' made"
            )
            raise SettingsError(msg) from error
    text: str | None = found.get("Item", {}).get("text", {}).get("S")
    if text is None:
        msg = f"table '{table}' holds no settings for nodes: run 'nommerctl scale' where the farm is controlled"
        raise SettingsError(msg)
    return text
