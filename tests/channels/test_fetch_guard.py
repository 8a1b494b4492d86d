"""Where a connection may go: every spelling of an inner address is known, and what was judged is what is called."""

import asyncio
import socket
import threading
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthaste.channels.fetch.guard import Denied, Guard, Unresolved, is_public, numeric, resolve

INNER = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "169.254.169.254/32", "100.100.100.200/32"),
]
INNER_6 = [
    *("::1/128", "::/128", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"),
    *("2001::/32", "2001:db8::/32", "2002::/16", "fd00:ec2::254/128", "100::/64", "3fff::/20"),
]
OUTER = ["93.184.216.34", "1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001:81b::200e"]


class Line(httpcore2.AsyncNetworkBackend):
    """Connects to nothing and remembers where it should have; addresses in `dead` do not answer."""

    def __init__(self, *dead: str) -> None:
        self.called: list[tuple[str, int]] = []
        self._dead = dead

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.called.append((host, port))
        if host in self._dead:
            raise httpcore2.ConnectError
        return httpcore2.AsyncMockStream([])


class Names:
    """A resolver: each look-up of a name gives its next answer, and the last one for ever."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {name.replace("_", "."): list(lists) for name, lists in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        lists = self._answers[host]
        return lists.pop(0) if len(lists) > 1 else lists[0]


def connect(guard: Guard, host: str, port: int = 80) -> None:
    asyncio.run(guard.connect_tcp(host, port))


def spellings(address: IPv4Address) -> st.SearchStrategy[str]:
    """Return ways to write an IPv4 address that a C library reads: of one to four parts, each in one of three bases."""
    value = int(address)

    def written(draw: st.DrawFn) -> str:
        parts = draw(st.integers(1, 4))
        heads = [(value >> (24 - 8 * place)) & 255 for place in range(parts - 1)]
        tail = value & ((1 << (32 - 8 * (parts - 1))) - 1)
        bases = [draw(st.sampled_from(["{}", "0{:o}", "0x{:x}", "0X{:X}", "0x000{:x}"])) for _ in range(parts)]
        return ".".join(base.format(number) for base, number in zip(bases, [*heads, tail], strict=True))

    return st.composite(written)()


def inside(network: str) -> st.SearchStrategy[IPv4Address | IPv6Address]:
    found = ip_network(network)
    return st.integers(int(found[0]), int(found[-1])).map(lambda number: type(found[0])(number))


def carriers(address: IPv4Address) -> list[str]:
    """Return the IPv6 addresses that lead to an IPv4 address."""
    value = int(address)
    return [
        *(f"::ffff:{address}", f"::{address}", f"64:ff9b::{address}"),
        str(IPv6Address((0x2002 << 112) | (value << 80))),
        str(IPv6Address((0x2001 << 112) | (~value & 0xFFFFFFFF))),
    ]


@given(st.data(), st.sampled_from(INNER))
def test_no_spelling_of_an_inner_address_is_called(data: st.DataObject, network: str) -> None:
    address = data.draw(inside(network))
    assert isinstance(address, IPv4Address)
    line = Line()
    for host in (data.draw(spellings(address)), str(address), f"{address}.", *carriers(address)):
        with pytest.raises(Denied):
            connect(Guard(backend=line, resolve=Names()), host)
    assert line.called == []


@given(st.data(), st.sampled_from(INNER_6))
def test_no_inner_ipv6_address_is_called(data: st.DataObject, network: str) -> None:
    address = data.draw(inside(network))
    assert isinstance(address, IPv6Address)
    line = Line()
    for host in (address.compressed, address.exploded.upper(), f"[{address}]", f"{address}%eth0", f"{address}%25lo"):
        with pytest.raises(Denied):
            connect(Guard(backend=line, resolve=Names()), host)
    assert line.called == []


@given(st.data())
def test_every_spelling_is_read_as_the_address_that_it_is(data: st.DataObject) -> None:
    address = IPv4Address(data.draw(st.integers(0, 2**32 - 1)))
    assert numeric(data.draw(spellings(address))) == address


@pytest.mark.parametrize("host", ["localhost", "example.com", "1.2.3.4.5", "0x", "", "256.256.256.256", "face.test", "::g"])
def test_a_name_is_no_number(host: str) -> None:
    assert numeric(host) is None


@pytest.mark.parametrize("host", OUTER)
def test_a_public_address_is_called_as_it_is(host: str) -> None:
    line = Line()
    connect(Guard(backend=line, resolve=Names()), host)
    assert line.called == [(str(ip_address(host)), 80)]
    assert is_public(ip_address(host))


def test_azures_inner_server_is_not_public_though_its_address_is() -> None:
    assert not is_public(ip_address("168.63.129.16"))


def test_of_a_name_every_address_must_be_public() -> None:
    line = Line()
    names = Names(mixed_test=[["93.184.216.34", "10.0.0.1"]], inner_test=[["::1"]])
    for host in ("mixed.test", "inner.test"):
        with pytest.raises(Denied):
            connect(Guard(backend=line, resolve=names), host)
    assert line.called == []


def test_the_address_that_was_judged_is_the_one_that_is_called() -> None:
    """Whoever serves the name may change its mind between two look-ups; there is one."""
    line, names = Line(), Names(rebinding_test=[["93.184.216.34"], ["127.0.0.1"]])
    guard = Guard(backend=line, resolve=names)
    connect(guard, "rebinding.test")
    assert (line.called, names.asked) == ([("93.184.216.34", 80)], ["rebinding.test"])
    with pytest.raises(Denied):
        connect(guard, "rebinding.test")
    assert len(line.called) == 1


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    line = Line("1.1.1.1")
    connect(Guard(backend=line, resolve=Names(two_test=[["1.1.1.1", "2606:4700::1111"]])), "two.test", 8080)
    assert line.called == [("1.1.1.1", 8080), ("2606:4700::1111", 8080)]
    with pytest.raises(httpcore2.ConnectError):
        connect(Guard(backend=Line("1.1.1.1"), resolve=Names(one_test=[["1.1.1.1"]])), "one.test")


@pytest.mark.parametrize("names", [Names(), Names(gone_test=[[]])])
def test_a_name_without_an_address_may_have_one_later(names: Names) -> None:
    with pytest.raises(Unresolved):
        connect(Guard(backend=Line(), resolve=names), "gone.test")


def test_private_networks_and_ports_are_a_setting() -> None:
    line = Line()
    connect(Guard(backend=line, allow_private=True), "127.0.0.1", 81)
    guard = Guard(backend=line, ports=frozenset({80, 443}))
    connect(guard, "1.1.1.1", 443)
    with pytest.raises(Denied):
        connect(guard, "1.1.1.1", 81)
    assert line.called == [("127.0.0.1", 81), ("1.1.1.1", 443)]


def test_a_socket_of_this_machine_is_never_called() -> None:
    with pytest.raises(Denied):
        asyncio.run(Guard(allow_private=True).connect_unix_socket("/run/docker.sock"))


def test_a_strangers_name_that_takes_long_keeps_nobody_elses_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    ends, real = threading.Event(), socket.getaddrinfo

    def slow(host: str, *others: Any, **named: Any) -> Any:
        if host.endswith(".stranger.test"):
            ends.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return real(host, *others, **named)

    async def main() -> None:
        strangers = [asyncio.create_task(resolve(f"{number}.stranger.test", 80)) for number in range(64)]
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(20):
                assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
        finally:
            ends.set()
        assert all(isinstance(one, OSError) for one in await asyncio.gather(*strangers, return_exceptions=True))

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    asyncio.run(main())


def test_the_machines_own_resolver_gives_addresses() -> None:
    assert set(asyncio.run(resolve("localhost", 80))) <= {"127.0.0.1", "::1"}
