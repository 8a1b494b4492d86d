"""Every option of Posthaste, with its unit, default and meaning.

An option is set on the command line (`--attempts-max 3`) or in the environment (`POSTHASTE_ATTEMPTS_MAX=3`); the
command line wins. Names say the unit. An unknown `POSTHASTE_…` variable or a value that does not parse refuses to
start, because a mistyped limit that is silently ignored would text people at night. docs/operating.md lists them all,
and a test holds it to that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from posthaste.core.errors import SettingError

PREFIX = "POSTHASTE_"
DAY_MS = 86_400_000


def option(default: Any, meaning: str, *, least: int = 0) -> Any:
    """Declare an option; `least` is the smallest number that makes sense."""
    return field(default=default, metadata={"meaning": meaning, "least": least})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one process."""

    # Where it listens and keeps things
    host: str = option("127.0.0.1", "Address to listen on.")
    port: int = option(8000, "Port to listen on; 0 takes a free one.")
    data: Path = option(Path("data"), "Folder of the SQLite database, the sandbox and its key.")
    database_url: str = option("", "postgresql://… for more than one machine; empty: SQLite in the data folder.")
    public_url: str = option("", "Address under which devices reach this server for webhooks; empty: http://host:port.")
    secret_key: str = option(
        "",
        "Long random text that seals the credentials of lines; of several, by commas, the first seals. Empty: one is made.",
    )
    sandbox: bool = option(True, "Start simulated Macs and phones and a workspace that uses them.")
    sandbox_url: str = option("", "Use a sandbox that runs by itself at this address.")
    log_level: str = option("info", "debug, info, warning or error.")
    write_threads: int = option(4, "Database connections that write, on PostgreSQL.", least=1)
    read_threads: int = option(2, "Database connections that read.", least=1)

    # The API
    answer_wait_ms: int = option(5_000, "How long POST /api/messages waits for the first outcome, in ms.")
    answer_wait_max_ms: int = option(90_000, "The longest wait a caller may ask for with Prefer, in ms.")
    body_max_bytes: int = option(1_048_576, "The largest request body, in bytes.", least=1024)
    message_max_chars: int = option(20_000, "The longest text of a message, in characters.", least=1)
    batch_max: int = option(64, "How many calls that arrive together share one transaction.", least=1)
    waiting_max: int = option(5_000, "How many calls may be in hand at once; more are told to come back (503).", least=1)
    messages_per_minute: int = option(0, "API limit for POST /api/messages, per workspace; 0: none.")
    requests_per_minute: int = option(0, "API limit for all other calls, per workspace; 0: none.")
    key_cache_ms: int = option(1_000, "How long a checked API key is believed, in ms; a revoked key lives on for no longer.")
    unknown_as_failed: bool = option(False, "Show `unknown` as `failed` with code OUTCOME_UNKNOWN.")

    # The rules of real lines, as they are when a line is added
    line_messages_per_day: int = option(150, "Messages a day and line.")
    line_new_per_day: int = option(20, "New conversations a day and line.")
    line_checks_per_day: int = option(70, "Availability checks a day and line.")
    device_gap_ms: int = option(30_000, "Between any two sends through one device, in ms.")
    contact_gap_ms: int = option(45_000, "Between first messages to different people on one line, in ms.")
    check_gap_ms: int = option(3_000, "Between two availability checks of one device, in ms.")
    check_wait_ms: int = option(3_500, "How long a send waits for the spacing of checks before it goes unchecked, in ms.")
    available_for_ms: int = option(30 * DAY_MS, "How long a yes to an availability check is believed, in ms.")
    unavailable_for_ms: int = option(DAY_MS, "How long a no to an availability check is believed, in ms.")
    sticky_lines: bool = option(True, "Keep a person on the line that talked with them first.")

    # Messages
    help_text: str = option("", "Answer to a reply of HELP or INFO; empty: none.")
    double_send_ms: int = option(60_000, "The same text to the same person within this time is not sent again, in ms.")
    stale_after_ms: int = option(7 * DAY_MS, "A message this long past due expires, in ms.", least=1)
    idempotency_ms: int = option(DAY_MS, "How long an Idempotency-Key is kept at the least, in ms.", least=1)

    # Sending
    claim_batch: int = option(64, "How many devices one claim takes.", least=1)
    sends_max: int = option(1_024, "How many sends one process has in hand at once.", least=1)
    attempts_max: int = option(5, "How often a message is tried before it has failed.", least=1)
    retry_first_ms: int = option(10_000, "Wait before the second try, in ms; each further one waits four times as long.", least=1)
    retry_longest_ms: int = option(3_600_000, "The longest wait between two tries, in ms.", least=1)
    lease_ms: int = option(15_000, "How long an attempt is held without a sign of life of its worker, in ms.", least=1_000)
    start_within_ms: int = option(2_000, "A call starts within this time of being written down, or is not made, in ms.", least=1)
    arrival_ms: int = option(150_000, "How long a text may still arrive after its hand-over (BlueBubbles), in ms.")
    look_every_ms: int = option(
        2_000, "Between two look-ups of an attempt in doubt, in ms; each further one waits longer.", least=1
    )
    drain_ms: int = option(30_000, "How long a stop waits for sends in flight, in ms.")
    sweep_ms: int = option(1_000, "How often the sender looks without having been woken, in ms.", least=10)

    # Devices
    connect_timeout_ms: int = option(5_000, "Connecting to a device, in ms.", least=1)
    question_timeout_ms: int = option(10_000, "A harmless question to a device, in ms.", least=1)
    send_timeout_ms: int = option(150_000, "A send, in ms; BlueBubbles blocks for up to two minutes.", least=1)
    health_every_ms: int = option(30_000, "Between two pings of a device, in ms.", least=100)
    failures_until_down: int = option(2, "Pings that fail in a row before a device counts as down.", least=1)
    poll_every_ms: int = option(60_000, "Between two polls of a device for what its webhooks lost, in ms.", least=100)
    receipts_for_ms: int = option(2 * DAY_MS, "How long receipts of a sent message are polled for, in ms.")
    reports_for_ms: int = option(
        90 * DAY_MS, "How long a reply that came in is known again if it is reported once more, in ms.", least=DAY_MS
    )

    # Files
    attachment_max_bytes: int = option(26_214_400, "The largest file that is uploaded, sent or received, in bytes.", least=1024)
    attachment_timeout_ms: int = option(30_000, "Fetching one attachment from its URL, in ms.", least=1)
    attachment_allow_private: bool = option(False, "Fetch attachments from private networks, too.")
    attachment_ports: str = option("", "Ports that attachments are fetched from, by commas; empty: any.")
    attachment_cache_ms: int = option(3_600_000, "How long a fetched attachment is used for further sends of a line, in ms.")
    attachment_cache_max_bytes: int = option(1_073_741_824, "The most disk space for fetched attachments, in bytes.")
    uploads_max: int = option(8, "How many uploads and downloads are in memory at once; uploads beyond are turned away.", least=1)
    upload_timeout_ms: int = option(300_000, "How long a caller may take to upload a file, in ms.", least=1)
    upload_unused_for_ms: int = option(7 * DAY_MS, "How long an upload is kept that no message has named, in ms.", least=1)
    upload_used_for_ms: int = option(30 * DAY_MS, "How long an upload is kept after its last message has ended, in ms.")
    received_files_for_ms: int = option(365 * DAY_MS, "How long files that came in are kept, in ms; 0: for ever.")
    download_timeout_ms: int = option(120_000, "Fetching a file that came in from its device, in ms.", least=1)


