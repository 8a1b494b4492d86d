"""A message on its way to being accepted: what the steps of `accept` find out about it, one after the other.

A draft that is refused carries its `error` and is passed over by the later steps; the others of its batch go on.
`begins`: nothing was accepted for its address before, and the conversation with it remembers this message as its first.
"""

from dataclasses import dataclass
from enum import StrEnum

from posthaste.core.errors import PosthasteError
from posthaste.core.leads import Lead, Match
from posthaste.core.lines import Line
from posthaste.core.messages import Lane, Sending
from posthaste.core.row import Value
from posthaste.core.workspaces import Workspace


class Submission(Value, frozen=True):
    """One call of `POST /api/messages`; `body_digest` stands for its parsed JSON."""

    workspace: Workspace
    sending: Sending
    key: str | None
    body_digest: str


class Why(StrEnum):
    """Why a line was chosen, in words."""

    ASKED_FOR = "the caller asked for it"
    STICKY = "it already talks with this person"
    TURN = "it was its turn"
    NO_ROOM = "no line has room left today, and this one has room again first"


@dataclass(slots=True)
class Draft:
    """One submission of a batch, and what is known of it so far."""

    submission: Submission
    message_id: str
    error: PosthasteError | None = None
    match: Match | None = None
    lead: Lead | None = None
    addresses: tuple[str, ...] = ()
    line: Line | None = None
    why: Why = Why.TURN
    lane: Lane = Lane.NEW
    is_blocked: bool = False
    due_at: int = 0
    fingerprint: str = ""
    begins: bool = False

    @property
    def sending(self) -> Sending:
        return self.submission.sending

    @property
    def is_duplicate(self) -> bool:
        """Whether the recipient matched a lead that existed; a lead named by its id is no surprise to the caller."""
        return self.match is not None and self.sending.lead_id is None


def standing(drafts: list[Draft]) -> list[Draft]:
    """Return the drafts that were not refused."""
    return [draft for draft in drafts if draft.error is None]
