"""Fifty callers at the same instant: one lead, one message for one key, one message for one text."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from fixtures.processes import Caller, Site, caller, site

FIFTY = range(50)


@asynccontextmanager
async def api(folder: Path, database_url: str) -> AsyncIterator[tuple[Site, Caller]]:
    """Take calls without sending anything: one process on SQLite, two on PostgreSQL."""
    async with site(folder, database_url) as made:
        for _ in range(2 if made.is_postgres else 1):
            await made.started("api")
        async with caller(made.programs) as calls:
            yield made, calls


async def send_all(calls: Caller, bodies: Sequence[Mapping[str, object]], **headers: str) -> list[httpx2.Response]:
    return await asyncio.gather(*(calls.send(body, **headers) for body in bodies))


def statuses(answers: Sequence[httpx2.Response]) -> dict[int, int]:
    return dict(Counter(one.status_code for one in answers))


def test_fifty_calls_for_one_new_number_make_one_lead(tmp_path: Path, database_url: str) -> None:
    async def main() -> None:
        async with api(tmp_path, database_url) as (made, calls):
            answers = await send_all(calls, [{"message": f"text {n}", "recipientPhone": "+12025550111"} for n in FIFTY])
            assert statuses(answers) == {201: 1, 200: 49}
            assert len({one.json()["leadId"] for one in answers}) == 1
            assert sum(one.json().get("duplicateOnly", False) for one in answers) == 49
            assert made.number("SELECT count(*) FROM leads") == 1
            assert made.number("SELECT count(*) FROM messages") == 50
            assert made.number("SELECT count(DISTINCT line_id) FROM messages") == 1

    asyncio.run(main())


def test_one_number_with_many_other_addresses_is_one_lead_and_each_address_has_one_owner(
    tmp_path: Path, database_url: str
) -> None:
    def body(n: int) -> dict[str, object]:
        mixed = {
            "recipientEmail": f"mix{n % 7}@example.org",
            "altPhone1": f"+1202555{2000 + n % 5}",
            "altEmail2": f"b{n % 3}@example.org",
        }
        wanted = {name: value for bit, (name, value) in enumerate(mixed.items()) if n >> bit & 1}
        return {"message": f"mixed {n}", "recipientPhone": "+12025550112", **wanted}

    async def main() -> None:
        async with api(tmp_path, database_url) as (made, calls):
            answers = await send_all(calls, [body(n) for n in FIFTY])
            assert statuses(answers) == {201: 1, 200: 49}, [one.text for one in answers if one.status_code > 201]
            assert made.number("SELECT count(*) FROM leads") == 1
            owners = made.rows("SELECT address, count(*) FROM lead_addresses GROUP BY address HAVING count(*) > 1")
            assert owners == []

    asyncio.run(main())


def test_people_who_share_addresses_crosswise_never_get_an_error(tmp_path: Path, database_url: str) -> None:
    """Ten phones and ten e-mails in all pairs: whoever is first owns an address, and nobody is refused for it."""

    def body(n: int) -> dict[str, object]:
        phone, email = f"+1202555{3000 + n % 10}", f"cross{(n // 10 + n) % 10}@example.org"
        return {
            "message": f"crossed {n}",
            "recipientPhone": phone,
            "recipientEmail": email,
            "altPhone1": f"+1202555{3000 + n // 5}",
        }

    async def main() -> None:
        async with api(tmp_path, database_url) as (made, calls):
            answers = await send_all(calls, [body(n) for n in FIFTY])
            assert set(statuses(answers)) <= {200, 201}, [one.text for one in answers if one.status_code > 201]
            assert made.number("SELECT count(*) FROM messages") == 50
            assert made.number("SELECT count(*) FROM leads") == statuses(answers)[201]
            _addresses_agree_with_leads(made)

    asyncio.run(main())


def _addresses_agree_with_leads(made: Site) -> None:
    """Each address that a lead carries is owned by that lead, and nothing is owned that no lead carries."""
    columns = ("phone", "email", "alt_phone_1", "alt_phone_2", "alt_phone_3", "alt_email_1", "alt_email_2", "alt_email_3")
    carried = " UNION ALL ".join(f"SELECT {one}, id FROM leads WHERE {one} IS NOT NULL" for one in columns)
    assert sorted(made.rows(carried)) == sorted(made.rows("SELECT address, lead_id FROM lead_addresses"))


def test_fifty_calls_with_one_key_make_one_message(tmp_path: Path, database_url: str) -> None:
    async def main() -> None:
        async with api(tmp_path, database_url) as (made, calls):
            one_body = {"message": "once", "recipientPhone": "+12025550113"}
            answers = await send_all(calls, [one_body for _ in FIFTY], Idempotency_Key="the-key")
            assert statuses(answers) == {201: 50}
            assert sum("idempotent-replayed" not in one.headers for one in answers) == 1
            assert len({one.json()["message"]["_id"] for one in answers}) == 1
            assert made.number("SELECT count(*) FROM messages") == 1

            other = await send_all(calls, [{**one_body, "message": f"other {n}"} for n in range(10)], Idempotency_Key="the-key")
            assert statuses(other) == {422: 10}
            assert {one.json()["code"] for one in other} == {"IDEMPOTENCY_MISMATCH"}
            assert made.number("SELECT count(*) FROM messages") == 1

    asyncio.run(main())


def test_of_fifty_bodies_under_one_key_one_is_taken_and_the_others_are_told_so(tmp_path: Path, database_url: str) -> None:
    async def main() -> None:
        async with api(tmp_path, database_url) as (made, calls):
            bodies = [{"message": f"body {n}", "recipientPhone": f"+1202555{4000 + n}"} for n in FIFTY]
            answers = await send_all(calls, bodies, Idempotency_Key="contended")
            assert statuses(answers) == {201: 1, 422: 49}
            assert made.number("SELECT count(*) FROM messages") == 1
            assert made.number("SELECT count(*) FROM leads") == 1

    asyncio.run(main())


def test_of_fifty_identical_sends_without_key_one_goes_and_the_others_are_skipped(tmp_path: Path, database_url: str) -> None:
    async def main() -> None:
        async with api(tmp_path, database_url) as (made, calls):
            answers = await send_all(calls, [{"message": "the  SAME text", "recipientPhone": "+12025550114"} for _ in FIFTY])
            assert statuses(answers) == {201: 1, 200: 49}
            first = next(one.json()["message"]["_id"] for one in answers if one.status_code == 201)
            skipped = [one.json() for one in answers if one.status_code == 200]
            assert all(one["skipped"] and one["reason"] == "duplicate_send_recent" for one in skipped)
            assert {one["originalMessageId"] for one in skipped} == {first}
            assert made.number("SELECT count(*) FROM messages") == 1

    asyncio.run(main())
