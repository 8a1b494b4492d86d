"""Keys are shown once and found by their digest; workspaces read numbers and days their own way."""

import pytest
from builders import House

from posthaste.actions.keys import digest_of, find_workspace, list_keys, make_key, revoke_key
from posthaste.actions.workspaces import list_workspaces, make_workspace
from posthaste.core.errors import NotFound, Refused


def test_a_key_finds_its_workspace_until_it_is_revoked(any_house: House) -> None:
    made = any_house.write(make_key, any_house.workspace.id, "script")
    assert made.key.startswith("tuco_sk_")
    digest = digest_of(made.key)
    assert any_house.read(find_workspace, digest) == any_house.workspace
    any_house.write(revoke_key, made.id)
    assert any_house.read(find_workspace, digest) is None
    with pytest.raises(NotFound):
        any_house.write(revoke_key, made.id)


def test_no_key_is_stored_and_none_is_found_by_another(any_house: House) -> None:
    first, second = (any_house.write(make_key, any_house.workspace.id, name) for name in "ab")
    assert first.key != second.key
    listed = any_house.read(list_keys, any_house.workspace.id)
    assert [(one.id, one.name, one.hint, one.revoked_at) for one in listed] == [
        (first.id, "a", first.key[-4:], None),
        (second.id, "b", second.key[-4:], None),
    ]
    assert first.key not in repr(listed)
    assert any_house.read(find_workspace, digest_of(first.key + "0")) is None
    assert any_house.read(find_workspace, first.key) is None


def test_keys_are_listed_for_one_workspace_or_all(house: House) -> None:
    other = house.write(make_workspace, "Other")
    for workspace_id in (house.workspace.id, other.id):
        house.write(make_key, workspace_id, "key")
    assert [one.workspace_id for one in house.read(list_keys, other.id)] == [other.id]
    assert len(house.read(list_keys, None)) == 2


def test_a_key_needs_a_workspace_and_a_revocation_a_key(house: House) -> None:
    with pytest.raises(NotFound):
        house.write(make_key, "org_none", "key")
    with pytest.raises(NotFound):
        house.write(revoke_key, "0" * 24)


def test_a_workspace_has_a_region_and_a_zone(any_house: House) -> None:
    made = any_house.write(make_workspace, "Berlin", region="DE", timezone="Europe/Berlin")
    assert made.id.startswith("org_")
    assert any_house.read(list_workspaces) == [any_house.workspace, made]


@pytest.mark.parametrize("fields", [{"region": "XX"}, {"region": "us"}, {"timezone": "Mars/Olympus"}])
def test_a_region_or_zone_that_does_not_exist_is_refused(house: House, fields: dict[str, str]) -> None:
    with pytest.raises(Refused):
        house.write(make_workspace, "Nowhere", **fields)
    assert house.read(list_workspaces) == [house.workspace]
