"""Two message centres that we did not write, behind one way to drive them: npm `smpp`, and `smpp34` in Rust.

Both tell what they saw as plain values, with the text as *their* code reads it wherever they read texts at all. Nothing
sleeps: whoever waits for a centre waits for what it tells, with a deadline.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import smpp34

from fixtures.installed import node_program

SOURCE = Path(__file__).parent / "peers" / "smpp"
WITHIN_S = 20
PASSWORD = "s3cret"
SILENCE: str = "silence"

Json = dict[str, Any]


@dataclass(frozen=True)
class Submitted:
    """A submission as a centre saw it; `header` is the user data header's one element, if there is one.

    `smpp34` does not tell until when a text is valid.
    """

    source: tuple[str, int, int]
    destination: tuple[str, int, int]
    text: str
    coding: int
    esm_class: int
    registered: int
    is_payload: bool
    header: tuple[int, ...] = ()
    valid_until: str | None = None


@dataclass(frozen=True)
class Handing:
    """What a centre is to hand over: a person's text or a receipt, as bytes."""

    octets: bytes
    coding: int = 0
    esm_class: int = 0
    source: str = "12025550143"
    destination: str = "16285551000"
    params: Mapping[int, bytes] = field(default_factory=dict)


class Centre(Protocol):
    """What a test asks of a centre."""

    port: int

    async def bound(self) -> None:
        """Wait until somebody bound."""
        ...

    async def submitted(self) -> Submitted: ...

    async def answer_next(self, *answers: object) -> None:
        """Answer the next submissions so: an id, a status, or `SILENCE`; whatever comes after them is taken."""
        ...

    async def hand(self, handing: Handing) -> int:
        """Hand something over, and return the status with which it was acknowledged."""
        ...

    async def restart(self) -> None:
        """Drop every connection; the npm centre stops listening, too, and begins again at the same port."""
        ...


def _gsm(octets: bytes) -> str:
    """Read what these tests send in GSM's alphabet: ASCII letters and digits, and the extension."""
    escaped = {b"\x1b<": "[", b"\x1b>": "]", b"\x1be": "€", b"\x1b(": "{", b"\x1b)": "}", b"\x1b=": "~"}
    for code, character in escaped.items():
        octets = octets.replace(code, character.encode())
    return octets.decode()


class Cable:
    """What lies between a centre and us, and can be pulled: `smpp34` keeps the sessions of a server that was stopped."""

    def __init__(self, port: int) -> None:
        self._centre_port = port
        self._talks: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        self._server.close()
        await self.cut()
        await self._server.wait_closed()

    async def cut(self) -> None:
        for task in self._talks:
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)
        # A task that is cancelled before its first step never comes to closing anything.
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._centre_port)
        try:
            await asyncio.gather(_carry(reader, back), _carry(there, writer))
        finally:
            for one in (writer, back):
                one.transport.abort()
                with suppress(ConnectionError):
                    await one.wait_closed()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while octets := await reader.read(65_536):
            writer.write(octets)
            await writer.drain()
        writer.close()


