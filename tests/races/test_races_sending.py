"""Four worker processes at once on PostgreSQL: caps are exact and gaps are kept, counted on the phones and not in our own rows.

On SQLite there is only one process; what it has in common with them (cancelling and closing a line under the sender's hands) is
run on both.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from fixtures.processes import Caller, Site, caller, sandbox_file, site, until
from posthaste.actions.lines import LineChange, NewLine, add_line, change_line
from posthaste.actions.show import LineView
from posthaste.clock import SystemClock
from posthaste.ids import Ids
from posthaste.settings import Settings
from posthaste.store.opening import open_store
from posthaste.store.transaction import Transaction

P = ParamSpec("P")
T = TypeVar("T")

WORKERS = 4
_SETTLED_WITHIN_S = 60.0


@asynccontextmanager
async def senders(folder: Path, database_url: str, workers: int, **settings: object) -> AsyncIterator[tuple[Site, Caller]]:
    """Open a site with an api whose workers are not started yet, or on SQLite one process for all."""
    async with site(folder, database_url, **settings) as made:
        await made.started("api" if made.is_postgres else "serve")
        for _ in range(workers if made.is_postgres else 0):
            made.program("worker")
        async with caller(made.programs[:1]) as calls:
            yield made, calls


async def start_workers(made: Site) -> None:
    for program in made.programs[1:]:
        program.start()
    for program in made.programs[1:]:
        await program.ready()


async def act(made: Site, action: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one action on the site's PostgreSQL database, as another process would."""
    store = await open_store(made.database_url, SystemClock(), Ids())
    try:
        return await store.write(action, *args, **kwargs)
    finally:
        await store.close()


def noon_zone() -> str:
    """Return a zone in which it is about noon, so that no day ends while a test counts one."""
    offset = 12 - time.gmtime().tm_hour
    return f"Etc/GMT{-offset:+d}"


async def patch(calls: Caller, line_id: str, **change: object) -> None:
    answer = await calls.call("PATCH", f"/api/lines/{line_id}", change)
    assert answer.status_code == 200, answer.text


async def post(calls: Caller, text: str, number: str, **more: object) -> str:
    answer = await calls.send({"message": text, "recipientPhone": number, **more})
    assert answer.status_code in (200, 201), answer.text
    message_id: str = answer.json()["message"]["_id"]
    return message_id


async def quiet(made: Site) -> None:
    """Wait until no device has work now or within the next ten seconds, and no attempt is open."""
    soon = (
        "SELECT (SELECT count(*) FROM attempts WHERE state <> 'done') + (SELECT count(*) FROM devices WHERE in_flight > 0"
        f" OR ready_at < {int(time.time() * 1000) + 10_000})"
    )
    await until(lambda: made.number(soon) == 0, "no device has anything to do", _SETTLED_WITHIN_S)


def test_caps_hold_exactly_with_four_workers(tmp_path: Path, postgres_url: str) -> None:
    """Three lines, two of which share a device: 7 messages a day, of them 3 to new people; 60 messages want to go."""

    async def main() -> None:
        async with senders(tmp_path, postgres_url, WORKERS) as (made, calls):
            lines = await _capped_lines(made, calls)
            ids = await asyncio.gather(*(post(calls, f"capped {n}", f"+1202555{5000 + n % 20}") for n in range(60)))
            await start_workers(made)
            await until(lambda: _sent(made) >= 21, "the lines are full", _SETTLED_WITHIN_S)
            await quiet(made)
            assert [
                (total, new)
                for total, new in made.rows("SELECT usage_total, usage_new FROM lines WHERE message_type = 'imessage'")
            ] == [(7, 3)] * 3
            phones = await made.received()
            assert Counter(one["from"] for one in phones) == {lines[0].line.phone: 14, lines[1].line.phone: 7}
            people = {(one["from"], one["to"]) for one in phones}
            assert Counter(sender for sender, _ in people) == {lines[0].line.phone: 6, lines[1].line.phone: 3}
            reasons = Counter([await _reason(calls, one) for one in ids])
            assert set(reasons) == {None, "daily_limit"}, reasons
            assert reasons["daily_limit"] == 60 - 21

    asyncio.run(main())


