"""Judge what people wrote: every text is stored once, and whoever asked us to stop is heard.

Everything that a person wrote stands in the world's own list; whether we have it is looked up by the provider's id.
"""

from collections import Counter
from collections.abc import Iterator

from posthaste.core.messages import Message
from posthaste.core.optout import Wish, wish_of

from .evidence import Evidence


def judge_replies(evidence: Evidence) -> Iterator[str]:
    """Yield every complaint, in words."""
    stored = Counter(reply.external_id for reply in evidence.replies.values())
    for wrote in evidence.town.world.wrote:
        if wrote.guid in evidence.town.before_us:
            continue
        if stored[wrote.guid] != 1:
            yield f"what {wrote.sender} wrote ({wrote.text!r}) is stored {stored[wrote.guid]} times"
    yield from _heard(evidence)


def _heard(evidence: Evidence) -> Iterator[str]:
    """Nothing is handed over to a person between a STOP that was stored and the next START."""
    for stop in _wishing(evidence, Wish.STOP):
        until = min((one.created_at for one in _wishing(evidence, Wish.START, stop)), default=evidence.now + 1)
        for view in evidence.views.values():
            if view.message.lead_id != stop.lead_id:
                continue
            for attempt in evidence.attempts[view.message.id]:
                if attempt.handed_at is not None and stop.created_at < attempt.handed_at < until:
                    yield f"message {view.message.id} was handed over to somebody who had opted out"


def _wishing(evidence: Evidence, wish: Wish, after: Message | None = None) -> list[Message]:
    return [
        one
        for one in evidence.replies.values()
        if wish_of(one.text) is wish and (after is None or (one.lead_id == after.lead_id and one.created_at >= after.created_at))
    ]
