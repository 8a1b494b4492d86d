"""What happens while an action waits for a lock on PostgreSQL: what it had read before is no longer so."""

import asyncio
import dataclasses
import threading
import time

import pytest
from stock import stock

from posthaste.actions.accept import Acceptance
from posthaste.actions.claim import Claimed, claim
from posthaste.actions.hand import Handing, hand
from posthaste.actions.lines import NewLine, add_line
from posthaste.actions.rescue import rescue
from posthaste.actions.seals import seal_anew
from posthaste.actions.show import message_view
from posthaste.channels.bluebubbles.channel import BlueBubbles
from posthaste.core.messages import Sending
from posthaste.settings import Settings
from posthaste.store import devices
from posthaste.store.transaction import Transaction
from posthaste.vault import Vault

SETTINGS = Settings(lease_ms=1_000)
_WITHIN_S = 20.0


def test_a_hand_over_that_waited_for_its_device_sees_that_the_attempt_was_rescued(postgres_url: str) -> None:
    """The worker is slow, another one takes its message over in the meantime: only one of the two may call the provider."""

    async def main() -> None:
        async with stock(postgres_url, SETTINGS) as made:
            await made.accept(Sending(text="only once", phone="+12025550100"))
            (slow,) = (await made.store.write(claim, SETTINGS, "slow", 8)).claimed
            holds, go = threading.Event(), threading.Event()
            other = asyncio.create_task(made.store.write(_take_over, slow, holds, go))
            await asyncio.to_thread(holds.wait, _WITHIN_S)
            handing = Handing(slow.attempt.id, "slow", slow.message.address, "{}", "only once")
            late = asyncio.create_task(made.store.write(hand, SETTINGS, [handing]))
            go.set()
            taken_over = await other
            assert taken_over, "the other worker has the message now"
            assert await late == [False]

    asyncio.run(main())


def test_of_lines_that_are_added_on_one_mac_at_once_one_makes_its_device(postgres_url: str) -> None:
    mac = {"url": "http://mac.local:1234"}
    new = NewLine(channel="bluebubbles", message_type="imessage", kind=BlueBubbles.kind, config=mac, phone="+16285550123", **mac)

    async def main() -> None:
        async with stock(postgres_url, SETTINGS, devices=0, stores=2) as made:
            adding = [store.write(add_line, SETTINGS, made.workspace.id, new) for store in made.stores for _ in range(4)]
            done = await asyncio.gather(*adding, return_exceptions=True)
            assert sorted(type(one).__name__ for one in done) == ["Conflict"] * 7 + ["LineView"]

    asyncio.run(main())


def test_a_device_that_is_led_elsewhere_while_its_secrets_are_sealed_anew_stays_there(postgres_url: str) -> None:
    """One process starts with a new key while another takes a call: how a device is reached is written as a whole."""

    async def main() -> None:
        async with stock(postgres_url, SETTINGS) as made:
            device_id, vault = made.lines[0].device.id, Vault(["new key"])
            holds, go = threading.Event(), threading.Event()
            other = asyncio.create_task(made.store.write(_lead_elsewhere, device_id, holds, go))
            await asyncio.to_thread(holds.wait, _WITHIN_S)
            sealing = asyncio.create_task(made.store.write(seal_anew, vault))
            go.set()
            await other
            await sealing
            access = (await made.store.read(devices.access, [device_id]))[device_id]
            assert (access.url, vault.open(access.secret)) == ("http://new:1", {"password": "n3w"})

    asyncio.run(main())


def _lead_elsewhere(tx: Transaction, device_id: str, holds: threading.Event, go: threading.Event) -> None:
    devices.lock(tx, [device_id])
    holds.set()
    assert go.wait(_WITHIN_S)
    _until_somebody_waits(tx)
    access = devices.access(tx, [device_id])[device_id]
    devices.save_access(tx, dataclasses.replace(access, url="http://new:1", secret="n3w"))


def _take_over(tx: Transaction, slow: Claimed, holds: threading.Event, go: threading.Event) -> bool:
    """Hold the device until the slow worker waits for it, then do what another worker does when a lease has ended."""
    devices.lock(tx, [slow.attempt.device_id])
    holds.set()
    assert go.wait(_WITHIN_S)
    _until_somebody_waits(tx)
    tx.run("UPDATE attempts SET lease_until = 0 WHERE id = :id", {"id": slow.attempt.id})
    rescue(tx, SETTINGS, "other", 8)
    return [one.message.id for one in claim(tx, SETTINGS, "other", 8).claimed] == [slow.message.id]


