"""Put long texts together that come in parts, over one connection or several, before a restart and after it.

A carrier is told that it may forget a part when the part comes, so each is stored as it comes. The one that makes its text whole
brings the text in, in the same transaction. What never becomes whole is given out as it is rather than lost.
"""

from posthaste.actions.inbound import devices_let_go, meet, take_inbound
from posthaste.core.leads import Lead
from posthaste.core.signals import Inbound, InboundPart
from posthaste.settings import Settings
from posthaste.store import devices, inbound_parts
from posthaste.store.devices import Access
from posthaste.store.inbound_parts import LongText, TextKey, key_of
from posthaste.store.transaction import Transaction

_INCOMPLETE_MS = 600_000
_MOST_OPEN = 500
_TEXTS = 100
_MISSING = "…"


def take_part(tx: Transaction, settings: Settings, access: Access, part: InboundPart, lead: Lead) -> None:
    """Store a part, once; the caller has locked the device, and those that the text may let go once it is whole."""
    key = key_of(access.device_id, part)
    known = inbound_parts.find(tx, key)
    if known is None:
        began_at = tx.now
    elif _has(known, part):
        return
    elif known.is_given_out or part.number in known.parts:
        _make_way(tx, settings, access, known, lead)
        began_at = max(tx.now, known.began_at + 1)  # Or two texts might have one id.
    else:
        began_at = known.began_at
    inbound_parts.add(tx, key, part, began_at)
    text = inbound_parts.find(tx, key)
    if text is not None and text.is_whole:
        _give_out(tx, settings, access, text, lead)


def _has(known: LongText, part: InboundPart) -> bool:
    """Tell whether a part came before: a carrier brings again what it does not know to be taken."""
    return part.number in known.parts and known.parts[part.number].text == part.text


def _make_way(tx: Transaction, settings: Settings, access: Access, old: LongText, lead: Lead) -> None:
    """End a text whose reference begins another one: phones count to 255, or always say the same."""
    if not old.is_given_out:
        _give_out(tx, settings, access, old, lead)
    inbound_parts.forget(tx, old.key)


def _give_out(tx: Transaction, settings: Settings, access: Access, text: LongText, lead: Lead) -> None:
    take_inbound(tx, settings, access, _inbound(text), lead)
    inbound_parts.note_given_out(tx, text.key)


def _inbound(text: LongText) -> Inbound:
    """Return what a person wrote, with a mark where a part is missing."""
    first = text.parts[min(text.parts)]
    last_came = max(part.at for part in text.parts.values())
    numbers = range(1, text.key.total + 1)
    words = "".join(text.parts[number].text if number in text.parts else _MISSING for number in numbers)
    return Inbound(f"{first.fingerprint}-{text.began_at}", 0, first.address, words, last_came, first.to)


def give_out_incomplete(tx: Transaction, settings: Settings) -> bool:
    """Give out texts of one device that have waited too long for a part, or are too many; True if there may be more."""
    seen = _overdue(tx)
    if not seen:
        return False
    device_id = seen[0].device_id
    access = devices.access(tx, [device_id])[device_id]
    writers = meet(tx, access.workspace_id, {key.address for key in seen if key.device_id == device_id})
    let_go = [devices_let_go(tx, access.workspace_id, address, may_stop=True) for address in writers]
    devices.lock(tx, {device_id}.union(*let_go))
    # Looked at again, now that nobody else can bring a part or give the text out.
    for key in _overdue(tx):
        text = inbound_parts.find(tx, key) if key.device_id == device_id and key.address in writers else None
        if text is not None:
            _give_out(tx, settings, access, text, writers[key.address])
    return True


def _overdue(tx: Transaction) -> list[TextKey]:
    return inbound_parts.overdue(tx, tx.now - _INCOMPLETE_MS, _MOST_OPEN, _TEXTS)
