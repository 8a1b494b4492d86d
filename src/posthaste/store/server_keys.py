"""The table of the server's own keys, for servers that share a database but neither a setting nor a folder."""

from posthaste.store.transaction import Transaction

_SEALING = "sealing"


def sealing_key(tx: Transaction) -> str:
    """Return the key that seals credentials, made on first use by whoever is first."""
    tx.run(
        "INSERT INTO server_keys (id, secret) VALUES (:id, :secret) ON CONFLICT DO NOTHING",
        {"id": _SEALING, "secret": tx.secret()},
    )
    row = tx.one("SELECT secret FROM server_keys WHERE id = :id", {"id": _SEALING})
    assert row is not None
    return str(row[0])
