"""The numbers of the sandbox, and what each of them does with a text.

A recipient's number picks a script, a script is a `Course`: a table of facts that `sending` plays out. A thirteenth
script is a row here, never an `if` elsewhere. All hundred numbers from +1 628 555 0100 on are given out in turn, so the
last two digits modulo twelve tell the script; every number outside that range behaves as `delivered`.
"""

from dataclasses import dataclass
from enum import StrEnum

FIRST_NUMBER = 16285550100
NUMBER_COUNT = 100

ANSWER_LATE_MS = 2_000
ARRIVE_LATE_MS = 5_000
SMS_SENT_AFTER_MS = 20
DELIVERED_AFTER_MS = 50
READ_AFTER_MS = 150
REPLY_AFTER_MS = 1_000

NOT_REGISTERED = 22
SEND_FAILED = 25
NO_NETWORK = "RESULT_ERROR_GENERIC_FAILURE"


class Script(StrEnum):
    READ = "read"
    DELIVERED = "delivered"
    NO_IMESSAGE = "no-imessage"
    UNREACHABLE = "unreachable"
    HANGUP = "hangup"
    LATE = "late"
    REFUSED = "refused"
    RECEIPT_TWICE = "receipt-twice"
    RECEIPT_FIRST = "receipt-first"
    REPLIES = "replies"
    STOPS = "stops"
    SILENT = "silent"


class Answer(StrEnum):
    """What the Mac says to the program that asked it to send."""

    OK = "ok"
    HANGUP = "hangup"
    TIMEOUT = "timeout"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Course:
    """How one send to a number goes; the defaults are those of a phone that gets its texts and is never looked at.

    `error` is iMessage's, `failure` the mobile network's. `sms` is how a text message goes, where that is another story.
    """

    says: str
    answer: Answer = Answer.OK
    on_imessage: bool = True
    error: int = 0
    receipts: int = 1
    receipt_first: bool = False
    is_read: bool = False
    reply: str | None = None
    failure: str = ""
    sms: "Course | None" = None


COURSES: dict[Script, Course] = {
    Script.READ: Course("Delivered, and read a moment later.", is_read=True),
    Script.DELIVERED: Course("Delivered, never read."),
    Script.NO_IMESSAGE: Course(
        "Not on iMessage; a text message would reach it.",
        answer=Answer.ERROR,
        on_imessage=False,
        error=NOT_REGISTERED,
        receipts=0,
        sms=Course("Delivered as a text message."),
    ),
    Script.UNREACHABLE: Course(
        "Not on iMessage, and a text message fails too.",
        answer=Answer.ERROR,
        on_imessage=False,
        error=NOT_REGISTERED,
        receipts=0,
        sms=Course("The mobile network cannot deliver it.", receipts=0, failure=NO_NETWORK),
    ),
    Script.HANGUP: Course("Takes the text, then the connection dies without an answer.", answer=Answer.HANGUP),
    Script.LATE: Course("Answers 504 after two seconds; the text arrives five seconds after that.", answer=Answer.TIMEOUT),
    Script.REFUSED: Course("An error, and surely not sent.", answer=Answer.ERROR, error=SEND_FAILED, receipts=0),
    Script.RECEIPT_TWICE: Course("Delivered, and the receipt comes twice.", receipts=2),
    Script.RECEIPT_FIRST: Course("Delivered; the receipt comes before the answer to the send.", receipt_first=True),
    Script.REPLIES: Course("Delivered, and answers after a second.", reply="Got it, thanks!"),
    Script.STOPS: Course("Delivered, and answers STOP after a second.", reply="STOP"),
    Script.SILENT: Course("Sent, and nothing more is heard.", receipts=0),
}

_SCRIPTS = tuple(Script)


def script_of(address: str) -> Script:
    """Return the script of an address in normal form."""
    offset = int(address[1:]) - FIRST_NUMBER if address.startswith("+") else -1
    return _SCRIPTS[offset % len(_SCRIPTS)] if 0 <= offset < NUMBER_COUNT else Script.DELIVERED


def course_of(address: str) -> Course:
    return COURSES[script_of(address)]


def sms_course_of(number: str) -> Course:
    """Return how a text message to a number goes; nobody can tell that one was read."""
    course = course_of(number)
    return course.sms or course


def scripted_numbers() -> list[tuple[str, Script]]:
    """Return every scripted number in order, with its script."""
    numbers = (f"+{FIRST_NUMBER + offset}" for offset in range(NUMBER_COUNT))
    return [(number, script_of(number)) for number in numbers]


def normal(address: str) -> str:
    """Return `+` and the digits of a number, however it was spelt, or a lower-case e-mail address."""
    # A bare `+` in a URL arrives as a blank, so only the digits count.
    text = address.strip()
    if "@" in text:
        return text.lower()
    digits = "".join(c for c in text if c.isascii() and c.isdigit())
    return f"+{digits}" if digits else ""