class RustCentre:
    """`smpp34`: its server runs in threads of its own inside this process. It takes any password."""

    def __init__(self) -> None:
        self.port = 0
        self._answers: list[object] = []
        self._held: list[smpp34.SubmitSmEvent] = []
        self._seen: asyncio.Queue[Submitted] = asyncio.Queue()
        self._esmes: asyncio.Queue[smpp34.Esme] = asyncio.Queue()
        self._esme: smpp34.Esme | None = None
        self._taken = 0

    async def start(self) -> None:
        inner_port = _free_port()
        self._cable = Cable(inner_port)
        self.port = await self._cable.open()
        self._server = smpp34.Server("127.0.0.1", inner_port, system_id="centre")
        await self._server.start()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._cable.close()
        self._held.clear()
        await self._server.stop()

    async def restart(self) -> None:
        await self._cable.cut()

    async def bound(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            self._esme = await self._esmes.get()

    async def submitted(self) -> Submitted:
        async with asyncio.timeout(WITHIN_S):
            return await self._seen.get()

    async def answer_next(self, *answers: object) -> None:
        self._answers = list(answers)

    async def hand(self, handing: Handing) -> int:
        assert self._esme is not None
        async with asyncio.timeout(WITHIN_S):
            answer = await self._esme.deliver_sm(
                handing.destination,
                handing.octets,
                source_addr=handing.source,
                source_addr_ton=1,
                source_addr_npi=1,
                dest_addr_ton=1,
                dest_addr_npi=1,
                esm_class=handing.esm_class,
                data_coding=handing.coding,
                tlvs=[smpp34.Tlv(tag, value) for tag, value in handing.params.items()],
            )
        return answer.command_status

    async def _run(self) -> None:
        while True:
            event = await self._server.next()
            if isinstance(event, smpp34.Esme):
                self._esmes.put_nowait(event)
            elif isinstance(event, smpp34.SubmitSmEvent):
                self._see(event)
                self._answer(event)

    def _answer(self, event: smpp34.SubmitSmEvent) -> None:
        self._taken += 1
        match self._answers.pop(0) if self._answers else str(self._taken):
            case "silence":
                self._held.append(event)
            case str(message_id):
                event.accept(message_id)
            case int(status):
                event.reject(status)

    def _see(self, event: smpp34.SubmitSmEvent) -> None:
        payload = next((tlv.value for tlv in event.tlvs if tlv.tag == smpp34.TLV_MESSAGE_PAYLOAD), None)
        octets, header = payload or event.short_message, b""
        if event.esm_class & 0x40:
            header, octets = octets[1 : octets[0] + 1], octets[octets[0] + 1 :]
        self._seen.put_nowait(
            Submitted(
                (event.source_addr, event.source_addr_ton, event.source_addr_npi),
                (event.destination_addr, event.dest_addr_ton, event.dest_addr_npi),
                octets.decode("utf-16-be") if event.data_coding == 8 else _gsm(octets),
                event.data_coding,
                event.esm_class,
                event.registered_delivery,
                payload is not None,
                tuple(header),
            )
        )


class NodeCentre:
    """npm `smpp` in a process of its own."""

    def __init__(self, folder: Path, *, key: str = "", certificate: str = "") -> None:
        self.port = 0
        self._folder, self._key, self._certificate = folder, key, certificate
        self._told: dict[str, asyncio.Queue[Json]] = {}

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            "node", str(self._folder / "centre.js"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self._task = asyncio.create_task(self._listen_to_it())
        await self._open()

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(WITHIN_S):
            await self._process.wait()
            await self._task

    async def order(self, order: str, **details: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"order": order} | details).encode() + b"\n")
        await self._process.stdin.drain()

    async def told(self, event: str) -> Json:
        async with asyncio.timeout(WITHIN_S):
            return await self._told.setdefault(event, asyncio.Queue()).get()

    def count_of(self, event: str) -> int:
        """Return how many of these it has told that nobody has taken note of."""
        return self._told[event].qsize() if event in self._told else 0

    async def restart(self) -> None:
        await self.order("stop")
        await self.told("stopped")
        await self._open()

    async def bound(self) -> None:
        await self.told("bound")

    async def submitted(self) -> Submitted:
        seen = await self.told("submit")
        header = seen["header"] or [()]
        return Submitted(
            (seen["source"], seen["sourceTon"], seen["sourceNpi"]),
            (seen["destination"], seen["destTon"], seen["destNpi"]),
            seen["text"],
            seen["coding"],
            seen["esmClass"],
            seen["registered"],
            seen["isPayload"],
            tuple(header[0]),
            seen["validUntil"],
        )

    async def answer_next(self, *answers: object) -> None:
        await self.order("answers", answers=[_answer_in_json(one) for one in answers])
        await self.told("ready")

    async def hand(self, handing: Handing) -> int:
        fields: Json = {
            "source_addr": handing.source, "source_addr_ton": 1, "source_addr_npi": 1,
            "destination_addr": handing.destination, "dest_addr_ton": 1, "dest_addr_npi": 1,
            "esm_class": handing.esm_class, "data_coding": handing.coding, "short_message": {"hex": handing.octets.hex()},
        }  # fmt: skip
        await self.order("deliver", fields=fields | {NAMES[tag]: _param(tag, value) for tag, value in handing.params.items()})
        status: int = (await self.told("delivered"))["status"]
        return status

    async def _open(self) -> None:
        tls = {"key": self._key, "cert": self._certificate} if self._key else {}
        await self.order("listen", port=self.port, password=PASSWORD, **tls)
        self.port = (await self.told("listening"))["port"]

    async def _listen_to_it(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            self._told.setdefault(told["event"], asyncio.Queue()).put_nowait(told)


NAMES = {
    0x001E: "receipted_message_id", 0x0427: "message_state", 0x0424: "message_payload",
    0x020C: "sar_msg_ref_num", 0x020E: "sar_total_segments", 0x020F: "sar_segment_seqnum",
}  # fmt: skip
_TEXTS, _OCTETS = (0x001E,), (0x0424,)


def _param(tag: int, value: bytes) -> object:
    if tag in _TEXTS:
        return value.rstrip(b"\x00").decode()
    return {"hex": value.hex()} if tag in _OCTETS else int.from_bytes(value, "big")


def _answer_in_json(answer: object) -> object:
    match answer:
        case "silence" | "cut":
            return answer
        case str():
            return {"id": answer}
        case int():
            return {"status": answer}
        case _:
            return answer


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


CENTRES: Sequence[str] = ("npm smpp", "smpp34")


@asynccontextmanager
async def centre_of(name: str) -> AsyncIterator[Centre]:
    """Run a centre for one test."""
    centre = RustCentre() if name == "smpp34" else NodeCentre(node_program("smpp", SOURCE))
    await centre.start()
    try:
        yield centre
    finally:
        await centre.stop()


@asynccontextmanager
async def node_centre(*, key: str = "", certificate: str = "") -> AsyncIterator[NodeCentre]:
    """Run the npm centre, for what only it can be made to do."""
    centre = NodeCentre(node_program("smpp", SOURCE), key=key, certificate=certificate)
    await centre.start()
    try:
        yield centre
    finally:
        await centre.stop()
