"""Judge the SMS that take the place of iMessages: there when they are due and only then, linked both ways, never two."""

from collections import Counter
from collections.abc import Iterator

from posthaste.actions.show import MessageView
from posthaste.core.addresses import is_email
from posthaste.core.fallback import Skip
from posthaste.core.lifecycle import Status
from posthaste.core.messages import MessageType
from posthaste.core.timeline import Code, Entry

from .evidence import Evidence


def judge_fallbacks(evidence: Evidence) -> Iterator[str]:
    """Yield every complaint, in words."""
    stands_for = Counter(view.message.fallback_of for view in evidence.views.values() if view.message.fallback_of)
    for message_id, count in stands_for.items():
        if count > 1:
            yield f"{count} SMS take the place of message {message_id}"
    for view in evidence.views.values():
        if view.message.fallback_of is not None:
            yield from _takes_its_place(evidence, view)
        elif _is_due(evidence, view):
            yield from _was_done(evidence, view)
        elif view.message.fallback_message_id is not None:
            yield f"{_name(view)} and an SMS took its place"


def _is_due(evidence: Evidence, view: MessageView) -> bool:
    """Tell whether a message that was asked for must have an SMS in its place, by what the contract says."""
    message, fallback = view.message, evidence.town.plan.fallback
    if not fallback.is_enabled or message.message_type != MessageType.IMESSAGE:
        return False
    wants = message.send_fallback or fallback.send_on_failed
    return message.status == Status.FALLBACK or (message.status == Status.FAILED and wants)


def _was_done(evidence: Evidence, view: MessageView) -> Iterator[str]:
    """A message has an SMS in its place, or says why there is none."""
    message = view.message
    sent, skipped = _said(evidence, message.id, Code.FALLBACK_SENT), _said(evidence, message.id, Code.FALLBACK_SKIPPED)
    if len(sent) + len(skipped) != 1:
        yield f"{_name(view)} says {len(sent)} times that an SMS takes its place, and {len(skipped)} times why not"
    elif sent and sent[0].facts["message"] != message.fallback_message_id:
        yield f"{_name(view)} tells of {sent[0].facts} and is linked with {message.fallback_message_id}"
    elif skipped and not _could_not(evidence, view, str(skipped[0].facts["why"])):
        yield f"{_name(view)} has no SMS in its place, and says {skipped[0].facts}"


def _could_not(evidence: Evidence, view: MessageView, why: str) -> bool:
    message = view.message
    match why:
        case Skip.NO_LINE:
            sms_line = len(evidence.town.line_ids) - 1
            return any(change.line == sms_line and change.rules.get("isActive") is False for change in evidence.town.changes)
        case Skip.NO_PHONE:
            return all(is_email(address) for address in message.addresses)
        case Skip.TOO_LATE:
            return message.window is not None or message.valid_until is not None
        case _:
            return False


def _takes_its_place(evidence: Evidence, view: MessageView) -> Iterator[str]:
    sms = view.message
    ended = evidence.views[str(sms.fallback_of)]
    if ended.message.fallback_message_id != sms.id:
        yield f"{_name(view)} takes the place of {_name(ended)}, which is linked with {ended.message.fallback_message_id}"
    if not _is_due(evidence, ended):
        yield f"{_name(view)} takes the place of {_name(ended)}, which had none to be taken"
    if [entry.facts["message"] for entry in _said(evidence, sms.id, Code.FALLS_BACK)] != [ended.message.id]:
        yield f"{_name(view)} does not say whose place it takes"
    if sms.message_type != MessageType.SMS or sms.fallback_message_id is not None:
        yield f"{_name(view)} is {sms.message_type} and falls back to {sms.fallback_message_id}"
    if sms.addresses != tuple(one for one in ended.message.addresses if not is_email(one))[:1]:
        yield f"{_name(view)} goes to {sms.addresses}, and {_name(ended)} was for {ended.message.addresses}"
    if any(evidence.arrived(attempt) for attempt in evidence.attempts[ended.message.id]):
        yield f"{_name(view)} takes the place of {_name(ended)}, which is on a phone"


def _said(evidence: Evidence, message_id: str, code: Code) -> list[Entry]:
    return [entry for entry in evidence.timelines[message_id] if entry.code == code]


def _name(view: MessageView) -> str:
    return f"message {view.message.id} ({view.message.text[:4]}, {view.message.status})"
