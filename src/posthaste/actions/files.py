"""Files that are kept here: uploads that are to be sent, and what comes in with messages.

A file belongs to a workspace and to nobody else. An upload lives until no message needs it any more: for a while if none
ever named it, and for a while after the last that did has ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from posthaste.actions.draft import Draft
from posthaste.core.errors import Forbidden, NotFound
from posthaste.core.files import UNKNOWN, FileType, fitting_name, sniff, upload_in, upload_url
from posthaste.core.lifecycle import Status
from posthaste.core.messages import Message
from posthaste.core.signals import InboundFile
from posthaste.core.timeline import Code
from posthaste.settings import DAY_MS, Settings
from posthaste.store import devices, files, inbound_files, timeline
from posthaste.store.devices import Access
from posthaste.store.files import RECEIVED, UPLOAD, StoredFile, Use
from posthaste.store.inbound_files import WaitingFile
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction

__all__ = ["StoredFile", "WaitingFile"]

_UNDER_WAY = (Status.WAITING, Status.SENDING)
# Each may be large, and other writes wait for all of them.
_SWEPT_AT_ONCE = 8
_FIRST_RETRY_MS = 10_000
_LONGEST_RETRY_MS = 3_600_000
RECEIVED_TRIES_AT_MOST = 12
RECEIVED_FILES_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Opened:
    """A file with its content."""

    file: StoredFile
    content: bytes


# Uploads


def upload(tx: Transaction, settings: Settings, workspace_id: str, name: str, kind: FileType, content: bytes) -> StoredFile:
    """Keep what a caller uploaded."""
    file = StoredFile(
        id=tx.new_id(),
        workspace_id=workspace_id,
        name=name,
        media_type=kind.media_type,
        size=len(content),
        origin=UPLOAD,
        keep_until=tx.now + settings.upload_unused_for_ms,
        created_at=tx.now,
    )
    files.add(tx, file, content)
    return file


def open_own(tx: Transaction, workspace_id: str, file_id: str) -> Opened:
    """Return a file of a workspace; another's is refused."""
    opened = open_any(tx, file_id)
    if opened.file.workspace_id != workspace_id:
        raise Forbidden("The file belongs to another workspace")
    return opened


def open_any(tx: Transaction, file_id: str) -> Opened:
    """Return a file for whoever was given a link to it."""
    file = find(tx, file_id)
    content = files.content_of(tx, file_id)
    if file is None or content is None:
        raise NotFound("File not found", code="FILE_NOT_FOUND")
    return Opened(file, content)


def find(tx: Transaction, file_id: str) -> StoredFile | None:
    return files.by_ids(tx, [file_id]).get(file_id)


def content_of(tx: Transaction, file_id: str) -> bytes | None:
    return files.content_of(tx, file_id)


def refuse_foreign_files(tx: Transaction, workspace_id: str, drafts: Iterable[Draft]) -> None:
    """Refuse the drafts that name another workspace's file; from now until the commit none of the named files goes."""
    named = {draft.message_id: _upload_ids(draft.sending.attachment_urls) for draft in drafts if draft.sending.attachment_urls}
    held = files.hold(tx, {one for ids in named.values() for one in ids}) if any(named.values()) else {}
    foreign = {one.id for one in held.values() if one.workspace_id != workspace_id}
    for draft in drafts:
        if not foreign.isdisjoint(named.get(draft.message_id, ())):
            draft.error = Forbidden("Attachment URL does not belong to this organization")


def note_uses(tx: Transaction, workspace_id: str, messages: Iterable[Message]) -> None:
    """Note which of our files are sent with messages that have just been accepted."""
    uses = {(file_id, one.id) for one in messages for file_id in _upload_ids(url for url, _ in one.attachments)}
    if uses:
        known = files.by_ids(tx, {file_id for file_id, _ in uses})
        files.note_uses(tx, workspace_id, [use for use in uses if use[0] in known])


def _upload_ids(urls: Iterable[str]) -> set[str]:
    return {found for url in urls if (found := upload_in(url))}


