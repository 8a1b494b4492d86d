"""Make the order for a channel out of a claimed message: its words as they stand now, who writes, and its key."""

from collections.abc import Sequence

from posthaste.actions.claim import Claimed
from posthaste.channels.base import NO_LETTER, NOWHERE, File, Letter, Order, Sender
from posthaste.core.lines import Line
from posthaste.core.messages import Message, MessageType
from posthaste.core.templates import fill
from posthaste.links import Links


def order_of(one: Claimed, address: str, files: Sequence[File], links: Links) -> Order:
    """Return what is to be sent, not yet knowing where at the provider it goes."""
    values = personal_values(one)
    return Order(
        address=address,
        text=fill(one.message.text, values),
        marker=one.attempt.marker,
        target=NOWHERE,
        key=key_of(one.message, address),
        sender=sender_of(one.line),
        files=files,
        letter=_letter(one, address, values, links),
        valid_until=one.message.valid_until,
    )


def key_of(message: Message, address: str) -> str:
    """Return what is the same for every attempt of a message at one address."""
    place = message.addresses.index(address) if address in message.addresses else 0
    return f"{message.id}-{place}"


def sender_of(line: Line) -> Sender:
    return Sender(line.phone, line.email, " ".join(part for part in (line.first_name, line.last_name) if part) or None)


def _letter(one: Claimed, address: str, values: dict[str, str], links: Links) -> Letter:
    message = one.message
    if message.message_type != MessageType.EMAIL:
        return NO_LETTER
    return Letter(
        subject=fill(message.subject, values) if message.subject else None,
        html=fill(message.html, values) if message.html else None,
        references=tuple(mail.external_id for mail in one.earlier),
        about=fill(_about(one), values),
        unsubscribe_url=links.unsubscribe(message.workspace_id, address),
    )


def _about(one: Claimed) -> str:
    """Return what the conversation is about: the last subject that a mail of ours was given, else the text that began it.

    Mail programs that look at the subject would otherwise see another conversation in each mail.
    """
    ours = [mail for mail in one.earlier if mail.is_ours]
    subject = next((mail.subject for mail in reversed(ours) if mail.subject), None)
    return subject or (ours[0].text if ours else "")


def personal_values(one: Claimed) -> dict[str, str]:
    """Return what a text's places are filled with, as things stand now."""
    lead, line = one.lead, one.line
    values: dict[str, str | None] = {
        "firstName": lead.first_name if lead else None,
        "lastName": lead.last_name if lead else None,
        "name": lead.full_name if lead else None,
        "fullName": lead.full_name if lead else None,
        "email": lead.email if lead else None,
        "phone": lead.phone if lead else None,
        "senderFirstName": line.first_name,
        "senderLastName": line.last_name,
        "senderName": sender_of(line).name,
        "senderPhone": line.phone,
        "senderEmail": line.email,
    }
    return {name: value for name, value in values.items() if value}
