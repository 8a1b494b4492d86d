"""The only place of keys and seals: credentials at rest, and links that nobody can make up.

What is sealed begins with a mark and the name of its key, so that a text that was stored before there were seals is
known, and a key can be changed: the first key seals, all of them open. No key and no opened text is ever logged.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest, digest

from cryptography.fernet import Fernet, InvalidToken

_MARK = "sealed"
_SIGNATURE_BYTES = 16


class SealBroken(Exception):  # noqa: N818 - it says what happened
    """None of our keys opens it: the key was lost or changed."""


class Vault:
    """Seals and signs with the first of its keys; keys are texts of any length, hard to guess."""

    def __init__(self, keys: Sequence[str]) -> None:
        material = [sha256(key.encode()).digest() for key in keys]
        self._fernets = {_name(one): Fernet(urlsafe_b64encode(one)) for one in material}
        self._signing = [sha256(b"signing" + one).digest() for one in material]
        self._first = _name(material[0])
        self.open = lru_cache(maxsize=4096)(self._open)

    def seal(self, secrets: Mapping[str, str]) -> str:
        """Return secrets as a text that only our keys open; nothing is an empty text."""
        if not secrets:
            return ""
        token = self._fernets[self._first].encrypt(json.dumps(dict(secrets)).encode()).decode()
        return f"{_MARK}:{self._first}:{token}"

    def _open(self, sealed: str) -> Mapping[str, str]:
        """Return what was sealed; a text from before there were seals is the password that it was."""
        if not sealed:
            return {}
        mark, _, rest = sealed.partition(":")
        if mark != _MARK:
            return {"password": sealed}
        name, _, token = rest.partition(":")
        try:
            opened: dict[str, str] = json.loads(self._fernets[name].decrypt(token.encode()))
        except (KeyError, InvalidToken):
            raise SealBroken("credentials were sealed with a key that this server does not have") from None
        return opened

    def is_current(self, sealed: str) -> bool:
        """Tell whether a text is sealed with the first key, or empty."""
        return not sealed or sealed.startswith(f"{_MARK}:{self._first}:")

    def sign(self, text: str) -> str:
        """Return a signature of a text, as 32 hex digits."""
        return _signature(self._signing[0], text)

    def is_signed(self, text: str, signature: str) -> bool:
        return any(compare_digest(_signature(key, text), signature) for key in self._signing)


def _name(material: bytes) -> str:
    return sha256(b"name" + material).hexdigest()[:8]


def _signature(key: bytes, text: str) -> str:
    return digest(key, text.encode(), "sha256")[:_SIGNATURE_BYTES].hex()
