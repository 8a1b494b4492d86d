"""Calls that arrive together share a transaction, and one that fails takes none of the others with it."""

import asyncio

from api.house import house, run

HI = {"message": "Hi", "recipientPhone": "+12025551234"}


def test_calls_that_arrive_together_share_transactions_and_each_gets_its_own_answer() -> None:
    async def main() -> None:
        async with house() as it:
            writes = 0
            write = it.store.write

            async def counting(*args: object) -> object:
                nonlocal writes
                writes += 1
                return await write(*args)  # type: ignore[arg-type]

            it.store.write = counting  # type: ignore[assignment, method-assign]
            bodies = [{**HI, "message": f"Hi {n}", **({"recipientPhone": "12"} if n == 7 else {})} for n in range(40)]
            bodies[9]["leadId"] = "0123456789abcdef01234567"
            answers = await asyncio.gather(*(it.send(body) for body in bodies))
            statuses = [one.status_code for one in answers]
            assert (statuses[7], statuses[9]) == (400, 404)
            assert [one for one in statuses if one >= 400] == [400, 404]
            assert statuses.count(201) == 1
            texts = [one.json()["message"]["message"] for one in answers if one.status_code < 400]
            assert texts == [f"Hi {n}" for n in range(40) if n not in (7, 9)]
            assert writes < 20

    run(main)
