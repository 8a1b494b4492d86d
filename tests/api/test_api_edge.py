"""The edge: keys, limits, request ids, and what becomes of errors."""

import asyncio
import logging

import pytest

from api.house import House, house, run
from posthaste.store.errors import CommitInDoubt, StoreUnavailable

HI = {"message": "Hi", "recipientPhone": "+12025551234"}
NOBODYS = "0123456789abcdef01234567"


async def statuses(it: House, *headers: dict[str, str]) -> list[int]:
    return [(await it.client.get("/api/messages", headers=one)).status_code for one in headers]


def test_a_key_is_taken_from_either_header_and_nothing_else_is_a_key() -> None:
    async def main() -> None:
        async with house() as it:
            good = ({"Authorization": f"Bearer {it.key}"}, {"Authorization": f"bearer  {it.key} "}, {"X-API-Key": it.key})
            assert await statuses(it, *good) == [200, 200, 200]
            bad: list[dict[str, str]] = [
                {},
                {"Authorization": it.key},
                {"Authorization": "Bearer "},
                {"Authorization": f"Basic {it.key}"},
                {"Authorization": "Bearer tuco_sk_"},
                {"Authorization": "Bearer tuco_sk_" + "0" * 48},
                {"Authorization": f"Bearer {it.key[:-1]}"},
                {"Authorization": f"Bearer {it.key}0"},
                {"Authorization": "Bearer " + "x" * 5000},
                {"X-API-Key": it.key.upper()},
            ]
            assert await statuses(it, *bad) == [401] * len(bad)
            assert (await it.client.get("/api/messages")).json() == {"error": "Unauthorized"}

    run(main)


def test_a_revoked_key_lives_on_for_no_longer_than_the_cache() -> None:
    async def main() -> None:
        async with house() as it:
            assert await statuses(it, it.auth) == [200]
            await it.revoke_all()
            it.clock.now += it.settings.key_cache_ms - 1
            assert await statuses(it, it.auth) == [200]
            it.clock.now += 1
            assert await statuses(it, it.auth) == [401]

    run(main)


def test_another_workspaces_things_are_not_found() -> None:
    async def main() -> None:
        async with house() as it:
            mine = (await it.send(HI)).json()
            _, other_key = await it.another()
            other = {"Authorization": f"Bearer {other_key}"}
            message, line = f"/api/messages/{mine['message']['_id']}", f"/api/lines/{it.lines[0].line.id}"
            asked = [
                await it.client.get(message, headers=other),
                await it.client.get(message + "/timeline", headers=other),
                await it.client.delete(message, headers=other),
                await it.client.patch(line, json={"isActive": False}, headers=other),
                await it.client.post("/api/messages", json={**HI, "fromLineId": it.lines[0].line.id}, headers=other),
            ]
            assert [answer.status_code for answer in asked] == [404] * 5
            assert (await it.client.get("/api/messages", headers=other)).json()["messages"] == []
            assert (await it.client.get("/api/lines/by-user", headers=other)).json() == {"lines": []}
            assert (await it.get(message)).json()["message"]["status"] == "pending"

    run(main)


def test_another_workspaces_lead_is_not_found_even_by_who_has_a_line() -> None:
    async def main() -> None:
        async with house() as it, house() as elsewhere:
            foreign = (await elsewhere.send(HI)).json()["leadId"]
            answer = await it.send({"message": "Hi", "leadId": foreign})
            assert (answer.status_code, answer.json()["error"]) == (404, "Lead not found or access denied")
            assert await it.count("messages") == 0

    run(main)


def test_a_read_only_workspace_reads_but_does_not_write() -> None:
    async def main() -> None:
        async with house() as it:
            sent = (await it.send(HI)).json()["message"]["_id"]
            await it.restrict("past_due")
            writes = [
                await it.send({**HI, "message": "More"}),
                await it.client.delete(f"/api/messages/{sent}", headers=it.auth),
                await it.client.patch(f"/api/lines/{it.lines[0].line.id}", json={"isActive": False}, headers=it.auth),
                await it.client.post("/api/lines", json={}, headers=it.auth),
            ]
            assert [one.status_code for one in writes] == [402] * 4
            assert (await it.get(f"/api/messages/{sent}")).status_code == 200
            assert (await it.get("/api/lines/by-user")).status_code == 200

    run(main)


