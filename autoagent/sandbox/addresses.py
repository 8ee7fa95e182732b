"""What a web address means: read without guessing, and judged by the tables of IANA."""

import re
import socket
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

from autoagent.errors import SandboxError

LONGEST_URL = 8_000  # characters
SHOWN = 200  # characters of an address in a message
_PORTS = {"http": 80, "https": 443}
_AUTHORITY = re.compile(r"(?:\[(?P<ipv6>[0-9a-fA-F:.]+)\]|(?P<name>[^\[\]:@%\s]+))(?::(?P<port>[0-9]{0,5}))?")
_NAME = re.compile(r"[a-z0-9._-]+")
_NUMBERS = re.compile(r"[0-9a-fx.]+")

Kind = Literal["public", "local", "special", "metadata"]


@dataclass(frozen=True)
class Verdict:
    """`local` is this machine and its own network; `special` nobody's web server; `words` say what it is."""

    kind: Kind
    words: str


@dataclass(frozen=True)
class Target:
    """One request's address: `url` is what is sent, without fragment; an IPv6 `host` has no brackets."""

    url: str
    scheme: str
    host: str
    port: int


_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google, OpenStack and most others
        "169.254.170.2",  # AWS, credentials of a container
        "169.254.170.23",  # AWS, credentials of a pod
        "169.254.0.23",  # Tencent
        "169.254.42.42",  # Scaleway
        "168.63.129.16",  # Azure, the wire server
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS, credentials of a pod
        "fd20:ce::254",  # Google
        "fd00:42::42",  # Scaleway
        "fe80::a9fe:a9fe",  # OpenStack
    )
)

# The IPv4 and IPv6 Special-Purpose Address Registries of IANA (RFC 6890 and what updates it) as of 2025, then the
# multicast and reserved blocks of the address spaces, which are not in them. The first that holds an address counts.
_RANGES: tuple[tuple[str, Kind, str], ...] = (
    ("0.0.0.0/32", "local", "this machine"),  # Linux connects to loopback
    ("0.0.0.0/8", "special", "of this network only (RFC 791)"),
    ("10.0.0.0/8", "local", "private (RFC 1918)"),
    ("100.64.0.0/10", "special", "shared by a carrier (RFC 6598)"),
    ("127.0.0.0/8", "local", "loopback"),
    ("169.254.0.0/16", "local", "link-local (RFC 3927)"),
    ("172.16.0.0/12", "local", "private (RFC 1918)"),
    ("192.0.0.0/24", "special", "for protocols of the IETF (RFC 6890)"),
    ("192.0.2.0/24", "special", "for documentation (RFC 5737)"),
    ("192.31.196.0/24", "special", "of AS112 (RFC 7535)"),
    ("192.52.193.0/24", "special", "for multicast tunnels (RFC 7450)"),
    ("192.88.99.0/24", "special", "of 6to4 relays (RFC 7526)"),
    ("192.168.0.0/16", "local", "private (RFC 1918)"),
    ("192.175.48.0/24", "special", "of AS112 (RFC 7534)"),
    ("198.18.0.0/15", "special", "for benchmarks (RFC 2544)"),
    ("198.51.100.0/24", "special", "for documentation (RFC 5737)"),
    ("203.0.113.0/24", "special", "for documentation (RFC 5737)"),
    ("224.0.0.0/4", "special", "multicast (RFC 5771)"),
    ("240.0.0.0/4", "special", "reserved (RFC 1112)"),  # with 255.255.255.255
    ("::1/128", "local", "loopback"),
    ("::/128", "local", "this machine"),
    ("::/96", "special", "IPv4-compatible (RFC 4291)"),
    ("::ffff:0:0/96", "special", "IPv4-mapped (RFC 4291)"),
    ("64:ff9b::/96", "special", "IPv4 behind NAT64 (RFC 6052)"),
    ("64:ff9b:1::/48", "special", "IPv4 behind a local NAT64 (RFC 8215)"),
    ("100::/64", "special", "discarded (RFC 6666)"),
    ("100:0:0:1::/64", "special", "a dummy (RFC 9780)"),
    ("2001::/32", "special", "Teredo (RFC 4380)"),
    ("2001::/23", "special", "for protocols of the IETF (RFC 2928)"),
    ("2001:db8::/32", "special", "for documentation (RFC 3849)"),
    ("2002::/16", "special", "6to4 (RFC 3056)"),
    ("2620:4f:8000::/48", "special", "of AS112 (RFC 7534)"),
    ("3fff::/20", "special", "for documentation (RFC 9637)"),
    ("5f00::/16", "special", "of segment routing (RFC 9602)"),
    ("fc00::/7", "local", "private (RFC 4193)"),
    ("fe80::/10", "local", "link-local (RFC 4291)"),
    ("fec0::/10", "special", "site-local (RFC 3879)"),
    ("ff00::/8", "special", "multicast (RFC 4291)"),
)
_TABLE = tuple((ip_network(text), Verdict(kind, words)) for text, kind, words in _RANGES)
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL = IPv6Network("2000::/3")  # all that IANA has given out to be reached from everywhere


