"""How far away an address is, and whether listeners are told there."""

from collections.abc import Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_IPV4_AT_THE_END = tuple(
    IPv6Network(prefix)
    for prefix in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")  # RFC 4291, 2765, 6052
)
_NOT_GLOBAL = tuple(
    IPv6Network(prefix)
    for prefix in ("64:ff9b:1::/48", "2001::/32", "3fff::/20", "5f00::/16")  # RFC 8215, 4380, 9637, 9602
)
"""What Python need not know yet of what is not on the internet. Teredo's addresses are private, whatever they embed."""

_ISATAP, _UNIVERSAL = 0x0000_5EFE, 0x0200_0000
"""What stands before an IPv4 address in the last 64 bits, and the bit that it may have besides (RFC 5214)."""

_PROTOCOL_ASSIGNMENTS = IPv4Network("192.0.0.0/24")


class Network(StrEnum):
    """Where an address leads."""

    MACHINE = "this machine"
    LINK = "a link of this machine"
    PRIVATE = "a private network"
    INTERNET = "the internet"


def network_of(address: str) -> Network:
    """Return where an IP address leads (RFC 6890). `0.0.0.0` and `::` lead to this machine, as Linux has it."""
    ip = _judged(address)
    if ip.is_loopback or ip.is_unspecified:
        return Network.MACHINE
    if ip.is_link_local:
        return Network.LINK
    return Network.INTERNET if _is_public(ip) else Network.PRIVATE


def check_private(address: str, allowed: Sequence[str]) -> str | None:
    """Return why nobody is told at an IP address; None if it is on the internet, or in a network that is `allowed`."""
    network = network_of(address)
    if network is Network.INTERNET or any(_judged(address) in ip_network(each) for each in allowed):
        return None
    return (
        f"leads to {network}: listeners have to be on the internet, or in a network that the setting"
        " notify.allow_private names"
    )


def check_private_host(host: str, allowed: Sequence[str]) -> str | None:
    """Return the same of the host in a URL, as far as it says so by itself; what other names stand for shows later."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761
        name = "127.0.0.1"
    try:
        return check_private(name, allowed)
    except ValueError:  # a name
        return None


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv6Address) and (ip.is_site_local or any(ip in prefix for prefix in _NOT_GLOBAL)):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip in _PROTOCOL_ASSIGNMENTS)


def _judged(address: str) -> IPv4Address | IPv6Address:
    """Return the address that counts: the one that it embeds, if there is any."""
    ip = ip_address(address)
    return (_embedded(ip) or ip) if isinstance(ip, IPv6Address) else ip


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that a gateway, or the kernel, would make of this one; None if it is none of these."""
    if ip.ipv4_mapped is not None or ip.sixtofour is not None:
        return ip.ipv4_mapped or ip.sixtofour
    if any(ip in prefix for prefix in _IPV4_AT_THE_END) and int(ip) > 1:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    if (int(ip) >> 32) & 0xFFFF_FFFF & ~_UNIVERSAL == _ISATAP and _is_public(ip):  # else it is no better than it says
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return None
