"""What happens to a mail once a server of the sandbox has taken it, and when a person writes one.

Every mail arrives on the phone of whoever it is for; a mail for a mailbox of the sandbox lies there as well. A mail that
comes back is returned as servers do, by a delivery report (RFC 3464) from the null sender.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from functools import partial

from posthaste.sandbox.entries import Attached, MailCame, MailPromised, MailPromiseEnded, Received, Wrote
from posthaste.sandbox.mail import Mailbox
from posthaste.sandbox.mail_scripts import (
    ANSWER_LATE_MS,
    ARRIVE_LATE_MS,
    BOUNCE_AFTER_MS,
    REPLY_AFTER_MS,
    MailCourse,
    mail_course_of,
)
from posthaste.sandbox.world import World

CHANNEL = "email"
_HOST = "sandbox.example"


def take(world: World, box: Mailbox, to: str, raw: bytes) -> None:
    """Take a mail that the server answers for: it is read at once, or it comes back."""
    if mail_course_of(to).bounces:
        _promise(world, box, to, raw, BOUNCE_AFTER_MS, comes_back=True)
    else:
        _arrive(world, box, to, raw)


def take_late(world: World, box: Mailbox, to: str, raw: bytes) -> None:
    """Take a mail that arrives later, whatever happens meanwhile."""
    _promise(world, box, to, raw, ANSWER_LATE_MS + ARRIVE_LATE_MS, comes_back=False)


def resume(world: World) -> None:
    """Set off again what was still to arrive when the world last stopped."""
    now = world.now_ms()
    for box in world.mailboxes.values():
        for promised in list(box.promises.values()):
            world.later(max(0, promised.due_at - now), partial(_keep_promise, world, box, promised))


def person_writes(world: World, box: Mailbox, sender: str, text: str, files: Sequence[Attached] = ()) -> Wrote:
    """Let a person write to a mailbox, as an answer to the last mail that they got from there."""
    last = next((one for one in reversed(world.received) if one.to == sender and one.sender == box.email), None)
    mail = _mail(world, sender, box, text, last)
    for file in files:
        kind, _, subtype = file.media_type.partition("/")
        content = world.files.read(file.sha256) or b""
        mail.add_attachment(content, maintype=kind, subtype=subtype or "octet-stream", filename=file.name)
    wrote = Wrote(sender, box.email, text, CHANNEL, str(mail["Message-ID"]), world.now_ms(), tuple(files))
    world.record(wrote, _came(world, box, mail.as_bytes(policy=policy.SMTP)))
    return wrote


def _promise(world: World, box: Mailbox, to: str, raw: bytes, delay_ms: int, *, comes_back: bool) -> None:
    promised = MailPromised(box.id, world.new_guid(), to, raw, world.now_ms() + delay_ms, comes_back)
    world.record(promised)
    world.later(delay_ms, partial(_keep_promise, world, box, promised))


def _keep_promise(world: World, box: Mailbox, promised: MailPromised) -> None:
    ended = MailPromiseEnded(box.id, promised.guid)
    if promised.comes_back:
        world.record(_came(world, box, _bounce(world, promised.to, promised.raw)), ended)
    else:
        _arrive(world, box, promised.to, promised.raw, ended)


def _arrive(world: World, box: Mailbox, to: str, raw: bytes, *also: MailPromiseEnded) -> None:
    """Let a mail be read by whoever it is for, and set off what follows from that."""
    received, neighbour, course = _received(world, box, to, raw), world.mailbox_of(to), mail_course_of(to)
    world.record(received, *also, *([_came(world, neighbour, raw)] if neighbour else []))
    if course.reply is not None:
        world.later(REPLY_AFTER_MS, partial(_reply, world, box, to, received, course))


def _received(world: World, box: Mailbox, to: str, raw: bytes) -> Received:
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain", "html"))
    text = str(body.get_content()).replace("\r\n", "\n").rstrip() if body is not None else ""
    files = [
        world.keep_file(part.get_filename() or "unnamed", bytes(part.get_payload(decode=True) or b""))
        for part in mail.iter_attachments()
        if not part.is_multipart()
    ]
    guid = str(mail.get("Message-ID", "")).strip() or world.new_guid()
    subject = str(mail.get("Subject", ""))
    return Received(to, box.email, text, CHANNEL, guid, world.now_ms(), tuple(files), subject)


def _reply(world: World, box: Mailbox, sender: str, last: Received, course: MailCourse) -> None:
    mail = _mail(world, sender, box, course.reply or "", last)
    if course.is_automatic:
        mail["Auto-Submitted"] = "auto-replied"
    wrote = Wrote(sender, box.email, course.reply or "", CHANNEL, str(mail["Message-ID"]), world.now_ms())
    world.record(wrote, _came(world, box, mail.as_bytes(policy=policy.SMTP)))


def _mail(world: World, sender: str, box: Mailbox, text: str, last: Received | None) -> EmailMessage:
    """Write a mail as people's programs do, with what it answers quoted below."""
    mail = EmailMessage(policy.SMTP)
    mail["Message-ID"] = f"<{world.new_guid().lower()}@{_HOST}>"
    mail["From"] = formataddr((sender.partition("@")[0].title(), sender))
    mail["To"] = box.email
    mail["Date"] = format_datetime(_now(world))
    mail["Subject"] = _answering(last.subject) if last else text.split("\n")[0][:60] or "(no subject)"
    if last:
        mail["In-Reply-To"] = last.guid
        mail["References"] = last.guid
        quoted = "".join(f"> {line}\n" for line in last.text.split("\n"))
        text = f"{text}\n\nOn {_now(world):%a, %d %b %Y at %H:%M}, {box.email} wrote:\n\n{quoted}"
    mail.set_content(text)
    return mail


def _answering(subject: str) -> str:
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"


def _bounce(world: World, to: str, raw: bytes) -> bytes:
    """Write the report of a mail that came back, with its head."""
    head = raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    mark = world.new_guid()
    date = format_datetime(_now(world))
    returned_to = str(message_from_bytes(head, policy=policy.default)["From"])
    lines = (
        f"Message-ID: <{world.new_guid().lower()}@{_HOST}>", "Return-Path: <>", f"From: Mail Delivery <mailer-daemon@{_HOST}>",
        f"To: {returned_to}", f"Date: {date}", "Subject: Undelivered Mail Returned to Sender", "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0", f'Content-Type: multipart/report; report-type=delivery-status; boundary="{mark}"', "",
        f"--{mark}", "Content-Type: text/plain; charset=us-ascii", "", f"Your mail to <{to}> came back: there is nobody.", "",
        f"--{mark}", "Content-Type: message/delivery-status", "", f"Reporting-MTA: dns; {_HOST}", f"Arrival-Date: {date}", "",
        f"Final-Recipient: rfc822; {to}", "Action: failed", "Status: 5.1.1",
        f"Diagnostic-Code: smtp; 550 5.1.1 <{to}>: No such user here", "",
        f"--{mark}", "Content-Type: text/rfc822-headers", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode() + head + f"\r\n--{mark}--\r\n".encode()


def _came(world: World, box: Mailbox, raw: bytes) -> MailCame:
    return MailCame(box.id, len(box.mails) + 1, raw, world.now_ms())


def _now(world: World) -> datetime:
    return datetime.fromtimestamp(world.now_ms() // 1000, UTC)
