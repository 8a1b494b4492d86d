"""What SMS Gate reports by webhook: whose call is believed, and what each event means."""

from dataclasses import replace

import pytest
from smsgate_phone import (
    DELIVERED_AT,
    DELIVERED_MS,
    DEVICE,
    KEY,
    NUMBER,
    OURS,
    PASSWORD,
    SENT_AT,
    SENT_MS,
    SIGNING_KEY,
    call,
    came,
    event,
)

from posthaste.channels.base import Connection
from posthaste.channels.http import open_client
from posthaste.channels.smsgate.channel import SmsGate
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.signals import Inbound, Receipt, Signal

CHANNEL = SmsGate(open_client(), lambda: SENT_MS)
SIGNING = replace(DEVICE, secrets={"password": PASSWORD, "signingKey": SIGNING_KEY})


def heard(body: bytes, device: Connection = DEVICE) -> list[Signal]:
    told = CHANNEL.hear(device, call(body))
    assert told is not None
    return list(told.signals)


def inbound(body: bytes, device: Connection = DEVICE) -> Inbound:
    [signal] = heard(body, device)
    assert isinstance(signal, Inbound)
    return signal


# Receipts


def test_receipts_name_our_own_id() -> None:
    assert heard(event("sms:sent", messageId=KEY, sentAt=SENT_AT)) == [Receipt(KEY)]
    assert heard(event("sms:delivered", messageId=KEY, deliveredAt=DELIVERED_AT)) == [Receipt(KEY, DELIVERED_MS)]
    assert heard(event("sms:failed", messageId=KEY, failedAt=SENT_AT, reason="RESULT_ERROR_NO_SERVICE")) == [
        Receipt(KEY, error="the phone could not send it: RESULT_ERROR_NO_SERVICE")
    ]


def test_a_failure_without_a_reason_is_a_failure() -> None:
    [receipt] = heard(event("sms:failed", messageId=KEY))
    assert receipt == Receipt(KEY, error="the phone could not send it: no reason was given")


def test_a_long_reason_is_cut() -> None:
    [receipt] = heard(event("sms:failed", messageId=KEY, reason="x" * 10_000))
    assert isinstance(receipt, Receipt)
    assert len(receipt.error or "") < 300


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"null",
        b"[]",
        b'{"event": "sms:sent"}',
        b'{"event": "sms:sent", "payload": 7}',
        event("sms:sent", messageId=""),
        event("sms:delivered", messageId=KEY),
        event("sms:delivered", messageId=KEY, deliveredAt="yesterday"),
        event("sms:delivered", deliveredAt=DELIVERED_AT),
        event("sms:received", messageId="1", message="who?"),
        event("sms:data-received", messageId="1", sender=NUMBER, data="SGk=", receivedAt=SENT_AT),
        event("mms:received", messageId="1", sender=NUMBER, receivedAt=SENT_AT),
        event("system:ping"),
        event("sms:teleported", messageId=KEY),
    ],
)
def test_what_says_nothing_to_us_is_taken_and_dropped(body: bytes) -> None:
    assert CHANNEL.hear(DEVICE, call(body)) == Heard(())


# What people write


def test_what_a_person_writes_says_who_where_and_when() -> None:
    said = inbound(came("Yes!"))
    assert (said.address, said.text, said.at, said.cursor, said.to) == (NUMBER, "Yes!", SENT_MS, SENT_MS, OURS)


def test_an_older_app_names_the_sender_by_a_field_that_newer_ones_leave_behind() -> None:
    old = event("sms:received", messageId="a1", message="Yes!", phoneNumber=NUMBER, receivedAt=SENT_AT)
    new = event("sms:received", messageId="a1", message="Yes!", sender=NUMBER, recipient=None, receivedAt=SENT_AT)
    assert inbound(old) == inbound(new)
    assert inbound(new).to is None


def test_one_text_has_one_name_however_often_it_comes() -> None:
    again = came("Yes!", messageId="another")
    assert inbound(came("Yes!")).external_id == inbound(again).external_id
    later_zone = came("Yes!", at="2026-03-01T16:00:00.000+01:00")
    assert inbound(came("Yes!")).external_id == inbound(later_zone).external_id


@pytest.mark.parametrize(
    "other", [came("Yes"), came("Yes!", at=DELIVERED_AT), came("Yes!", sender="+16285550103")], ids=["text", "time", "sender"]
)
def test_another_text_has_another_name(other: bytes) -> None:
    assert inbound(came("Yes!")).external_id != inbound(other).external_id


