"""Judge what people wrote: every text is stored once, and whoever asked us to stop is heard.

Everything that a person wrote stands in the world's own list; whether we have it is looked up by who wrote what and when,
for an Android phone has no id for it that all of its reports agree on.
"""

from collections import Counter
from collections.abc import Iterator

from posthaste.core.messages import Message, MessageType
from posthaste.core.optout import Wish, wish_of

from .evidence import Evidence


def judge_replies(evidence: Evidence) -> Iterator[str]:
    """Yield every complaint, in words."""
    stored = Counter((one.message_type, one.address, one.text, one.sent_at) for one in evidence.replies.values())
    written = [one for one in evidence.town.world.wrote if one.guid not in evidence.town.before_us]
    told = Counter((MessageType(one.channel), one.sender, one.text, one.sent_at) for one in written)
    for key, count in told.items():
        # Two texts alike in everything, to the millisecond, are one by all that an Android phone tells of them.
        alike = 1 if key[0] is MessageType.SMS else count
        if not alike <= stored[key] <= count:
            yield f"what {key[1]} wrote ({key[2]!r}, {count} times) is stored {stored[key]} times"
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
                slack_ms = evidence.town.plan.settings.start_within_ms
                for sent in evidence.sends.get(attempt.id, ()):
                    if stop.created_at + slack_ms < sent.left_at < until:
                        yield f"message {view.message.id} left at {sent.left_at} for somebody who had opted out"


def _wishing(evidence: Evidence, wish: Wish, after: Message | None = None) -> list[Message]:
    return [
        one
        for one in evidence.replies.values()
        if wish_of(one.text) is wish and (after is None or (one.lead_id == after.lead_id and one.created_at >= after.created_at))
    ]
