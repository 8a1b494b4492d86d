"""Write chats, handles and messages as BlueBubbles does, in its two spellings.

A webhook gets the short "notification" form, a REST answer the long one. Fields that the sandbox never fills are there
all the same, because strict clients parse them. Nothing is decided here.
"""

from posthaste.sandbox.entries import Attached, ChatOpened, HookKept, Row
from posthaste.sandbox.files import UNKNOWN_TYPE, uti_of
from posthaste.sandbox.mac import Mac

Json = dict[str, object]

_STYLE_DM = 45
# Messages puts this character where an attachment stands in the text.
_OBJECT_REPLACEMENT = "\ufffc"
_TRANSFERRED = 5


def handle_json(chat: ChatOpened, *, is_rest: bool = True) -> Json:
    short: Json = {"originalROWID": chat.rowid, "address": chat.address, "service": "iMessage"}
    return short | {"uncanonicalizedId": None, "country": "us"} if is_rest else short


def chat_json(chat: ChatOpened, *, is_rest: bool = True) -> Json:
    short: Json = {
        "originalROWID": chat.rowid,
        "guid": chat.guid,
        "style": _STYLE_DM,
        "chatIdentifier": chat.address,
        "isArchived": False,
        "displayName": "",
    }
    long: Json = {"isFiltered": False, "groupId": chat.guid, "properties": None, "lastAddressedHandle": None}
    return short | long if is_rest else short


def message_json(mac: Mac, row: Row, *, with_chats: bool, with_files: bool = False) -> Json:
    """Write a message as a REST answer; chats and attachments are empty lists unless they were asked for."""
    chats = [chat_json(mac.chats[row.chat_guid])] if with_chats else []
    files = [attachment_json(mac, row, file) for file in row.attachments] if with_files else []
    return _short(mac, row, is_rest=True) | _LONG | {"chats": chats, "attachments": files}


def attachment_json(mac: Mac, row: Row, file: Attached, *, is_rest: bool = True) -> Json:
    """Write an attachment; the sandbox does not look into pictures, so none has a height."""
    short: Json = {
        "originalROWID": mac.attachment_rowid(file.guid),
        "guid": file.guid,
        "uti": uti_of(file.name),
        "mimeType": None if file.media_type == UNKNOWN_TYPE else file.media_type,
        "transferName": file.name,
        "totalBytes": file.size,
        "height": 0,
        "width": 0,
        "metadata": None,
    }
    long: Json = {
        "transferState": _TRANSFERRED,
        "isOutgoing": row.is_from_me,
        "hideAttachment": False,
        "isSticker": False,
        "originalGuid": file.guid,
        "hasLivePhoto": False,
    }
    return short | long if is_rest else short


def notification_json(mac: Mac, row: Row, *, with_chats: bool, temp_guid: str | None = None) -> Json:
    """Write a message as a webhook body; an update has no `chats` at all, and only a matched send has a `tempGuid`."""
    body = _short(mac, row, is_rest=False)
    body["attachments"] = [attachment_json(mac, row, file, is_rest=False) for file in row.attachments]
    if with_chats:
        body["chats"] = [chat_json(mac.chats[row.chat_guid], is_rest=False)]
    if temp_guid:
        body["tempGuid"] = temp_guid
    return body


def hook_json(hook: HookKept) -> Json:
    return {"id": hook.id, "url": hook.url, "events": hook.events, "created": hook.created_at}


def _short(mac: Mac, row: Row, *, is_rest: bool) -> Json:
    chat = mac.chats[row.chat_guid]
    return {
        "originalROWID": row.rowid,
        "guid": row.guid,
        "text": _OBJECT_REPLACEMENT * len(row.attachments) + row.text,
        "attributedBody": None,
        # What a Mac sends itself has no handle: only the chat tells to whom it went.
        "handle": None if row.is_from_me else handle_json(chat, is_rest=is_rest),
        "handleId": 0 if row.is_from_me else chat.rowid,
        "otherHandle": 0,
        "subject": None,
        "error": row.error,
        "dateCreated": row.created_at,
        "dateRead": row.read_at,
        "dateDelivered": row.delivered_at,
        "isDelivered": row.delivered_at is not None,
        "isFromMe": row.is_from_me,
        "associatedMessageGuid": f"p:0/{row.tapback_on}" if row.tapback_on else None,
        "associatedMessageType": row.tapback,
        "threadOriginatorGuid": row.thread_guid,
        "partCount": max(1, len(row.attachments) + bool(row.text)),
    } | _REST_OF_SHORT


_REST_OF_SHORT: Json = {
    "hasDdResults": False,
    "isArchived": False,
    "itemType": 0,
    "groupTitle": None,
    "groupActionType": 0,
    "balloonBundleId": None,
    "expressiveSendStyleId": None,
    "hasPayloadData": False,
    "messageSummaryInfo": None,
    "payloadData": None,
    "dateEdited": None,
    "dateRetracted": None,
}

_LONG: Json = {
    "country": None,
    "isDelayed": False,
    "isAutoReply": False,
    "isSystemMessage": False,
    "isServiceMessage": False,
    "isForward": False,
    "threadOriginatorPart": None,
    "isCorrupt": False,
    "datePlayed": None,
    "cacheRoomnames": None,
    "isSpam": False,
    "isExpired": False,
    "timeExpressiveSendPlayed": None,
    "isAudioMessage": False,
    "replyToGuid": None,
    "shareStatus": 0,
    "shareDirection": 0,
    "wasDeliveredQuietly": False,
    "didNotifyRecipient": False,
}
