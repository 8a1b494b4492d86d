"""What the SMS Gate app says, as JSON: messages, webhooks, what came, and the events that it posts.

Times carry the offset of the phone's own zone, as the app writes them, and what is not known is left out.
"""

import datetime as dt

from posthaste.sandbox.android import Android, state_of
from posthaste.sandbox.entries import AndroidHookKept, Sms, SmsIn, SmsTo
from posthaste.sandbox.render import Json

VERSION = "1.40.0"
_ZONE = dt.timezone(dt.timedelta(hours=-5))
_SIM_NUMBER = 1
_SIM: Json = {"simNumber": _SIM_NUMBER}
_HASHES = 2**32


def time_text(at: int) -> str:
    return dt.datetime.fromtimestamp(at / 1000, _ZONE).isoformat(timespec="milliseconds")


def message_json(phone: Android, sms: Sms) -> Json:
    return {
        "id": sms.id,
        "deviceId": phone.device_id,
        "state": state_of(sms),
        "isHashed": False,
        "isEncrypted": False,
        "recipients": [_recipient_json(recipient) for recipient in sms.recipients],
        "states": {state: time_text(at) for state, at in sms.states.items()},
    }


def _recipient_json(recipient: SmsTo) -> Json:
    told: Json = {"phoneNumber": recipient.number, "state": recipient.state}
    return told | ({"error": recipient.error} if recipient.error else {})


def hook_json(hook: AndroidHookKept) -> Json:
    return {"id": hook.id, "url": hook.url, "event": hook.event}


def inbox_json(phone: Android, sms: SmsIn) -> Json:
    return {
        "id": sms.id,
        "type": "SMS",
        "sender": sms.sender,
        "recipient": phone.phone,
        "simNumber": _SIM_NUMBER,
        "contentPreview": sms.text,
        "createdAt": time_text(sms.at),
        "attachments": [],
    }


def device_json(phone: Android, now: int) -> Json:
    made_at = time_text(phone.settings.at)
    return {
        "id": phone.device_id,
        "name": "Sandbox/Android",
        "createdAt": made_at,
        "updatedAt": made_at,
        "lastSeen": time_text(now),
    }


def health_json() -> Json:
    return {"status": "pass", "version": VERSION, "releaseId": 1, "checks": {}}


def event_json(phone: Android, hook: AndroidHookKept, event_id: str, payload: Json) -> Json:
    return {
        "deviceId": phone.device_id,
        "event": hook.event,
        "id": event_id,
        "payload": payload,
        "webhookId": hook.id,
    }


def received_json(phone: Android, sms: SmsIn) -> Json:
    number = int(sms.id.removeprefix("text:")) % _HASHES
    people = {"phoneNumber": sms.sender, "sender": sms.sender, "recipient": phone.phone}
    return {"messageId": f"{number:x}", "message": sms.text, "receivedAt": time_text(sms.at)} | people | _SIM


def sent_json(phone: Android, sms_id: str, recipient: SmsTo, now: int) -> Json:
    return _outgoing(phone, sms_id, recipient) | {"sentAt": time_text(now)}


def delivered_json(phone: Android, sms_id: str, recipient: SmsTo, now: int) -> Json:
    return _outgoing(phone, sms_id, recipient) | {"deliveredAt": time_text(now)}


def failed_json(phone: Android, sms_id: str, recipient: SmsTo, now: int) -> Json:
    return _outgoing(phone, sms_id, recipient) | {"failedAt": time_text(now), "reason": recipient.error or "Unknown"}


def _outgoing(phone: Android, sms_id: str, recipient: SmsTo) -> Json:
    people = {"phoneNumber": recipient.number, "sender": phone.phone, "recipient": recipient.number}
    return {"messageId": sms_id} | people | _SIM
