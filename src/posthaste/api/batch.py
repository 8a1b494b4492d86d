"""Accepting: submissions that arrive together are accepted in one transaction, which also reads what to answer.

Reading in the same transaction costs less than a second one, and the answer shows what was just written even if a
sender takes the message in the next millisecond.
"""

from collections.abc import Sequence

from posthaste.actions.accept import Acceptance, Submission, accept
from posthaste.actions.show import MessageView, views_of
from posthaste.core.row import Value
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.gather import Gatherer
from posthaste.store.transaction import Transaction


class Taken(Value, frozen=True):
    """One accepted submission and its message as it stood at the commit."""

    acceptance: Acceptance
    view: MessageView


Batch = Gatherer[Submission, Taken]


def accepting(store: Store, settings: Settings) -> Batch:
    """Return the gatherer through which all submissions of this process go."""

    async def run(submissions: Sequence[Submission]) -> Sequence[Taken | Exception]:
        return await store.write(take, settings, submissions)

    return Gatherer(run, settings.batch_max)


def take(tx: Transaction, settings: Settings, submissions: Sequence[Submission]) -> list[Taken | Exception]:
    """Accept submissions and read back what became of each."""
    accepted = accept(tx, settings, submissions)
    older = [one.message_id for one in accepted if isinstance(one, Acceptance) and one.view is None]
    views = views_of(tx, older) if older else {}
    return [Taken(one, one.view or views[one.message_id]) if isinstance(one, Acceptance) else one for one in accepted]
