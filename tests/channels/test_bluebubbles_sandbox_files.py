"""Attachments, tapbacks, typing and reading, between the channel and the simulated Macs over real sockets.

Every script, both generations of macOS, both ways to send. What a phone has is compared by the SHA-256 of its files, from
the sandbox's own list.
"""

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from blue_desk import NUMBERS, PRIVATE_15, PRIVATE_26, SCRIPT_15, SCRIPT_26, WORKING, Desk, Kind, desk, timeless
from hearing import Here, run_here

from posthaste.channels.base import NOWHERE, File, Order, Target, Trace, Unreachable
from posthaste.channels.bluebubbles.channel import CHAT, NEW
from posthaste.core.outcomes import Absent, Accepted, Ambiguous, CannotTell, Deferred, Found, Outcome, Refusal, Rejected
from posthaste.core.signals import Echo, Inbound, InboundFile, Reaction, Receipt, Signal, Typing

TAKEN = ["read", "delivered", "receipt-twice", "receipt-first", "replies", "stops", "silent"]
REFUSED = {"no-imessage": Refusal.NOT_ON_CHANNEL, "unreachable": Refusal.NOT_ON_CHANNEL, "refused": Refusal.OTHER}
PERSON = "+12025550143"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    yield from run_here(tmp_path_factory.mktemp("sandbox"), "bluebubbles")


@pytest.fixture
def files(tmp_path: Path) -> list[File]:
    return [
        a_file(tmp_path, "hoüse 1.jpg", "image/jpeg", bytes(range(256)) * 9),
        a_file(tmp_path, "plan.pdf", "application/pdf", b"\r\n--plan"),
    ]


def a_file(folder: Path, name: str, media_type: str, content: bytes) -> File:
    path = folder / name
    path.write_bytes(content)
    return File(name, media_type, len(content), path, "https://ours.test/f/1")


def as_listed(*files: File) -> list[dict[str, Any]]:
    return [
        {"name": file.name, "mediaType": file.media_type, "size": file.size, "sha256": digest(file.path.read_bytes())}
        for file in files
    ]


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


async def send_file(own: Desk, kind: Kind, address: str, file: File) -> tuple[Outcome, Trace]:
    """Send one attachment alone; by the Private API that takes a conversation."""
    if kind != SCRIPT_15:
        await own.send(address, "Before")
    return await own.send(address, "", [file])


@pytest.mark.parametrize("kind", WORKING, ids=str)
@pytest.mark.parametrize("script", TAKEN)
def test_what_is_taken_is_on_the_phone_once(here: Here, kind: Kind, script: str, files: list[File]) -> None:
    async def main() -> None:
        async with desk(here, kind) as own:
            text, sent = ("", files[:1]) if kind == SCRIPT_15 else ("With two", files)
            first, opening = await send_file(own, kind, NUMBERS[script], files[0])
            second, known = await own.send(NUMBERS[script], text, sent)
            assert isinstance(first, Accepted)
            assert isinstance(second, Accepted)
            assert (opening.target.kind, known.target.kind) == (NEW if kind == SCRIPT_15 else CHAT, CHAT)
            *_, one, two = await own.received(NUMBERS[script])
            assert (one["guid"], one["text"], one["attachments"]) == (first.external_id, "", as_listed(files[0]))
            assert (two["guid"], two["text"], two["attachments"]) == (second.external_id, text, as_listed(*sent))
            assert len(await own.received(NUMBERS[script])) == (2 if kind == SCRIPT_15 else 3)
            await own.hears(Echo(first.external_id, 0), Echo(second.external_id, 0))
            for trace, outcome in ((opening, first), (known, second)):
                found = await own.channel.find(own.device, trace)
                assert isinstance(found, Found)
                assert found.accepted.external_id == outcome.external_id

    here.run(main())


