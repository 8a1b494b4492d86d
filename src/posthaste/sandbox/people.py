"""What a person does on a phone besides writing: react to a message, begin to type, read.

Tapbacks are rows of the Mac's database, with the sentence that older phones show in their place. Typing leaves nothing
behind, and only the Private API tells of it.
"""

from posthaste.sandbox.entries import Row
from posthaste.sandbox.mac import Mac
from posthaste.sandbox.sending import announce, notify, read
from posthaste.sandbox.world import World

_SENTENCES = {
    "love": "Loved",
    "like": "Liked",
    "dislike": "Disliked",
    "laugh": "Laughed at",
    "emphasize": "Emphasized",
    "question": "Questioned",
    "-love": "Removed a heart from",
    "-like": "Removed a like from",
    "-dislike": "Removed a dislike from",
    "-laugh": "Removed a laugh from",
    "-emphasize": "Removed an exclamation from",
    "-question": "Removed a question mark from",
}
REACTIONS = tuple(_SENTENCES)


def find_message(mac: Mac, person: str, *, guid: str | None, text: str | None) -> Row | None:
    """Return the message of a conversation with this guid, or the latest with this text."""
    rows = (row for row in reversed(mac.rows) if row.address == person and row.tapback is None and not row.error)
    return next((row for row in rows if row.guid == guid or (guid is None and row.text == text)), None)


def react(world: World, mac: Mac, person: str, on: Row, reaction: str) -> Row:
    """Let a person say what they think of a message, or take it back (`-love`)."""
    what = f"“{on.text}”" if on.text else "an attachment"
    row = Row(
        mac.id, len(mac.rows) + 1, world.new_guid(), on.chat_guid, person, f"{_SENTENCES[reaction]} {what}", False,
        world.now_ms(), tapback=reaction, tapback_on=on.guid,
    )  # fmt: skip
    world.record(row)
    notify(world, mac, row, "new-message")
    return row


def show_typing(world: World, mac: Mac, person: str, *, is_typing: bool) -> None:
    """Show the three dots on the Mac, or take them away."""
    if mac.settings.private_api:
        announce(world, mac, "typing-indicator", {"display": is_typing, "guid": mac.chat_guid_for(person)})


def read_all(world: World, mac: Mac, person: str) -> int:
    """Let a person read what a Mac has sent them; return how many messages that were."""
    unread = [row for row in mac.rows if row.is_from_me and row.address == person and not row.error and row.read_at is None]
    for row in unread:
        read(world, mac, row)
    return len(unread)
