"""Store what people write and do, and let it have its consequences in the same transaction.

A reply is a message of its own, found again by the provider's id however often it is reported. Whoever writes is known from
then on; whoever asks us to stop is heard before anything else can leave.
"""

from collections.abc import Collection, Mapping

from posthaste.actions.auto_reply import answer_help
from posthaste.actions.files import note_inbound
from posthaste.actions.optout import opt_in, opt_out
from posthaste.actions.ready import look_again
from posthaste.core.addresses import is_email
from posthaste.core.errors import Unavailable
from posthaste.core.leads import QUICK_SENDS, Lead
from posthaste.core.lifecycle import Status
from posthaste.core.lines import Line
from posthaste.core.messages import NO_CRM, Lane, Message
from posthaste.core.optout import Wish, wish_of
from posthaste.core.signals import Inbound, Reaction, Typing
from posthaste.core.timeline import Code
from posthaste.settings import Settings
from posthaste.store import attempts, conversations, leads, lines, messages, reactions, signals, timeline, waiting
from posthaste.store.devices import Access
from posthaste.store.reactions import StoredReaction
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction

_TRIES = 5

STOPPED = "the person replied with a word that opts out"


def meet(tx: Transaction, workspace_id: str, addresses: Collection[str]) -> dict[str, Lead]:
    """Return who writes from each address; somebody unknown becomes a lead.

    Comes before any device is locked, as in `accept`: of two who meet one person at once, one waits here for the other.
    """
    wanted = {address: tx.new_id() for address in sorted(addresses)}
    if not wanted:
        return {}
    owners = _owners(tx, workspace_id, wanted)
    strangers = [_stranger(tx, workspace_id, wanted[one], one) for one in wanted if owners[one] == wanted[one]]
    leads.add(tx, strangers)
    known = leads.by_ids(tx, set(owners.values()))
    return {address: known[lead_id] for address, lead_id in owners.items()}


def _owners(tx: Transaction, workspace_id: str, wanted: Mapping[str, str]) -> dict[str, str]:
    """Claim addresses for the leads that are wanted, and return whose each is.

    Another transaction may give back between the two steps what kept us from an address; then nobody has it, and we ask again.
    """
    for _ in range(_TRIES):
        leads.claim_addresses(tx, workspace_id, wanted)
        owners = leads.owners(tx, workspace_id, wanted)
        if owners.keys() == wanted.keys():
            return owners
    raise Unavailable("The lead of this person is being changed by others; try again")


def devices_let_go(tx: Transaction, workspace_id: str, address: str, *, may_stop: bool) -> set[str]:
    """Return the devices that what a person writes may touch: those that wait for them, and of all that an opt-out cancels."""
    ids = set(waiting.devices_waiting_for(tx, workspace_id, address))
    if not may_stop:
        return ids
    lead_id = leads.owners(tx, workspace_id, [address]).get(address)
    return ids | (waiting.devices_open_for(tx, workspace_id, lead_id) if lead_id else set())


def take_inbound(tx: Transaction, settings: Settings, access: Access, inbound: Inbound, lead: Lead) -> None:
    """Store what a person wrote, once; the caller has locked the devices that it lets go."""
    if not signals.first_seen(tx, access.device_id, inbound.external_id):
        return
    line = _line(tx, access, inbound)
    if line is None:
        return
    received = _received(tx, access, inbound, line, lead)
    messages.add(tx, [received])
    timeline.add(tx, [NewEntry(access.workspace_id, received.id, Code.RECEIVED, _facts(received))])
    note_inbound(tx, access.workspace_id, received.id, access.device_id, inbound.files)
    conversations.note_written(tx, access.workspace_id, inbound.address, line.id, inbound.at or tx.now)
    tx.wake("inbound")
    _heed(tx, settings, access, inbound, received)


def _line(tx: Transaction, access: Access, inbound: Inbound) -> Line | None:
    """Return the line that was written to: the one with that address, else the device's first that was not deleted."""
    of_device = sorted(lines.of_devices(tx, [access.device_id]), key=lambda line: line.deleted_at is not None)
    named = [line for line in of_device if inbound.to is not None and inbound.to in (line.phone, line.email)]
    return next(iter(named or of_device), None)


