"""An Android phone with the SMS Gate app on it: what it sent, what came, its webhooks, and requests still on their way.

It only holds and finds; entries change it, through `World`. The phone's own message store and the app's inbox are two
things: what comes while the app does not run is in the first alone, until the app is told to look.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from posthaste.sandbox.entries import (
    AndroidHookDropped,
    AndroidHookKept,
    AndroidKept,
    AndroidTurned,
    Sms,
    SmsIn,
    SmsPromised,
    SmsPromiseEnded,
)

DEVICE_ID_LENGTH = 21

PENDING, PROCESSED, SENT, DELIVERED, FAILED = STATES = ("Pending", "Processed", "Sent", "Delivered", "Failed")

Change = AndroidTurned | AndroidHookKept | AndroidHookDropped | Sms | SmsPromised | SmsPromiseEnded | SmsIn


@dataclass(slots=True)
class Android:
    settings: AndroidKept
    is_up: bool = True
    messages: dict[str, Sms] = field(default_factory=dict)
    came: dict[str, SmsIn] = field(default_factory=dict)
    hooks: dict[str, AndroidHookKept] = field(default_factory=dict)
    promises: dict[str, SmsPromised] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.settings.id

    @property
    def phone(self) -> str:
        return self.settings.phone

    @property
    def device_id(self) -> str:
        """Return the app's own id of this phone, which is never longer than 21 characters."""
        return self.settings.id[-DEVICE_ID_LENGTH:]

    @property
    def inbox(self) -> Sequence[SmsIn]:
        """Return what the app knows of what came, the newest first."""
        seen = [sms for sms in self.came.values() if sms.is_seen]
        return sorted(seen, key=lambda sms: (sms.at, sms.id), reverse=True)

    def take(self, change: Change) -> None:
        match change:
            case AndroidTurned():
                self.is_up = change.is_up
            case AndroidHookKept():
                self.hooks[change.id] = change
            case AndroidHookDropped():
                self.hooks.pop(change.id, None)
            case Sms():
                self.messages[change.id] = change
            case SmsPromised():
                self.promises[change.id] = change
            case SmsPromiseEnded():
                self.promises.pop(change.id, None)
            case SmsIn():
                self.came[change.id] = change
            case _:
                assert_never(change)


def state_of(sms: Sms) -> str:
    """Return how far a message came: as far as the slowest of its recipients, failed once all have."""
    states = [recipient.state for recipient in sms.recipients if recipient.state != FAILED]
    return min(states, key=STATES.index, default=FAILED)
