"""Lists are read and old rows found by indexes: what a page or a sweep costs does not grow with the table."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from stores import StoppedClock

from posthaste.ids import Ids
from posthaste.store import (
    attempts,
    availability,
    conversation_lists,
    deleted_lines,
    inbound_parts,
    message_lists,
    messages,
    reply_lists,
    signals,
)
from posthaste.store.conversation_lists import ANYBODY, Search
from posthaste.store.inline import InlineStore
from posthaste.store.message_lists import MessageFilters
from posthaste.store.transaction import Row, Transaction


class Planning:
    """A transaction that notes how each statement would be run, and runs none."""

    def __init__(self, tx: Transaction) -> None:
        self._tx, self.now, self.plan = tx, tx.now, ""

    def rows(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        self.plan += "\n".join(str(row[3]) for row in self._tx.rows(f"EXPLAIN QUERY PLAN {sql}", params))
        return []

    def one(self, sql: str, params: Mapping[str, object]) -> None:
        self.rows(sql, params)

    def run(self, sql: str, params: Mapping[str, object]) -> int:
        return len(self.rows(sql, params))


def plan_of(ask: Callable[[Any], object]) -> str:
    """Return how SQLite runs what `ask` asks."""

    def explain(tx: Transaction) -> str:
        planning = Planning(tx)
        ask(planning)
        return planning.plan

    async def main() -> str:
        store = InlineStore(StoppedClock(), Ids())
        try:
            return await store.read(explain)
        finally:
            await store.close()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("ask", "indexes"),
    [
        (
            lambda tx: reply_lists.page(tx, "w", 0, 50),
            ["m USING INDEX messages_received", "later USING COVERING INDEX messages_replied"],
        ),
        (lambda tx: reply_lists.count(tx, "w"), ["USING COVERING INDEX messages_replied"]),
        (lambda tx: reply_lists.last_of(tx, "w", "l"), ["USING COVERING INDEX messages_replied"]),
        (
            lambda tx: conversation_lists.page(tx, "w", None, 0, 50),
            ["m USING INDEX messages_newest", "later USING INDEX messages_of_lead"],
        ),
        (
            lambda tx: conversation_lists.count(tx, "w"),
            ["l USING COVERING INDEX leads_newest", "m USING COVERING INDEX messages_of_lead"],
        ),
        (lambda tx: reply_lists.sent_to(tx, ["l"], 10), ["m USING INDEX messages_of_lead"]),
        (lambda tx: messages.last_sent_to(tx, "l", "a"), ["messages USING INDEX messages_of_lead"]),
        (lambda tx: conversation_lists.messages_of(tx, "l", 0, 50), ["USING INDEX messages_of_lead"]),
        (lambda tx: conversation_lists.count_messages_of(tx, "l"), ["USING COVERING INDEX messages_of_lead"]),
        (
            lambda tx: conversation_lists.found(tx, "w", Search("ann"), None, 0, 50),
            ["l USING INDEX leads_newest", "last USING INDEX messages_of_lead"],
        ),
        (lambda tx: conversation_lists.last_of(tx, "w", "l", ANYBODY, None), ["last USING INDEX messages_of_lead"]),
        (lambda tx: message_lists.page(tx, "w", MessageFilters(), 0, 50), ["m USING INDEX messages_newest"]),
        (lambda tx: message_lists.page(tx, "w", MessageFilters(batch_id="b"), 0, 50), ["m USING INDEX messages_of_batch"]),
        (lambda tx: message_lists.count(tx, "w", MessageFilters(batch_id="b")), ["m USING INDEX messages_of_batch"]),
        (lambda tx: message_lists.page(tx, "w", MessageFilters(lead_id="l"), 0, 50), ["m USING INDEX messages_of_lead"]),
        (lambda tx: message_lists.count(tx, "w", MessageFilters(lead_id="l")), ["m USING INDEX messages_of_lead"]),
    ],
)
def test_a_list_is_read_by_its_indexes(ask: Callable[[Any], object], indexes: list[str]) -> None:
    plan = plan_of(ask)
    assert "SCAN m" not in plan
    assert not [one for one in indexes if one not in plan], plan


@pytest.mark.parametrize(
    "ask", [lambda tx: reply_lists.page(tx, "w", 0, 50), lambda tx: conversation_lists.page(tx, "w", None, 0, 50)]
)
def test_a_page_is_not_sorted(ask: Callable[[Any], object]) -> None:
    assert "USE TEMP B-TREE" not in plan_of(ask)


@pytest.mark.parametrize(
    ("sweep", "index"),
    [
        (lambda tx: signals.sweep(tx, 1, 1, 9), "s USING INDEX signals_seen_oldest (device_id=? AND seen_at<?)"),
        (lambda tx: availability.sweep(tx, 1, 9), "availability USING INDEX availability_oldest (checked_at<?)"),
        (lambda tx: inbound_parts.sweep(tx, 1, 9), "inbound_parts USING INDEX inbound_parts_given (given_at<?)"),
        (lambda tx: inbound_parts.overdue(tx, 1, 9, 9), "inbound_parts USING INDEX inbound_parts_open"),
    ],
)
def test_what_is_swept_is_found_by_an_index(sweep: Callable[[Any], object], index: str) -> None:
    plan = plan_of(sweep)
    assert index in plan, plan
    assert "SCAN s" not in plan and "SCAN availability" not in plan


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda tx: attempts.look_now(tx, "d"), "attempts USING INDEX attempts_open (lease_until>?)"),
        (lambda tx: attempts.revive_lost(tx, "d", 1), "attempts USING INDEX attempts_lost (device_id=? AND finished_at>?)"),
        (lambda tx: attempts.bound_ids(tx, "d", "a", "x"), "attempts USING INDEX attempts_bound (device_id=? AND address=?)"),
        (lambda tx: deleted_lines.waiting(tx, 9), "m USING INDEX messages_due (line_id=?)"),
    ],
)
def test_what_is_looked_for_again_and_again_is_found_by_an_index(ask: Callable[[Any], object], index: str) -> None:
    assert index in plan_of(ask)
