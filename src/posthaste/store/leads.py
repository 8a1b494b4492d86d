"""The tables of leads, their addresses, their aliases and their lists.

The primary key of `lead_addresses` decides every race.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from posthaste.core.leads import Lead
from posthaste.core.messages import CrmIds
from posthaste.store.transaction import Row, Transaction

_COLUMNS = """
    id, workspace_id, list_id, first_name, last_name, phone, email, alt_phone_1, alt_phone_2, alt_phone_3,
    alt_email_1, alt_email_2, alt_email_3, source, contact_owner_email, ghl_contact_id, ghl_location_id,
    hs_contact_id, hs_portal_id, created_at, updated_at
"""


def _lead(row: Row) -> Lead:
    first, phones, emails, crm = row[:7], row[7:10], row[10:13], CrmIds(*row[15:19])
    return Lead(*first, phones, emails, row[13], row[14], crm, row[19], row[20])  # type: ignore[call-arg]


def _params(lead: Lead) -> dict[str, object]:
    return {
        "id": lead.id,
        "workspace_id": lead.workspace_id,
        "list_id": lead.list_id,
        "first_name": lead.first_name,
        "last_name": lead.last_name,
        "phone": lead.phone,
        "email": lead.email,
        "alt_phone_1": lead.alt_phones[0],
        "alt_phone_2": lead.alt_phones[1],
        "alt_phone_3": lead.alt_phones[2],
        "alt_email_1": lead.alt_emails[0],
        "alt_email_2": lead.alt_emails[1],
        "alt_email_3": lead.alt_emails[2],
        "source": lead.source,
        "contact_owner_email": lead.contact_owner_email,
        "ghl_contact_id": lead.crm.ghl_contact_id,
        "ghl_location_id": lead.crm.ghl_location_id,
        "hs_contact_id": lead.crm.hs_contact_id,
        "hs_portal_id": lead.crm.hs_portal_id,
        "created_at": lead.created_at,
        "updated_at": lead.updated_at,
    }


def add(tx: Transaction, leads: Iterable[Lead]) -> None:
    tx.many(
        """
        INSERT INTO leads (
            id, workspace_id, list_id, first_name, last_name, phone, email, alt_phone_1, alt_phone_2, alt_phone_3,
            alt_email_1, alt_email_2, alt_email_3, source, contact_owner_email, ghl_contact_id, ghl_location_id,
            hs_contact_id, hs_portal_id, created_at, updated_at)
        VALUES (
            :id, :workspace_id, :list_id, :first_name, :last_name, :phone, :email, :alt_phone_1, :alt_phone_2, :alt_phone_3,
            :alt_email_1, :alt_email_2, :alt_email_3, :source, :contact_owner_email, :ghl_contact_id, :ghl_location_id,
            :hs_contact_id, :hs_portal_id, :created_at, :updated_at)
        """,
        [_params(lead) for lead in leads],
    )


def save(tx: Transaction, leads: Iterable[Lead]) -> None:
    tx.many(
        """
        UPDATE leads
        SET first_name = :first_name, last_name = :last_name, phone = :phone, email = :email,
            alt_phone_1 = :alt_phone_1, alt_phone_2 = :alt_phone_2, alt_phone_3 = :alt_phone_3,
            alt_email_1 = :alt_email_1, alt_email_2 = :alt_email_2, alt_email_3 = :alt_email_3,
            ghl_contact_id = :ghl_contact_id, ghl_location_id = :ghl_location_id,
            hs_contact_id = :hs_contact_id, hs_portal_id = :hs_portal_id, updated_at = :updated_at
        WHERE id = :id
        """,
        [_params(lead) for lead in leads],
    )


def by_ids(tx: Transaction, ids: Collection[str]) -> dict[str, Lead]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM leads WHERE id IN EACH(:ids)", {"ids": list(ids)})
    return {row[0]: _lead(row) for row in rows}


def lock(tx: Transaction, ids: Collection[str]) -> dict[str, Lead]:
    """Lock leads in order of their ids and return them as they then are."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM leads WHERE id IN EACH(:ids) ORDER BY id /*pg FOR UPDATE */",
        {"ids": sorted(ids)},
    )
    return {row[0]: _lead(row) for row in rows}


