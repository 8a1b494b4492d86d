"""A Sendblue account with one number: its messages, its webhooks, and requests still on their way.

It only holds and finds; entries change it, through `World`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from posthaste.sandbox.entries import (
    SendblueHook,
    SendblueHooksKept,
    SendblueKept,
    SendbluePromised,
    SendblueRow,
    SendblueTurned,
)

HOOK_TYPES = (
    "receive", "outbound", "typing_indicator", "call_log", "call_completed", "inbound_call", "contact_profile",
    "line_blocked", "line_assigned", "contact_created",
)  # fmt: skip

Change = SendblueTurned | SendblueHooksKept | SendblueRow | SendbluePromised


@dataclass(slots=True)
class Sendblue:
    settings: SendblueKept
    is_up: bool = True
    rows: dict[str, SendblueRow] = field(default_factory=dict)
    hooks: dict[str, Sequence[SendblueHook]] = field(default_factory=dict)
    promises: dict[str, SendbluePromised] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.settings.id

    @property
    def phone(self) -> str:
        return self.settings.phone

    def hooks_of(self, kind: str) -> Sequence[SendblueHook]:
        return self.hooks.get(kind, ())

    def take(self, change: Change) -> None:
        match change:
            case SendblueTurned():
                self.is_up = change.is_up
            case SendblueHooksKept():
                self.hooks[change.type] = change.hooks
            case SendblueRow():
                self.promises.pop(change.handle, None)
                self.rows[change.handle] = change
            case SendbluePromised():
                self.promises[change.handle] = change
            case _:
                assert_never(change)
