"""API keys: made, listed, revoked, and found by what a caller shows. A key is shown once and stored as its digest."""

from dataclasses import dataclass
from hashlib import sha256

from posthaste.actions.workspaces import workspace_of
from posthaste.core.errors import NotFound
from posthaste.core.workspaces import Workspace
from posthaste.store import workspaces
from posthaste.store.transaction import Transaction
from posthaste.store.workspaces import ApiKey

PREFIX = "tuco_sk_"


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key; `key` is never to be had again."""

    id: str
    key: str


def digest_of(key: str) -> str:
    """Return what is stored of a key. A key has 192 random bits, so a plain digest cannot be guessed back."""
    return sha256(key.encode()).hexdigest()


def make_key(tx: Transaction, workspace_id: str, name: str) -> MadeKey:
    workspace_of(tx, workspace_id)
    key = PREFIX + tx.secret()
    made = ApiKey(tx.new_id(), workspace_id, key[-4:], name, tx.now, None)
    workspaces.add_key(tx, made, digest_of(key))
    return MadeKey(made.id, key)


def find_workspace(tx: Transaction, digest: str) -> Workspace | None:
    return workspaces.workspace_of_key(tx, digest)


def list_keys(tx: Transaction, workspace_id: str | None) -> list[ApiKey]:
    return workspaces.keys(tx, workspace_id)


def revoke_key(tx: Transaction, key_id: str) -> None:
    if not workspaces.revoke_key(tx, key_id):
        raise NotFound(f"There is no key {key_id} that could be revoked", code="KEY_NOT_FOUND")
