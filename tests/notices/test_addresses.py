"""What may never be reached through a webhook's address, and what may."""

from __future__ import annotations

from email.message import EmailMessage
from ipaddress import ip_address, ip_network

import pytest

from inventory.outgoing.addresses import (
    MAIL,
    AddressRefused,
    Target,
    check_target,
    check_url,
    is_allowed,
    parse_target,
    special,
)
from inventory.outgoing.outbound import Answer, Outbound
from tests.notices.address_cases import PUBLIC, REFUSED
from tests.notices.url_cases import REFUSED_MAIL_URLS, REFUSED_URLS


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


@pytest.mark.parametrize("url", REFUSED_MAIL_URLS)
def test_mail_server_is_refused_by_its_text(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        check_url(url, [], MAIL)

    assert url not in str(refused.value)


def test_mail_server_is_taken_apart() -> None:
    assert check_url("smtp://Mail.Example", [], MAIL).port == 587
    assert check_url("smtps://mail.example:2525", [], MAIL).shown == "smtps://mail.example:2525"
    check_url("smtp://192.168.1.10:1025", [ip_network("192.168.1.0/24")], MAIL)
    odd = parse_target("smtp://mail.example:6379", MAIL)
    with pytest.raises(AddressRefused, match="port 25"):
        check_target(odd, [ip_address("1.1.1.1")], [])


def test_there_are_two_hundred_ways_in_and_more_that_are_closed() -> None:
    refused = {text for text, _ in REFUSED} | {*REFUSED_URLS, *REFUSED_MAIL_URLS}
    assert len(refused) >= 200
    assert len(refused) == len(REFUSED) + len(REFUSED_URLS) + len(REFUSED_MAIL_URLS)


@pytest.mark.parametrize(("text", "what"), REFUSED)
async def test_no_socket_is_opened_to_a_name_with_such_an_address(text: str, what: str) -> None:
    """At the door where sockets are made, for posts and for mail."""
    opened: list[object] = []

    async def resolver(host: str, port: int) -> list[str]:
        return ["1.1.1.1", text]

    class Watched(Outbound):
        async def _post(self, *given: object) -> Answer:
            opened.append(given)
            return Answer(status=204)

        async def _in_thread(self, give: object) -> None:
            opened.append(give)

    outbound = Watched(resolver=resolver)
    posted = await outbound.post("https://shop.example/", headers={}, content=b"")
    mailed = await outbound.mail("smtps://shop.example", EmailMessage())

    assert (posted.failure, mailed.failure, opened) == ("address_refused",) * 2 + ([],), what
    await outbound.aclose()


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
