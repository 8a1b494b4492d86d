"""Fill a database for a measurement: a workspace, a key, lines whose devices are up, and waiting messages by the million."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from posthaste.actions.keys import make_key
from posthaste.actions.lines import NewLine, add_line
from posthaste.actions.ready import look_again
from posthaste.actions.workspaces import make_workspace
from posthaste.core.messages import CrmIds, Message
from posthaste.core.row import replace
from posthaste.settings import Settings
from posthaste.store import devices, messages
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction

PLENTY = 100_000_000
_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class World:
    """What a measurement needs to know of its database."""

    workspace_id: str
    api_key: str
    line_ids: Sequence[str]


async def populate(store: Store, settings: Settings, lines: int) -> World:
    """Make a workspace with `lines` lines, each on a device of its own that is up, without gaps or caps."""
    return await store.write(_populate, settings, lines)


def _populate(tx: Transaction, settings: Settings, lines: int) -> World:
    workspace = make_workspace(tx, "Bench")
    ids = [_line(tx, settings, workspace.id, number) for number in range(lines)]
    return World(workspace.id, make_key(tx, workspace.id, "bench").key, ids)


def _line(tx: Transaction, settings: Settings, workspace_id: str, number: int) -> str:
    new = NewLine(
        channel="bench",
        message_type="imessage",
        phone=f"+1415{number:07d}",
        messages_per_day=PLENTY,
        new_per_day=PLENTY,
        checks_per_day=PLENTY,
        device_gap_ms=0,
        contact_gap_ms=0,
        check_gap_ms=0,
    )
    view = add_line(tx, settings, workspace_id, new)
    up = replace(view.device, state="up", state_reason=None, checked_at=tx.now)
    devices.save_state(tx, up)
    # Pings would find no such device; they are not what is measured.
    devices.postpone(tx, up.id, tx.now + 10 * 86_400_000)
    return view.line.id


async def add_waiting(store: Store, world: World, count: int, due_at: int) -> None:
    """Add messages that wait until `due_at`, spread over the lines."""
    for start in range(0, count, _CHUNK):
        await store.write(_add_waiting, world, range(start, min(start + _CHUNK, count)), due_at)


def _add_waiting(tx: Transaction, world: World, numbers: Sequence[int], due_at: int) -> None:
    messages.add(tx, messages_due(tx, world, numbers, due_at))


def messages_due(tx: Transaction, world: World, numbers: Sequence[int], due_at: int) -> Iterator[Message]:
    for number in numbers:
        address = f"+1{2_000_000_000 + number}"
        yield Message(
            id=tx.new_id(),
            workspace_id=world.workspace_id,
            lead_id="0" * 24,
            line_id=world.line_ids[number % len(world.line_ids)],
            direction="sent",
            message_type="imessage",
            status="waiting",
            lane=1,
            due_at=due_at,
            hold=None,
            expires_at=due_at + 7 * 86_400_000,
            address=address,
            addresses=(address,),
            checked_addresses=(),
            recipient_phone=address,
            recipient_email=None,
            recipient_name=None,
            text=f"Message number {number} of a run that measures how fast they go." * 3,
            attempts=0,
            external_id=None,
            code=None,
            error_message=None,
            scheduled_at=due_at,
            valid_until=None,
            window=None,
            batch_id=None,
            send_fallback=False,
            fallback_of=None,
            fallback_message_id=None,
            attachments=(),
            crm=CrmIds(),
            sent_at=None,
            delivered_at=None,
            read_at=None,
            created_at=tx.now,
            updated_at=tx.now,
        )


def rouse(tx: Transaction) -> None:
    """Have every device look at its messages, as accepting them would have done."""
    look_again(tx, [one.device_id for one in devices.every_access(tx)])


async def until_sent(store: Store, count: int) -> None:
    """Wait until so many messages are sent."""
    while await store.read(_sent) < count:
        await asyncio.sleep(0.02)


def _sent(tx: Transaction) -> int:
    row = tx.one("SELECT count(*) FROM messages WHERE status IN ('sent', 'delivered')")
    return int(row[0]) if row else 0
