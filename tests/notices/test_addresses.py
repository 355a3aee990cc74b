"""What may never be reached through a webhook's address, and what may."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from inventory.addresses import (
    AddressRefused,
    Target,
    check_target,
    check_url,
    is_allowed,
    parse_target,
    special,
)

# Addresses, as a literal or as an answer of the name server, and what they are.
REFUSED = [
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("::1", "loopback"),
    ("10.0.0.0", "private"),
    ("10.255.255.255", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.0.1", "private"),
    ("192.168.255.255", "private"),
    ("fc00::1", "private"),
    ("fdff:ffff::1", "private"),
    ("fec0::1", "private"),
    ("100.64.0.0", "shared"),
    ("100.127.255.255", "shared"),
    ("169.254.0.1", "link-local"),
    ("169.254.255.255", "link-local"),
    ("fe80::1", "link-local"),
    ("febf::1", "link-local"),
    ("fe80::1%eth0", "scoped"),
    ("169.254.169.254", "metadata"),
    ("169.254.170.2", "metadata"),
    ("168.63.129.16", "metadata"),
    ("100.100.100.200", "metadata"),
    ("192.0.0.192", "metadata"),
    ("fd00:ec2::254", "metadata"),
    ("fd20:ce::254", "metadata"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("ff02::1", "multicast"),
    ("ff0e::1", "multicast"),
    ("0.0.0.0", "unspecified"),  # noqa: S104 -- refused, not listened at
    ("0.1.2.3", "unspecified"),
    ("::", "unspecified"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("192.0.0.1", "reserved"),
    ("192.0.2.1", "reserved"),
    ("198.18.0.1", "reserved"),
    ("198.19.255.255", "reserved"),
    ("198.51.100.1", "reserved"),
    ("203.0.113.255", "reserved"),
    ("2001:db8::1", "reserved"),
    ("2001:2::1", "reserved"),
    ("3fff::1", "reserved"),
    ("100::1", "reserved"),
    ("5f00::1", "reserved"),
    ("4000::1", "reserved"),
    ("1fff::1", "reserved"),
    # Forms that carry an IPv4 address inside: private ones, and public ones too.
    ("::ffff:127.0.0.1", "embedding"),
    ("::ffff:10.0.0.1", "embedding"),
    ("::ffff:8.8.8.8", "embedding"),
    ("::ffff:a9fe:a9fe", "embedding"),
    ("::ffff:0:127.0.0.1", "embedding"),
    ("::127.0.0.1", "embedding"),
    ("::8.8.8.8", "embedding"),
    ("64:ff9b::127.0.0.1", "embedding"),
    ("64:ff9b::8.8.8.8", "embedding"),
    ("64:ff9b:1::10.0.0.1", "embedding"),
    ("2002:7f00:1::", "embedding"),
    ("2002:808:808::1", "embedding"),
    ("2001:0:7f00:1::1", "embedding"),
    ("2001::1", "embedding"),
    ("2606:4700::5efe:7f00:1", "embedding"),
    ("2606:4700::200:5efe:a00:1", "embedding"),
    ("192.88.99.1", "embedding"),
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2400:8500::1",
    "2606:4700::1111",
    "2620:fe::fe",
    "3ffe::1",
]
# URLs that are refused by their text alone, before any name is looked up.
REFUSED_URLS = [
    "",
    "shop.example/hook",
    "//shop.example/hook",
    "ftp://shop.example/",
    "file:///etc/passwd",
    "gopher://shop.example/",
    "unix:///run/app.sock",
    "javascript:alert(1)",
    "https:shop.example",
    "https:///hook",
    "https://",
    "https://?x",
    "https://:443/",
    "https://user@shop.example/",
    "https://user:password@shop.example/",
    "https://shop.example@127.0.0.1/",
    "https://127.0.0.1\\@shop.example/",
    "https://shop.example\\.evil.example/",
    "https://shop.example/a\\b",
    "https://shop.example:0/",
    "https://shop.example:65536/",
    "https://shop.example:-1/",
    "https://shop.example:+443/",
    "https://shop.example:80:90/",
    "https://shop.example:https/",
    "https://shop.example/#part",
    " https://shop.example/",
    "https://shop.example/ hook",
    "https://shop.example/\r\nX-Evil: 1",
    "https://shop\t.example/",
    "https://shop.example/\x00",
    "https://店.example/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://①②⑦.0.0.1/",
    "https://shop..example/",
    "https://.shop.example/",
    "https://-shop.example/",
    "https://shop-.example/",
    "https://sh%6fp.example/",
    "https://shop!.example/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 130 + "example/",
    "https://shop.example/" + "a" * 2_000,
    # IP addresses in notations that the C library would read.
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0X7F.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.01/",
    "https://127.0.0.0x1/",
    "https://127.0.0.1.2/",
    "https://256.0.0.1/",
    "https://1.1.1/",
    "https://0/",
    "https://0x/",
    "https://shop.example.0x1/",
    "https://[::1",
    "https://::1/",
    "https://[1.1.1.1]/",
    "https://[v1.x]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://a[2606:4700::1111]/",
    "https://[2606:4700::1111]a/",
    "https://[]/",
    # Literal addresses that are not public, and names that are always this machine.
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://a.localhost/",
    # Plain http would show the message on the way.
    "http://shop.example/",
    "http://1.1.1.1/",
]


@pytest.mark.parametrize(("text", "what"), REFUSED)
def test_address_that_is_not_public_is_refused(text: str, what: str) -> None:
    address = ip_address(text)

    assert special(address) == what
    target = Target(scheme="https", host="shop.example", port=443, path="/", address=None)
    with pytest.raises(AddressRefused, match=f"\\({what}\\)"):
        check_target(target, [address], [])


@pytest.mark.parametrize("text", PUBLIC)
def test_public_address_is_reached(text: str) -> None:
    address = ip_address(text)

    assert special(address) is None
    target = Target(scheme="https", host="shop.example", port=443, path="/", address=None)
    check_target(target, [address], [])


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_url_is_refused_by_its_text(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        check_url(url, [])

    assert refused.value.code == "address_refused"
    assert len(url) < 12 or url not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "target", "host_header"),
    [
        (
            "https://shop.example",
            Target(scheme="https", host="shop.example", port=443, path="/", address=None),
            "shop.example",
        ),
        (
            "HTTPS://Shop.Example.:8443/a/b?key=%20x",
            Target(
                scheme="https", host="shop.example", port=8443, path="/a/b?key=%20x", address=None
            ),
            "shop.example:8443",
        ),
        (
            "https://xn--vek.example?x=1",
            Target(scheme="https", host="xn--vek.example", port=443, path="/?x=1", address=None),
            "xn--vek.example",
        ),
        (
            "https://1.1.1.1:65535/hook",
            Target(
                scheme="https",
                host="1.1.1.1",
                port=65535,
                path="/hook",
                address=ip_address("1.1.1.1"),
            ),
            "1.1.1.1:65535",
        ),
        (
            "https://[2606:4700:0::1111]:443/",
            Target(
                scheme="https",
                host="2606:4700::1111",
                port=443,
                path="/",
                address=ip_address("2606:4700::1111"),
            ),
            "[2606:4700::1111]",
        ),
        (
            "https://1.1.1.1.shop.example/",
            Target(scheme="https", host="1.1.1.1.shop.example", port=443, path="/", address=None),
            "1.1.1.1.shop.example",
        ),
    ],
)
def test_good_url_is_taken_apart(url: str, target: Target, host_header: str) -> None:
    check_url(url, [])

    assert parse_target(url) == target
    assert parse_target(url).host_header == host_header


def test_one_bad_address_among_good_ones_refuses_the_host() -> None:
    target = parse_target("https://shop.example/")
    addresses = [ip_address("1.1.1.1"), ip_address("2606:4700::1111"), ip_address("10.0.0.1")]

    check_target(target, addresses[:2], [])
    with pytest.raises(AddressRefused, match="private"):
        check_target(target, addresses, [])


def test_setting_opens_a_network_and_nothing_beside_it() -> None:
    networks = [ip_network("192.168.1.0/24")]

    check_url("http://192.168.1.20:9000/hook", networks)
    check_url("http://nas.shop.example/hook", networks)
    with pytest.raises(AddressRefused, match="private"):
        check_url("http://192.168.2.20/hook", networks)
    with pytest.raises(AddressRefused, match="loopback"):
        check_url("http://localhost/hook", networks)
    with pytest.raises(AddressRefused, match="plain http"):
        check_target(parse_target("http://nas.shop.example/"), [ip_address("1.1.1.1")], networks)


def test_localhost_is_reached_where_loopback_is_opened() -> None:
    check_url("http://localhost:9000/hook", [ip_network("127.0.0.0/8")])
    check_url("http://localhost:9000/hook", [ip_network("::1/128")])


@pytest.mark.parametrize(
    "text",
    ["169.254.169.254", "0.1.2.3", "224.0.0.1", "::ffff:192.168.1.1", "fd00:ec2::254", "fe80::1%1"],
)
def test_no_setting_opens_what_is_nobodys_webhook(text: str) -> None:
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]

    assert not is_allowed(ip_address(text), everything)
    assert is_allowed(ip_address("192.168.1.1"), everything)
    assert is_allowed(ip_address("fe80::1"), everything)