OPTIONS = {one.name: one for one in fields(Settings)}


def load(environment: Mapping[str, str], given: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of the environment, overridden by what was `given` on the command line; raise `SettingError`."""
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if name.startswith(PREFIX):
            values[_option_name(name)] = text
    values.update({name: value for name, value in (given or {}).items() if value is not None})
    return Settings(**{name: _parse(name, value) for name, value in values.items()})


def _option_name(variable: str) -> str:
    name = variable.removeprefix(PREFIX).lower()
    if name not in OPTIONS:
        raise SettingError(f"unknown setting {variable}; `posthaste serve --help` lists them all")
    return name


def _parse(name: str, value: Any) -> Any:
    kind: type[Any] = type(OPTIONS[name].default)
    parsed = _read(name, kind, value.strip()) if isinstance(value, str) else kind(value)
    if kind is int and parsed < OPTIONS[name].metadata["least"]:
        raise SettingError(f"{PREFIX}{name.upper()} is {parsed}, below its least value {OPTIONS[name].metadata['least']}")
    return parsed


def _read(name: str, kind: type[Any], text: str) -> Any:
    try:
        return _PARSERS[kind](text) if kind in _PARSERS else kind(text)
    except (ValueError, KeyError):
        raise SettingError(f"{PREFIX}{name.upper()} is {text!r}, which is not {_KINDS[kind]}") from None


_FLAGS = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}
_PARSERS: dict[type, Any] = {bool: lambda text: _FLAGS[text.lower()]}
_KINDS: dict[type, str] = {bool: "on or off", int: "a whole number"}
