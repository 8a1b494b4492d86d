"""Fifty callers at the same instant: one lead, one message for one key, one message for one text.

One process takes the calls on SQLite, two on PostgreSQL; nothing is sent. All tests of a database share its processes, so
each has people of its own.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx2
import pytest

from fixtures.postgres_server import PostgresServer
from fixtures.processes import Caller, Site, caller, opened_site

FIFTY = range(50)

Body = Callable[[Caller], Awaitable[None]]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The processes that take the calls."""
    folder: Path = tmp_path_factory.mktemp("races")
    if request.param == "sqlite":
        yield from _opened(folder, "", processes=1)
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database() as url:
            yield from _opened(folder, url, processes=2)


def _opened(folder: Path, database_url: str, processes: int) -> Iterator[Site]:
    with opened_site(folder, database_url) as made:
        for _ in range(processes):
            asyncio.run(made.started("api"))
        yield made


def run(made: Site, body: Body) -> None:
    async def main() -> None:
        async with caller(made.programs) as calls:
            await body(calls)

    asyncio.run(main())


async def send_all(calls: Caller, bodies: Sequence[Mapping[str, object]], **headers: str) -> list[httpx2.Response]:
    return await asyncio.gather(*(calls.send(body, **headers) for body in bodies))


def statuses(answers: Sequence[httpx2.Response]) -> dict[int, int]:
    return dict(Counter(one.status_code for one in answers))


def messages_like(made: Site, pattern: str) -> int:
    return made.number(f"SELECT count(*) FROM messages WHERE text LIKE '{pattern}'")


def leads_like(made: Site, pattern: str) -> int:
    return made.number(f"SELECT count(*) FROM leads WHERE phone LIKE '{pattern}'")


def test_fifty_calls_for_one_new_number_make_one_lead(made: Site) -> None:
    async def body(calls: Caller) -> None:
        answers = await send_all(calls, [{"message": f"text {n}", "recipientPhone": "+12025550111"} for n in FIFTY])
        assert statuses(answers) == {201: 1, 200: 49}
        assert len({one.json()["leadId"] for one in answers}) == 1
        assert sum(one.json().get("duplicateOnly", False) for one in answers) == 49
        assert leads_like(made, "+12025550111") == 1
        assert messages_like(made, "text %") == 50
        assert made.number("SELECT count(DISTINCT line_id) FROM messages WHERE text LIKE 'text %'") == 1

    run(made, body)


def test_one_number_with_many_other_addresses_is_one_lead_and_each_address_has_one_owner(made: Site) -> None:
    def message(n: int) -> dict[str, object]:
        mixed = {
            "recipientEmail": f"mix{n % 7}@example.org",
            "altPhone1": f"+1202555{2000 + n % 5}",
            "altEmail2": f"b{n % 3}@example.org",
        }
        wanted = {name: value for bit, (name, value) in enumerate(mixed.items()) if n >> bit & 1}
        return {"message": f"mixed {n}", "recipientPhone": "+12025550112", **wanted}

    async def body(calls: Caller) -> None:
        answers = await send_all(calls, [message(n) for n in FIFTY])
        assert statuses(answers) == {201: 1, 200: 49}, [one.text for one in answers if one.status_code > 201]
        assert leads_like(made, "+12025550112") == 1
        assert made.rows("SELECT address FROM lead_addresses GROUP BY workspace_id, address HAVING count(*) > 1") == []

    run(made, body)


def test_people_who_share_addresses_crosswise_never_get_an_error(made: Site) -> None:
    """Ten phones and ten e-mails in all pairs: whoever is first owns an address, and nobody is refused for it."""

    def message(n: int) -> dict[str, object]:
        return {
            "message": f"crossed {n}",
            "recipientPhone": f"+1202555{3000 + n % 10}",
            "recipientEmail": f"cross{(n // 10 + n) % 10}@example.org",
            "altPhone1": f"+1202555{3000 + n // 5}",
        }

    async def body(calls: Caller) -> None:
        leads_before = made.number("SELECT count(*) FROM leads")
        answers = await send_all(calls, [message(n) for n in FIFTY])
        assert set(statuses(answers)) <= {200, 201}, [one.text for one in answers if one.status_code > 201]
        assert messages_like(made, "crossed %") == 50
        assert made.number("SELECT count(*) FROM leads") - leads_before == statuses(answers)[201]
        _addresses_agree_with_leads(made)

    run(made, body)


def _addresses_agree_with_leads(made: Site) -> None:
    """Each address that a lead carries, in one field or in two, is owned by that lead, and none is owned that no lead carries."""
    columns = ("phone", "email", "alt_phone_1", "alt_phone_2", "alt_phone_3", "alt_email_1", "alt_email_2", "alt_email_3")
    carried = " UNION ".join(f"SELECT {one}, id FROM leads WHERE {one} IS NOT NULL" for one in columns)
    assert set(made.rows(carried)) ^ set(made.rows("SELECT address, lead_id FROM lead_addresses")) == set()


def test_fifty_calls_with_one_key_make_one_message(made: Site) -> None:
    async def body(calls: Caller) -> None:
        one_body = {"message": "keyed once", "recipientPhone": "+12025550113"}
        answers = await send_all(calls, [one_body for _ in FIFTY], Idempotency_Key="the-key")
        assert statuses(answers) == {201: 50}
        assert sum("idempotent-replayed" not in one.headers for one in answers) == 1
        assert len({one.json()["message"]["_id"] for one in answers}) == 1

        others = [{**one_body, "message": f"keyed other {n}"} for n in range(10)]
        refused = await send_all(calls, others, Idempotency_Key="the-key")
        assert statuses(refused) == {422: 10}
        assert {one.json()["code"] for one in refused} == {"IDEMPOTENCY_MISMATCH"}
        assert messages_like(made, "keyed %") == 1

    run(made, body)


def test_of_fifty_bodies_under_one_key_one_is_taken_and_the_others_are_told_so(made: Site) -> None:
    async def body(calls: Caller) -> None:
        bodies = [{"message": f"contended {n}", "recipientPhone": f"+1202556{4000 + n}"} for n in FIFTY]
        answers = await send_all(calls, bodies, Idempotency_Key="contended")
        assert statuses(answers) == {201: 1, 422: 49}
        assert messages_like(made, "contended %") == 1
        assert leads_like(made, "+12025564%") == 1

    run(made, body)


def test_of_fifty_identical_sends_without_key_one_goes_and_the_others_are_skipped(made: Site) -> None:
    async def body(calls: Caller) -> None:
        answers = await send_all(calls, [{"message": "the  SAME words", "recipientPhone": "+12025550114"} for _ in FIFTY])
        assert statuses(answers) == {201: 1, 200: 49}
        first = next(one.json()["message"]["_id"] for one in answers if one.status_code == 201)
        skipped = [one.json() for one in answers if one.status_code == 200]
        assert all(one["skipped"] and one["reason"] == "duplicate_send_recent" for one in skipped)
        assert {one["originalMessageId"] for one in skipped} == {first}
        assert messages_like(made, "the  SAME words") == 1

    run(made, body)
