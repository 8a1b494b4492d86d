"""What happened in the world, as the lines that the journal keeps.

The state of the world is nothing but these entries applied in order, so whatever must survive a restart needs an entry
here. No entry is ever changed or taken back; a message whose receipt came is written whole a second time.
"""

import msgspec


class Entry(msgspec.Struct, frozen=True, tag_field="kind"):
    """The common root, so that the journal can name what it takes."""


class Attached(msgspec.Struct, frozen=True):
    """A file of a message; what is in it is kept under its SHA-256, beside the journal."""

    guid: str
    name: str
    media_type: str
    size: int
    sha256: str


class MacKept(Entry, frozen=True, tag="mac"):
    """A Mac was created, or got other settings; its messages stay."""

    id: str
    phone: str
    password: str
    private_api: bool
    macos_version: str
    at: int


class MacTurned(Entry, frozen=True, tag="turned"):
    """A Mac went down or came up."""

    mac: str
    is_up: bool


class HookKept(Entry, frozen=True, tag="hook"):
    """A webhook was registered at a Mac."""

    mac: str
    id: int
    url: str
    events: list[str]
    created_at: int


class HookDropped(Entry, frozen=True, tag="unhook"):
    """A webhook was deleted."""

    mac: str
    id: int


class ChatOpened(Entry, frozen=True, tag="chat"):
    """A conversation with one person appeared in a Mac's database."""

    mac: str
    rowid: int
    guid: str
    address: str


class Row(Entry, frozen=True, tag="row"):
    """A message in a Mac's database, as it now stands.

    A tapback is a row of its own, with a word for what is thought of the message `tapback_on`; `thread_guid` is the
    message that it answers.
    """

    mac: str
    rowid: int
    guid: str
    chat_guid: str
    address: str
    text: str
    is_from_me: bool
    created_at: int
    delivered_at: int | None = None
    read_at: int | None = None
    error: int = 0
    attachments: tuple[Attached, ...] = ()
    tapback: str | None = None
    tapback_on: str | None = None
    thread_guid: str | None = None


class Received(Entry, frozen=True, tag="received"):
    """A text appeared on a phone."""

    to: str
    sender: str
    text: str
    channel: str
    guid: str
    received_at: int
    attachments: tuple[Attached, ...] = ()
    subject: str = ""


class Wrote(Entry, frozen=True, tag="wrote"):
    """A person wrote a text on a phone."""

    sender: str
    to: str
    text: str
    channel: str
    guid: str
    sent_at: int
    attachments: tuple[Attached, ...] = ()


class Promised(Entry, frozen=True, tag="promised"):
    """A text was taken that will arrive later; a restart between the two must not lose it."""

    mac: str
    chat_guid: str
    address: str
    text: str
    guid: str
    temp_guid: str | None
    due_at: int
    attachments: tuple[Attached, ...] = ()
    is_matched: bool = True


class Uploaded(Entry, frozen=True, tag="uploaded"):
    """A file was put on a Mac for a message to come; `path` is the Mac's name for it."""

    mac: str
    path: str
    file: Attached


class AndroidKept(Entry, frozen=True, tag="android"):
    """An Android phone was created, or got other settings; its messages stay."""

    id: str
    phone: str
    username: str
    password: str
    signing_key: str
    at: int


class AndroidTurned(Entry, frozen=True, tag="android-turned"):
    """The app on an Android phone stopped or started."""

    android: str
    is_up: bool


class AndroidHookKept(Entry, frozen=True, tag="android-hook"):
    """A webhook was registered at an Android phone, or replaced the one with its id."""

    android: str
    id: str
    url: str
    event: str


class AndroidHookDropped(Entry, frozen=True, tag="android-unhook"):
    """A webhook of an Android phone was deleted."""

    android: str
    id: str


class SmsTo(msgspec.Struct, frozen=True):
    """One recipient of an SMS, spelt as the program that sends did, and how far it came."""

    number: str
    state: str
    error: str | None = None


