"""What happens in a seed, decided before it begins: devices, lines, people, requests, and everything that gets in the way.

Only the seed's own dice are asked, in one order, so that a plan never depends on how the run goes.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from posthaste.core.windows import zone_named
from posthaste.core.workspaces import NO_FALLBACK, Fallback
from posthaste.sandbox.numbers import scripted_numbers
from posthaste.settings import DAY_MS, Settings

from .faults import CALM, Weather
from .web import PAGES, WEB

#: Moments near which clocks change or days begin somewhere.
_MOMENTS = (
    "2026-03-08T06:58:00",  # New York skips 02:00
    "2026-11-01T05:50:00",  # New York has 01:00 twice
    "2026-03-29T00:55:00",  # Berlin skips 02:00
    "2026-04-04T14:50:00",  # Lord Howe goes back by half an hour
    "2026-12-31T23:58:00",
    "2026-03-12T12:00:00",
    "2026-06-14T22:00:00",
    "2028-02-28T23:50:00",
)
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
HOUR_MS = 3_600_000
_HOURS = (("09:00", "17:00"), ("22:00", "06:00"), ("00:00", "00:01"), ("02:30", "02:45"), ("12:00", "12:00"))


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """A Mac, or an Android phone (`channel` is smsgate), which alone has no use for the fields of a Mac."""

    channel: str
    phone: str
    gap_ms: int
    arrival_ms: int
    private_api: bool = False
    macos: str = ""
    check_gap_ms: int = 0

    @property
    def is_mac(self) -> bool:
        return self.channel == "bluebubbles"


@dataclass(frozen=True, slots=True)
class LinePlan:
    device: int
    phone: str
    timezone: str
    messages_per_day: int
    new_per_day: int
    checks_per_day: int
    contact_gap_ms: int


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that a caller wants sent: `text` begins with a mark that only requests for the same text share."""

    at_ms: int
    mark: str
    body: dict[str, Any]
    line: int | None
    key: str | None
    prefer: str | None
    patience: int
    pause_ms: int
    cancel_after_ms: int | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that gets in the way: `what` names a method of the town."""

    at_ms: int
    what: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """One seed; `is_heard`: Android phones can report to us, else their news come by polling alone."""

    seed: int
    began_at: int
    workers: int
    steady_for_ms: int
    settings: Settings
    weather: Weather
    devices: list[DevicePlan]
    lines: list[LinePlan]
    fallback: Fallback
    is_heard: bool
    requests: list[Request]
    events: list[Event]
    restart_ms: tuple[int, ...] = field(default=(0, 50, 1_000, 20_000, 200_000, HOUR_MS))
    last_at_ms: int = 9 * DAY_MS


def make_plan(seed: int) -> Plan:
    dice = Random(f"{seed}/plan")
    devices = [_mac(dice, number) for number in range(dice.choice((1, 1, 1, 2, 2, 3)))]
    lines = [_line(dice, mac, number) for mac in range(len(devices)) for number in range(dice.choice((1, 1, 2)))]
    if dice.random() < 0.6:
        lines.append(_line(dice, len(devices), 0))
        devices.append(_android(dice, lines[-1].phone))
    moment = datetime.fromisoformat(dice.choice(_MOMENTS)).replace(tzinfo=UTC)
    began_at = int(moment.timestamp() * 1000) + dice.choice((0, dice.randrange(0, 600_000), -dice.randrange(0, 8 * HOUR_MS)))
    requests = _requests(dice, began_at, devices, lines)
    events = _events(dice, devices, lines)
    return Plan(
        seed=seed,
        began_at=began_at,
        workers=dice.choice((1, 1, 1, 2)),
        steady_for_ms=200_000 if dice.random() < 0.02 else 0,
        settings=_settings(dice),
        weather=_weather(dice),
        devices=devices,
        lines=lines,
        fallback=_fallback(dice, devices),
        is_heard=dice.random() < 0.7,
        requests=requests,
        events=events,
    )


def _settings(dice: Random) -> Settings:
    return Settings(
        sandbox=False,
        sweep_ms=dice.choice((1_000, 5_000, 20_000, 20_000)),
        attempts_max=dice.choice((2, 3, 5)),
        health_every_ms=dice.choice((30_000, 300_000, 300_000)),
        poll_every_ms=dice.choice((60_000, 300_000, 300_000)),
        batch_max=dice.choice((1, 2, 64)),
        claim_batch=dice.choice((1, 64)),
        sticky_lines=dice.random() < 0.8,
        unavailable_for_ms=dice.choice((60_000, DAY_MS)),
        idempotency_ms=dice.choice((DAY_MS, 30 * DAY_MS)),
    )


def _weather(dice: Random) -> Weather:
    """Draw a mood: calm, a bad network, deaths, or all at once."""
    mood = dice.choice(("calm", "network", "deaths", "deaths", "hooks", "all", "all", "all"))
    if mood == "calm":
        return CALM
    level = dice.choice((0.02, 0.06, 0.2))
    wire = level if mood in ("network", "all") else 0.0
    hook = dice.choice((0.1, 0.4)) if mood in ("hooks", "all") else 0.0
    is_deadly = mood in ("deaths", "all")
    return Weather(
        deaths=dice.choice((1, 2, 3, 5)) if is_deadly else 0,
        death=dice.choice((0.02, 0.06, 0.2)) if is_deadly else 0.0,
        refused=wire,
        lost=wire / 2,
        answer_lost=wire,
        hangs=wire / 4,
        gateway=wire / 2,
        delay=2 * wire,
        hook_lost=hook,
        hook_twice=hook / 2,
        hook_late=hook / 2,
        call_lost=dice.choice((0.0, 0.1)),
        call_answer_lost=dice.choice((0.0, 0.2)),
        slow=dice.choice((0.0, 0.0, 0.02)),
        stalls=dice.choice((0, 0, 0, 3)),
    )


def _fallback(dice: Random, devices: list[DevicePlan]) -> Fallback:
    """Draw whether what cannot go as an iMessage goes as an SMS; the line is known once it is made."""
    if devices[-1].is_mac:
        return NO_FALLBACK
    return Fallback(is_enabled=dice.random() < 0.85, send_on_failed=dice.random() < 0.4)


def _mac(dice: Random, number: int) -> DevicePlan:
    has_private_api = dice.random() < 0.7
    return DevicePlan(
        channel="bluebubbles",
        phone=f"+1646223092{number}",
        private_api=has_private_api,
        macos=dice.choice(("15.6", "26.1")) if has_private_api or dice.random() < 0.03 else "15.6",
        gap_ms=dice.choice((0, 0, 30_000)),
        check_gap_ms=dice.choice((0, 3_000)),
        arrival_ms=dice.choice((10_000, 150_000)),
    )


def _android(dice: Random, phone: str) -> DevicePlan:
    return DevicePlan("smsgate", phone, gap_ms=dice.choice((0, 0, 30_000)), arrival_ms=dice.choice((10_000, 120_000)))


def _line(dice: Random, device: int, number: int) -> LinePlan:
    return LinePlan(
        device=device,
        phone=f"+1646223092{device}" if number == 0 else f"+1646223{device}{number}55",
        timezone=dice.choice(ZONES),
        messages_per_day=dice.choice((3, 5, 100, 100)),
        new_per_day=dice.choice((1, 3, 100, 100)),
        checks_per_day=dice.choice((1, 70)),
        contact_gap_ms=dice.choice((0, 45_000)),
    )


def _requests(dice: Random, began_at: int, devices: list[DevicePlan], lines: list[LinePlan]) -> list[Request]:
    numbers = scripted_numbers()[:24]
    people = [dice.choice(numbers)[0] for _ in range(5)] + ["+12025550143", "+442079460123", "friend@example.com"]
    requests: list[Request] = []
    for number in range(dice.randint(4, 12)):
        if requests and dice.random() < 0.25:
            requests.append(_again(dice, number, dice.choice(requests)))
        else:
            requests.append(_request(dice, number, began_at, people, devices, lines))
    return sorted(requests, key=lambda one: one.at_ms)


def _again(dice: Random, number: int, first: Request) -> Request:
    """The same body once more: a little later or much, under another key or none."""
    at_ms = first.at_ms + dice.choice((0, 1_000, 30_000, 61_000, HOUR_MS))
    key = dice.choice((None, f"key-{number}"))
    return Request(at_ms, first.mark, first.body, first.line, key, first.prefer, dice.randint(0, 5), 1_500, None)


def _request(
    dice: Random, number: int, began_at: int, people: list[str], devices: list[DevicePlan], lines: list[LinePlan]
) -> Request:
    mark = f"#{number:02d}#"
    at_ms = dice.choice((0, dice.randrange(0, 5_000), dice.randrange(0, 120_000), dice.randrange(0, 6 * HOUR_MS)))
    body: dict[str, Any] = {"message": f"{mark} {dice.choice(('Hello', 'Hi {{firstName|there}}', 'Ünïcödé 😀', 'two  blanks'))}"}
    _add_people(dice, body, people)
    is_sms = not devices[-1].is_mac and dice.random() < 0.15
    if is_sms:
        body["messageType"] = "sms"
    elif dice.random() < 0.2:
        body["sendFallbackSmsOnFailed"] = True
    if dice.random() < 0.15:
        body["attachmentUrls"] = [f"https://{WEB}/{dice.choice(PAGES)}" for _ in range(dice.choice((1, 1, 2)))]
    fitting = [place for place, line in enumerate(lines) if devices[line.device].is_mac != is_sms]
    if dice.random() < 0.4:
        _add_times(dice, body, began_at + at_ms)
    return Request(
        at_ms=at_ms,
        mark=mark,
        body=body,
        line=dice.choice(fitting) if dice.random() < 0.3 else None,
        key=dice.choice((None, f"key-{number}", f"key-{number}")),
        prefer=dice.choice((None, None, "respond-async", "wait=2", "wait=20")),
        patience=dice.choice((0, 2, 6)),
        pause_ms=dice.choice((0, 800, 4_000, 15_000)),
        cancel_after_ms=dice.choice((0, 20, 300, 5_000, 60_000, HOUR_MS)) if dice.random() < 0.15 else None,
    )


def _add_people(dice: Random, body: dict[str, Any], people: list[str]) -> None:
    chosen = dice.sample(people, dice.choice((1, 1, 1, 2, 3)))
    emails = [one for one in chosen if "@" in one]
    phones = [one for one in chosen if "@" not in one]
    for name, phone in zip(("recipientPhone", "altPhone1", "altPhone2"), phones, strict=False):
        body[name] = phone
    if emails:
        body["recipientEmail"] = emails[0]
    if dice.random() < 0.5:
        body["recipientName"] = dice.choice(("Ada Lovelace", "Bo", ""))


def _add_times(dice: Random, body: dict[str, Any], asked_at: int) -> None:
    zone = dice.choice(ZONES)
    if dice.random() < 0.5:
        body["scheduledDate"] = iso(asked_at + dice.choice((500, 20_000, HOUR_MS, DAY_MS, 2 * DAY_MS, -5_000)))
    if dice.random() < 0.5:
        body["timezone"] = zone
        body["sendWindowStart"], body["sendWindowEnd"] = dice.choice((*_HOURS, *[_closing(zone, asked_at)] * 3))
    if dice.random() < 0.3:
        body["allowedDaysOfWeek"] = sorted(dice.sample(range(7), dice.randint(1, 6)))
    if dice.random() < 0.3:
        body["validUntil"] = iso(asked_at + dice.choice((1_000, 5_000, 40_000, 400_000, HOUR_MS, 2 * DAY_MS, 6 * DAY_MS)))


def _closing(timezone: str, asked_at: int) -> tuple[str, str]:
    """Return a window that is open at a moment and closes within a minute of it."""
    now = datetime.fromtimestamp(asked_at / 1000, zone_named(timezone))
    return f"{now - timedelta(minutes=3):%H:%M}", f"{now + timedelta(minutes=1):%H:%M}"


def iso(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def _events(dice: Random, devices: list[DevicePlan], lines: list[LinePlan]) -> list[Event]:
    events: list[Event] = []
    for _ in range(dice.choice((0, 0, 1, 2))):
        device, at_ms = dice.randrange(len(devices)), dice.choice((0, dice.randrange(0, 150_000), dice.randrange(0, 4 * HOUR_MS)))
        for_ms = dice.choice((2_000, 40_000, 300_000, 3 * HOUR_MS, 2 * DAY_MS))
        how = dice.choice(("refuses", "dies"))
        events += [Event(at_ms, "device_down", (device, how)), Event(at_ms + for_ms, "device_up", (device,))]
    for _ in range(dice.choice((0, 0, 1, 3))):
        events.append(Event(dice.randrange(0, HOUR_MS), "patch", (dice.randrange(len(lines)), _patch(dice))))
    for _ in range(dice.choice((0, 0, 1, 2))):
        person = dice.choice((*(one for one, _ in scripted_numbers()[:12]), "+12025550143"))
        text = dice.choice(("Hello you", "Hello you", "STOP", "stop!", "START"))
        events.append(Event(dice.randrange(0, HOUR_MS), "person_writes", (dice.randrange(len(devices)), person, text)))
    for _ in range(dice.choice((0, 0, 0, 1))):
        at_ms = dice.randrange(0, 200_000)
        for_ms = dice.choice((100, 3_000, 20_000, 90_000))
        events += [Event(at_ms, "database_down"), Event(at_ms + for_ms, "database_up")]
    for _ in range(dice.choice((0, 0, 0, 1))):
        events.append(Event(dice.randrange(0, 200_000), "kill", ()))
    for _ in range(dice.choice((0, 0, 0, 1))):
        events.append(Event(dice.randrange(0, 200_000), "stop", ()))
    return sorted(events, key=lambda one: one.at_ms)


def _patch(dice: Random) -> dict[str, Any]:
    return dice.choice(
        (
            {"isActive": False},
            {"isActive": True},
            {"dailyTotalMessagesLimit": dice.choice((0, 1, 4, 100))},
            {"dailyNewConversationsLimit": dice.choice((0, 1, 2, 100))},
            {"deviceGapSeconds": dice.choice((0, 10, 60))},
            {"contactGapSeconds": dice.choice((0, 20, 90))},
            {"timezone": dice.choice(ZONES)},
        )
    )
