"""A Mac with Messages and a BlueBubbles server on it: its database, its webhooks, and what is being sent right now.

It only holds and finds; entries change it, through `World`. ROWIDs start at 1 and leave no gap, so a message's place in
the list is its ROWID less one. Messages are kept for as long as the world lives; nothing bounds them but that.
"""

from dataclasses import dataclass, field

from posthaste.sandbox.entries import ChatOpened, HookKept, MacKept, Row

TAHOE = 26


@dataclass(slots=True)
class Mac:
    settings: MacKept
    is_up: bool = True
    chats: dict[str, ChatOpened] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    hooks: dict[int, HookKept] = field(default_factory=dict)
    last_hook_id: int = 0
    in_flight: set[str] = field(default_factory=set)
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

    def keep_hook(self, hook: HookKept) -> None:
        self.hooks[hook.id] = hook
        self.last_hook_id = max(self.last_hook_id, hook.id)
