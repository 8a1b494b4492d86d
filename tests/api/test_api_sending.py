"""`POST /api/messages`: keys that repeat, waiting for an outcome, and what a client may do meanwhile."""

import asyncio

from api.house import house, run
from posthaste.core.outcomes import Ambiguous

HI = {"message": "Hi", "recipientPhone": "+12025551234"}


def test_a_new_person_is_a_201_and_a_known_one_a_200_with_the_duplicate_fields() -> None:
    async def main() -> None:
        async with house() as it:
            first = await it.send(HI)
            assert first.status_code == 201, first.text
            assert "duplicateOnly" not in first.json()
            second = await it.send({**HI, "message": "Hi again"})
            assert second.status_code == 200, second.text
            lead_id = first.json()["leadId"]
            assert second.json()["leadId"] == lead_id
            assert second.json()["duplicateOnly"] is True
            assert second.json()["existingLeadIds"] == second.json()["leadIds"] == [lead_id]

    run(main)


def test_a_repeat_of_a_key_is_answered_as_the_first_time_with_the_message_as_it_is_now() -> None:
    async def main() -> None:
        async with house() as it:
            first = await it.send(HI, Idempotency_Key="order-1")
            assert "idempotent-replayed" not in first.headers
            await it.settle()
            reordered = {"recipientPhone": HI["recipientPhone"], "message": "Hi"}
            again = await it.send(reordered, Idempotency_Key="order-1")
            assert again.status_code == first.status_code == 201
            assert again.headers["idempotent-replayed"] == "true"
            assert again.json()["message"]["_id"] == first.json()["message"]["_id"]
            assert (first.json()["status"], again.json()["status"]) == ("pending", "sent")
            assert await it.count("messages") == 1

    run(main)


def test_a_key_with_another_body_is_refused_and_a_refusal_uses_no_key_up() -> None:
    async def main() -> None:
        async with house() as it:
            assert (await it.send({**HI, "recipientPhone": "12"}, Idempotency_Key="k")).status_code == 400
            assert (await it.send(HI, Idempotency_Key="k")).status_code == 201
            other = await it.send({**HI, "message": "Ho"}, Idempotency_Key="k")
            assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_MISMATCH")
            assert (await it.send(HI, Idempotency_Key="k" * 255)).status_code == 200
            assert (await it.send(HI, Idempotency_Key="  ")).json().get("skipped") is True
            assert await it.count("messages") == 2

    run(main)


def test_keys_of_two_workspaces_have_nothing_to_do_with_each_other() -> None:
    async def main() -> None:
        async with house() as it:
            await it.send(HI, Idempotency_Key="k")
            _, other_key = await it.another()
            answer = await it.client.post("/api/messages", json=HI, headers={"X-API-Key": other_key, "Idempotency-Key": "k"})
            assert answer.json()["code"] == "NO_ACTIVE_LINES"

    run(main)


def test_the_answer_waits_for_the_outcome() -> None:
    async def main() -> None:
        async with house(answer_wait_ms=60_000) as it:
            call = asyncio.create_task(it.send(HI))
            await it.settle_next()
            answer = await call
            assert answer.json()["status"] == answer.json()["message"]["status"] == "sent"
            assert "preference-applied" not in answer.headers

    run(main)


def test_the_answer_does_not_wait_for_what_a_rule_holds() -> None:
    async def main() -> None:
        async with house(answer_wait_ms=60_000) as it:
            answer = await it.send({**HI, "scheduledDate": "2030-01-01T00:00:00Z"})
            assert (answer.json()["status"], answer.json()["reason"]) == ("scheduled", "scheduled")

    run(main)


def test_the_answer_comes_when_the_time_is_up() -> None:
    async def main() -> None:
        async with house(answer_wait_ms=20) as it:
            answer = await it.send(HI)
            assert (answer.status_code, answer.json()["status"]) == (201, "pending")

    run(main)