@pytest.mark.parametrize("kind", [PRIVATE_26, SCRIPT_15], ids=str)
def test_the_largest_file_arrives_whole(here: Here, kind: Kind, tmp_path: Path) -> None:
    async def main() -> None:
        async with desk(here, kind) as own:
            film = a_file(tmp_path, "film.mov", "video/quicktime", b"\r\n--" * (25 * 1024 * 1024 // 4))
            outcome, _ = await send_file(own, kind, PERSON, film)
            assert isinstance(outcome, Accepted)
            assert (await own.received(PERSON))[-1]["attachments"] == as_listed(film)

    here.run(main())


@pytest.mark.parametrize("kind", WORKING, ids=str)
@pytest.mark.parametrize("script", REFUSED)
def test_what_is_refused_is_on_no_phone(here: Here, kind: Kind, script: str, files: list[File]) -> None:
    async def main() -> None:
        async with desk(here, kind) as own:
            outcome, trace = await send_file(own, kind, NUMBERS[script], files[0])
            assert isinstance(outcome, Rejected)
            assert outcome.refusal is REFUSED[script]
            found = await own.channel.find(own.device, trace)
            assert isinstance(found, Found)
            assert found.error
            assert found.error.refusal is REFUSED[script]
            assert await own.received(NUMBERS[script]) == []

    here.run(main())


@pytest.mark.parametrize("kind", WORKING, ids=str)
def test_a_lost_answer_is_looked_up_and_nothing_is_sent_twice(here: Here, kind: Kind, files: list[File]) -> None:
    async def main() -> None:
        async with desk(here, kind) as own:
            # The same picture twice, each found once: what belongs to one attempt is not the other's.
            first, opening = await send_file(own, kind, NUMBERS["hangup"], files[0])
            second, known = await own.send(NUMBERS["hangup"], "", files[:1])
            assert isinstance(first, Ambiguous)
            assert isinstance(second, Ambiguous)
            found = await own.channel.find(own.device, opening)
            assert isinstance(found, Found)
            taken = frozenset({found.accepted.external_id})
            other = await own.channel.find(own.device, replace(known, bound=taken))
            assert isinstance(other, Found)
            assert other.accepted.external_id not in taken
            both = taken | {other.accepted.external_id}
            assert await own.channel.find(own.device, replace(opening, bound=both)) == Absent()
            on_phone = [item for item in await own.received(NUMBERS["hangup"]) if "attachments" in item]
            assert {item["guid"] for item in on_phone} == both
            assert len(on_phone) == 2

    here.run(main())


def test_text_and_files_of_a_lost_answer_are_told_from_the_text_alone(here: Here, files: list[File]) -> None:
    async def main() -> None:
        async with desk(here, PRIVATE_26) as own:
            alone, before = await own.send(NUMBERS["hangup"], "Hello")
            _, with_files = await own.send(NUMBERS["hangup"], "Hello", files[:1])
            assert isinstance(alone, Ambiguous)
            found = [await own.channel.find(own.device, trace) for trace in (before, with_files)]
            assert [isinstance(one, Found) for one in found] == [True, True]
            assert found[0] != found[1]
            assert isinstance(await own.channel.find(own.device, replace(with_files, files=2)), CannotTell)

    here.run(main())


def test_late_files_are_absent_until_they_arrive(here: Here, files: list[File]) -> None:
    async def late(kind: Kind) -> None:
        async with desk(here, kind) as own:
            # A chat that the person opens, so that nothing of ours is late but the files.
            await own.person(NUMBERS["late"], "send", text="Hi")
            outcome, trace = await own.send(NUMBERS["late"], "", files[:1])
            assert isinstance(outcome, Ambiguous)
            assert await own.channel.find(own.device, trace) == Absent()
            await own.hears(Receipt(await arrived(own), 1))
            found = await own.channel.find(own.device, trace)
            assert isinstance(found, Found)
            [item] = await own.received(NUMBERS["late"])
            assert item["attachments"] == as_listed(files[0])

    async def arrived(own: Desk) -> str:
        await here.reports.wait_for(lambda: any(isinstance(one, Echo) for one in own.heard()))
        return next(one.external_id for one in own.heard() if isinstance(one, Echo))

    async def main() -> None:
        await asyncio.gather(*(late(kind) for kind in WORKING))

    here.run(main())


@pytest.mark.parametrize("kind", [PRIVATE_15, PRIVATE_26], ids=str)
def test_by_the_private_api_a_stranger_gets_no_files_and_is_told_why(here: Here, kind: Kind, files: list[File]) -> None:
    async def main() -> None:
        async with desk(here, kind) as own:
            refused = await own.channel.prepare(own.device, Order(PERSON, "Hello", "marker", NOWHERE, files=files))
            assert isinstance(refused, Rejected)
            assert refused.refusal is Refusal.BAD_CONTENT
            assert await own.received(PERSON) == []
            await own.person(PERSON, "send", text="Hi")
            outcome, _ = await own.send(PERSON, "Hello", files)
            assert isinstance(outcome, Accepted)

    here.run(main())


def test_without_the_private_api_a_text_and_a_file_are_refused(here: Here, files: list[File]) -> None:
    async def main() -> None:
        async with desk(here, SCRIPT_15) as own:
            for text, some in (("Hello", files[:1]), ("", files)):
                refused = await own.channel.prepare(own.device, Order(PERSON, text, "marker", NOWHERE, files=some))
                assert isinstance(refused, Rejected)
            assert await own.received(PERSON) == []

    here.run(main())


def test_applescript_on_macos_26_sends_no_file_and_the_look_up_says_so(here: Here, files: list[File]) -> None:
    async def main() -> None:
        async with desk(here, SCRIPT_26) as own:
            outcome, trace = await own.send(PERSON, "", files[:1])
            assert isinstance(outcome, Ambiguous)
            assert await own.channel.find(own.device, trace) == Absent()
            assert await own.received(PERSON) == []

    here.run(main())


def test_a_mac_that_is_down_takes_and_gives_no_file(here: Here, files: list[File]) -> None:
    async def main() -> None:
        async with desk(here, PRIVATE_26) as own:
            await own.send(PERSON, "Hello")
            await own.client.post(f"{here.sandbox}/devices/{own.device.device_id}", json={"state": "down"})
            order = Order(PERSON, "", "marker", NOWHERE, files=files[:1])
            assert isinstance(await own.channel.prepare(own.device, order), Deferred)
            target = Target(CHAT, f"any;-;{PERSON}", ("u/x.jpg",))
            assert isinstance(await own.channel.send(own.device, replace(order, target=target)), Ambiguous)
            with pytest.raises(Unreachable):
                await own.channel.download(own.device, "x", 100)

    here.run(main())


# What people do


def encoded(name: str, content: bytes) -> dict[str, str]:
    return {"name": name, "contentBase64": base64.b64encode(content).decode()}


@pytest.mark.parametrize("kind", WORKING, ids=str)
def test_what_people_send_and_think_comes_by_webhook_and_again_by_polling(here: Here, kind: Kind) -> None:
    async def main() -> None:
        async with desk(here, kind) as own:
            sent, _ = await own.send(PERSON, "Shall we meet?")
            assert isinstance(sent, Accepted)
            photo, notes = b"\x89PNG" + bytes(5_000), b"notes"
            await own.person(PERSON, "send", text="Look", attachments=[encoded("me.png", photo), encoded("n.xyz", notes)])
            await own.person(PERSON, "send", attachments=[encoded("me.png", photo)])
            await own.person(PERSON, "send", text="Yes", replyTo=sent.external_id)
            await own.person(PERSON, "react", text="Shall we meet?", reaction="love")
            await own.person(PERSON, "react", guid=sent.external_id, reaction="-love")
            me, other = InboundFile("", "me.png", "image/png"), InboundFile("", "n.xyz", None)
            expected: set[Signal] = {
                Inbound("", 0, PERSON, "Look", 0, files=(me, other)),
                Inbound("", 0, PERSON, "", 0, files=(me,)),
                Inbound("", 0, PERSON, "Yes", 0, answers=(sent.external_id,)),
                Reaction("", 0, PERSON, sent.external_id, "love", 0),
                Reaction("", 0, PERSON, sent.external_id, "love", 0, is_removed=True),
            }
            await own.hears(*expected)
            news = await own.channel.poll(own.device, 0, [])
            polled = [signal for signal in news.signals if isinstance(signal, Inbound | Reaction)]
            assert {timeless(signal) for signal in polled} == expected
            assert len(polled) == len(expected)
            told = {signal.external_id for signal in own.heard() if isinstance(signal, Inbound | Reaction)}
            assert {signal.external_id for signal in polled} == told, "the engine knows them again by their ids"
            refs = [file.ref for signal in polled if isinstance(signal, Inbound) for file in signal.files]
            contents = [await own.channel.download(own.device, ref, len(photo)) for ref in refs]
            assert contents == [photo, notes, photo]
            with pytest.raises(Unreachable, match="larger"):
                await own.channel.download(own.device, refs[0], len(photo) - 1)
            with pytest.raises(Unreachable, match="does not exist"):
                await own.channel.download(own.device, "nothing", 100)

    here.run(main())


@pytest.mark.parametrize("kind", WORKING, ids=str)
def test_reading_and_typing_are_reported_and_typing_by_the_private_api_alone(here: Here, kind: Kind) -> None:
    async def main() -> None:
        async with desk(here, kind) as own:
            sent = [await own.send(NUMBERS["silent"], text) for text in ("One", "Two")]
            await own.person(NUMBERS["silent"], "typing", typing=True)
            await own.person(NUMBERS["silent"], "typing", typing=False)
            assert (await own.person(NUMBERS["silent"], "read"))["read"] == 2
            assert (await own.person(NUMBERS["silent"], "read"))["read"] == 0
            receipts = {Receipt(outcome.external_id, 1, 1) for outcome, _ in sent if isinstance(outcome, Accepted)}
            assert len(receipts) == 2
            await own.hears(*receipts)
            shown = [Typing(NUMBERS["silent"], True), Typing(NUMBERS["silent"], False)]
            if kind != SCRIPT_15:
                await own.hears(*shown)
            assert sum(isinstance(signal, Typing) for signal in own.heard()) == (0 if kind == SCRIPT_15 else 2)

    here.run(main())
