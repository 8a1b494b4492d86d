"""Take in what a device reports: receipts, echoes of our own sends, and what people write.

Reports come early, late, twice and in any order, by webhook and by polling. An echo that carries our marker, or a
receipt for an id that we know, is evidence about an attempt; everything else that is ours makes the rescuer or the
next poll look sooner.
"""

from collections.abc import Sequence
from typing import assert_never

from posthaste.actions.fallback import stands
from posthaste.actions.inbound import devices_let_go, meet, take_inbound, take_reaction, take_typing
from posthaste.actions.parts import take_part
from posthaste.actions.record import other_addresses
from posthaste.actions.settle import Ruling, settle
from posthaste.core.lifecycle import Status, Step
from posthaste.core.messages import Message
from posthaste.core.optout import Wish, wish_of
from posthaste.core.outcomes import Accepted, Refusal
from posthaste.core.signals import Echo, Inbound, InboundPart, Reaction, Receipt, Signal, Typing
from posthaste.core.verdicts import Finish, Verdict, off_channel
from posthaste.settings import Settings
from posthaste.store import attempts, devices, waiting
from posthaste.store.attempts import Attempt
from posthaste.store.devices import Access
from posthaste.store.transaction import Transaction

_SOON_MS = 2_000
_WITHOUT_A_WORD = frozenset({Refusal.OTHER, Refusal.NOT_ON_CHANNEL})


def receive(tx: Transaction, settings: Settings, device_id: str, signals: Sequence[Signal], source: str) -> None:
    """Take in the reports of one device; `source` says in words how they came."""
    access = devices.access(tx, [device_id])[device_id]
    writers = meet(tx, access.workspace_id, {one.address for one in signals if isinstance(one, Inbound | InboundPart)})
    _lock(tx, access, signals)
    for signal in signals:
        match signal:
            case Receipt() | Echo():
                _take_report(tx, settings, access, signal, _attempt_of(tx, device_id, signal), source)
            case Inbound():
                take_inbound(tx, settings, access, signal, writers[signal.address])
            case InboundPart():
                take_part(tx, settings, access, signal, writers[signal.address])
            case Reaction():
                take_reaction(tx, access, signal)
            case Typing():
                take_typing(tx, access, signal)
            case _:
                assert_never(signal)


def _lock(tx: Transaction, access: Access, signals: Sequence[Signal]) -> None:
    """Lock at once every device whose messages these reports may let go.

    One after the other, in another order than others do, would end in deadlocks. A single receipt locks what it needs by itself.
    """
    if len(signals) == 1 and not isinstance(signals[0], Inbound | InboundPart):
        return
    ids, people = {access.device_id}, set[tuple[str, str]]()
    for signal in signals:
        if isinstance(signal, Inbound | InboundPart):
            ids.update(devices_let_go(tx, access.workspace_id, signal.address, may_stop=_may_stop(signal)))
        elif isinstance(signal, Receipt | Echo) and (attempt := _attempt_of(tx, access.device_id, signal)):
            people.add((attempt.workspace_id, attempt.address))
    if any(isinstance(signal, Receipt | Echo) and signal.error is not None for signal in signals):
        ids.update(stand.line.device_id for stand in stands(tx, {access.workspace_id}).values() if stand.line)
    devices.lock(tx, ids | waiting.devices_in_doubt_for(tx, people))


def _may_stop(signal: Inbound | InboundPart) -> bool:
    """Tell whether a text opts out; of a part nobody knows what it makes whole."""
    return isinstance(signal, InboundPart) or wish_of(signal.text) is Wish.STOP


def _attempt_of(tx: Transaction, device_id: str, signal: Receipt | Echo) -> Attempt | None:
    known = attempts.by_external_id(tx, device_id, signal.external_id)
    if known is None and isinstance(signal, Echo) and signal.marker:
        return attempts.by_marker(tx, device_id, signal.marker)
    return known


def _take_report(
    tx: Transaction, settings: Settings, access: Access, signal: Receipt | Echo, attempt: Attempt | None, source: str
) -> None:
    if attempt is None:
        _look_soon(tx, settings, access, signal)
        return

    def rule(attempt: Attempt, message: Message) -> Ruling:
        return Ruling(_verdict(signal, attempt, message), source)

    settle(tx, settings, [attempt], rule, may_fail=signal.error is not None)


def _verdict(signal: Receipt | Echo, attempt: Attempt, message: Message) -> Verdict:
    accepted = Accepted(signal.external_id, signal.delivered_at, signal.read_at)
    if signal.error is not None:
        is_open = attempt.state != "done" and message.status == Status.SENDING
        if signal.refusal is Refusal.NOT_ON_CHANNEL and is_open:
            return off_channel(signal.error, other_addresses(attempt, message), accepted)
        return Finish(Step.FAIL, _code_of(signal.refusal), signal.error, accepted)
    has_arrived = signal.delivered_at is not None or signal.read_at is not None
    return Finish(Step.DELIVER if has_arrived else Step.ACCEPT, accepted=accepted)


def _code_of(refusal: Refusal) -> str:
    return "PROVIDER_ERROR" if refusal in _WITHOUT_A_WORD else refusal.name


def _look_soon(tx: Transaction, settings: Settings, access: Access, signal: Receipt | Echo) -> None:
    """A receipt that overtook the answer, a send that is in doubt or was called unknown, or one made by hand at the
    device.
    """
    if isinstance(signal, Echo):
        attempts.look_now(tx, access.device_id)
        attempts.revive_lost(tx, access.device_id, tx.now - settings.stale_after_ms)
        tx.wake("doubt")
    else:
        devices.hasten(tx, access.device_id, poll_at=tx.now + _SOON_MS)


def note_poll(tx: Transaction, settings: Settings, asked: Access, signals: Sequence[Signal], cursor: int) -> None:
    """Take in what a poll brought, and remember how far it came.

    Not if the line was led to another mailbox or account meanwhile: what comes in there would be passed over.
    """
    receive(tx, settings, asked.device_id, signals, "a poll")
    if devices.lock_as_reached(tx, asked):
        devices.raise_cursor(tx, asked.device_id, cursor)


def device_of_token(tx: Transaction, hook_token: str) -> Access | None:
    """Return the device that reports under this secret."""
    return devices.by_token(tx, hook_token)
