"""The double-send guard: what repeats a message of the last minute is not accepted again, unless it has a key of its own.

The message that begins a conversation is remembered with it, which costs no row; what follows is remembered in
`recent_sends`, whose primary key decides between two of the same that come at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from posthaste.actions.draft import Draft
from posthaste.core.lifecycle import NOT_SENT, Status
from posthaste.core.messages import Sending
from posthaste.core.text import fingerprint_text
from posthaste.settings import Settings
from posthaste.store import messages, recent_sends
from posthaste.store.conversations import Conversation
from posthaste.store.recent_sends import RecentSend
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Skipped:
    """The double-send guard found the same message; nothing new was accepted."""

    original_message_id: str
    lead_id: str
    seconds_since_original: int


def set_fingerprints(drafts: Iterable[Draft]) -> None:
    """Set what each draft has in common with another one that would be the same send."""
    for draft in drafts:
        draft.fingerprint = _fingerprint(draft.sending, draft.addresses[0])


def _fingerprint(sending: Sending, address: str) -> str:
    parts = (sending.message_type, address, str(sending.scheduled_at), *sending.attachment_urls, fingerprint_text(sending.text))
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def find_repeats(
    tx: Transaction, settings: Settings, workspace_id: str, drafts: list[Draft], talks: Mapping[str, Conversation]
) -> dict[str, Skipped]:
    """Find the drafts that repeat a message, and remember the others; `talks` are the conversations that they do not begin."""
    since = tx.now - settings.double_send_ms
    following = [draft for draft in drafts if not draft.begins]
    marks = {draft.fingerprint: draft.message_id for draft in reversed(following)}
    if not marks:
        return {}
    begun = _beginnings(tx, drafts, talks, since)
    fresh = recent_sends.reserve(tx, workspace_id, {mark: one for mark, one in marks.items() if mark not in begun})
    before = marks.keys() - fresh
    # What is remembered in a row came after what began the conversation.
    recent = begun | (recent_sends.known(tx, workspace_id, before) if before else {})
    skipped: dict[str, Skipped] = {}
    newest: dict[str, str] = {}
    for draft in following:
        assert draft.lead is not None
        last = recent.get(draft.fingerprint)
        if last and draft.submission.key is None and _still_counts(last, since):
            skipped[draft.message_id] = Skipped(
                last.message_id, last.lead_id or draft.lead.id, (tx.now - last.created_at) // 1000
            )
        else:
            recent[draft.fingerprint] = _just_now(tx, draft)
            newest[draft.fingerprint] = draft.message_id
    changed = {mark: one for mark, one in newest.items() if mark not in fresh or one != marks[mark]}
    if changed:
        recent_sends.remember(tx, workspace_id, changed)
    return skipped


def _beginnings(tx: Transaction, drafts: list[Draft], talks: Mapping[str, Conversation], since: int) -> dict[str, RecentSend]:
    """Return by fingerprint what began conversations, in this batch or lately, and still counts."""
    found = [_just_now(tx, draft) for draft in drafts if draft.begins]
    marks = {draft.fingerprint for draft in drafts if not draft.begins}
    first = {
        talk.first_message_id: talk.first_fingerprint
        for talk in talks.values()
        if talk.created_at > since and talk.first_message_id and talk.first_fingerprint in marks
    }
    if first:
        found += [
            RecentSend(first[one.id] or "", one.id, one.created_at, one.status, one.lead_id)
            for one in messages.by_ids(tx, first).values()
        ]
    return {one.fingerprint: one for one in found if _still_counts(one, since)}


def _just_now(tx: Transaction, draft: Draft) -> RecentSend:
    return RecentSend(draft.fingerprint, draft.message_id, tx.now, Status.WAITING, draft.lead.id if draft.lead else None)


def _still_counts(last: RecentSend, since: int) -> bool:
    return last.created_at > since and last.status is not None and last.status not in NOT_SENT