def test_requests_have_an_id_in_and_out() -> None:
    async def main() -> None:
        async with house() as it:
            own = await it.client.get("/healthz", headers={"X-Request-Id": "abc-1.2:3"})
            assert own.headers["x-request-id"] == "abc-1.2:3"
            for written in ("", "two words", "x" * 129, "line\tend"):
                made = await it.client.get("/healthz", headers={"X-Request-Id": written})
                assert len(made.headers["x-request-id"]) == 24
            assert (await it.client.get("/nowhere")).headers["x-request-id"]

    run(main)


def test_limits_are_off_until_they_are_set() -> None:
    async def main() -> None:
        async with house() as it:
            answer = await it.send(HI)
            assert not any(name.startswith("ratelimit") for name in answer.headers)

    run(main)


def test_a_workspace_that_goes_too_fast_is_told_when_to_come_back() -> None:
    async def main() -> None:
        async with house(messages_per_minute=2, requests_per_minute=1) as it:
            it.clock.now += 15_000
            answers = [await it.send({**HI, "message": f"Hi {n}"}) for n in range(3)]
            assert [one.status_code for one in answers] == [201, 200, 429]
            assert [one.headers["ratelimit-remaining"] for one in answers] == ["1", "0", "0"]
            assert answers[2].headers["ratelimit-limit"] == "2"
            assert answers[2].headers["ratelimit-reset"] == answers[2].headers["retry-after"] == "45"
            assert answers[2].json() == {"error": "Rate limit exceeded", "code": "TOO_MANY_REQUESTS"}
            assert await it.count("messages") == 2
            # Sending and everything else are counted apart, and so are workspaces.
            assert await statuses(it, it.auth, it.auth) == [200, 429]
            _, other_key = await it.another()
            assert await statuses(it, {"X-API-Key": other_key}) == [200]
            it.clock.now += 45_000
            assert (await it.send({**HI, "message": "Hi 4"})).status_code == 200

    run(main)


def test_more_calls_than_may_be_in_hand_are_told_to_come_back() -> None:
    async def main() -> None:
        async with house(waiting_max=1, answer_wait_ms=60_000) as it:
            first = asyncio.create_task(it.send(HI))
            await it.until(lambda: it.count("messages"))
            second = await it.send({**HI, "message": "More"})
            assert (second.status_code, second.json()["code"]) == (503, "BUSY")
            assert second.headers["retry-after"] == "1"
            assert (await it.client.get("/healthz")).status_code == 200
            await it.settle()
            assert (await first).status_code == 201
            assert await it.count("messages") == 1

    run(main)


def test_a_mistake_of_ours_tells_nothing_but_an_id(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with house() as it:

            async def explode(*_: object) -> None:
                raise RuntimeError("the text +12025551234 and the secret tuco_sk_abc")

            await it.send(HI)  # so that the key is known before the store breaks
            it.store.write = explode  # type: ignore[assignment, method-assign]
            answer = await it.send({**HI, "message": "Secret words"})
            assert answer.status_code == 500
            assert answer.json() == {"error": "Internal server error", "requestId": answer.headers["x-request-id"]}
            assert answer.headers["x-request-id"] in caplog.text
            assert "RuntimeError" in caplog.text
            for private in ("Secret words", "2025551234", "tuco_sk_"):
                assert private not in caplog.text

    with caplog.at_level(logging.INFO):
        run(main)


@pytest.mark.parametrize("error", [StoreUnavailable("no route to db.internal.example"), CommitInDoubt()])
def test_a_database_that_is_away_is_a_503_without_its_name(error: Exception) -> None:
    async def main() -> None:
        async with house() as it:

            async def fail(*_: object) -> None:
                raise error

            await it.send(HI)
            it.store.write = fail  # type: ignore[assignment, method-assign]
            answer = await it.send(HI)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["code"] in ("STORE_UNAVAILABLE", "COMMIT_IN_DOUBT")
            assert "db.internal" not in answer.text

    run(main)


def test_head_is_get_without_a_body() -> None:
    async def main() -> None:
        async with house() as it:
            head = await it.client.head("/healthz")
            assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "15")

    run(main)


def test_nothing_of_an_error_is_stored() -> None:
    async def main() -> None:
        async with house() as it:
            answer = await it.send({**HI, "leadId": NOBODYS}, Idempotency_Key="k")
            assert answer.status_code == 404
            tables = ("messages", "leads", "lead_addresses", "idempotency_keys", "timeline", "recent_sends", "conversations")
            assert {name: await it.count(name) for name in tables} == dict.fromkeys(tables, 0)

    run(main)
