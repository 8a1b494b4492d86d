"""The people of the sandbox who have only an e-mail address, and what each does with a mail.

What stands before the `@` picks the script, at whatever domain; a `+` and what follows it do not count. Everybody else
behaves as `delivered`, and nobody ever tells that a mail arrived, because nobody does.
"""

from dataclasses import dataclass
from enum import StrEnum

EXAMPLE_DOMAIN = "people.example"

ANSWER_LATE_MS = 2_000
ARRIVE_LATE_MS = 5_000
BOUNCE_AFTER_MS = 500
REPLY_AFTER_MS = 1_000


class MailScript(StrEnum):
    DELIVERED = "delivered"
    BOUNCES = "bounces"
    REFUSED = "refused"
    FULL = "full"
    BUSY = "busy"
    HANGUP = "hangup"
    LATE = "late"
    REPLIES = "replies"
    STOPS = "stops"
    AWAY = "away"
    SILENT = "silent"


class MailAnswer(StrEnum):
    """What the server says to the program that hands a mail over."""

    OK = "ok"
    HANGUP = "hangup"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class MailCourse:
    """How one mail goes; `refusal` is the answer to its recipient, `first_refusal` only to the first attempt."""

    says: str
    answer: MailAnswer = MailAnswer.OK
    refusal: str = ""
    first_refusal: str = ""
    bounces: bool = False
    reply: str | None = None
    is_automatic: bool = False


MAIL_COURSES: dict[MailScript, MailCourse] = {
    MailScript.DELIVERED: MailCourse("Taken, and in the mailbox."),
    MailScript.BOUNCES: MailCourse("Taken, and after half a second it comes back: there is nobody (5.1.1).", bounces=True),
    MailScript.REFUSED: MailCourse("The recipient is refused at once (550 5.1.1).", refusal="550 5.1.1 No such user here"),
    MailScript.FULL: MailCourse("The mailbox is full (552 5.2.2).", refusal="552 5.2.2 Mailbox full"),
    MailScript.BUSY: MailCourse(
        "Put off at first (451 4.7.1), taken at the next attempt.", first_refusal="451 4.7.1 Please try again later"
    ),
    MailScript.HANGUP: MailCourse("Takes the mail, then the connection dies without an answer.", answer=MailAnswer.HANGUP),
    MailScript.LATE: MailCourse(
        "Says nothing for two seconds, then the connection dies; the mail arrives five seconds after that.",
        answer=MailAnswer.TIMEOUT,
    ),
    MailScript.REPLIES: MailCourse("Taken, and answered after a second.", reply="Got it, thanks!"),
    MailScript.STOPS: MailCourse("Taken, and answered STOP after a second.", reply="STOP"),
    MailScript.AWAY: MailCourse(
        "Taken, and a program answers that nobody is there.", reply="I am away until Monday.", is_automatic=True
    ),
    MailScript.SILENT: MailCourse("Taken, and nothing more is heard."),
}


def mail_script_of(address: str) -> MailScript:
    """Return the script of an address in normal form."""
    local = address.rpartition("@")[0].partition("+")[0]
    return MailScript(local) if local in tuple(MailScript) else MailScript.DELIVERED


def mail_course_of(address: str) -> MailCourse:
    return MAIL_COURSES[mail_script_of(address)]


def scripted_mailboxes() -> list[dict[str, str]]:
    """Return one address of each script, as `GET /mailboxes` tells them."""
    return [
        {"address": f"{script}@{EXAMPLE_DOMAIN}", "script": script, "says": MAIL_COURSES[script].says} for script in MailScript
    ]
