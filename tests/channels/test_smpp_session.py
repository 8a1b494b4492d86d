"""The standing session: who is told what about a bind, what cuts it, and that it comes back."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from smpp_centres import CENTRES, SILENCE, WITHIN_S, Centre, Handing, centre_of, node_centre
from smpp_desk import NOW_MS, Desk, Stored, desk_at, device_at

from posthaste.channels.base import Connection, Health, Unreachable
from posthaste.channels.smpp.channel import Smpp
from posthaste.channels.smpp.link import Pauses
from posthaste.core.hooks import HookCall
from posthaste.core.outcomes import Accepted, CannotTell, Deferred

every_centre = pytest.mark.parametrize("name", CENTRES)
SLOW = Pauses(first_ms=60_000, longest_ms=60_000)


def channel_of(inbox: Stored | None = None, *, pauses: Pauses = SLOW, question_ms: int = 10_000) -> Smpp:
    return Smpp(inbox or Stored(), lambda: NOW_MS, pauses=pauses, question_timeout_ms=question_ms)


async def ping_once(device: Connection, **settings: int) -> Health:
    channel = channel_of(**settings)
    try:
        return await channel.ping(device)
    finally:
        await channel.close()


# Binding


@every_centre
def test_a_bound_device_is_up(name: str) -> None:
    async def main() -> Health:
        async with centre_of(name) as centre:
            return await ping_once(device_at(centre.port))

    assert asyncio.run(main()) == Health(True, "bound to 127.0.0.1 as transceiver", {})


def test_a_wrong_password_is_said_in_words_and_the_bind_is_not_hammered() -> None:
    async def main() -> tuple[Health, Health, int]:
        async with node_centre() as centre:
            device = replace(device_at(centre.port), secrets={"password": "wr0ng"})
            channel = channel_of()
            try:
                first, again = await channel.ping(device), await channel.ping(device)
            finally:
                await channel.close()
            await centre.told("refused")
            return first, again, centre.count_of("refused")

    first, again, more = asyncio.run(main())
    assert first == again == Health(False, "the message centre refused the bind: the password is wrong", {})
    assert more == 0
    assert "wr0ng" not in repr(first)


def test_a_password_that_smpp_has_no_room_for_is_said_in_words() -> None:
    device = replace(device_at(1), secrets={"password": "longer than eight"})
    health = asyncio.run(ping_once(device))
    assert not health.is_up
    assert "8 for the password" in health.detail
    assert "longer than eight" not in health.detail


@pytest.mark.parametrize(("port", "config"), [(1, {}), (70_000, {}), (2775, {"host": "no.such.host.invalid"})])
def test_where_nobody_listens_the_device_is_down(port: int, config: dict[str, str]) -> None:
    health = asyncio.run(ping_once(device_at(port, **config)))
    assert health == Health(False, "no connection to the message centre could be made", {})


async def at_stub(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **config: str) -> Health:
    """Ping something that listens and is no message centre."""
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await talk(reader, writer)
        finally:
            writer.transport.abort()
            done.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        health = await ping_once(device_at(server.sockets[0].getsockname()[1], **config), question_ms=200)
        async with asyncio.timeout(WITHIN_S):
            await done.wait()
        return health
    finally:
        server.close()


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass


async def speaks_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    await writer.drain()


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (says_nothing, "did not answer the bind"),
        (speaks_http, "something that is no message centre"),
        (hangs_up, "hung up instead of binding"),
    ],
)
def test_what_is_no_message_centre_is_told_from_one(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], words: str
) -> None:
    health = asyncio.run(at_stub(talk))
    assert not health.is_up
    assert words in health.detail


def test_a_transmitter_only_sends() -> None:
    async def main() -> tuple[str, object]:
        async with node_centre() as centre:
            channel = channel_of()
            desk = Desk(channel, device_at(centre.port, bindMode="transmitter", systemType="VMA"), Stored())
            try:
                outcome = await desk.send("Hello")
                bound = await centre.told("bound")
                return f"{bound['command']} {bound['systemType']}", outcome
            finally:
                await channel.close()

    assert asyncio.run(main()) == ("bind_transmitter VMA", Accepted("1"))


# TLS


def _certificate(folder: Path) -> tuple[str, str]:
    """Make a certificate of our own for 127.0.0.1, and return it with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "centre")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    (folder / "centre.pem").write_text(pem)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return secret, pem


def test_tls_to_a_certificate_that_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = _certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "centre.pem"))

    async def main() -> Health:
        async with node_centre(key=key, certificate=certificate) as centre:
            return await ping_once(device_at(centre.port, tls="true"))

    assert asyncio.run(main()).is_up


def test_tls_to_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    key, certificate = _certificate(tmp_path)

    async def main() -> Health:
        async with node_centre(key=key, certificate=certificate) as centre:
            return await ping_once(device_at(centre.port, tls="true"))

    assert asyncio.run(main()).detail == "the message centre's certificate is not one that this machine trusts"


def test_tls_where_none_is_spoken_is_said_in_words() -> None:
    health = asyncio.run(at_stub(speaks_http, tls="true"))
    assert health.detail == "the message centre does not speak TLS on this port"


# Cuts


