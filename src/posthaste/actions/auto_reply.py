"""Answer HELP and INFO with the text that is set for it, through the line that was written to."""

from posthaste.core.lifecycle import Status
from posthaste.core.messages import Lane, Message
from posthaste.core.row import replace
from posthaste.core.timeline import Code
from posthaste.settings import Settings
from posthaste.store import messages, timeline
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction


def answer_help(tx: Transaction, settings: Settings, received: Message) -> None:
    """Have the help text sent to whoever asked; the caller looks at the line's device again."""
    answer = replace(
        received,
        id=tx.new_id(),
        direction="sent",
        status=Status.WAITING,
        lane=Lane.REPLY,
        expires_at=tx.now + settings.stale_after_ms,
        text=settings.help_text,
        external_id=None,
        sent_at=None,
        delivered_at=None,
        line_asked=True,
        reply_to=received.id,
    )
    messages.add(tx, [answer])
    entries = [(Code.ACCEPTED, {"type": answer.message_type}), (Code.HELP_ANSWERED, {"asked": received.id})]
    timeline.add(tx, [NewEntry(answer.workspace_id, answer.id, code, facts) for code, facts in entries])