def _until_somebody_waits(tx: Transaction) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not tx.rows("SELECT pid FROM pg_locks WHERE NOT granted"):
        assert time.monotonic() < deadline, "nobody came to wait for the lock"
        tx.rows("SELECT pg_sleep(0.01)")


@pytest.mark.parametrize("is_asked_for", [True, False])
def test_a_line_that_closes_while_a_message_is_accepted_holds_it_and_is_no_error(postgres_url: str, is_asked_for: bool) -> None:
    async def main() -> None:
        async with stock(postgres_url, SETTINGS) as made:
            line_id = made.lines[0].line.id
            holds, go = threading.Event(), threading.Event()
            phone = "+12025550100"
            other = asyncio.create_task(made.store.write(_close_lines, made.workspace.id, phone, holds, go))
            await asyncio.to_thread(holds.wait, _WITHIN_S)
            wish = Sending(text="hello", phone=phone, from_line_id=line_id if is_asked_for else None)
            accepting = asyncio.create_task(made.accept(wish))
            go.set()
            await other
            (result,) = await accepting
            assert isinstance(result, Acceptance), result
            view = await made.store.read(message_view, made.workspace.id, result.message_id)
            assert view.hold is not None
            assert view.hold.reason == "line_inactive"

    asyncio.run(main())


def test_two_calls_that_add_to_one_lead_at_once_both_stay(postgres_url: str) -> None:
    """A lead is written as a whole: a call that waited for an address must not write back what it had read before."""

    async def main() -> None:
        async with stock(postgres_url, SETTINGS) as made:
            (first,) = await made.accept(Sending(text="hello", phone="+12025550100"))
            assert isinstance(first, Acceptance)
            holds, go = threading.Event(), threading.Event()
            other = asyncio.create_task(made.store.write(_add_first_alternate, made.workspace.id, first.lead_id, holds, go))
            await asyncio.to_thread(holds.wait, _WITHIN_S)
            wish = Sending(text="hello again", phone="+12025550100", alt_phones=(None, "+12025550102", None))
            accepting = asyncio.create_task(made.accept(wish))
            go.set()
            await other
            await accepting
            found = await made.store.read(_addresses_of, first.lead_id)
            assert found == (["+12025550100", "+12025550101", "+12025550102"], ["+12025550100", "+12025550101", "+12025550102"])

    asyncio.run(main())


def _add_first_alternate(tx: Transaction, workspace_id: str, lead_id: str, holds: threading.Event, go: threading.Event) -> None:
    add = "INSERT INTO lead_addresses (workspace_id, address, lead_id) VALUES (:workspace_id, :address, :lead_id)"
    taken = {"workspace_id": workspace_id, "address": "+12025550102", "lead_id": "nobody"}
    tx.run(add, taken)
    holds.set()
    assert go.wait(_WITHIN_S)
    _until_somebody_waits(tx)
    tx.run("UPDATE leads SET alt_phone_1 = '+12025550101' WHERE id = :id", {"id": lead_id})
    tx.run(add, {"workspace_id": workspace_id, "address": "+12025550101", "lead_id": lead_id})
    tx.run("DELETE FROM lead_addresses WHERE workspace_id = :workspace_id AND address = :address AND lead_id = :lead_id", taken)


def _addresses_of(tx: Transaction, lead_id: str) -> tuple[list[str], list[str]]:
    """Return what a lead carries, and what is owned by it."""
    (carried,) = tx.rows("SELECT phone, alt_phone_1, alt_phone_2 FROM leads WHERE id = :id", {"id": lead_id})
    owned = tx.rows("SELECT address FROM lead_addresses WHERE lead_id = :id ORDER BY address", {"id": lead_id})
    return list(carried), [address for (address,) in owned]


def _close_lines(tx: Transaction, workspace_id: str, phone: str, holds: threading.Event, go: threading.Event) -> None:
    """Have somebody wait for the person's address, who has seen the lines open, and close all lines before giving it back."""
    address = {"workspace_id": workspace_id, "address": phone}
    tx.run("INSERT INTO lead_addresses (workspace_id, address, lead_id) VALUES (:workspace_id, :address, 'nobody')", address)
    holds.set()
    assert go.wait(_WITHIN_S)
    _until_somebody_waits(tx)
    tx.run("UPDATE lines SET is_active = 0")
    tx.run("DELETE FROM lead_addresses WHERE workspace_id = :workspace_id AND address = :address", address)