def sweep_files(tx: Transaction, settings: Settings) -> bool:
    """Remove files that nobody needs any more, and ask again later about the others; True if there may be more."""
    due = files.take_due(tx, _SWEPT_AT_ONCE)
    uses = files.uses_of(tx, [one.id for one in due])
    needed = {one.id: until for one in due if (until := needed_until(tx.now, uses.get(one.id, ()), settings.upload_used_for_ms))}
    files.keep(tx, needed)
    files.remove(tx, [one.id for one in due if one.id not in needed])
    return len(due) == _SWEPT_AT_ONCE


def needed_until(now: int, uses: Sequence[Use], used_for_ms: int) -> int | None:
    """Return when to ask again whether a file may go; None if it may go now."""
    if any(one.status in _UNDER_WAY for one in uses):
        return now + DAY_MS
    last = max((one.updated_at + used_for_ms for one in uses), default=0)
    return last if last > now else None


# What came in


def note_inbound(tx: Transaction, workspace_id: str, message_id: str, device_id: str, received: Sequence[InboundFile]) -> None:
    """Note the files of a message that has just come in, to be fetched from its device; of very many, the first."""
    if not received:
        return
    named = [replace(one, name=fitting_name(one.name, None, None) if one.name else None) for one in received]
    inbound_files.add(tx, workspace_id, message_id, device_id, named[:RECEIVED_FILES_AT_MOST])
    why = f"it is not among the first {RECEIVED_FILES_AT_MOST}"
    left = [
        NewEntry(workspace_id, message_id, Code.FILE_LOST, {"name": one.name, "why": why})
        for one in named[RECEIVED_FILES_AT_MOST:]
    ]
    timeline.add(tx, left)
    tx.wake("files")


def take_inbound_files(tx: Transaction, held_ms: int, limit: int) -> list[tuple[WaitingFile, Access]]:
    """Take files that are due with the devices that have them; each is tried again after `held_ms` if nothing comes of it."""
    taken = inbound_files.take_due(tx, held_ms, limit)
    access = devices.access(tx, {one.device_id for one in taken}) if taken else {}
    return [(one, access[one.device_id]) for one in taken]


def next_inbound_file_in_ms(tx: Transaction) -> int | None:
    due_at = inbound_files.next_due_at(tx)
    return None if due_at is None else max(0, due_at - tx.now)


def store_inbound(tx: Transaction, settings: Settings, waiting: WaitingFile, content: bytes, public_url: str) -> None:
    """Keep a file that came in, and show it with its message; of two who fetched it, the second changes nothing."""
    file_id, kind = tx.new_id(), sniff(content)
    if not inbound_files.settle(tx, waiting.id, "stored", file_id):
        return
    file = StoredFile(
        id=file_id,
        workspace_id=waiting.workspace_id,
        name=fitting_name(waiting.name, None, kind),
        media_type=kind.media_type if kind else UNKNOWN,
        size=len(content),
        origin=RECEIVED,
        keep_until=tx.now + settings.received_files_for_ms if settings.received_files_for_ms else None,
        created_at=tx.now,
    )
    files.add(tx, file, content)
    stored = inbound_files.stored_of(tx, waiting.message_id)
    inbound_files.show(tx, waiting.message_id, [(upload_url(public_url, one, name), name) for one, name in stored])
    _say(tx, waiting, Code.FILE_STORED, {"name": file.name, "mediaType": file.media_type, "size": file.size})
    tx.wake(f"message:{waiting.message_id}")


def miss_inbound(tx: Transaction, waiting: WaitingFile, why: str) -> None:
    """Try a file that could not be fetched again later, or give it up after the last try."""
    if waiting.tries < RECEIVED_TRIES_AT_MOST:
        wait_ms = min(_FIRST_RETRY_MS * 2 ** (waiting.tries - 1), _LONGEST_RETRY_MS)
        inbound_files.put_off(tx, waiting.id, tx.now + wait_ms)
    elif inbound_files.settle(tx, waiting.id, "failed"):
        _say(tx, waiting, Code.FILE_LOST, {"name": waiting.name, "why": why})


def _say(tx: Transaction, waiting: WaitingFile, code: Code, facts: Mapping[str, object]) -> None:
    timeline.add(tx, [NewEntry(waiting.workspace_id, waiting.message_id, code, facts)])
