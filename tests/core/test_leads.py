"""Who a request is about, what it adds, and where its message may go."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.rows import NOON, a_lead
from posthaste.core.leads import (
    Lead,
    Match,
    MatchedBy,
    addresses_of,
    aliases,
    enrich,
    find_match,
    keep_owned,
    make_lead,
    recipients,
)
from posthaste.core.messages import CrmIds, MessageType, Sending

P0, P1, P2, P3, P4 = (f"+1202555010{n}" for n in range(5))
E0, E1, E2 = (f"ann{n}@example.com" for n in range(3))


def sending(**changes: Any) -> Sending:
    return Sending(text="Hello", **changes)


def alts(*given: str | None) -> tuple[str | None, str | None, str | None]:
    one, two, three = (*given, None, None, None)[:3]
    return one, two, three


# ---- matching ----

EVERYWHERE = sending(
    phone=P0, email=E0, alt_phones=alts(P1, P2, P3), alt_emails=alts(E1, E2), crm=CrmIds(ghl_contact_id="g", hs_contact_id="h")
)


@pytest.mark.parametrize(
    ("owners", "crm_owners", "match"),
    [
        ({}, {}, None),
        ({P0: "p"}, {"g": "crm"}, Match("crm", MatchedBy.CRM, ("p",))),
        ({}, {"g": "ghl", "h": "hs"}, Match("ghl", MatchedBy.CRM, ("hs",))),
        ({}, {"h": "hs"}, Match("hs", MatchedBy.CRM)),
        ({P0: "p", E0: "e"}, {}, Match("p", MatchedBy.PHONE, ("e",))),
        ({E0: "e", P1: "a"}, {}, Match("e", MatchedBy.EMAIL, ("a",))),
        ({P2: "a", E1: "b", P3: "a"}, {}, Match("a", MatchedBy.ALTERNATE, ("b",))),
        ({E2: "b"}, {}, Match("b", MatchedBy.ALTERNATE)),
        ({P0: "p", E0: "p", P1: "p"}, {"g": "p"}, Match("p", MatchedBy.CRM)),
        # An address is no CRM id, and a CRM id no address.
        ({"g": "x"}, {P0: "y"}, None),
    ],
)
def test_the_crm_comes_first_then_phone_then_email_then_alternates(
    owners: dict[str, str], crm_owners: dict[str, str], match: Match | None
) -> None:
    assert find_match(EVERYWHERE, owners, crm_owners) == match


def test_a_request_that_names_little_asks_little() -> None:
    assert find_match(sending(phone=P0), {P1: "other"}, {"g": "other"}) is None
    assert addresses_of(sending(phone=P0, alt_phones=alts(P0, P1))) == [P0, P1]


# ---- making ----


def test_a_lead_is_made_of_all_that_is_given() -> None:
    crm = CrmIds("g", "gl", "h", "hp")
    made = make_lead(
        sending(
            phone=P0, email=E0, name="Ann Lee Smith", alt_phones=alts(None, P1), crm=crm, contact_owner_email="o@example.com"
        ),
        "id",
        "w",
        "list",
        NOON,
    )
    assert (made.first_name, made.last_name, made.full_name) == ("Ann", "Lee Smith", "Ann Lee Smith")
    assert made.addresses == [P0, P1, E0]
    assert (made.source, made.list_id, made.contact_owner_email, made.crm) == ("api", "list", "o@example.com", crm)


def test_an_address_of_another_lead_is_not_kept() -> None:
    lead = a_lead(phone=P0, email=E0, alt_phones=alts(P1, P2), alt_emails=alts(E1))
    kept = keep_owned(lead, {P0: "lead", E0: "other", P1: "other", P2: "lead"})
    assert kept.addresses == [P0, P2, E1]
    assert kept.alt_phones == (None, P2, None)


# ---- enriching ----


def test_given_alternates_overwrite_and_missing_ones_are_kept() -> None:
    lead = a_lead(alt_phones=alts(P1, P2), alt_emails=alts(None, E1))
    after = enrich(lead, sending(phone=P0, alt_phones=alts(P3, None, P4), alt_emails=alts(E2)), NOON)
    assert (after.alt_phones, after.alt_emails) == ((P3, P2, P4), (E2, E1, None))
    assert after.updated_at == NOON


def test_the_first_writers_name_stays_and_the_newcomer_is_an_alias() -> None:
    lead = a_lead(first_name="Ann", last_name="Lee")
    request = sending(phone=lead.phone, name="Anna Li")
    after = enrich(lead, request, NOON)
    assert after == lead
    assert aliases(after, request) == [("name", "Anna Li")]


@pytest.mark.parametrize("name", ["Ann Lee Smith", " Ann  Lee Smith", "Ann Lee   Smith"])
def test_the_same_name_is_no_alias_however_it_is_spaced(name: str) -> None:
    for first in ("Ann Lee Smith", "Ann Lee   Smith"):
        lead = enrich(a_lead(), sending(phone=a_lead().phone, name=first), NOON)
        assert aliases(lead, sending(name=name)) == []


def test_a_lead_without_a_name_gets_one() -> None:
    after = enrich(a_lead(), sending(phone=a_lead().phone, name="Ann Lee"), NOON)
    assert (after.first_name, after.last_name) == ("Ann", "Lee")
    assert aliases(after, sending(name="Ann Lee")) == []


def test_half_a_name_is_not_made_whole_by_somebody_elses() -> None:
    after = enrich(a_lead(first_name="Ann"), sending(name="Bob Stone"), NOON)
    assert after.full_name == "Ann"


def test_a_gap_is_filled_and_what_is_known_stays() -> None:
    assert enrich(a_lead(phone=P0), sending(phone=P0, email=E0), NOON).email == E0
    assert enrich(a_lead(phone=P0, email=E0), sending(phone=P0, email=E1), NOON).email == E0
    # The address that an alternate field holds already is not written down twice.
    assert enrich(a_lead(phone=None, alt_phones=alts(P1)), sending(phone=P1), NOON).phone is None


def test_with_a_lead_id_the_recipient_is_meant_for_this_one_send() -> None:
    lead = a_lead(phone=None)
    request = sending(lead_id="lead", phone=P1, email=E0, name="Somebody Else", alt_phones=alts(P2))
    after = enrich(lead, request, NOON)
    assert (after.phone, after.email, after.full_name) == (None, None, None)
    assert after.alt_phones == (P2, None, None)


@pytest.mark.parametrize(
    ("old", "new", "linked"),
    [
        (CrmIds(), CrmIds("g", "gl", "h", "hp"), CrmIds("g", "gl", "h", "hp")),
        (CrmIds("g0", "gl0"), CrmIds("g", "gl", "h", "hp"), CrmIds("g0", "gl0", "h", "hp")),
        (CrmIds(None, None, "h0", "hp0"), CrmIds("g", "gl", "h", "hp"), CrmIds("g", "gl", "h0", "hp0")),
        # The location of another contact would be wrong; that of the same contact was only missing.
        (CrmIds("g0"), CrmIds("g", "gl"), CrmIds("g0")),
        (CrmIds("g"), CrmIds("g", "gl"), CrmIds("g", "gl")),
        (CrmIds(None, None, "h"), CrmIds(None, None, "h", "hp"), CrmIds(None, None, "h", "hp")),
        (CrmIds("g", "gl0"), CrmIds("g", "gl"), CrmIds("g", "gl0")),
        (CrmIds("g", "gl"), CrmIds(), CrmIds("g", "gl")),
    ],
)
def test_a_crm_contact_is_linked_only_where_there_is_none(old: CrmIds, new: CrmIds, linked: CrmIds) -> None:
    assert enrich(a_lead(crm=old), sending(crm=new), NOON).crm == linked


def test_another_crm_contact_is_an_alias() -> None:
    lead = a_lead(crm=CrmIds("g0", None, "h0"))
    assert aliases(lead, sending(crm=CrmIds("g", None, "h"))) == [("ghlContactId", "g"), ("hsContactId", "h")]
    assert aliases(lead, sending(crm=CrmIds("g0", None, "h0"))) == []


phones = st.none() | st.sampled_from([P0, P1, P2, P3])
emails = st.none() | st.sampled_from([E0, E1, E2])
sendings = st.builds(
    sending,
    lead_id=st.none() | st.just("lead"),
    message_type=st.sampled_from(MessageType),
    phone=phones,
    email=emails,
    name=st.sampled_from([None, "Ann Lee", "Bob"]),
    alt_phones=st.tuples(phones, phones, phones),
    alt_emails=st.tuples(emails, emails, emails),
    crm=st.builds(CrmIds, *(st.none() | st.sampled_from(["x", "y"]) for _ in range(4))),
)
leads = st.builds(
    a_lead,
    first_name=st.none() | st.just("Zoe"),
    phone=phones,
    email=emails,
    alt_phones=st.tuples(phones, phones, phones),
    alt_emails=st.tuples(emails, emails, emails),
    crm=st.builds(CrmIds, *(st.none() | st.sampled_from(["x", "z"]) for _ in range(4))),
)


@given(leads, sendings)
def test_the_same_request_adds_nothing_the_second_time(lead: Lead, request: Sending) -> None:
    once = enrich(lead, request, NOON)
    assert enrich(once, request, NOON + 1) == once


@given(leads, sendings)
def test_nothing_that_was_known_is_lost_but_an_alternate_that_is_given_anew(lead: Lead, request: Sending) -> None:
    after = enrich(lead, request, NOON)
    assert lead.phone in (None, after.phone) and lead.email in (None, after.email)
    assert lead.first_name in (None, after.first_name)
    assert lead.crm.ghl_contact_id in (None, after.crm.ghl_contact_id)
    assert lead.crm.hs_contact_id in (None, after.crm.hs_contact_id)
    given_ones = (*request.alt_phones, *request.alt_emails)
    fields = zip((*lead.alt_phones, *lead.alt_emails), given_ones, (*after.alt_phones, *after.alt_emails), strict=True)
    assert all(new == (asked or old) for old, asked, new in fields)


# ---- where to ----

ALL = a_lead(phone=P0, email=E0, alt_phones=alts(P1, None, P2), alt_emails=alts(E1))


@pytest.mark.parametrize(
    ("message_type", "addresses"),
    [
        (MessageType.IMESSAGE, (P0, P1, P2, E0, E1)),
        (MessageType.SMS, (P0, P1, P2)),
        (MessageType.EMAIL, (E0, E1)),
    ],
)
def test_phones_come_before_emails_and_each_type_takes_its_own(message_type: MessageType, addresses: tuple[str, ...]) -> None:
    assert recipients(sending(message_type=message_type, lead_id="lead"), ALL) == addresses


@pytest.mark.parametrize(
    ("request_", "lead", "addresses"),
    [
        (sending(phone=P3, email=E2), None, (P3, E2)),
        (sending(phone=P3, alt_phones=alts(P0), alt_emails=alts(E0)), None, (P3, P0, E0)),
        (sending(alt_emails=alts(E0)), None, (E0,)),
        (sending(), None, ()),
        (sending(email=E0, message_type=MessageType.SMS), None, ()),
        (sending(phone=P0, message_type=MessageType.EMAIL), None, ()),
        # The request's own address is tried before those that the lead has.
        (sending(phone=P3), ALL, (P3, P0, P1, P2, E0, E1)),
        (sending(email=E1), ALL, (P0, P1, P2, E1, E0)),
        # With a lead's id the caller overrides.
        (sending(lead_id="lead", phone=P3), ALL, (P3,)),
        (sending(lead_id="lead", email=E2, alt_phones=alts(P3)), ALL, (E2,)),
        (sending(lead_id="lead", alt_phones=alts(P3)), ALL, (P0, P1, P2, P3, E0, E1)),
    ],
)
def test_to_whom_a_message_goes(request_: Sending, lead: Lead | None, addresses: tuple[str, ...]) -> None:
    assert recipients(request_, lead) == addresses


@given(leads, sendings)
def test_every_address_is_tried_once(lead: Lead, request: Sending) -> None:
    found = recipients(request, lead)
    assert len(set(found)) == len(found)
    assert set(found) <= {*lead.addresses, *addresses_of(request)}
    assert [one for one in found if "@" in one] == list(found[len([one for one in found if "@" not in one]) :])
