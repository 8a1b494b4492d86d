"""SMS through a gateway that does not exist: the worked example of docs/channels.md, to be copied.

| what the gateway answers | outcome | because |
| --- | --- | --- |
| 202 with an id | Accepted | it took the text and named it |
| 401, 403 | Deferred, the device is down | the token is wrong, so nothing was sent |
| 429 | Deferred | nothing was sent, and later it may be |
| any other 4xx | Rejected | it refused this text |
| anything else, or no answer | Ambiguous | perhaps it was sent, and nobody can be asked |

It posts to the line's `hookUrl` what became of a text and what people write: `{"id", "event", "from", "text", "why"}`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import httpx2
import msgspec

from posthaste.channels.base import Availability, Connection, Health, News, Order, Target, Trace, Unreachable
from posthaste.channels.http import Answer, Limits, NeverLeft, NoAnswer, exchange, retry_after_ms
from posthaste.core.channels import Field, Form, Kind, Pace, Promises
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import Accepted, Ambiguous, CannotTell, Deferred, Finding, Outcome, Refusal, Rejected
from posthaste.core.signals import Inbound, Receipt, Signal


class Taken(msgspec.Struct):
    """The answer to a text that was taken."""

    id: str


class Report(msgspec.Struct):
    """What the gateway posts by itself."""

    id: str
    event: Literal["delivered", "failed", "received"]
    sender: str = msgspec.field(default="", name="from")
    text: str = ""
    why: str = ""


class Example:
    """The channel. It keeps nothing."""

    kind = Kind(
        name="example",
        title="a gateway that does not exist",
        message_type=MessageType.SMS,
        promises=Promises(repeats_safely=False, can_find=False, can_check=False, has_receipts=True, has_attachments=False),
        fields=(
            Field("url", "the address of the gateway", Form.URL, is_needed=True),
            Field("token", "the token that it gives out", is_needed=True, is_secret=True),
        ),
        told_by=("url",),
        pace=Pace(gap_ms=0, contact_gap_ms=0, max_in_flight=8, arrival_ms=60_000),
    )

    def __init__(
        self,
        client: httpx2.AsyncClient,
        now_ms: Callable[[], int],
        *,
        answer_timeout_ms: int = 30_000,
        question_timeout_ms: int = 10_000,
        connect_timeout_ms: int = 5_000,
    ) -> None:
        self._client, self._now_ms = client, now_ms
        self._questions = Limits(connect_timeout_ms, question_timeout_ms, answer_bytes=65_536)
        self._sends = replace(self._questions, answer_ms=answer_timeout_ms)

    # Sending

    async def prepare(self, device: Connection, order: Order) -> Target | Deferred | Rejected:
        """There is nothing to ask: a number is all that the gateway wants."""
        return Target("sms", order.address)

    async def send(self, device: Connection, order: Order) -> Outcome:
        """Make the one request that sends."""
        body = msgspec.json.encode({"to": order.address, "text": order.text, "reference": order.marker})
        match await self._exchange(device, "POST", "/send", body, self._sends):
            case NeverLeft(why):
                return Deferred(why, device_is_down=True)
            case NoAnswer(why):
                return Ambiguous(why)
            case Answer() as answer:
                return _outcome(answer)

    # Finding

    async def find(self, device: Connection, trace: Trace) -> Finding:
        return CannotTell("this gateway cannot be asked what became of a text")

    # Checking

    async def check(self, device: Connection, address: str) -> Availability:
        return Availability(None, "an SMS can be sent to any mobile number")

    async def ping(self, device: Connection) -> Health:
        """Ask whether the gateway takes the token."""
        match await self._exchange(device, "GET", "/account", None, self._questions):
            case Answer(status=200):
                return Health(True, "the gateway takes the token", {})
            case Answer(status=status):
                return Health(False, f"the gateway answered {status}", {})
            case NeverLeft(why) | NoAnswer(why):
                return Health(False, why, {})

    # Listening

    async def listen(self, device: Connection) -> None:
        """The line's `hookUrl` is set at the gateway by hand."""
        return

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        return News((), cursor, is_complete=True)

    def hear(self, device: Connection, call: HookCall) -> Heard | None:
        """Translate a report; that it is the gateway's is proven by the secret in the path, which only it was given."""
        try:
            report = msgspec.json.decode(call.body, type=Report)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Heard(())
        return Heard((self._signal(report),))

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        raise Unreachable("this gateway brings no files")

    def forget(self, device_id: str) -> None:
        return None

    async def close(self) -> None:
        return None

    # Asking

    async def _exchange(
        self, device: Connection, method: str, path: str, content: bytes | None, limits: Limits
    ) -> Answer | NeverLeft | NoAnswer:
        headers = {"Authorization": f"Bearer {device.secrets['token']}"}
        return await exchange(self._client, method, device.url + path, query={}, content=content, limits=limits, headers=headers)

    def _signal(self, report: Report) -> Signal:
        match report.event:
            case "delivered":
                return Receipt(report.id, delivered_at=self._now_ms())
            case "failed":
                return Receipt(report.id, error=report.why or "the gateway gave no reason")
            case "received":
                return Inbound(report.id, 0, report.sender, report.text, self._now_ms())


def _outcome(answer: Answer) -> Outcome:
    said = f"the gateway answered {answer.status}"
    match answer.status:
        case 202:
            try:
                return Accepted(msgspec.json.decode(answer.body, type=Taken).id)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return Ambiguous("the gateway took it and did not say under which id")
        case 401 | 403:
            return Deferred(said, device_is_down=True)
        case 429:
            return Deferred(said, retry_after_ms(answer))
        case status if 400 <= status < 500:
            return Rejected(Refusal.OTHER, said)
        case _:
            return Ambiguous(said)
