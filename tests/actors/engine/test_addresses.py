from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engine.connect import refusal

PRIVATE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.1.2.3", "169.254.169.254", "172.16.0.1", "192.0.0.1", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::7f00:1", "::808:808", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:db8::1",
    "3fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808",
    "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE + PUBLIC)
def test_only_what_is_public_is_not_refused(address: str) -> None:
    assert (refusal(address) is None) is (address in PUBLIC)


@given(st.sampled_from([IPv4Address(text) for text in PRIVATE if ":" not in text]))
def test_an_address_that_carries_a_private_one_is_refused(inner: IPv4Address) -> None:
    low = int(inner)
    for carrier in (0xFFFF << 32 | low, int(IPv6Address("64:ff9b::")) | low, 0x2002 << 112 | low << 80):
        assert refusal(str(IPv6Address(carrier))) is not None
    teredo = int(IPv6Address("2001::")) | (low ^ 0xFFFFFFFF)
    assert refusal(str(IPv6Address(teredo))) is not None


def test_a_network_that_is_allowed_by_name_is_not_refused() -> None:
    allowed = [ip_network("127.0.0.0/8")]
    assert refusal("127.0.0.1", allowed) is None
    assert refusal("::ffff:127.0.0.1", allowed) is None
    assert refusal("10.0.0.1", allowed) is not None
    assert refusal("::1", allowed) is not None


def test_a_refusal_names_the_address() -> None:
    assert refusal("2002:7f00:1::") == (
        "2002:7f00:1:: carries 127.0.0.1 is not a public address; "
        "services.engine.allow_networks: [127.0.0.0/8] in jobs.yaml would allow it"
    )
    assert "[fec0::1/128]" in str(refusal("fec0::1"))
