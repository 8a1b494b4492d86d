"""The web that attachments come from: pages that are there, or are not, or are there at times."""

import asyncio
from random import Random
from typing import Final

from posthaste.channels.fetch.fetcher import Fetched, Write
from posthaste.core.files import PNG
from posthaste.core.outcomes import Deferred, Refusal, Rejected

from .trace import Trace

WEB = "files.test"

GOOD: Final = ("red.png", "blue.png", "slow.png", "moody.png")
"""What can be had, some of it only in the end."""

GONE, NEVER = "gone.png", "never.png"
PAGES: Final = (*GOOD, GOOD[0], GONE, NEVER)

_MOODS_AT_MOST = 2
_SLOW_S = 12.0


def content_of(page: str) -> bytes:
    """Return what a page holds: no two are alike."""
    return b"\x89PNG\r\n\x1a\n" + page.encode() * 40


class Web:
    """Fetches as the real one does, without a network; what is moody comes at the third time of asking."""

    def __init__(self, seed: int, trace: Trace) -> None:
        self._dice, self._trace = Random(f"{seed}/web"), trace
        self._moods = 0

    async def fetch(self, url: str, write: Write) -> Fetched | Deferred | Rejected:
        page = url.rpartition("/")[2]
        failure = await self._failure(page)
        self._trace.say("web", f"{page}: {failure.detail if failure else 'here it is'}")
        if failure is not None:
            return failure
        content = content_of(page)
        for half in (content[:30], content[30:]):
            write(half)
            await asyncio.sleep(0)
        return Fetched(len(content), PNG, page)

    async def _failure(self, page: str) -> Deferred | Rejected | None:
        if page == "slow.png":
            await asyncio.sleep(self._dice.choice((0.0, 2.0, _SLOW_S)))
        if page == GONE:
            return Rejected(Refusal.BAD_CONTENT, "its server answered 404")
        if page == NEVER or (page == "moody.png" and self._is_moody()):
            return Deferred("its server answered 503", self._dice.choice((None, 5_000)))
        return None

    def _is_moody(self) -> bool:
        self._moods += 1
        return self._moods <= _MOODS_AT_MOST
