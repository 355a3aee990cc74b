"""Which addresses a message may reach: pure rules about a URL's text and about IP addresses."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from inventory.errors import BadInput

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

URL_CHARACTERS_MAX = 2_000
HOST_CHARACTERS_MAX = 253
PORTS = {"http": 80, "https": 443, "smtp": 587, "smtps": 465}
WEB, MAIL = ("http", "https"), ("smtp", "smtps")
# Mail to the outside goes where mail is handed in, so that no other service is spoken to.
MAIL_PORTS = frozenset({25, 465, 587, 2525})
BRACKETED = re.compile(r"\[[0-9a-f:.]+\](:[0-9]*)?", re.IGNORECASE)
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# The C library reads all of these as numbers: 2130706433, 127.1, 0177.0.0.1, 0x7f.1.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
GLOBAL_UNICAST = IPv6Network("2000::/3")
# The middle of an ISATAP address, whose end is an IPv4 address (RFC 5214 section 6.1).
ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})

# From IANA's special-purpose registries, and the addresses at which clouds hand out credentials.
# The first row that contains an address says what it is.
SPECIAL: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "metadata",
        (
            "169.254.169.254/32",
            "169.254.170.2/32",
            "169.254.170.23/32",
            "168.63.129.16/32",
            "100.100.100.200/32",
            "192.0.0.192/32",
            "fd00:ec2::254/128",
            "fd00:ec2::23/128",
            "fd20:ce::254/128",
        ),
    ),
    ("unspecified", ("0.0.0.0/8", "::/128")),
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
    ("shared", ("100.64.0.0/10",)),
    ("link-local", ("169.254.0.0/16", "fe80::/10")),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    (
        "embedding",
        (
            "::ffff:0:0/96",
            "::ffff:0:0:0/96",
            "::/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2001::/32",
            "2002::/16",
            "192.88.99.0/24",
        ),
    ),
    (
        "reserved",
        (
            "192.0.0.0/24",
            "192.0.2.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
        ),
    ),
)
TABLE = tuple((ip_network(text), what) for what, texts in SPECIAL for text in texts)
# No setting opens these: they are nobody's webhook, or hide another address.
NEVER = frozenset({"metadata", "unspecified", "multicast", "embedding", "scoped"})


class AddressRefused(BadInput):
    """A webhook address that may not be reached. The text never repeats the address."""

    code = "address_refused"


class Target(Struct, frozen=True, kw_only=True):
    """A webhook URL taken apart. `path` has the query with it.

    `address` is set where the host is an IP address and not a name.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def host_header(self) -> str:
        """The host as HTTP wants it: IPv6 in brackets, the port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """What may be shown of it: path and query often are the key."""
        rest = "" if self.scheme in MAIL else "/…"
        return f"{self.scheme}://{self.host_header}{rest}"


def special(address: Address) -> str | None:
    """What an address is, where it is not an ordinary public one.

    Of IPv6 only the global unicast block is public; every form that carries an IPv4 address inside
    (mapped, NAT64, 6to4, Teredo, ISATAP) is refused whole, also where that one is public.
    """
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "scoped"
    for network, what in TABLE:
        if address in network:
            return what
    if isinstance(address, IPv6Address):
        if address not in GLOBAL_UNICAST:
            return "reserved"
        if int(address) >> 32 & 0xFFFF_FFFF in ISATAP:
            return "embedding"
    return None


def is_allowed(address: Address, networks: Sequence[Network]) -> bool:
    """Whether a setting opens this address on purpose."""
    return special(address) not in NEVER and any(address in network for network in networks)


def check_address(address: Address, networks: Sequence[Network]) -> None:
    """Raise `AddressRefused` unless the address is public or one of the allowed `networks`."""
    what = special(address)
    if what is not None and not is_allowed(address, networks):
        raise AddressRefused(f"the host has an address that webhooks may not reach ({what})")


def check_target(target: Target, addresses: Sequence[Address], networks: Sequence[Network]) -> None:
    """Raise `AddressRefused` unless every one of the host's `addresses` may be reached.

    Plain http is for allowed networks only: elsewhere it would show the message to anyone. So are
    mail servers at other ports than 25, 465, 587 and 2525.
    """
    for address in addresses:
        check_address(address, networks)
        if target.scheme == "http" and not is_allowed(address, networks):
            raise AddressRefused("use https: plain http is for networks allowed by setting")
        mail = target.scheme in MAIL and target.port not in MAIL_PORTS
        if mail and not is_allowed(address, networks):
            raise AddressRefused("a mail server listens at port 25, 465, 587 or 2525")


def parse_target(url: str, schemes: Collection[str] = WEB) -> Target:
    """Take a URL apart; http and https, or the `schemes` given; at most 2,000 ASCII characters.

    Raises `AddressRefused` for whatever two programs could read differently: user names, odd
    notations of IP addresses, backslashes, white space, other scripts (write those as xn--…).
    """
    if not 0 < len(url) <= URL_CHARACTERS_MAX:
        raise AddressRefused(f"the URL must have 1 to {URL_CHARACTERS_MAX} characters")
    if not all("!" <= character <= "~" for character in url) or "\\" in url:
        raise AddressRefused("the URL may hold ASCII without white space and backslashes only")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("the URL cannot be read, or its port is not 1 to 65535") from None
    if parts.scheme not in schemes:
        expected = " or ".join(f"{scheme}://" for scheme in schemes if scheme != "http")
        raise AddressRefused(f"the URL must start with {expected}")
    if "@" in parts.netloc:
        raise AddressRefused("the URL may not hold a user name or password")
    if parts.fragment or port == 0:
        raise AddressRefused("the URL may not hold a fragment (#…) or port 0")
    host, address = _host(parts)
    return Target(
        scheme=parts.scheme,
        host=host,
        port=PORTS[parts.scheme] if port is None else port,
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        address=address,
    )


def _host(parts: SplitResult) -> tuple[str, Address | None]:
    host = (parts.hostname or "").removesuffix(".")
    if "[" in parts.netloc or NUMBER.fullmatch(host.rpartition(".")[2]):
        address = _literal(host, bracketed=BRACKETED.fullmatch(parts.netloc) is not None)
        return str(address), address
    labels = host.split(".")
    if len(host) > HOST_CHARACTERS_MAX or not all(LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("the URL has no host name, or one that cannot be")
    return host, None


def _literal(host: str, *, bracketed: bool) -> Address:
    try:
        return IPv6Address(host) if bracketed else IPv4Address(host)
    except ValueError:
        raise AddressRefused("the host is not an IP address in its usual notation") from None


def check_url(url: str, networks: Sequence[Network], schemes: Collection[str] = WEB) -> Target:
    """Refuse what is surely wrong from the text alone; names are looked up at each try.

    A name that has no address today is accepted: the shop may be setting it up. Returned is the URL
    taken apart. Raises `AddressRefused`.
    """
    target = parse_target(url, schemes)
    if target.scheme in MAIL and target.path != "/":
        raise AddressRefused("a mail server's address ends after its port")
    if target.address is not None:
        check_target(target, [target.address], networks)
    elif target.scheme == "http" and not networks:
        raise AddressRefused("use https: plain http is for networks allowed by setting")
    elif target.host.rpartition(".")[2] == "localhost":
        loopback: list[Address] = [IPv4Address("127.0.0.1"), IPv6Address("::1")]
        if not any(is_allowed(address, networks) for address in loopback):
            raise AddressRefused("the host has an address that webhooks may not reach (loopback)")
    return target
