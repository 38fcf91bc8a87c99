"""At which addresses listeners are told."""

import pytest

from nommerctl.domain.networks import check_private, check_private_host
from nommerctl.domain.uris import check_notify_url
from nommerctl.errors import UsageError


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.215.14", "2600::1", "64:ff9b::808:808", "2002:808:808::1", "2600::5efe:808:808"]
)
def test_listeners_on_the_internet_are_told(address: str) -> None:
    assert check_private(address, ()) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "this machine"),
        ("127.255.255.254", "this machine"),
        ("0.0.0.0", "this machine"),  # noqa: S104 - nobody binds to it
        ("::", "this machine"),
        ("::1", "this machine"),
        ("169.254.169.254", "a link of this machine"),
        ("fe80::1%eth0", "a link of this machine"),
        ("10.0.0.1", "a private network"),
        ("172.16.0.1", "a private network"),
        ("192.168.255.255", "a private network"),
        ("100.64.0.1", "a private network"),
        ("198.18.0.1", "a private network"),
        ("224.0.0.251", "a private network"),
        ("255.255.255.255", "a private network"),
        ("fc00::1", "a private network"),
        ("fec0::1", "a private network"),
        ("ff0e::1", "a private network"),
        ("2001::1", "a private network"),
        ("2001:db8::1", "a private network"),
        ("::ffff:10.0.0.1", "a private network"),
        ("::ffff:169.254.169.254", "a link of this machine"),
        ("::ffff:0:127.0.0.1", "this machine"),
        ("::127.0.0.1", "this machine"),
        ("64:ff9b::a9fe:a9fe", "a link of this machine"),
        ("64:ff9b::7f00:1", "this machine"),
        ("64:ff9b:1::c0a8:1", "a private network"),
        ("64:ff9b:1::808:808", "a private network"),
        ("64:ff9b:1:2:3:4:808:808", "a private network"),
        ("64:ff9b:2::1", "a private network"),
        ("2001:0:808:808::f7f7:f7f7", "a private network"),
        ("2001:0:808:808:0:0:80ff:fffe", "a private network"),
        ("2001:db8::808:808", "a private network"),
        ("3fff::808:808", "a private network"),
        ("5f00::1", "a private network"),
        ("2600::5efe:7f00:1", "this machine"),
        ("2600::200:5efe:a9fe:a9fe", "a link of this machine"),
        ("2600::200:5efe:10.0.0.1", "a private network"),
        ("fe80::200:5efe:808:808", "a link of this machine"),
        ("fd00::5efe:808:808", "a private network"),
        ("2002:a9fe:a9fe::1", "a link of this machine"),
        ("2002:7f00:1::1", "this machine"),
        ("2002:a00:1::", "a private network"),
    ],
)
def test_nobody_is_told_elsewhere_whatever_embeds_the_address(address: str, network: str) -> None:
    refused = check_private(address, ())
    assert refused is not None
    assert refused.startswith(f"leads to {network}: ")
    assert "notify.allow_private" in refused


@pytest.mark.parametrize(
    ("address", "allowed", "told"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", True),
        ("192.168.0.1", "10.0.0.0/8", False),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("64:ff9b::a01:203", "10.0.0.0/8", True),
        ("64:ff9b::a01:203", "64:ff9b::/96", False),
        ("2002:a01:203::1", "2002::/16", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.2", "127.0.0.1", False),
        ("fd00::1", "fd00::/8", True),
        ("64:ff9b:1::c0a8:1", "64:ff9b:1::/48", True),
        ("64:ff9b:1::a01:203", "10.0.0.0/8", False),
    ],
)
def test_a_network_that_is_allowed_is_told_and_an_embedded_address_goes_by_what_it_embeds(
    address: str, allowed: str, *, told: bool
) -> None:
    assert (check_private(address, [allowed]) is None) is told


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost.", "films.localhost", "127.0.0.1", "[::1]", "[64:ff9b::7f00:1]"]
)
def test_a_host_that_says_by_itself_where_it_leads_is_judged_at_once(host: str) -> None:
    assert check_private_host(host, ()) is not None
    with pytest.raises(UsageError, match=r"^the notify URL '.*' leads to this machine: .*notify\.allow_private"):
        check_notify_url(f"http://{host}:8080/told")
    check_notify_url(f"http://{host}:8080/told", ("127.0.0.0/8", "::1"))


@pytest.mark.parametrize("host", ["listener.example", "localhost.example", "8.8.8.8"])
def test_other_names_are_judged_when_they_are_looked_up(host: str) -> None:
    check_notify_url(f"https://{host}/told")