def test_the_cap_of_new_conversations_holds_by_itself_with_four_workers(tmp_path: Path, postgres_url: str) -> None:
    async def main() -> None:
        async with senders(tmp_path, postgres_url, WORKERS) as (made, calls):
            for line in sandbox_file(made.programs[0])["lines"][:2]:
                await patch(calls, line["_id"], dailyNewConversationsLimit=3, timezone=noon_zone())
            ids = await asyncio.gather(*(post(calls, f"new {n}", f"+1202555{5100 + n}") for n in range(40)))
            await start_workers(made)
            await until(lambda: _sent(made) >= 6, "the lines have no room for new people", _SETTLED_WITHIN_S)
            await quiet(made)
            assert Counter(one["from"] for one in await made.received()) == {"+16285550001": 3, "+16285550002": 3}
            assert Counter([await _reason(calls, one) for one in ids]) == {None: 6, "new_conversation_limit": 34}

    asyncio.run(main())


async def _capped_lines(made: Site, calls: Caller) -> list[LineView]:
    """Cap the sandbox's two lines, and add a third to the device of the first."""
    file = sandbox_file(made.programs[0])
    ids = [one["_id"] for one in file["lines"][:2]]
    for line_id in ids:
        await patch(calls, line_id, dailyTotalMessagesLimit=7, dailyNewConversationsLimit=3, timezone=noon_zone())
    device_of = dict(made.rows("SELECT id, device_id FROM lines"))
    third = NewLine(
        channel="bluebubbles",
        message_type="imessage",
        phone="+16285550003",
        device_id=device_of[ids[0]],
        timezone=noon_zone(),
        messages_per_day=7,
        new_per_day=3,
        checks_per_day=1_000,
        contact_gap_ms=0,
        is_sandbox=True,
    )
    await act(made, add_line, Settings(), file["workspaceId"], third)
    return [await act(made, change_line, file["workspaceId"], one, LineChange(is_active=True)) for one in ids]


def _sent(made: Site) -> int:
    return made.number("SELECT count(*) FROM messages WHERE status IN ('sent', 'delivered')")


async def _reason(calls: Caller, message_id: str) -> str | None:
    """Return what holds a message, as its timeline says last; None for one that is gone."""
    answer = await calls.call("GET", f"/api/messages/{message_id}/timeline")
    last = answer.json()["timeline"][-1]
    return str(last["reason"]) if last["code"] == "held" else None


def test_the_gap_of_a_device_is_never_undercut_by_four_workers(tmp_path: Path, postgres_url: str) -> None:
    gap_ms = 300

    async def main() -> None:
        async with senders(tmp_path, postgres_url, WORKERS) as (made, calls):
            file = sandbox_file(made.programs[0])
            first, second = (one["_id"] for one in file["lines"][:2])
            await patch(calls, second, isActive=False)
            await act(made, change_line, file["workspaceId"], first, LineChange(device_gap_ms=gap_ms))
            await asyncio.gather(*(post(calls, f"gap {n}", f"+1202555{5200 + n}") for n in range(25)))
            await start_workers(made)
            await until(lambda: _sent(made) == 25, "all are sent", _SETTLED_WITHIN_S)
            starts = [int(at) for (at,) in made.rows("SELECT started_at FROM attempts ORDER BY started_at")]
            arrivals = sorted(_ms(one["receivedAt"]) for one in await made.received())
            print(f"gaps between calls {_gaps(starts)}, between texts {_gaps(arrivals)}")
            assert min(_gaps(starts)) >= gap_ms
            # A phone may get its text some milliseconds after its call began, but the next text never before the gap is over.
            assert min(arrival - start for start, arrival in zip(starts, arrivals[1:], strict=False)) >= gap_ms

    asyncio.run(main())


