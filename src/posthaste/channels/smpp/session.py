"""One bound SMPP session: a connection, questions in flight on it, and what the centre hands over.

A question is answered, surely never left, or is in doubt; nothing is asked twice. What the centre hands over is
acknowledged only after whoever takes it says that it is stored. A session ends once, whatever ends it, and is never
bound again: that is `link`'s.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from aiosmpplib.protocol import SmppMessage  # type: ignore[import-untyped]

from posthaste.channels.http import NeverLeft, NoAnswer
from posthaste.channels.smpp import wire
from posthaste.channels.smpp.wire import HEADER_BYTES, MalformedError, Pdu

_log = logging.getLogger(__name__)

_LAST_SEQUENCE = 0x7FFFFFFF
_AT_ONCE = 64
#: How much may wait to be stored before the centre is told to try again later.
_MOST_WAITING = 1_000
#: How many questions are remembered whose answer did not come in time, should it come late.
_MOST_LATE = 1_000
_FAREWELL_S = 1.0

Taken = Callable[[Sequence[Pdu]], Awaitable[Sequence[int]]]
"""Store what came, and return the status with which each is answered."""

OnLate = Callable[[Pdu], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each step may take, in milliseconds; after `idle_ms` of silence the centre is asked whether it is there."""

    connect_ms: int
    question_ms: int
    answer_ms: int
    idle_ms: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message centre is."""

    host: str
    port: int
    has_tls: bool


class NotBoundError(Exception):
    """There is no session, and the text says why; `is_refusal` if the centre itself said no."""

    def __init__(self, why: str, *, is_refusal: bool = False) -> None:
        super().__init__(why)
        self.is_refusal = is_refusal


class Session:
    """A session that is bound, until `ended` is set."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits, taken: Taken) -> None:
        self._reader, self._writer, self._limits, self._taken = reader, writer, limits, taken
        self._sequences = count(2)  # The bind was the first.
        self._asked: dict[int, asyncio.Future[Pdu]] = {}
        self._late: dict[int, OnLate] = {}
        self._arrived: asyncio.Queue[Pdu | Awaitable[None]] = asyncio.Queue(_MOST_WAITING)
        self._heard = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.ended = asyncio.Event()
        self.is_leaving = False

    async def ask(self, message: SmppMessage, answer_ms: int, on_late: OnLate | None = None) -> Pdu | NeverLeft | NoAnswer:
        """Ask once; `on_late` is called with an answer that comes after we gave up waiting for it."""
        if self.ended.is_set() or self.is_leaving or self._writer.is_closing():
            return NeverLeft("the session with the message centre has ended")
        sequence, octets = self._numbered(message)
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._asked[sequence] = answer
        try:
            self._writer.write(octets)
            async with asyncio.timeout(answer_ms / 1000):
                await self._writer.drain()
                return await answer
        except TimeoutError:
            self._remember_late(sequence, on_late)
            return NoAnswer("the message centre did not answer in time")
        except OSError:
            return NoAnswer("the connection to the message centre broke before it answered")
        finally:
            self._asked.pop(sequence, None)
            answer.cancel()

    async def close(self) -> None:
        """Say good-bye if there is anybody to say it to, and let go."""
        if self.is_leaving:
            return
        self.is_leaving = True
        await self._settled()
        if not self.ended.is_set() and not self._writer.is_closing():
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    await self._ask_farewell()
        await self.close_at_once()

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(one()) for one in (self._read_all, self._take_all, self._keep_alive)]

    async def _ask_farewell(self) -> None:
        sequence, octets = self._numbered(wire.write_unbind())
        answer = self._asked[sequence] = asyncio.get_running_loop().create_future()
        self._writer.write(octets)
        await answer

    async def _settled(self) -> None:
        """Give what has arrived a moment to be stored and acknowledged."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.question_ms / 1000):
                await self._arrived.join()

    async def close_at_once(self) -> None:
        """Let go without a word."""
        self._fail_all()
        # Before anything is waited for, so that it is done even if we are cancelled; `close` would wait for what is unwritten.
        self._writer.transport.abort()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(OSError, TimeoutError):
            await self._writer.wait_closed()

    def _fail_all(self) -> None:
        self.ended.set()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError())
                answer.exception()  # Whoever asked may have been cancelled; nobody has to look at it.

    def _numbered(self, message: SmppMessage) -> tuple[int, bytes]:
        """Give a question its number, and return both as they travel."""
        sequence = (next(self._sequences) - 1) % _LAST_SEQUENCE + 1
        message.sequence_num = sequence
        return sequence, bytes(message.pdu())

    def _remember_late(self, sequence: int, on_late: OnLate | None) -> None:
        if on_late is not None:
            self._late[sequence] = on_late
            if len(self._late) > _MOST_LATE:
                del self._late[next(iter(self._late))]

    # Reading

    async def _read_all(self) -> None:
        try:
            while True:
                pdu = await read_pdu(self._reader)
                self._heard.set()
                if pdu.is_answer:
                    self._answer(pdu)
                else:
                    self._request(pdu)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except MalformedError as error:
            _log.warning("session ended: why=%s", error)
        finally:
            self._fail_all()

    def _answer(self, pdu: Pdu) -> None:
        answer = self._asked.get(pdu.sequence)
        if answer is not None and not answer.done():
            answer.set_result(pdu)
        elif on_late := self._late.pop(pdu.sequence, None):
            self._arrive(on_late(pdu))

    def _request(self, pdu: Pdu) -> None:
        match pdu.command:
            case wire.DELIVER | wire.DATA:
                if self.is_leaving or not self._arrive(pdu):
                    self._write_answer(pdu, wire.TRY_AGAIN)
            case wire.ENQUIRE:
                self._write_answer(pdu, wire.OK)
            case wire.UNBIND:
                self._write_answer(pdu, wire.OK)
                self._fail_all()
            case _:
                self._write_answer(pdu, wire.INVALID_COMMAND)

    def _arrive(self, one: Pdu | Awaitable[None]) -> bool:
        try:
            self._arrived.put_nowait(one)
        except asyncio.QueueFull:
            if not isinstance(one, Pdu):
                _forget(one)
            return False
        return True

    # Taking

    async def _take_all(self) -> None:
        """Store what arrives in the order in which it came, many at a time, and acknowledge it then."""
        try:
            while True:
                batch = [await self._arrived.get()]
                while not self._arrived.empty() and len(batch) < _AT_ONCE:
                    batch.append(self._arrived.get_nowait())
                await self._take(batch)
                for _ in batch:
                    self._arrived.task_done()
        finally:
            self._fail_all()

    async def _take(self, batch: Sequence[Pdu | Awaitable[None]]) -> None:
        for late in batch:
            if not isinstance(late, Pdu):
                await late
        pdus = [one for one in batch if isinstance(one, Pdu)]
        for pdu, status in zip(pdus, await self._taken(pdus) if pdus else (), strict=True):
            self._write_answer(pdu, status)

    def _write_answer(self, pdu: Pdu, status: int) -> None:
        if not self._writer.is_closing():
            self._writer.write(wire.write_answer(pdu, status))

    # Staying alive

    async def _keep_alive(self) -> None:
        """Ask a silent centre whether it is there; a connection that a firewall forgot looks alive for hours."""
        while True:
            self._heard.clear()
            try:
                async with asyncio.timeout(self._limits.idle_ms / 1000):
                    await self._heard.wait()
            except TimeoutError:
                if not isinstance(await self.ask(wire.write_enquiry(), self._limits.question_ms), Pdu):
                    self._fail_all()
                    return


def _forget(late: Awaitable[None]) -> None:
    if asyncio.iscoroutine(late):
        late.close()


async def read_pdu(reader: asyncio.StreamReader) -> Pdu:
    """Read one PDU."""
    length, head = wire.read_header(await reader.readexactly(HEADER_BYTES))
    return replace(head, body=await reader.readexactly(length)) if length else head


async def open_session(place: Place, bind: SmppMessage, limits: Limits, taken: Taken) -> Session:
    """Connect and bind, or raise `NotBoundError`, saying which of the two did not work."""
    reader, writer = await _connect(place, limits)
    session = Session(reader, writer, limits, taken)
    try:
        async with asyncio.timeout(limits.question_ms / 1000):
            bind.sequence_num = 1
            writer.write(bytes(bind.pdu()))
            pdu = await read_pdu(reader)
    except TimeoutError:
        pdu = await _give_up(session, "the message centre took the connection but did not answer the bind")
    except (OSError, asyncio.IncompleteReadError, MalformedError):
        pdu = await _give_up(session, "something that is no message centre answered, or it hung up instead of binding")
    except BaseException:
        writer.transport.abort()
        raise
    if pdu.status != wire.OK or not pdu.is_answer:
        await _give_up(session, f"the message centre refused the bind: {bind_refusal(pdu)}", is_refusal=True)
    session.start()
    return session


async def _connect(place: Place, limits: Limits) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    tls: Final = ssl.create_default_context() if place.has_tls else None
    try:
        async with asyncio.timeout(limits.connect_ms / 1000):
            return await asyncio.open_connection(place.host, place.port, ssl=tls)
    except TimeoutError:
        raise NotBoundError("no connection to the message centre could be made in time") from None
    except ssl.SSLCertVerificationError:
        raise NotBoundError("the message centre's certificate is not one that this machine trusts") from None
    except ssl.SSLError:
        raise NotBoundError("the message centre does not speak TLS on this port") from None
    except (OSError, ValueError, OverflowError):
        raise NotBoundError("no connection to the message centre could be made") from None


async def _give_up(session: Session, why: str, *, is_refusal: bool = False) -> Pdu:
    await session.close_at_once()
    raise NotBoundError(why, is_refusal=is_refusal)


def bind_refusal(pdu: Pdu) -> str:
    """Say in words why a bind was refused."""
    known = {
        0x05: "this system id is bound already, and no second session is allowed",
        0x0D: "bind failed; the system id, the password or this server's address may not be allowed",
        0x0E: "the password is wrong",
        0x0F: "the system id is not known",
        0x53: "the system type is not the one that it expects",
    }
    return known.get(pdu.status, wire.said(pdu.status))