def test_prefer_says_how_long_to_wait() -> None:
    async def main() -> None:
        async with house(answer_wait_ms=60_000, answer_wait_max_ms=90_000) as it:
            at_once = await it.send(HI, Prefer="respond-async")
            assert at_once.headers["preference-applied"] == "respond-async"
            zero = await it.send({**HI, "message": "2"}, Prefer="wait=0")
            assert zero.headers["preference-applied"] == "wait=0"
            while await it.settle():
                pass
            both = asyncio.create_task(it.send({**HI, "message": "3"}, Prefer='respond-async, wait="200"'))
            await it.settle_next()
            assert (await both).headers["preference-applied"] == "wait=90"
            assert at_once.json()["status"] == zero.json()["status"] == "pending"

    run(main)


def test_a_repeat_waits_as_it_asks() -> None:
    async def main() -> None:
        async with house() as it:
            await it.send(HI, Idempotency_Key="k", Prefer="respond-async")
            again = asyncio.create_task(it.send(HI, Idempotency_Key="k", Prefer="wait=60"))
            await it.settle_next()
            assert (await again).json()["status"] == "sent"

    run(main)


def test_a_client_that_hangs_up_loses_nothing() -> None:
    async def main() -> None:
        async with house(answer_wait_ms=60_000) as it:
            calls = [asyncio.create_task(it.send({**HI, "message": f"Hi {n}"})) for n in range(3)]
            await it.until(lambda: it.count("messages"))
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            while await it.settle():
                pass
            listed = (await it.get("/api/messages")).json()["messages"]
            assert sorted((one["message"], one["status"]) for one in listed) == [(f"Hi {n}", "sent") for n in range(3)]

    run(main)


def test_an_unknown_outcome_is_pending_or_by_a_setting_failed() -> None:
    async def main() -> None:
        for as_failed in (False, True):
            async with house(unknown_as_failed=as_failed) as it:
                sent = (await it.send(HI)).json()["message"]["_id"]
                await it.settle(Ambiguous("the connection died"))
                shown = (await it.get(f"/api/messages/{sent}")).json()["message"]
                assert shown["status"] in ("sending", "unknown", "failed")

    run(main)


def test_unknown_fields_are_told_in_the_timeline() -> None:
    async def main() -> None:
        async with house() as it:
            sent = (await it.send({**HI, "recipentName": "Ann", "x" * 100: 1})).json()["message"]["_id"]
            story = (await it.get(f"/api/messages/{sent}/timeline")).json()
            assert story["messageId"] == sent
            (entry,) = [one for one in story["timeline"] if one["code"] == "unknown_fields"]
            assert "recipentName" in entry["says"]
            assert "x" * 61 not in str(entry)
            assert [one["at"] for one in story["timeline"]] == sorted(one["at"] for one in story["timeline"])

    run(main)


def test_messages_are_listed_by_page_and_filter() -> None:
    async def main() -> None:
        async with house() as it:
            for n in range(5):
                it.clock.now += 1000
                await it.send({"message": f"Hi {n}", "recipientPhone": f"+1202555123{n}", "batchId": f"b{n % 2}"})
            await it.settle()
            page = (await it.get("/api/messages", page="2", limit="2")).json()
            assert [one["message"] for one in page["messages"]] == ["Hi 2", "Hi 1"]
            assert page["pagination"] == {"page": 2, "limit": 2, "totalCount": 5, "totalPages": 3}
            every = (await it.get("/api/messages")).json()["messages"]

            async def found(**query: str) -> list[str]:
                return [one["message"] for one in (await it.get("/api/messages", **query)).json()["messages"]]

            assert await found(batchId="b1") == ["Hi 3", "Hi 1"]
            assert await found(leadId=every[0]["leadId"]) == ["Hi 4"]
            assert len(await found(lineId=it.lines[0].line.id)) == 5
            assert len(await found(status="sent")) == 1
            assert len(await found(status="pending")) == 4
            assert await found(to=every[3]["createdAt"], **{"from": every[4]["createdAt"]}) == ["Hi 1", "Hi 0"]
            assert await found(page="1000000") == []
            assert len(await found(status="", page=" ", leadId="")) == 5

    run(main)
