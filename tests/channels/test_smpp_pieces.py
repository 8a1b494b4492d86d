"""The parts of the SMPP channel that need no network: alphabets and cuts, ids, parts of long texts, repeats, broken PDUs."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smpp34 import DeliverSm, Tlv
from smpp_desk import LINE, NOW_MS, PERSON, Stored

from posthaste.channels.smpp import wire
from posthaste.channels.smpp.ids import DECIMAL, HEXADECIMAL, Receipts
from posthaste.channels.smpp.inbound import Repeats
from posthaste.channels.smpp.meaning import Report, address_of, source_of
from posthaste.channels.smpp.taking import Taking
from posthaste.channels.smpp.text import (
    ASCII,
    GSM,
    LATIN,
    WIDE,
    Place,
    alphabet_of,
    decoded,
    encoded,
    fits_alone,
    is_sound,
    parts_of,
    unwrapped,
)
from posthaste.channels.smpp.wire import Delivery, Party, Pdu
from posthaste.core.segments import Alphabet, segments_of
from posthaste.core.signals import Inbound, InboundPart, Receipt, Signal

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x1b\x00"), max_size=400) | st.text("aé€{漢😀", max_size=400)
EVERYTHING = st.binary(max_size=120)


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_a_text_is_cut_as_it_was_counted_and_reads_as_it_was(text: str) -> None:
    counted, alphabet = segments_of(text), alphabet_of(text, GSM)
    assert (alphabet == GSM) is (counted.alphabet is Alphabet.GSM_7)
    assert fits_alone(text, alphabet) is (counted.count == 1)
    parts = parts_of(text, alphabet)
    if counted.count > 1:
        assert len(parts) == counted.count
    coding = 8 if alphabet == WIDE else 0
    assert "".join(decoded(part, coding, GSM) for part in parts) == text


@pytest.mark.parametrize("alphabet", [LATIN, ASCII])
def test_a_text_in_another_alphabet_of_the_carriers_is_cut_by_its_bytes(alphabet: str) -> None:
    assert alphabet_of("a" * 141, alphabet) == alphabet
    assert fits_alone("a" * 140, alphabet)
    assert not fits_alone("a" * 141, alphabet)
    assert [len(part) for part in parts_of("a" * 269, alphabet)] == [134, 134, 1]


@given(octets=EVERYTHING, coding=st.integers(0, 255), esm_class=st.integers(0, 255))
def test_anything_that_comes_in_can_be_read(octets: bytes, coding: int, esm_class: int) -> None:
    text, _ = unwrapped(octets, esm_class)
    assert "\x00" not in decoded(text, coding, GSM)


@given(st.sampled_from([wire.DELIVER, wire.DATA]), EVERYTHING)
def test_a_broken_delivery_is_refused_for_good_and_stores_nothing(command: int, body: bytes) -> None:
    async def main() -> None:
        inbox = Stored()
        taking = Taking(inbox, "device-1", GSM, Receipts(), lambda: NOW_MS)
        (status,) = await taking.take([Pdu(command, 0, 1, body)])
        assert status == 0x65 or (status == 0 and len(body) >= 15)

    asyncio.run(main())


@given(text=st.binary(max_size=254), params=st.dictionaries(st.integers(0x1400, 0x3FFF), EVERYTHING, max_size=3))
def test_what_smpp34_writes_is_read_as_it_was(text: bytes, params: dict[int, bytes]) -> None:
    tlvs = [Tlv(tag, value) for tag, value in params.items()]
    octets = DeliverSm("12025550143", "12345", text, source_addr_ton=1, dest_addr_ton=6, data_coding=0xF5, tlvs=tlvs).encode()
    length, head = wire.read_header(octets[:16])
    assert length == len(octets) - 16
    delivery = wire.read_delivery(Pdu(head.command, head.status, head.sequence, octets[16:]))
    assert delivery == Delivery(Party("12025550143", 1, 0), Party("12345", 6, 0), 0, 0xF5, text, params)


@pytest.mark.parametrize("length", [0, 15, 80_000, 2**32 - 1])
def test_a_length_that_no_pdu_has_is_refused(length: int) -> None:
    with pytest.raises(wire.MalformedError):
        wire.read_header(length.to_bytes(4, "big") + bytes(12))


# Addresses


@pytest.mark.parametrize(
    ("party", "address"),
    [
        (Party("12025550143", 1, 1), "+12025550143"),
        (Party("12025550143", 0, 0), "+12025550143"),
        (Party("+12025550143", 1, 1), "+12025550143"),
        (Party("0012025550143", 1, 1), "+12025550143"),
        (Party("12345", 3, 0), "12345"),
        (Party("ACME", 5, 0), "ACME"),
    ],
)
def test_an_address_has_our_spelling(party: Party, address: str) -> None:
    assert address_of(party) == address


def test_a_source_is_what_it_looks_like_unless_it_is_said() -> None:
    assert source_of("+16285551000", "", "") == Party("16285551000", 1, 1)
    assert source_of("12345", "", "") == Party("12345", 3, 0)
    assert source_of("ACME", "", "") == Party("ACME", 5, 0)
    assert source_of("+16285551000", "0", "0") == Party("16285551000", 0, 0)


# Receipts


def delivered(message_id: str) -> Report:
    return Report(message_id, is_delivered=True, error=None)


def id_of(receipts: Receipts, message_id: str) -> str | None:
    receipt = receipts.receipt_of(delivered(message_id), NOW_MS)
    return receipt.external_id if receipt else None


def test_an_id_that_is_decimal_in_the_receipt_is_known_by_a_letter_in_any_answer() -> None:
    receipts = Receipts()
    receipts.sent(["10"])
    receipts.sent(["1F"])
    assert id_of(receipts, "31") == "1F"
    assert receipts.way == DECIMAL
    # Sixteen is 10 to base sixteen: what was learned goes before what looks the same.
    assert id_of(receipts, "16") == "10"


def test_an_id_that_is_hexadecimal_in_the_receipt_is_known_by_a_letter_in_it() -> None:
    receipts = Receipts()
    receipts.sent(["31"])
    receipts.sent(["16"])
    assert id_of(receipts, "0000001f") == "31"
    assert receipts.way == HEXADECIMAL
    assert id_of(receipts, "10") == "16"


def test_numbers_alone_are_never_read_to_another_base() -> None:
    receipts = Receipts()
    receipts.sent(["1000"])
    # 4096 is 1000 to base sixteen, and belongs to a text from before a restart.
    assert id_of(receipts, "4096") == "4096"


def test_ids_with_letters_on_both_sides_are_never_read_to_another_base() -> None:
    receipts = Receipts()
    receipts.sent(["ab12"])
    assert id_of(receipts, "AB12") == "ab12"
    assert id_of(receipts, "171") == "171"
    assert receipts.way == ""


def test_what_was_learned_holds_for_what_was_sent_before_a_restart() -> None:
    assert id_of(Receipts(DECIMAL), "31") == "1f"
    assert id_of(Receipts(HEXADECIMAL), "1F") == "31"
    assert id_of(Receipts("nonsense"), "31") == "31"


def test_a_receipt_without_an_id_is_nothing() -> None:
    assert Receipts().receipt_of(delivered(""), NOW_MS) is None


def test_a_receipt_that_nobody_took_is_kept_for_a_poll() -> None:
    receipts = Receipts()
    receipts.receipt_of(delivered("id-1"), NOW_MS)
    assert receipts.of_open(["id-0", "id-1"]) == [Receipt("id-1", NOW_MS)]


# What people write


def handed(number: int, total: int = 2, destination: str = "16285551000") -> Pdu:
    octets = bytes([5, 0, 3, 42, total, number]) + b"One"
    return Pdu(wire.DELIVER, 0, 1, DeliverSm("12025550143", destination, octets, esm_class=0x40).encode()[16:])


def taken(*pdus: Pdu) -> list[Signal]:
    async def main() -> list[Signal]:
        inbox = Stored()
        assert await Taking(inbox, "device-1", GSM, Receipts(), lambda: NOW_MS).take(pdus) == [wire.OK] * len(pdus)
        return inbox.signals

    return asyncio.run(main())


def test_a_part_is_told_as_it_comes_and_its_repeat_has_the_same_fingerprint() -> None:
    first, again, second = taken(handed(1), handed(1), handed(2))
    assert isinstance(first, InboundPart)
    assert first == InboundPart(first.fingerprint, PERSON, LINE, "One", NOW_MS, reference=42, total=2, number=1)
    assert again == first
    assert isinstance(second, InboundPart)
    assert second.fingerprint != first.fingerprint


def test_a_part_that_was_written_to_a_short_code_says_so() -> None:
    (part,) = taken(handed(1, destination="12345"))
    assert isinstance(part, InboundPart)
    assert part.to == "12345"


@pytest.mark.parametrize(("number", "total"), [(7, 3), (0, 2), (1, 1), (1, 0)])
def test_a_place_that_makes_no_sense_is_none(number: int, total: int) -> None:
    (whole,) = taken(handed(number, total))
    assert isinstance(whole, Inbound)
    assert whole.text == "One"


@pytest.mark.parametrize("place", [Place(0x10000, 2, 1), Place(1, 0x100, 1)])
def test_numbers_that_are_too_large_make_no_sense(place: Place) -> None:
    assert not is_sound(place)


@pytest.mark.parametrize(("acknowledged_ms", "is_repeat"), [(None, True), (6_000, True), (10, False)])
def test_a_repeat_is_what_was_never_acknowledged_or_late(acknowledged_ms: int | None, is_repeat: bool) -> None:
    repeats = Repeats()
    first = repeats.id_of("text", NOW_MS)
    if acknowledged_ms is not None:
        repeats.acknowledged("text", NOW_MS + acknowledged_ms)
    assert (repeats.id_of("text", NOW_MS + 7_000) == first) is is_repeat


@pytest.mark.parametrize(("ended_ms", "is_repeat"), [(9_000, True), (11_000, False)])
def test_what_was_acknowledged_long_before_the_session_ended_is_no_repeat(ended_ms: int, is_repeat: bool) -> None:
    repeats = Repeats()
    first = repeats.id_of("text", NOW_MS)
    repeats.acknowledged("text", NOW_MS)
    repeats.session_ended(NOW_MS + ended_ms)
    assert (repeats.id_of("text", NOW_MS + 20_000) == first) is is_repeat


def test_after_an_hour_nothing_is_a_repeat() -> None:
    repeats = Repeats()
    first = repeats.id_of("text", NOW_MS)
    assert repeats.id_of("text", NOW_MS + 3_600_001) != first


def test_gsm_and_its_extension_are_written_as_the_standard_says() -> None:
    assert encoded("@[€", GSM) == b"\x00\x1b<\x1be"