def _stranger(tx: Transaction, workspace_id: str, lead_id: str, address: str) -> Lead:
    return Lead(
        id=lead_id,
        workspace_id=workspace_id,
        list_id=leads.list_named(tx, workspace_id, QUICK_SENDS),
        first_name=None,
        last_name=None,
        phone=None if is_email(address) else address,
        email=address if is_email(address) else None,
        alt_phones=(None, None, None),
        alt_emails=(None, None, None),
        source="reply",
        contact_owner_email=None,
        crm=NO_CRM,
        created_at=tx.now,
        updated_at=tx.now,
    )


def _received(tx: Transaction, access: Access, inbound: Inbound, line: Line, lead: Lead) -> Message:
    is_mail = is_email(inbound.address)
    return Message(
        id=tx.new_id(),
        workspace_id=access.workspace_id,
        lead_id=lead.id,
        line_id=line.id,
        direction="received",
        message_type=line.message_type,
        status=Status.DELIVERED,
        lane=Lane.REPLY,
        due_at=tx.now,
        hold=None,
        expires_at=tx.now,
        address=inbound.address,
        addresses=(inbound.address,),
        checked_addresses=(),
        recipient_phone=None if is_mail else inbound.address,
        recipient_email=inbound.address if is_mail else None,
        recipient_name=lead.full_name,
        text=inbound.text,
        attempts=0,
        external_id=inbound.external_id,
        code=None,
        error_message=None,
        scheduled_at=None,
        valid_until=None,
        window=None,
        batch_id=None,
        send_fallback=False,
        fallback_of=None,
        fallback_message_id=None,
        attachments=(),
        crm=lead.crm,
        sent_at=inbound.at or tx.now,
        delivered_at=tx.now,
        read_at=None,
        created_at=tx.now,
        updated_at=tx.now,
        reply_to=_answered(tx, access, inbound, lead),
    )


def _answered(tx: Transaction, access: Access, inbound: Inbound, lead: Lead) -> str | None:
    """Return the message of ours that it answers: the one that it names, else the last one sent to that address."""
    for external_id in inbound.answers:
        attempt = attempts.by_external_id(tx, access.device_id, external_id)
        if attempt is not None:
            return attempt.message_id
    return messages.last_sent_to(tx, lead.id, inbound.address)


def _facts(received: Message) -> dict[str, object]:
    return {"line": received.line_id, "replyTo": received.reply_to}


def _heed(tx: Transaction, settings: Settings, access: Access, inbound: Inbound, received: Message) -> None:
    match wish_of(inbound.text):
        case Wish.STOP:
            cancelled = opt_out(tx, access.workspace_id, inbound.address, STOPPED)
            facts = {"cancelled": len(cancelled)}
            timeline.add(tx, [NewEntry(access.workspace_id, received.id, Code.OPTED_OUT, facts)])
            return
        case Wish.START:
            opt_in(tx, access.workspace_id, inbound.address)
            timeline.add(tx, [NewEntry(access.workspace_id, received.id, Code.OPTED_IN, {})])
        case Wish.HELP if settings.help_text:
            answer_help(tx, settings, received)
        case _:
            pass
    _let_go(tx, access, inbound.address)


def _let_go(tx: Transaction, access: Access, address: str) -> None:
    """What is sent to somebody who wrote is no new conversation and goes before others'."""
    device_ids = waiting.devices_waiting_for(tx, access.workspace_id, address)
    if device_ids:
        waiting.relane_person(tx, [(access.workspace_id, address)], Lane.REPLY)
        look_again(tx, device_ids)


def take_reaction(tx: Transaction, access: Access, reaction: Reaction) -> None:
    """Store what a person put on a message of ours, or take it off again. It is no reply."""
    if not signals.first_seen(tx, access.device_id, reaction.external_id):
        return
    attempt = attempts.by_external_id(tx, access.device_id, reaction.target)
    if attempt is None:
        return  # On a message that was written by hand, or on one of their own.
    stored = StoredReaction(attempt.message_id, reaction.address, reaction.kind, reaction.at or tx.now)
    if not reactions.note(tx, access.workspace_id, stored, is_removed=reaction.is_removed):
        return  # Heard of too late: the person has taken it off, or put it on again, since.
    facts = {"kind": reaction.kind, "removed": reaction.is_removed}
    timeline.add(tx, [NewEntry(access.workspace_id, attempt.message_id, Code.REACTED, facts)])
    tx.wake(f"message:{attempt.message_id}")


def take_typing(tx: Transaction, access: Access, typing: Typing) -> None:
    """Note that a person writes, or no longer does."""
    conversations.note_typing(tx, access.workspace_id, typing.address, tx.now if typing.is_typing else None)
