"""Write chats, handles and messages as BlueBubbles does, in its two spellings.

A webhook gets the short "notification" form, a REST answer the long one. Fields that the sandbox never fills are there
all the same, because strict clients parse them. Nothing is decided here.
"""

from posthaste.sandbox.entries import ChatOpened, HookKept, Row
from posthaste.sandbox.mac import Mac

Json = dict[str, object]

_STYLE_DM = 45


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


def message_json(mac: Mac, row: Row, *, with_chats: bool) -> Json:
    """Write a message as a REST answer; chats are an empty list unless they were asked for."""
    chats = [chat_json(mac.chats[row.chat_guid])] if with_chats else []
    return _short(mac, row, is_rest=True) | _LONG | {"chats": chats}


def notification_json(mac: Mac, row: Row, *, with_chats: bool, temp_guid: str | None = None) -> Json:
    """Write a message as a webhook body; an update has no `chats` at all, and only a matched send has a `tempGuid`."""
    body = _short(mac, row, is_rest=False)
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
        "text": row.text,
        "attributedBody": None,
        # What a Mac sends itself has no handle: only the chat tells to whom it went.
        "handle": None if row.is_from_me else handle_json(chat, is_rest=is_rest),
        "handleId": 0 if row.is_from_me else chat.rowid,
        "otherHandle": 0,
        "attachments": [],
        "subject": None,
        "error": row.error,
        "dateCreated": row.created_at,
        "dateRead": row.read_at,
        "dateDelivered": row.delivered_at,
        "isDelivered": row.delivered_at is not None,
        "isFromMe": row.is_from_me,
    } | _REST_OF_SHORT


_REST_OF_SHORT: Json = {
    "hasDdResults": False,
    "isArchived": False,
    "itemType": 0,
    "groupTitle": None,
    "groupActionType": 0,
    "balloonBundleId": None,
    "associatedMessageGuid": None,
    "associatedMessageType": None,
    "expressiveSendStyleId": None,
    "threadOriginatorGuid": None,
    "hasPayloadData": False,
    "messageSummaryInfo": None,
    "payloadData": None,
    "dateEdited": None,
    "dateRetracted": None,
    "partCount": 1,
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
