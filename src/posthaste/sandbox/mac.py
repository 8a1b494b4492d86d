"""A Mac with Messages and a BlueBubbles server on it: its database, its webhooks, and what is being sent right now.

It only holds and finds; entries change it, through `World`. ROWIDs start at 1 and leave no gap, so a message's place in
the list is its ROWID less one. Messages are kept for as long as the world lives; nothing bounds them but that.
"""

from dataclasses import dataclass, field

from posthaste.sandbox.entries import Attached, ChatOpened, HookKept, MacKept, Row

TAHOE = 26
_GUID_CHARS = 36


@dataclass(slots=True)
class Mac:
    settings: MacKept
    is_up: bool = True
    chats: dict[str, ChatOpened] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    hooks: dict[int, HookKept] = field(default_factory=dict)
    last_hook_id: int = 0
    in_flight: set[str] = field(default_factory=set)
    uploads: dict[str, Attached] = field(default_factory=dict)
    typing_to: set[str] = field(default_factory=set)
    _attachments: dict[str, tuple[Row, int]] = field(default_factory=dict)
    _tapbacks: dict[str, dict[str, str]] = field(default_factory=dict)
    _by_address: dict[str, ChatOpened] = field(default_factory=dict)
    _by_guid: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.settings.id

    @property
    def is_tahoe(self) -> bool:
        """Tell whether this is macOS 26 or newer, which names conversations differently and breaks AppleScript."""
        return int(self.settings.macos_version.split(".")[0]) >= TAHOE

    def chat_guid_for(self, address: str) -> str:
        """Return the guid that this macOS gives to a conversation with one person."""
        return f"{'any' if self.is_tahoe else 'iMessage'};-;{address}"

    def chat_with(self, address: str) -> ChatOpened | None:
        return self._by_address.get(address)

    def row_of(self, guid: str) -> Row | None:
        rowid = self._by_guid.get(guid)
        return None if rowid is None else self.rows[rowid - 1]

    def last_row_of(self, chat_guid: str) -> Row | None:
        return next((row for row in reversed(self.rows) if row.chat_guid == chat_guid), None)

    def attachment_of(self, guid: str) -> tuple[Row, Attached] | None:
        """Return an attachment and its message, whatever prefix the guid has: only its last 36 characters are looked at."""
        found = self._attachments.get(guid[-_GUID_CHARS:])
        if found is None:
            return None
        row, _ = found
        return row, next(attached for attached in row.attachments if attached.guid == guid[-_GUID_CHARS:])

    def attachment_rowid(self, guid: str) -> int:
        return self._attachments[guid][1]

    @property
    def attachment_count(self) -> int:
        return len(self._attachments)

    def tapbacks_on(self, guid: str) -> dict[str, str]:
        """Return who thinks what of a message."""
        return self._tapbacks.get(guid, {})

    def hook_of(self, url: str) -> HookKept | None:
        return next((hook for hook in self.hooks.values() if hook.url == url), None)

    def open_chat(self, chat: ChatOpened) -> None:
        self.chats[chat.guid] = chat
        self._by_address[chat.address] = chat

    def keep_row(self, row: Row) -> None:
        """Insert a message, or put its later state in its place."""
        if row.rowid <= len(self.rows):
            self.rows[row.rowid - 1] = row
        else:
            self.rows.append(row)
            self._by_guid[row.guid] = row.rowid
            for attached in row.attachments:
                self._attachments[attached.guid] = (row, len(self._attachments) + 1)
            self._keep_tapback(row)

    def _keep_tapback(self, row: Row) -> None:
        if row.tapback is None or row.tapback_on is None:
            return
        thoughts = self._tapbacks.setdefault(row.tapback_on, {})
        if row.tapback.startswith("-"):
            thoughts.pop(row.address, None)
        else:
            thoughts[row.address] = row.tapback

    def keep_hook(self, hook: HookKept) -> None:
        self.hooks[hook.id] = hook
        self.last_hook_id = max(self.last_hook_id, hook.id)