@every_centre
def test_after_a_cut_it_binds_again_and_sends(name: str) -> None:
    async def main() -> list[object]:
        async with centre_of(name) as centre, desk_at(centre) as desk:
            outcomes = [await desk.send("Before")]
            for number in range(3):
                await centre.restart()
                await centre.bound()
                await desk.is_up()
                outcomes.append(await desk.send(f"After {number}"))
            return outcomes

    assert all(isinstance(outcome, Accepted) for outcome in asyncio.run(main()))


@every_centre
def test_between_two_tries_nothing_is_sent_and_it_says_so(name: str) -> None:
    async def main() -> tuple[object, Health]:
        async with centre_of(name) as centre, desk_at(centre, pauses=SLOW) as desk:
            await centre.answer_next(SILENCE)
            lost = asyncio.create_task(desk.send("Lost"))
            await centre.submitted()
            await centre.restart()
            await lost
            return await desk.send("Later"), await desk.channel.ping(desk.device)

    outcome, health = asyncio.run(main())
    assert outcome == Deferred("the connection to the message centre was cut", device_is_down=True)
    assert not health.is_up


def test_a_centre_that_unbinds_is_bound_to_again() -> None:
    async def main() -> object:
        async with node_centre() as centre, desk_at(centre) as desk:
            await centre.order("unbind")
            await centre.told("closed")
            await centre.bound()
            await desk.is_up()
            return await desk.send("Hello")

    assert isinstance(asyncio.run(main()), Accepted)


def test_a_centres_own_questions_are_answered() -> None:
    async def main() -> tuple[int, str]:
        async with node_centre() as centre, desk_at(centre):
            await centre.order("enquire")
            alive = (await centre.told("alive"))["status"]
            await centre.order("other")
            return alive, (await centre.told("nacked"))["command"]

    assert asyncio.run(main()) == (0, "generic_nack")


def test_a_silent_centre_is_asked_whether_it_is_there_and_dropped_if_it_is_not() -> None:
    async def main() -> bool:
        gone = asyncio.Event()

        async def bind_and_fall_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readexactly(16)
            await reader.readexactly(int.from_bytes(head[:4], "big") - 16)
            writer.write(b"\x00\x00\x00\x11\x80\x00\x00\x09\x00\x00\x00\x00" + head[12:] + b"\x00")
            enquiry = await reader.readexactly(16)
            assert enquiry[7] == 0x15
            with suppress(ConnectionError):
                while await reader.read(1024):
                    pass
            writer.transport.abort()
            gone.set()

        server = await asyncio.start_server(bind_and_fall_silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        channel = Smpp(Stored(), lambda: NOW_MS, pauses=SLOW, question_timeout_ms=100, idle_ms=50)
        try:
            target = await channel.prepare(device_at(port), Desk(channel, device_at(port), Stored()).order("Hello"))
            assert not isinstance(target, Deferred)
            async with asyncio.timeout(WITHIN_S):
                await gone.wait()
            return (await channel.ping(device_at(port))).is_up
        finally:
            await channel.close()
            server.close()

    assert asyncio.run(main()) is False


# Beside each other


@every_centre
def test_two_devices_have_sessions_of_their_own(name: str) -> None:
    async def main() -> list[object]:
        async with centre_of(name) as first, centre_of(name) as second:
            channel = channel_of(Quiet())
            try:
                desks = [
                    Desk(channel, replace(device_at(one.port), device_id=f"device-{one.port}"), Stored())
                    for one in (first, second)
                ]
                return [await desk.send("Hello") for desk in desks] + [(await one.submitted()).text for one in (first, second)]
            finally:
                await channel.close()

    assert asyncio.run(main()) == [Accepted("1"), Accepted("1"), "Hello", "Hello"]


class Quiet(Stored):
    """An inbox that nothing comes into."""


def test_the_carriers_rate_is_kept() -> None:
    async def main() -> float:
        async with node_centre() as centre, desk_at(centre, throughput="20") as desk:
            loop = asyncio.get_running_loop()
            began = loop.time()
            outcomes = await asyncio.gather(*(desk.send(f"Text {number}") for number in range(6)))
            assert all(isinstance(outcome, Accepted) for outcome in outcomes)
            return loop.time() - began

    assert asyncio.run(main()) >= 5 / 20


# What it does not do


def test_what_smpp_cannot_do_is_not_pretended() -> None:
    async def main() -> None:
        channel, device = channel_of(), device_at(1)
        try:
            assert isinstance(await channel.find(device, None), CannotTell)  # type: ignore[arg-type]
            assert (await channel.check(device, "+12025550143")).is_available is None
            assert channel.hear(device, HookCall("POST", "", {}, b"{}")) is None
            assert (await channel.poll(device, 5, ["id-1"])).signals == ()
            await channel.listen(device)
            with pytest.raises(Unreachable):
                await channel.download(device, "x", 1)
        finally:
            await channel.close()

    asyncio.run(main())


def test_a_flood_of_texts_is_stored_whole_and_in_order() -> None:
    async def main() -> list[str]:
        async with node_centre() as centre, desk_at(centre) as desk:
            await asyncio.gather(*(_hand(centre, f"Text {number}") for number in range(200)))
            signals = await desk.inbox.has(200)
            return [getattr(one, "text", "") for one in signals]

    assert asyncio.run(main()) == [f"Text {number}" for number in range(200)]


async def _hand(centre: Centre, text: str) -> None:
    assert await centre.hand(Handing(text.encode())) == 0
