"""Take in what a message centre hands over: receipts, and what people write.

Everything is stored before it is acknowledged, and the parts of a long text one by one: a centre that hands over one at a time
brings the next only then, and perhaps to another of our processes. What cannot be stored now is refused for a while, so that
the centre brings it again; what cannot be read at all is refused for good.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from posthaste.channels.base import Inbox
from posthaste.channels.smpp import wire
from posthaste.channels.smpp.ids import Receipts
from posthaste.channels.smpp.inbound import Repeats, fingerprint_of
from posthaste.channels.smpp.meaning import address_of, is_receipt, outcome_of, report_of
from posthaste.channels.smpp.text import Place, decoded, is_sound, unwrapped
from posthaste.channels.smpp.wire import Delivery, MalformedError, Pdu
from posthaste.core.outcomes import Accepted
from posthaste.core.signals import Echo, Inbound, InboundPart, Signal

_log = logging.getLogger(__name__)

_UNREADABLE = 0x65


@dataclass(frozen=True, slots=True)
class _Item:
    """One delivery: what it means, and what is done once that is stored."""

    pdu: Pdu
    signals: Sequence[Signal] = ()
    status: int = wire.OK
    fingerprint: str = ""


class Taking:
    """What comes in for one device."""

    def __init__(self, inbox: Inbox, device_id: str, alphabet: str, receipts: Receipts, now_ms: Callable[[], int]) -> None:
        self._inbox, self._device_id, self._alphabet = inbox, device_id, alphabet
        self._receipts, self._now_ms = receipts, now_ms
        self._repeats = Repeats()
        self._storing = asyncio.Lock()

    async def take(self, pdus: Sequence[Pdu]) -> Sequence[int]:
        """Store what came, and return the status with which each is answered."""
        async with self._storing:
            items = [self._read(pdu) for pdu in pdus]
            if await self._stored(items):
                return [item.status for item in items]
            return [item.status if len(items) > 1 and await self._stored([item]) else wire.TRY_AGAIN for item in items]

    async def take_late(self, pdu: Pdu, marker: str) -> None:
        """Store that a text was taken after all whose answer we had given up waiting for."""
        outcome = outcome_of(pdu, marker)
        if isinstance(outcome, Accepted):
            await self._put([Echo(self._receipts.sent([outcome.external_id]), 0, marker)])

    def session_ended(self) -> None:
        self._repeats.session_ended(self._now_ms())

    async def _stored(self, items: Sequence[_Item]) -> bool:
        if not await self._put([signal for item in items for signal in item.signals]):
            return False
        for item in items:
            self._repeats.acknowledged(item.fingerprint, self._now_ms())
        return True

    async def _put(self, signals: Sequence[Signal]) -> bool:
        if not signals:
            return True
        try:
            await self._inbox.put(self._device_id, signals)
        except Exception:
            _log.exception("not stored, so not acknowledged: device=%s", self._device_id)
            return False
        return True

    def _read(self, pdu: Pdu) -> _Item:
        try:
            delivery = wire.read_delivery(pdu)
        except MalformedError as error:
            _log.warning("not readable: device=%s why=%s", self._device_id, error)
            return _Item(pdu, status=_UNREADABLE)
        if is_receipt(delivery):
            return self._receipt(pdu, delivery)
        return self._written(pdu, delivery)

    def _receipt(self, pdu: Pdu, delivery: Delivery) -> _Item:
        # The text of a receipt is ASCII, whatever alphabet the centre names.
        report = report_of(delivery, delivery.user_data.decode("ascii", "replace"))
        receipt = self._receipts.receipt_of(report, self._now_ms())
        return _Item(pdu, () if receipt is None else (receipt,))

    def _written(self, pdu: Pdu, delivery: Delivery) -> _Item:
        octets, place = unwrapped(delivery.user_data, delivery.esm_class)
        text = decoded(octets, delivery.coding, self._alphabet)
        place = place or _place_in_params(delivery)
        if place is not None and is_sound(place):
            return _Item(pdu, [self._part(delivery, place, text)])
        fingerprint = fingerprint_of(delivery)
        external_id = self._repeats.id_of(fingerprint, self._now_ms())
        return _Item(pdu, [self._inbound(delivery, external_id, text)], fingerprint=fingerprint)

    def _inbound(self, delivery: Delivery, external_id: str, text: str) -> Inbound:
        to = address_of(delivery.destination)
        address = address_of(delivery.source)
        return Inbound(external_id, 0, address, text, self._now_ms(), to if to.startswith("+") else None)

    def _part(self, delivery: Delivery, place: Place, text: str) -> InboundPart:
        return InboundPart(
            fingerprint=fingerprint_of(delivery),
            address=address_of(delivery.source),
            to=address_of(delivery.destination),
            text=text,
            at=self._now_ms(),
            reference=place.reference,
            total=place.total,
            number=place.number,
        )


def _place_in_params(delivery: Delivery) -> Place | None:
    reference, total, number = (delivery.number_of(tag) for tag in (wire.SAR_REFERENCE, wire.SAR_TOTAL, wire.SAR_NUMBER))
    return None if reference is None or total is None or number is None else Place(reference, total, number)