def judge(address: str) -> Verdict:
    """Of one IP address, as `getaddrinfo` writes it; an IPv4 address inside an IPv6 one is judged too.

    What NAT64 leads to counts as what it is: behind it, an IPv6-only network sees every IPv4 host.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return Verdict("special", "no IP address")
    if isinstance(ip, IPv4Address):
        return Verdict("metadata", "a cloud's metadata service") if ip in _METADATA else _looked_up(ip)
    ip = IPv6Address(int(ip))  # without its zone
    if ip in _METADATA or not _METADATA.isdisjoint(_carried(ip)):
        return Verdict("metadata", "a cloud's metadata service")
    if ip.ipv4_mapped and _looked_up(ip.ipv4_mapped).kind == "local":
        return _looked_up(ip.ipv4_mapped)
    if ip in _NAT64 and _looked_up(_low(ip)).kind == "public":
        return Verdict("public", "public")
    return _looked_up(ip)


def literal(host: str) -> str | None:
    """The IP address that a host is a spelling of (2130706433, 0x7f.1, ::1), as the C library reads it."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host)) if _NUMBERS.fullmatch(host) else None
    except OSError:
        return None


def read_url(text: str) -> Target:
    """Raises SandboxError where two programs could read the text differently, or it is no web address."""
    text = text.strip(" ")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise refused(f"{shown(text)} is no valid web address.") from error
    if "@" in parts.netloc:
        raise refused("The web address holds a user name or password (before the @). Give it without them.")
    if any(unicodedata.category(letter) in ("Cc", "Cs") or letter == "\\" for letter in text):
        raise refused(f"{shown(text)} holds a backslash, tab, line end or other character no web address has.")
    if len(text) > LONGEST_URL:
        raise refused(f"The web address is longer than {LONGEST_URL} characters.")
    if parts.scheme not in _PORTS:
        raise refused(f"{shown(text)} is no web address: it must start with http:// or https://.")
    authority = _AUTHORITY.fullmatch(parts.netloc)
    if not authority:
        raise refused(f"{shown(text)} has no valid host name and port.")
    port = int(authority["port"] or _PORTS[parts.scheme])
    if not 0 < port < 2**16:
        raise refused(f"{shown(text)} has no valid port: 1 to 65535.")
    host = authority["ipv6"] or _plain(authority["name"])
    rest = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    return _target(text, parts.scheme, literal(host) or host, port, rest)


def bracketed(host: str) -> str:
    """As a URL writes it."""
    return f"[{host}]" if ":" in host else host


def refused(message: str) -> SandboxError:
    return SandboxError(message, control="network guard")


def shown(text: str) -> str:
    """A foreign text in quotes for a message: on one line and not too long."""
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")


def _target(text: str, scheme: str, host: str, port: int, rest: str) -> Target:
    import requests

    where = bracketed(host) if port == _PORTS[scheme] else f"{bracketed(host)}:{port}"
    try:
        url = requests.Request("GET", f"{scheme}://{where}{rest}").prepare().url or ""
        final = urlsplit(url)
    except (requests.RequestException, ValueError) as error:  # such as a name that IDNA does not allow
        raise refused(f"{shown(text)} has no valid host name.") from error
    name = final.hostname or ""
    if final.scheme != scheme or (final.port or _PORTS[scheme]) != port or not (":" in host or _NAME.fullmatch(name)):
        raise refused(f"{shown(text)} has no valid host name.")
    return Target(url, scheme, name, port)


def _plain(name: str) -> str:
    """As browsers and the C library read wide and circled letters and the full stop of East Asia."""
    return unicodedata.normalize("NFKC", name).lower().replace("。", ".")


def _looked_up(ip: IPv4Address | IPv6Address) -> Verdict:
    for network, verdict in _TABLE:
        if ip in network:
            return verdict
    if isinstance(ip, IPv6Address) and ip not in _GLOBAL:
        return Verdict("special", "not given out to anybody")
    return Verdict("public", "public")


def _carried(ip: IPv6Address) -> set[IPv4Address]:
    """Every IPv4 address that some way of translation would read in it."""
    found = {_low(ip), *(ip.teredo or ())}
    return found | {ip.sixtofour} if ip.sixtofour else found


def _low(ip: IPv6Address) -> IPv4Address:
    return IPv4Address(int(ip) & 0xFFFFFFFF)
