"""Addresses of ours that carry their own permission: to leave a mailing, and to fetch one file.

They stand in e-mails and are given to providers, who have no API key. Each is signed, so that nobody can make one up for
another address or file.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import quote

from posthaste.vault import Vault


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads links; `public_url` is the address under which others reach this server."""

    vault: Vault
    public_url: str

    def unsubscribe(self, workspace_id: str, address: str) -> str:
        """Return the address that takes a person off everything of a workspace (RFC 8058)."""
        who = urlsafe_b64encode(f"{workspace_id} {address}".encode()).decode().rstrip("=")
        return f"{self.public_url}/unsubscribe/{who}.{self.vault.sign(f'unsubscribe {who}')}"

    def who_unsubscribes(self, token: str) -> tuple[str, str] | None:
        """Return workspace and address of such a link's last part, None if it is not one of ours."""
        who, _, signature = token.partition(".")
        if not self.vault.is_signed(f"unsubscribe {who}", signature):
            return None
        workspace_id, _, address = urlsafe_b64decode(who + "=" * (-len(who) % 4)).decode().partition(" ")
        return workspace_id, address

    def file(self, file_id: str, name: str) -> str:
        """Return the address at which a provider can fetch a file of ours."""
        return f"{self.public_url}/files/{file_id}/{self.vault.sign(f'file {file_id}')}/{quote(name, safe='')}"

    def may_fetch(self, file_id: str, signature: str) -> bool:
        return self.vault.is_signed(f"file {file_id}", signature)
