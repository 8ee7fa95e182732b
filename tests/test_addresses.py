"""What a web address means: every spelling of an address and every range that is not public."""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoagent.errors import SandboxError
from autoagent.sandbox.addresses import judge, literal, read_url

METADATA = ["169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192"]
LOCAL = ["127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "169.254.1.1", "0.0.0.0"]
PUBLIC = [
    *("8.8.8.8", "93.184.216.34", "172.32.0.1", "172.15.255.255", "11.0.0.0", "126.255.255.255", "128.0.0.0"),
    *("100.63.255.255", "100.128.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "192.167.255.255"),
]
PUBLIC_IPV6 = ["2606:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "2620:4f:8001::1"]

# the special-purpose registries of IANA, row by row
IPV4_REGISTRY = """
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24
192.88.99.0/24 192.88.99.2/32 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
255.255.255.255/32
"""
IPV6_REGISTRY = """
::1/128 ::/128 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128
2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28
2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10
"""
RESERVED = ["224.0.0.0/4", "ff00::/8", "fec0::/10", "4000::/3", "8000::/3", "e000::/4", "200::/7", "::/96"]


@pytest.mark.parametrize("text", IPV4_REGISTRY.split() + IPV6_REGISTRY.split() + RESERVED)
def test_no_address_of_a_special_range_is_public(text: str) -> None:
    network = ip_network(text)
    middle = network[network.num_addresses // 2] if text != "64:ff9b::/96" else network[5]
    assert "public" not in {judge(str(address)).kind for address in (network[0], middle, network[-1])}


@pytest.mark.parametrize("address", [*PUBLIC, *PUBLIC_IPV6, "64:ff9b::8.8.8.8"])
def test_an_address_beside_the_special_ranges_is_public(address: str) -> None:
    assert judge(address).kind == "public"


@pytest.mark.parametrize("address", [*LOCAL, "::1", "::", "fd12::1", "fe80::1", "fe80::1%lo", "::ffff:127.0.0.1"])
def test_this_machine_and_its_network_are_local(address: str) -> None:
    assert judge(address).kind == "local"


@pytest.mark.parametrize(
    "address", [*METADATA, "fd00:ec2::254", "fd00:ec2::254%eth0", "fe80::a9fe:a9fe", "fe80::a9fe:a9fe%eth0"]
)
def test_a_metadata_address_is_told_apart_from_local_ones(address: str) -> None:
    assert judge(address).kind == "metadata"


def carriers(inner: IPv4Address) -> list[IPv6Address]:
    """The IPv6 addresses by which some translation reaches `inner`."""
    low, flipped = int(inner), int(inner) ^ 0xFFFFFFFF
    prefixes = ["::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/96", "fe80::5efe:0:0/96", "2001:4860::/96"]
    return [
        *(IPv6Address(int(IPv6Network(prefix)[0]) | low) for prefix in prefixes),
        IPv6Address(int(IPv6Address("2002::")) | low << 80),
        IPv6Address(int(IPv6Address("2001::")) | low << 64 | 0xF7F7F7F7),
        IPv6Address(int(IPv6Address("2001:0:505:505::")) | flipped),
    ]


@pytest.mark.parametrize("inner", METADATA)
def test_metadata_inside_an_ipv6_address_is_seen_in_every_translation(inner: str) -> None:
    assert {judge(str(address)).kind for address in carriers(IPv4Address(inner))} == {"metadata"}


@settings(max_examples=100)
@given(st.ip_addresses(v=4).filter(lambda ip: judge(str(ip)).kind != "public"))
def test_a_translation_makes_no_address_public(inner: IPv4Address) -> None:
    assert "public" not in {judge(str(address)).kind for address in carriers(inner) if address not in WIDE}


WIDE = IPv6Network("2001:4860::/96")  # somebody's own addresses: only metadata is looked for in them


def number(value: int, base: str) -> str:
    return {"decimal": str(value), "hex": hex(value), "HEX": f"0X{value:X}", "octal": f"0{value:o}"}[base]


def spelled(address: str, parts: int, bases: Sequence[str], letters: str) -> str:
    """One of the ways in which the C library takes an IPv4 address."""
    value = int(IPv4Address(address))
    heads = [(value >> 8 * (3 - place)) & 0xFF for place in range(parts - 1)]
    tail = value & (1 << 8 * (5 - parts)) - 1
    text = ".".join(number(part, base) for part, base in zip([*heads, tail], bases, strict=False))
    return "".join(WIDTHS[letters].get(letter, letter) for letter in text)


WIDTHS = {
    "plain": dict[str, str](),
    "full width": {letter: chr(ord(letter) + 0xFEE0) for letter in "0123456789abcdefABCDEFxX."},
    "circled": dict(zip("0123456789", "⓪①②③④⑤⑥⑦⑧⑨", strict=True)),
    "bold": {str(digit): chr(0x1D7CE + digit) for digit in range(10)} | {".": "。"},
    "superscript": dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True)),
}
spellings = st.builds(
    spelled,
    st.sampled_from(METADATA + LOCAL + PUBLIC),
    st.integers(1, 4),
    st.lists(st.sampled_from(["decimal", "hex", "HEX", "octal"]), min_size=4, max_size=4),
    st.just("plain"),
)


@settings(max_examples=200)
@given(spellings)
def test_a_number_is_read_as_the_c_library_reads_it(host: str) -> None:
    family, _, _, _, (address, *_) = socket.getaddrinfo(host, 80, socket.AF_INET, flags=socket.AI_NUMERICHOST)[0]
    assert (family, literal(host.lower())) == (socket.AF_INET, address)


@settings(max_examples=200)
@given(
    st.sampled_from(METADATA + LOCAL),
    st.integers(1, 4),
    st.lists(st.sampled_from(["decimal", "hex", "HEX", "octal"]), min_size=4, max_size=4),
    st.sampled_from(sorted(WIDTHS)),
)
def test_every_spelling_of_an_address_is_read_as_that_address(
    address: str, parts: int, bases: list[str], letters: str
) -> None:
    assert read_url(f"http://{spelled(address, parts, bases, letters)}/").host == address


@pytest.mark.parametrize(
    ("text", "url", "host", "port"),
    [
        ("http://example.com", "http://example.com/", "example.com", 80),
        ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c", "example.com", 443),
        (" HTTPS://Example.COM:8443 ", "https://example.com:8443/", "example.com", 8443),
        ("http://example.com:/x", "http://example.com/x", "example.com", 80),
        ("http://example.com?q=1", "http://example.com/?q=1", "example.com", 80),
        ("http://example.com//b.example/", "http://example.com//b.example/", "example.com", 80),
        (
            "https://한국.kr/가 나?q=다",
            "https://xn--3e0b707e.kr/%EA%B0%80%20%EB%82%98?q=%EB%8B%A4",
            "xn--3e0b707e.kr",
            443,
        ),
        ("http://a_b.example.com./", "http://a_b.example.com./", "a_b.example.com.", 80),
        ("http://2130706433:8000/", "http://127.0.0.1:8000/", "127.0.0.1", 8000),
        ("http://[0:0::1]:81/", "http://[::1]:81/", "::1", 81),
        ("http://example.com/@user", "http://example.com/@user", "example.com", 80),
    ],
)
def test_an_address_is_read_and_written_in_one_way(text: str, url: str, host: str, port: int) -> None:
    target = read_url(text)
    assert (target.url, target.host, target.port) == (url, host, port)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file:///etc/passwd", "http:// or https://"),
        ("gopher://127.0.0.1:6379/_X", "http:// or https://"),
        ("data:text/html,x", "http:// or https://"),
        ("ftp://example.com/", "http:// or https://"),
        ("javascript:alert(1)", "http:// or https://"),
        ("example.com/page", "http:// or https://"),
        ("//example.com/", "http:// or https://"),
        ("", "http:// or https://"),
        ("http:///etc/passwd", "host name"),
        ("http:example.com", "host name"),
        ("http://?x", "host name"),
        ("http://127.0.0.1\\@example.com/", "user name"),
        ("http://example.com\\.evil.example/", "backslash"),
        ("http://127.0.0.1\t.example.com/", "tab"),
        ("http://example.com\n.evil.example/", "line end"),
        ("http://example.com/\r\nHost: x", "line end"),
        ("http://example.com/\x00", "other character"),
        ("http://example.com/\udcff", "other character"),
        ("http://example.com@127.0.0.1/", "user name"),
        ("http://user:secret@example.com/", "user name"),
        ("http://@example.com/", "user name"),
        ("http://example.com:99999/", "port"),
        ("http://example.com:0/", "port"),
        ("http://example.com:8o/", "port"),
        ("http://example.com:-1/", "port"),
        ("http://example.com:٨٠/", "port"),
        ("http://[::1/", "no valid"),
        ("http://::1/", "host name and port"),
        ("http://[::1].example.com/", "no valid"),
        ("http://[fe80::1%25eth0]/", "no valid"),
        ("http://[v1.x]/", "no valid"),
        ("http://[1.2.3.4]x/", "no valid"),
        ("http://127%2e0.0.1/", "host name"),
        ("http://ex ample.com/", "host name"),
        ("http://a\u200bb.com/", "host name"),
        ("http://*.example.com/", "host name"),
        ("http://example.com／evil/", "no valid"),
        ("http://example.com/" + "a" * 9000, "longer than"),
    ],
)
def test_what_is_no_plain_web_address_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(SandboxError, match=words) as raised:
        read_url(text)
    message = str(raised.value)
    assert message.isprintable()
    assert len(message) < 320
    assert "secret" not in message


@settings(max_examples=300)
@given(st.text(max_size=40), st.sampled_from(["", "http://", "https://a.b/", "http://[", "http://127.1"]))
def test_any_text_is_a_target_of_plain_letters_or_refused(text: str, start: str) -> None:
    try:
        target = read_url(start + text)
    except SandboxError:
        return
    assert target.url.isascii()
    assert target.url.startswith(f"{target.scheme}://")
    assert read_url(target.url) == target