class Sms(Entry, frozen=True, tag="sms"):
    """A text that an Android phone was told to send, as it now stands; `states` are when it came to each."""

    android: str
    id: str
    text: str
    recipients: list[SmsTo]
    states: dict[str, int]
    wants_report: bool
    created_at: int
    valid_until: int | None = None

    @property
    def is_too_late(self) -> bool:
        """Tell whether its time was over when it came."""
        return self.valid_until is not None and self.valid_until <= self.created_at


class SmsPromised(Entry, frozen=True, tag="sms-promised"):
    """A request was held up on its way to an Android phone, and reaches it later."""

    android: str
    id: str
    numbers: list[str]
    text: str
    wants_report: bool
    due_at: int
    valid_until: int | None = None


class SmsPromiseEnded(Entry, frozen=True, tag="sms-promise-ended"):
    """A request that was held up has reached its phone."""

    android: str
    id: str


class SmsIn(Entry, frozen=True, tag="sms-in"):
    """A text that came to an Android phone; the app does not know it while `is_seen` is false."""

    android: str
    id: str
    sender: str
    text: str
    at: int
    is_seen: bool


class MailboxKept(Entry, frozen=True, tag="mailbox"):
    """A mailbox was created, or got other settings; its mails stay. Ports of 0 are not chosen yet."""

    id: str
    email: str
    password: str
    smtp_port: int
    imap_port: int
    made_at: int
    at: int


class MailboxTurned(Entry, frozen=True, tag="mailbox-turned"):
    """The servers of a mailbox went down or came up."""

    mailbox: str
    is_up: bool


class MailCame(Entry, frozen=True, tag="mail"):
    """A mail lies in a mailbox."""

    mailbox: str
    uid: int
    raw: bytes
    at: int


class MailPromised(Entry, frozen=True, tag="mail-promised"):
    """A mail was taken that will arrive later, or come back."""

    mailbox: str
    guid: str
    to: str
    raw: bytes
    due_at: int
    comes_back: bool


class MailPromiseEnded(Entry, frozen=True, tag="mail-promise-ended"):
    """A mail that was promised has arrived, or has come back."""

    mailbox: str
    guid: str


class SendblueKept(Entry, frozen=True, tag="sendblue"):
    """A Sendblue account with one number was created, or got other settings; its messages stay."""

    id: str
    phone: str
    api_key_id: str
    api_secret_key: str
    at: int


class SendblueTurned(Entry, frozen=True, tag="sendblue-turned"):
    """A Sendblue account can no longer be reached, or can again."""

    sendblue: str
    is_up: bool


class SendblueHook(msgspec.Struct, frozen=True):
    """A webhook of an account; `numbers` are the lines that it is told of, all if there are none."""

    url: str
    secret: str | None = None
    numbers: list[str] | None = None


class SendblueHooksKept(Entry, frozen=True, tag="sendblue-hooks"):
    """The webhooks of one type that an account now has."""

    sendblue: str
    type: str
    hooks: list[SendblueHook]


class SendblueRow(Entry, frozen=True, tag="sendblue-row"):
    """A message of an account, of either direction, as it now stands; `number` is the person's."""

    sendblue: str
    handle: str
    number: str
    content: str
    is_outbound: bool
    status: str
    service: str
    created_at: int
    updated_at: int
    media_url: str = ""
    callback: str | None = None
    error_code: int = 0


class SendbluePromised(Entry, frozen=True, tag="sendblue-promised"):
    """A request was held up on its way to Sendblue, and reaches it later; its message then has this handle."""

    sendblue: str
    handle: str
    number: str
    content: str
    media_url: str | None
    callback: str | None
    due_at: int
    attachments: tuple[Attached, ...] = ()


AnyEntry = (
    MacKept | MacTurned | HookKept | HookDropped | ChatOpened | Row | Received | Wrote | Promised | Uploaded
    | AndroidKept | AndroidTurned | AndroidHookKept | AndroidHookDropped | Sms | SmsPromised | SmsPromiseEnded | SmsIn
    | MailboxKept | MailboxTurned | MailCame | MailPromised | MailPromiseEnded
    | SendblueKept | SendblueTurned | SendblueHooksKept | SendblueRow | SendbluePromised
)  # fmt: skip