@pytest.mark.parametrize(
    ("spelt", "region", "address"),
    [
        ("+1 628-555-0102", "US", NUMBER),
        ("(628) 555-0102", "US", NUMBER),
        ("0171 1234567", "DE", "+491711234567"),
        ("0171 1234567", "US", "0171 1234567"),  # Not a number of that country: kept as it is rather than lost.
    ],
)
def test_a_sender_is_read_as_a_number_of_the_sims_country(spelt: str, region: str, address: str) -> None:
    device = replace(DEVICE, config={**DEVICE.config, "region": region})
    assert inbound(came(sender=spelt), device).address == address


@pytest.mark.parametrize("sender", ["AMAZON", "12345", "", "Bank 24/7", "*123#"])
def test_a_name_or_a_short_code_is_nobody_who_answers(sender: str) -> None:
    assert heard(came(sender=sender, phoneNumber=sender)) == []


def test_a_nul_in_a_text_is_left_out() -> None:
    assert inbound(came("Y\x00es")).text == "Yes"


def test_a_text_of_any_length_is_heard_and_has_the_name_that_the_inbox_gives_it() -> None:
    assert len(inbound(came("a" * 200_000)).text) == 100_000


def test_a_number_that_no_database_could_index_is_nobody() -> None:
    assert heard(came(sender="1" * 5_000, phoneNumber="")) == []


def test_a_text_without_a_time_is_still_a_text() -> None:
    assert inbound(event("sms:received", messageId="1", message="Hi", sender=NUMBER)).at == 0


def test_the_events_of_another_phone_of_the_account_are_not_this_lines() -> None:
    assert heard(came(), replace(DEVICE, config={"phoneId": "phone-2"})) == []
    assert len(heard(came(), replace(DEVICE, config={"phoneId": "phone-1"}))) == 1


SIM_2 = replace(DEVICE, config={**DEVICE.config, "simNumber": "2"})


@pytest.mark.parametrize(("sim", "is_ours"), [(2, True), (1, False), (None, True)])
def test_what_is_written_to_the_phones_other_sim_is_not_this_lines(sim: int | None, is_ours: bool) -> None:
    assert (len(heard(came(simNumber=sim), SIM_2)) == 1) is is_ours
    assert len(heard(came(simNumber=sim))) == 1


def test_a_receipt_counts_whichever_sim_it_names() -> None:
    assert heard(event("sms:sent", messageId=KEY, simNumber=1), SIM_2) == [Receipt(KEY)]


# Whose call is believed


def test_a_signed_call_is_heard() -> None:
    told = CHANNEL.hear(SIGNING, call(came(), key=SIGNING_KEY))
    assert told is not None
    assert len(told.signals) == 1


DAY_S = 86_400


@pytest.mark.parametrize(("after_s", "is_heard"), [(-DAY_S, True), (DAY_S, True), (-DAY_S - 1, False), (DAY_S + 1, False)])
def test_a_signed_call_is_not_played_again_once_it_may_have_been_forgotten(after_s: int, is_heard: bool) -> None:
    signed = call(came(), key=SIGNING_KEY, timestamp=str(SENT_MS // 1000 + after_s))
    assert (CHANNEL.hear(SIGNING, signed) is not None) is is_heard


def test_the_signature_may_be_written_in_capitals() -> None:
    signed = call(came(), key=SIGNING_KEY)
    loud = replace(signed, headers={**signed.headers, "x-signature": signed.headers["x-signature"].upper()})
    assert CHANNEL.hear(SIGNING, loud) is not None


def forged() -> list[HookCall]:
    signed = call(came(), key=SIGNING_KEY)
    signature = signed.headers["x-signature"]
    return [
        call(came()),
        call(came(), key="another key"),
        call(came(), key=SIGNING_KEY, timestamp=""),
        call(came(), key=SIGNING_KEY, timestamp="now"),
        call(came(), key=SIGNING_KEY, timestamp="9" * 5_000),
        replace(signed, body=came("No!")),
        replace(signed, headers={**signed.headers, "x-timestamp": "1772377201"}),
        replace(signed, headers={"x-signature": signature}),
        replace(signed, headers={"x-timestamp": "1772377200"}),
        replace(signed, headers={**signed.headers, "x-signature": ""}),
        replace(signed, headers={**signed.headers, "x-signature": signature[:-1]}),
        replace(signed, headers={**signed.headers, "x-signature": "é" * 64}),
    ]


@pytest.mark.parametrize("place", range(len(forged())))
def test_a_call_that_is_not_the_phones_is_not_believed(place: int) -> None:
    assert CHANNEL.hear(SIGNING, forged()[place]) is None


def test_without_a_key_the_secret_address_is_the_proof() -> None:
    assert CHANNEL.hear(DEVICE, call(came(), key="whichever")) is not None
