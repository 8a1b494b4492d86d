"""Who writes is found or made, even where somebody gives an address back between our two looks."""

import pytest
from builders import House, phone

from posthaste.actions import inbound
from posthaste.core.errors import Unavailable
from posthaste.store import leads
from posthaste.store.transaction import Transaction


def test_an_address_that_was_given_back_meanwhile_is_claimed_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    claims: list[int] = []
    claim = leads.claim_addresses

    def lost_at_first(tx: Transaction, workspace_id: str, wanted: dict[str, str]) -> None:
        claims.append(len(claims))
        if len(claims) > 1:
            claim(tx, workspace_id, wanted)

    monkeypatch.setattr(leads, "claim_addresses", lost_at_first)
    met = house.write(inbound.meet, house.workspace.id, [phone(1)])
    assert met[phone(1)].phone == phone(1)
    assert len(claims) == 2


def test_it_is_not_tried_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leads, "claim_addresses", lambda tx, workspace_id, wanted: None)
    with pytest.raises(Unavailable):
        house.write(inbound.meet, house.workspace.id, [phone(1)])
