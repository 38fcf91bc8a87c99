"""How far away an address is."""

from enum import StrEnum
from ipaddress import IPv6Address, ip_address


class Network(StrEnum):
    """Where an address leads."""

    MACHINE = "this machine"
    LINK = "a link of this machine"
    PRIVATE = "a private network"
    INTERNET = "the internet"


def network_of(address: str) -> Network:
    """Return where an IP address leads (RFC 6890). `0.0.0.0` and `::` lead to this machine, as Linux has it."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback or ip.is_unspecified:
        return Network.MACHINE
    if ip.is_link_local:
        return Network.LINK
    return Network.INTERNET if ip.is_global else Network.PRIVATE
