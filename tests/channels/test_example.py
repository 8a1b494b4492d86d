"""The worked example of docs/channels.md: it is a channel, it does what its page says, and the page shows what stands in it."""

import asyncio
import inspect
import re
import runpy
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx2
import pytest
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import NOWHERE, Channel, Connection, Order
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Rejected
from posthaste.core.signals import Inbound, Receipt, Signal

DOCS = Path(__file__).parents[2] / "docs"
FILE = DOCS / "examples" / "channel.py"
Example: Any = runpy.run_path(str(FILE))["Example"]

AT = 1_760_000_000_000
LINE = Connection("device", "https://gateway.test", {"token": "hush"}, {})
ORDER = Order("+12025550101", "Hello", "marker-1", NOWHERE)
SENT = {"to": "+12025550101", "text": "Hello", "reference": "marker-1"}


def channel(wire: Wire) -> Any:
    return Example(wire.client, lambda: AT)


def sent(answer: Answerer) -> Outcome:
    async def work() -> Outcome:
        async with Wire(Step("POST", "/send", answer, body=SENT)) as wire:
            outcome: Outcome = await channel(wire).send(LINE, ORDER)
            return outcome

    return asyncio.run(work())


def heard(body: bytes) -> Heard | None:
    told: Heard | None = channel(Wire()).hear(LINE, HookCall("POST", "", {}, body))
    return told


def test_it_has_every_part_of_a_channel() -> None:
    wanted = {
        name: inspect.signature(part) for name, part in vars(Channel).items() if inspect.isfunction(part) and name[0] != "_"
    }
    assert len(wanted) > 10
    assert {name: inspect.signature(getattr(Example, name)) for name in wanted} == wanted
    assert Example.kind.name == "example"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says(202, {"id": "text-1"}), Accepted),
        (says(202, "thank you"), Ambiguous),
        (says(401), Deferred),
        (says(429), Deferred),
        (says(400), Rejected),
        (says(200, {"id": "text-1"}), Ambiguous),
        (says(500), Ambiguous),
        (breaks(httpx2.ReadTimeout), Ambiguous),
        (breaks(httpx2.ConnectError), Deferred),
    ],
)
def test_each_answer_means_what_its_table_says(answer: Answerer, kind: type[Outcome]) -> None:
    assert type(sent(answer)) is kind


def test_what_was_taken_has_the_id_of_the_gateway() -> None:
    assert sent(says(202, {"id": "text-1"})) == Accepted("text-1")


def test_a_text_may_wait_as_long_as_the_gateway_asks() -> None:
    assert sent(says(429, retry_after="7")) == Deferred("the gateway answered 429", 7_000)


@pytest.mark.parametrize(("status", "is_up"), [(200, True), (401, False)])
def test_it_is_up_if_the_token_is_taken(status: int, is_up: bool) -> None:
    async def work() -> bool:
        async with Wire(Step("GET", "/account", says(status))) as wire:
            return bool((await channel(wire).ping(LINE)).is_up)

    assert asyncio.run(work()) is is_up


@pytest.mark.parametrize(
    ("body", "signal"),
    [
        (b'{"id": "1", "event": "delivered"}', Receipt("1", delivered_at=AT)),
        (b'{"id": "1", "event": "failed", "why": "no such number"}', Receipt("1", error="no such number")),
        (b'{"id": "2", "event": "received", "from": "+12025550101", "text": "Hi"}', Inbound("2", 0, "+12025550101", "Hi", AT)),
    ],
)
def test_reports_are_receipts_and_replies(body: bytes, signal: Signal) -> None:
    assert heard(body) == Heard((signal,))


@pytest.mark.parametrize("body", [b"", b"\xff", b'{"id": "1", "event": "else"}', b"[]"])
def test_what_is_no_report_means_nothing(body: bytes) -> None:
    assert heard(body) == Heard(())


def test_the_page_shows_what_stands_in_the_file() -> None:
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", (DOCS / "channels.md").read_text(), re.MULTILINE | re.DOTALL)
    parts = [part.strip("\n") for block in blocks for part in dedent(block).split("\n\n")]
    assert parts
    assert not [part for part in parts if part not in FILE.read_text()]
