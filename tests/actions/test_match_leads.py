"""One address, one lead: whom requests find, what they add, and what they may not take away."""

from builders import House, a_sending, accepted, phone

from posthaste.core.leads import Lead
from posthaste.core.messages import CrmIds
from posthaste.store import leads
from posthaste.store.transaction import Transaction

E1, E2 = "ann@example.com", "ann@work.example.com"


def lead_of(house: House, **fields: object) -> Lead:
    """Accept a request and return the lead it came to."""
    house.later(house.settings.double_send_ms)
    lead_id = accepted(house.accept(a_sending(**fields))[0]).lead_id
    return house.read(leads.by_ids, [lead_id])[lead_id]


def owners(house: House) -> dict[str, str]:
    return dict(house.read(_owners))


def _owners(tx: Transaction) -> list[tuple[str, str]]:
    return [(address, lead) for address, lead in tx.rows("SELECT address, lead_id FROM lead_addresses")]


def _aliases(tx: Transaction) -> list[tuple[str, str]]:
    return [(kind, alias) for kind, alias in tx.rows("SELECT kind, alias FROM lead_aliases ORDER BY kind, alias")]


def test_a_lead_is_made_in_quick_sends_with_all_its_addresses(any_house: House) -> None:
    any_house.add_line()
    lead = lead_of(any_house, email=E1, alt_phones=(None, phone(7), None), contact_owner_email="o@example.com")
    assert owners(any_house) == dict.fromkeys([phone(1), phone(7), E1], lead.id)
    assert (lead.source, lead.contact_owner_email) == ("api", "o@example.com")
    assert lead_of(any_house, phone=phone(2)).list_id == lead.list_id is not None
    assert any_house.count("lists") == 1


def test_every_address_of_a_lead_finds_it(any_house: House) -> None:
    any_house.add_line()
    lead = lead_of(any_house, email=E1, alt_phones=(phone(7), None, None), alt_emails=(None, None, E2))
    for fields in ({"phone": phone(7)}, {"phone": None, "email": E1}, {"phone": None, "email": E2}):
        assert lead_of(any_house, **fields).id == lead.id
    assert lead_of(any_house, phone=phone(9), email=E2).id == lead.id
    assert any_house.count("leads") == 1


def test_the_phone_wins_over_the_email_and_the_story_says_so(any_house: House) -> None:
    any_house.add_line()
    by_phone, by_email = lead_of(any_house), lead_of(any_house, phone=None, email=E1)
    any_house.later(any_house.settings.double_send_ms)
    message_id = any_house.send(email=E1)
    assert any_house.view(message_id).message.lead_id == by_phone.id
    conflict = any_house.story(message_id)[2]
    assert (conflict.code, list(conflict.facts["leads"]), conflict.facts["by"]) == ("lead_conflict", [by_email.id], "phone")  # type: ignore[call-overload]
    assert owners(any_house) == {phone(1): by_phone.id, E1: by_email.id}
    assert any_house.read(leads.by_ids, [by_phone.id])[by_phone.id].email is None


def test_a_crm_contact_finds_its_lead_before_any_address(house: House) -> None:
    house.add_line()
    known = lead_of(house, crm=CrmIds("g"))
    lead_of(house, phone=phone(2))
    assert lead_of(house, phone=phone(2), crm=CrmIds("g")).id == known.id
    assert lead_of(house, phone=None, crm=CrmIds("g")).id == known.id


def test_the_first_writer_stays_and_the_newcomer_is_an_alias(any_house: House) -> None:
    any_house.add_line()
    lead = lead_of(any_house, name="Ann Lee", crm=CrmIds("g"))
    again = lead_of(any_house, name="Bob Stone", crm=CrmIds("other"))
    assert again == lead
    lead_of(any_house, name="Bob Stone", crm=CrmIds("other"))
    assert any_house.read(_aliases) == [("ghlContactId", "other"), ("name", "Bob Stone")]


def test_an_alternate_that_is_overwritten_belongs_to_nobody(any_house: House) -> None:
    any_house.add_line()
    lead = lead_of(any_house, alt_phones=(phone(7), phone(8), None))
    after = lead_of(any_house, alt_phones=(phone(9), None, None))
    assert after.alt_phones == (phone(9), phone(8), None)
    assert owners(any_house) == dict.fromkeys([phone(1), phone(8), phone(9)], lead.id)
    assert lead_of(any_house, phone=phone(7)).id != lead.id


def test_an_alternate_that_is_overwritten_is_not_tried(house: House) -> None:
    house.add_line()
    lead_of(house, alt_phones=(phone(7), phone(8), None), alt_emails=(E1, None, None))
    message_id = house.send(text="b", alt_phones=(phone(9), None, None))
    assert house.view(message_id).message.addresses == (phone(1), phone(9), phone(8), E1)


def test_an_alternate_of_another_lead_is_not_taken_away(any_house: House) -> None:
    any_house.add_line()
    other = lead_of(any_house, phone=phone(2))
    lead = lead_of(any_house, alt_phones=(phone(2), phone(3), None))
    assert lead.id == other.id, "an alternate is an address like any other"
    newcomer = lead_of(any_house, phone=phone(5), alt_emails=(E1, None, None))
    taken = lead_of(any_house, phone=phone(5), alt_phones=(phone(2), None, None))
    assert taken.id == newcomer.id
    assert taken.alt_phones == (None, None, None)
    assert owners(any_house)[phone(2)] == other.id


def test_a_batch_makes_one_lead_of_what_belongs_together(any_house: House) -> None:
    any_house.add_line()
    results = any_house.accept(
        a_sending(1, email=E1, text="a"),
        a_sending(phone=None, email=E1, text="b"),
        a_sending(2, alt_emails=(E1, None, None), text="c"),
        a_sending(3, crm=CrmIds("g"), text="d"),
        a_sending(4, crm=CrmIds("g"), text="e"),
        a_sending(1, name="Ann Lee", text="f"),
    )
    made = [accepted(one) for one in results]
    ids = [one.lead_id for one in made]
    assert ids[0] == ids[1] == ids[2] == ids[5] != ids[3] == ids[4]
    assert [one.http_status for one in made] == [201, 200, 200, 201, 200, 200]
    assert any_house.count("leads") == 2
    assert any_house.read(leads.by_ids, ids)[ids[0]].full_name == "Ann Lee"


def test_a_lead_id_overrides_the_address_and_keeps_the_alternates(house: House) -> None:
    house.add_line()
    lead = lead_of(house, email=E1)
    message_id = house.send(2, lead_id=lead.id, alt_phones=(phone(7), None, None))
    message = house.view(message_id).message
    assert (message.lead_id, message.addresses, message.recipient_phone) == (lead.id, (phone(2),), phone(2))
    after = house.read(leads.by_ids, [lead.id])[lead.id]
    assert (after.phone, after.alt_phones) == (phone(1), (phone(7), None, None))
    assert phone(2) not in owners(house)
    assert house.view(house.send(phone=None, lead_id=lead.id, text="b")).message.addresses == (phone(1), phone(7), E1)
