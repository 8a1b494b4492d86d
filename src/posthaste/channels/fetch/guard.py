"""Which addresses of the network a stranger's URL may lead to, and a way to connect to no others.

A name is resolved here, every address that it has is judged, and the connection is made to the very address that was judged:
a name that changes its mind between look-up and connection (DNS rebinding) gains nothing. Numbers in any spelling (decimal,
octal, hexadecimal, short) are read as addresses and judged in the same way.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpcore2

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a name, as texts; raises `OSError` if there are none now."""


class Denied(Exception):  # noqa: N818 - it says what happened
    """The address must not be called, now or later; the text says why and names no address."""


class Unresolved(Exception):  # noqa: N818 - it says what happened
    """The name has no address now."""


# A stranger's name server can let each of them wait for as long as the machine's resolver does.
_LOOK_UPS = ThreadPoolExecutor(8, thread_name_prefix="look-up")

# Written out rather than asked of the standard library, whose `is_global` has changed between versions and is true for
# several networks that lead back inside.
_DENIED_4 = tuple(
    ip_network(one)
    for one in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # Azure's inner server stands among public addresses.
    )
)
# Of IPv6 only 2000::/3 is for everybody; outside are loopback, link-local, site-local, multicast, IPv4-mapped and
# IPv4-compatible addresses, and NAT64. Inside, these carry an IPv4 address or are for special use.
_GLOBAL_6 = ip_network("2000::/3")
_DENIED_6 = tuple(ip_network(one) for one in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the open Internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _DENIED_4)
    return address in _GLOBAL_6 and not any(address in network for network in _DENIED_6)


def numeric(host: str) -> Address | None:
    """Return the address that a host is written as, None if it is a name."""
    written = host.strip("[]").partition("%")[0].rstrip(".")
    try:
        return ip_address(written)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(written))
    except (OSError, UnicodeError):
        return None


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the machine's resolver, in threads of our own: the event loop's few are needed for the names of our providers."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_LOOK_UPS, ask)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Guard(httpcore2.AsyncNetworkBackend):
    """Connects to public addresses alone, or with `allow_private` to any; with `ports` to those alone."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        ports: frozenset[int] = frozenset(),
        resolve: Resolve = resolve,
        backend: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow_private, self._ports, self._resolve = allow_private, ports, resolve
        self._backend = backend or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of a host that answers, after all of them were judged."""
        if self._ports and port not in self._ports:
            raise Denied(f"port {port} may not be called")
        failure: Exception = Unresolved("the name of its server has no address")
        for address in await self._addresses(host, port):
            try:
                return await self._backend.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own signature
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise Denied("a socket of this machine may not be called")

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> Sequence[Address]:
        found = [written] if (written := numeric(host)) else await self._look_up(host, port)
        if not self._allow_private and not all(is_public(one) for one in found):
            raise Denied("its server is in a private network")
        return found

    async def _look_up(self, host: str, port: int) -> Sequence[Address]:
        try:
            texts = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise Unresolved("the name of its server could not be looked up") from None
        found = [numeric(text) for text in texts]
        return [one for one in found if one is not None]
