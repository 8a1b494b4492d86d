"""Write messages and webhooks as Sendblue does, in its three spellings: an answer, a list, a webhook."""

from posthaste.sandbox.entries import SendblueHook, SendblueRow
from posthaste.sandbox.instants import iso
from posthaste.sandbox.render import Json
from posthaste.sandbox.sendblue import HOOK_TYPES, Sendblue

EMAIL = "sandbox@people.example"
_WORDS = {4000: "The message was not taken", 10001: "Message failed to send"}


def answer_json(account: Sendblue, row: SendblueRow) -> Json:
    """Write a message as the answer to a send or to a question about it."""
    return _common(account, row) | {
        "account_email": EMAIL,
        "date_created": iso(row.created_at),
        "send_style": None,
        "error_message": _words(row),
        "seat_id": None,
        "sender_email": None,
    }


def listed_json(account: Sendblue, row: SendblueRow) -> Json:
    """Write a message as a list does, which does not say when it was made."""
    return _told(account, row) | {"participants": [], "group_display_name": None}


def webhook_json(account: Sendblue, row: SendblueRow) -> Json:
    return _told(account, row) | {"participants": [row.number, account.phone], "date_created": iso(row.created_at)}


def typing_json(account: Sendblue, person: str, at: int, *, is_typing: bool) -> Json:
    return {"number": person, "to_number": account.phone, "is_typing": is_typing, "timestamp": iso(at)}


def hooks_json(account: Sendblue) -> Json:
    return {kind: [_hook_json(hook) for hook in account.hooks_of(kind)] for kind in HOOK_TYPES} | {"globalSecret": None}


def _told(account: Sendblue, row: SendblueRow) -> Json:
    return _common(account, row) | {
        "accountEmail": EMAIL,
        "date_sent": iso(row.created_at),
        "to_number": row.number if row.is_outbound else account.phone,
        "sendblue_number": account.phone,
        "was_downgraded": row.service == "SMS" if row.is_outbound else None,
        "service": row.service,
        "plan": "sandbox",
        "group_id": "",
        "opted_out": False,
        "error_message": _words(row),
        "error_reason": None,
        "error_detail": None,
        "send_style": "",
    }


def _common(account: Sendblue, row: SendblueRow) -> Json:
    return {
        "content": row.content,
        "is_outbound": row.is_outbound,
        "status": row.status,
        "error_code": row.error_code,
        "error_key": None,
        "message_handle": row.handle,
        "message_type": "message",
        "date_updated": iso(row.updated_at),
        "from_number": account.phone if row.is_outbound else row.number,
        "number": row.number,
        "media_url": row.media_url,
    }


def _words(row: SendblueRow) -> str | None:
    return _WORDS.get(row.error_code) if row.error_code else None


def _hook_json(hook: SendblueHook) -> str | Json:
    """Write a webhook as it was given: a mere address, unless there is more to it."""
    more: Json = {}
    if hook.secret is not None:
        more["secret"] = hook.secret
    if hook.numbers is not None:
        more["sendblue_numbers"] = hook.numbers
    return {"url": hook.url, **more} if more else hook.url
