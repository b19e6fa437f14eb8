"""Which network addresses a stranger's URL may lead to."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

_NAT64 = ip_network("64:ff9b::/96")
# Global by Python's tables (3.11 to 3.13), but without public servers:
_REFUSED = tuple(
    ip_network(text)
    for text in (
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "::/96",  # IPv4-compatible, deprecated
        "64:ff9b:1::/48",  # local NAT64 (RFC 8215)
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing (RFC 9602)
        "fec0::/10",  # site-local, deprecated
    )
)


def refusal(address: str, allowed: Sequence[Network] = ()) -> str | None:
    """The reason why ``address`` must not be connected to; None if it may be.

    An IPv6 address that contains an IPv4 address (mapped, 6to4, Teredo, NAT64) must pass for both.
    ``allowed`` networks pass without a check.

    Raises:
        ValueError: ``address`` is not an IP address.
    """
    parsed = ip_address(address.partition("%")[0])
    if any(parsed.version == network.version and parsed in network for network in allowed):
        return None
    carried = _carried(parsed)
    if carried is not None:
        inner = refusal(str(carried), allowed)
        return None if inner is None else f"{address} carries {inner}"
    if not _is_refused(parsed):
        return None
    network = "127.0.0.0/8" if str(parsed).startswith("127.") else f"{parsed}/{parsed.max_prefixlen}"
    return f"{address} is not a public address; services.engine.allow_networks: [{network}] in jobs.yaml would allow it"


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    mapped, teredo = address.ipv4_mapped or address.sixtofour, address.teredo
    nat64 = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    return mapped or (teredo[1] if teredo else nat64)


def _is_refused(address: IPv4Address | IPv6Address) -> bool:
    return (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or any(address.version == network.version and address in network for network in _REFUSED)
    )