def owners(tx: Transaction, workspace_id: str, addresses: Collection[str]) -> dict[str, str]:
    """Map addresses to the leads they belong to."""
    rows = tx.rows(
        "SELECT address, lead_id FROM lead_addresses WHERE workspace_id = :workspace_id AND address IN EACH(:addresses)",
        {"workspace_id": workspace_id, "addresses": list(addresses)},
    )
    return {row[0]: row[1] for row in rows}


def claim_addresses(tx: Transaction, workspace_id: str, wanted: Mapping[str, str]) -> set[str]:
    """Give addresses to leads where nobody has them, and return those given; in order, so that two batches never wait for
    each other.

    On PostgreSQL this waits for a concurrent claim of the same address to commit; read `owners` of the others again.
    """
    given = tx.many_rows(
        """
        INSERT INTO lead_addresses (workspace_id, address, lead_id) VALUES (:workspace_id, :address, :lead_id)
        ON CONFLICT DO NOTHING
        RETURNING address
        """,
        [{"workspace_id": workspace_id, "address": one, "lead_id": wanted[one]} for one in sorted(wanted)],
    )
    return {row[0] for row in given}


def unclaim_addresses(tx: Transaction, workspace_id: str, wanted: Mapping[str, str]) -> None:
    """Take back what this transaction claimed. Another one may have given an address to the same lead: that row stays."""
    tx.many(
        """
        DELETE FROM lead_addresses
        WHERE workspace_id = :workspace_id AND address = :address AND lead_id = :lead_id
            /*pg AND xmin = pg_current_xact_id()::xid */
        """,
        [{"workspace_id": workspace_id, "address": one, "lead_id": wanted[one]} for one in sorted(wanted)],
    )


def release_addresses(tx: Transaction, workspace_id: str, addresses: Collection[str], lead_id: str) -> None:
    tx.run(
        """
        DELETE FROM lead_addresses
        WHERE workspace_id = :workspace_id AND lead_id = :lead_id AND address IN EACH(:addresses)
        """,
        {"workspace_id": workspace_id, "addresses": list(addresses), "lead_id": lead_id},
    )


def crm_owners(tx: Transaction, workspace_id: str, contact_ids: Collection[str]) -> dict[str, str]:
    """Map CRM contact ids to leads; of several leads with one id the oldest counts."""
    rows = tx.rows(
        """
        SELECT ghl_contact_id, id, created_at FROM leads
        WHERE workspace_id = :workspace_id AND ghl_contact_id IN EACH(:ids)
        UNION ALL
        SELECT hs_contact_id, id, created_at FROM leads
        WHERE workspace_id = :workspace_id AND hs_contact_id IN EACH(:ids)
        ORDER BY 3 DESC, 2 DESC
        """,
        {"workspace_id": workspace_id, "ids": list(contact_ids)},
    )
    return {row[0]: row[1] for row in rows}


def add_aliases(tx: Transaction, aliases: Sequence[tuple[str, str, str, str]]) -> None:
    """Keep other names and ids of leads, as (workspace_id, lead_id, kind, alias)."""
    tx.many(
        """
        INSERT INTO lead_aliases (workspace_id, lead_id, kind, alias, created_at)
        VALUES (:workspace_id, :lead_id, :kind, :alias, :created_at)
        ON CONFLICT DO NOTHING
        """,
        [
            {"workspace_id": w, "lead_id": lead, "kind": kind, "alias": alias, "created_at": tx.now}
            for w, lead, kind, alias in sorted(aliases)
        ],
    )


def list_named(tx: Transaction, workspace_id: str, name: str) -> str:
    """Return the id of the list of that name, made on first use."""
    query = "SELECT id FROM lists WHERE workspace_id = :workspace_id AND name = :name"
    params = {"workspace_id": workspace_id, "name": name}
    row = tx.one(query, params)
    if row is None:
        tx.run(
            """
            INSERT INTO lists (id, workspace_id, name, created_at) VALUES (:id, :workspace_id, :name, :now)
            ON CONFLICT DO NOTHING
            """,
            {**params, "id": tx.new_id(), "now": tx.now},
        )
        row = tx.one(query, params)
    assert row is not None
    return str(row[0])
