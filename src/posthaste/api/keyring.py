"""From an API key to its workspace, remembered for a moment so that not every call asks the database.

A key is known by its digest alone. What is remembered is believed for `key_cache_ms`, so a revoked key lives on for no
longer than that; unknown keys are not remembered, so a fresh one works at once.
"""

from posthaste.actions.keys import digest_of, find_workspace
from posthaste.api.headers import parse_key
from posthaste.clock import Clock
from posthaste.core.errors import Unauthorized
from posthaste.core.workspaces import Workspace
from posthaste.store.base import Store

_REMEMBERED = 10_000


class Keyring:
    """The keys seen lately."""

    def __init__(self, store: Store, clock: Clock, believed_ms: int) -> None:
        self._store = store
        self._clock = clock
        self._believed_ms = believed_ms
        self._seen: dict[str, tuple[Workspace, float]] = {}

    async def workspace(self, authorization: str, x_api_key: str) -> Workspace:
        """Return the workspace of a call's key, or refuse the call."""
        key = parse_key(authorization, x_api_key)
        if key is None:
            raise Unauthorized
        digest = digest_of(key)
        now_ms = self._clock.monotonic_ms()
        seen = self._seen.get(digest)
        if seen is not None and seen[1] > now_ms:
            return seen[0]
        workspace = await self._store.read(find_workspace, digest)
        if workspace is None:
            self._seen.pop(digest, None)
            raise Unauthorized
        self._remember(digest, workspace, now_ms + self._believed_ms)
        return workspace

    def _remember(self, digest: str, workspace: Workspace, until_ms: float) -> None:
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[digest] = (workspace, until_ms)