def _gaps(instants: list[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(instants)]


def _ms(written: str) -> int:
    return round(datetime.fromisoformat(written).timestamp() * 1000)


def test_a_message_is_either_cancelled_or_sent_however_the_two_race(tmp_path: Path, database_url: str) -> None:
    """For each message that leaves, the one that is about to is cancelled: as close to the hand-over as a caller can come."""

    async def main() -> None:
        async with senders(tmp_path, database_url, 2) as (made, calls):
            if made.is_postgres:
                await start_workers(made)
            ids = await asyncio.gather(*(post(calls, f"race {n}", f"+1202555{5300 + n}") for n in range(200)))
            said = await _cancel_the_next_again_and_again(made, calls)
            await quiet(made)
            on_phones = Counter(one["text"] for one in await made.received())
            rows = {str(id): (str(text), str(status)) for id, text, status in made.rows("SELECT id, text, status FROM messages")}
            for message_id in ids:
                text, status = rows[message_id]
                was_cancelled = 200 in said[message_id]
                assert (status == "cancelled", on_phones[text]) == (was_cancelled, int(not was_cancelled)), (text, status, said)
                assert status in ("cancelled", "sent", "delivered")
            print(f"answers to cancelling: {Counter(code for codes in said.values() for code in codes)}")
            assert made.number("SELECT count(*) FROM devices WHERE in_flight <> 0") == 0

    asyncio.run(main())


async def _cancel_the_next_again_and_again(made: Site, calls: Caller) -> dict[str, list[int]]:
    said: dict[str, list[int]] = defaultdict(list)
    next_ones = "SELECT id FROM messages WHERE status IN ('waiting', 'sending') ORDER BY status, due_at, id LIMIT 3"
    sent = 0
    while ids := [str(id) for (id,) in made.rows(next_ones)]:
        answers = await asyncio.gather(*(calls.call("DELETE", f"/api/messages/{one}") for one in ids))
        for message_id, answer in zip(ids, answers, strict=True):
            assert answer.status_code in (200, 409), answer.text
            said[message_id].append(answer.status_code)
        sent = await until(lambda before=sent: _moved(made, before), "some more are sent, or all")  # type: ignore[misc]
    return said


def _moved(made: Site, before: int) -> int:
    """Return how many have left if more have than before, or if none is left to wait for."""
    now = _sent(made)
    left = made.number("SELECT count(*) FROM messages WHERE status IN ('waiting', 'sending')")
    return max(now, 1) if now > before + 3 or not left else 0


def test_a_line_that_is_closed_under_the_senders_hands_sends_at_most_what_was_in_hand(tmp_path: Path, database_url: str) -> None:
    async def main() -> None:
        async with senders(tmp_path, database_url, 2) as (made, calls):
            if made.is_postgres:
                await start_workers(made)
            line_id = sandbox_file(made.programs[0])["lines"][0]["_id"]
            posts = (post(calls, f"closing {n}", f"+1202555{5600 + n}", fromLineId=line_id) for n in range(60))
            ids = await asyncio.gather(*posts)
            await until(lambda: _sent(made) >= 5, "some are sent")
            await patch(calls, line_id, isActive=False)
            then = len(await made.received())
            await until(lambda: made.number("SELECT count(*) FROM attempts WHERE state <> 'done'") == 0, "nothing is in hand")
            after = len(await made.received())
            assert after - then <= 1
            assert after < 60, "it was closed too late to prove anything"
            assert Counter([await _reason(calls, one) for one in ids]) == {None: after, "line_inactive": 60 - after}
            await patch(calls, line_id, isActive=True)
            await until(lambda: _sent(made) == 60, "all are sent once it is open again")
            assert set(Counter(one["text"] for one in await made.received()).values()) == {1}

    asyncio.run(main())


def test_the_messages_of_a_worker_that_died_are_taken_over_when_its_lease_ends(tmp_path: Path, postgres_url: str) -> None:
    lease_ms = 1_500

    async def main() -> None:
        async with senders(tmp_path, postgres_url, 2, lease_ms=lease_ms) as (made, calls):
            dying, other = made.programs[1:]
            dying.start()
            late = (await made.numbers())["late"]
            await asyncio.gather(*(post(calls, f"taken over {n}", one) for n, one in enumerate([*late[:2], *_plain(10)])))
            handed = "SELECT count(*) FROM attempts WHERE state = 'handed'"
            await until(lambda: made.number(handed) == 2, "both are in a slow call")
            other.start()
            await other.ready()
            dying.kill()
            died_at = time.monotonic()
            await until(lambda: _sent(made) >= 10, "the rest is sent by the other", 20)
            print(f"the devices were free again {time.monotonic() - died_at:.1f} s after the death, lease {lease_ms} ms")
            await until(lambda: _sent(made) == 12, "what was in the slow calls is found", _SETTLED_WITHIN_S)
            phones: Callable[[], Awaitable[list[dict[str, str]]]] = made.received
            assert Counter(one["text"] for one in await phones()) == {f"taken over {n}": 1 for n in range(12)}

    asyncio.run(main())


def _plain(count: int) -> list[str]:
    return [f"+1202555{5900 + n}" for n in range(count)]
