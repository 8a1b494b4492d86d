"""Kannel, a real SMS gateway, with its fake message centre: sends, refusals, delivery reports and replies over real sockets.

Kannel is Debian's (`tests/install-peers`); its three programs run on free loopback ports with a configuration in a folder of
their own, and are ended by their process ids. The line is the example of the docs, with its ports and password changed.
"""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from gateway import AT, OWN, PHONE, example, now, order_from
from recorder import Recorded, Recorder, recorder

from fixtures.installed import did_not_run
from fixtures.processes import free_port, until
from posthaste.channels.base import Connection, Health
from posthaste.channels.http import open_client
from posthaste.channels.template.channel import Template
from posthaste.core.hooks import HookCall
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Refusal, Rejected
from posthaste.core.segments import segments_of
from posthaste.core.signals import Echo, Inbound, Signal

CENTRE = Path("/usr/lib/kannel/test/fakesmsc")
PASSWORD = "p+w;d&#?/ %"
WITHIN_S = 20.0
TOKEN_PATH = "/hooks/http/secret-in-the-path"
WRITTEN = "STOP please, Jos\N{LATIN SMALL LETTER E WITH ACUTE} + 1 & 2"

CONFIG = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {password}
smsbox-port = {smsbox}
box-allow-ip = 127.0.0.1
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = fake
port = {centre}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = posthaste
password = "{password}"
concatenation = true
max-messages = 10
user-allow-ip = 127.0.0.1

group = sms-service
keyword = default
get-url = "{hook}?messageId=%I&from=%p&to=%P&text=%a&at=%T"
max-messages = 0
"""


@dataclass(frozen=True)
class Kannel:
    """Kannel as it runs: the line that sends through it, what it reported, and what its centre was given."""

    line: Connection
    hooks: Recorder
    centre_log: Path

    def reports(self) -> Sequence[Signal]:
        """Return what all its calls to our address mean."""
        calls = [HookCall(one.method, one.target.partition("?")[2], {}, one.body) for one in self.hooks.requests]
        heard = [Template(open_client(), now).hear(self.line, call) for call in calls]
        return [signal for one in heard if one is not None for signal in one.signals]

    def taken_by_centre(self) -> str:
        return self.centre_log.read_text(errors="replace")


@contextmanager
def program(log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent) as process:
        try:
            yield process
        finally:
            # Asked in earnest: it first waits for its boxes, which are gone.
            process.kill()


async def listens(port: int) -> None:
    def connects() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    await until(connects, f"something listens on {port}", WITHIN_S)


def answer(request: Recorded) -> tuple[int, object]:
    return 200, {"success": True}


@pytest.fixture(scope="module")
def kannel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kannel]:
    for needed in ("bearerbox", "smsbox", str(CENTRE)):
        if shutil.which(needed, path="/usr/sbin:/usr/bin") is None and not Path(needed).exists():
            did_not_run(f"Kannel's {needed} is not installed (tests/install-peers)")
    folder = tmp_path_factory.mktemp("kannel")
    ports = {name: free_port() for name in ("admin", "smsbox", "centre", "sendsms")}
    with recorder(answer) as hooks:
        hook_url = hooks.url + TOKEN_PATH
        config = folder / "kannel.conf"
        config.write_text(CONFIG.format(**ports, password=PASSWORD, hook=hook_url))
        line = replace(example("kannel", password=PASSWORD), hook_url=hook_url)
        there = f"127.0.0.1:{ports['sendsms']}"
        line = replace(line, config={name: value.replace("127.0.0.1:13013", there) for name, value in line.config.items()})
        with program(folder / "bearerbox", "/usr/sbin/bearerbox", str(config)):
            asyncio.run(listens(ports["smsbox"]))
            asyncio.run(listens(ports["centre"]))
            with program(folder / "smsbox", "/usr/sbin/smsbox", str(config)):
                asyncio.run(listens(ports["sendsms"]))
                centre = (str(CENTRE), "-H", "127.0.0.1", "-r", str(ports["centre"]), "-i", "0.2", "-m", "1")
                written = f"{PHONE[1:]} {OWN[1:]} text {WRITTEN}"
                with program(folder / "centre", *centre, written):
                    made = Kannel(line, hooks, folder / "centre")
                    asyncio.run(until(lambda: hooks.requests, "the first reply came through", WITHIN_S))
                    yield made


@asynccontextmanager
async def channel() -> AsyncIterator[Template]:
    async with open_client() as client:
        yield Template(client, now)


def send(kannel: Kannel, text: str, key: str, line: Connection | None = None) -> Outcome:
    async def main() -> Outcome:
        async with channel() as open_channel:
            order = replace(order_from(OWN, text), key=key)
            return await open_channel.send(line or kannel.line, order)

    return asyncio.run(main())


def reports_of(kannel: Kannel, key: str, wanted: int) -> Sequence[Echo]:
    def found() -> list[Echo]:
        ours = [one for one in kannel.reports() if isinstance(one, Echo) and one.external_id == key]
        return ours if len(ours) >= wanted else []

    return asyncio.run(until(found, f"{wanted} reports of {key}", WITHIN_S))


def parts_at(kannel: Kannel) -> int:
    return kannel.taken_by_centre().count(f"<{OWN[1:]} {PHONE} ")


def test_a_text_reaches_the_centre_and_its_reports_reach_us(kannel: Kannel) -> None:
    assert send(kannel, "plain {euro} = €, 100% & more", "key-plain-0") == Accepted("key-plain-0")
    sent, delivered = reports_of(kannel, "key-plain-0", 2)
    assert sent == Echo("key-plain-0", 0, "marker-1")
    assert delivered.delivered_at is not None
    assert delivered.delivered_at > AT, "the time is the one that Kannel names, not ours of the test"
    assert f"<{OWN[1:]} {PHONE} text plain {{euro}} = €, 100% & more>" in kannel.taken_by_centre()


def test_what_the_alphabet_of_sms_does_not_have_arrives_too(kannel: Kannel) -> None:
    assert send(kannel, "Hi 👋", "key-wave-0") == Accepted("key-wave-0")
    reports_of(kannel, "key-wave-0", 2)
    assert "ucs-2 %00H%00i%00+%D8%3D%DCK>" in kannel.taken_by_centre()


@pytest.mark.parametrize("text", ["a" * 160, "b" * 161, "c" * 307, "€" * 80, "€" * 81, "ç" * 70, "Ж" * 71, "Я" * 135, "🎉" * 36])
def test_kannel_sends_as_many_parts_as_we_count(kannel: Kannel, text: str) -> None:
    before = parts_at(kannel)
    key = f"key-{ord(text[0])}-{len(text)}"
    assert send(kannel, text, key) == Accepted(key)
    reports_of(kannel, key, 2)
    assert parts_at(kannel) - before == segments_of(text).count


def test_a_wrong_password_takes_the_line_down_and_is_told_to_nobody(kannel: Kannel) -> None:
    wrong = replace(kannel.line, secrets={**kannel.line.secrets, "password": "wr ong"})
    outcome = send(kannel, "never", "key-wrong-0", wrong)
    assert outcome == Deferred("the gateway answered 403: Authorization failed for sendsms", device_is_down=True)
    assert "never" not in kannel.taken_by_centre()


def test_what_kannel_refuses_is_refused(kannel: Kannel) -> None:
    config = kannel.line.config
    nameless = replace(kannel.line, config={**config, "sendUrl": config["sendUrl"].replace("&to={to}", "&x={to}")})
    outcome = send(kannel, "never", "key-bad-0", nameless)
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is Refusal.OTHER
    assert "Missing receiver" in outcome.detail


def test_a_gateway_that_is_gone_never_got_it(kannel: Kannel) -> None:
    gone = replace(kannel.line, config={**kannel.line.config, "sendUrl": f"http://127.0.0.1:{free_port()}/?a={{to}}{{text}}"})
    outcome = send(kannel, "never", "key-gone-0", gone)
    assert isinstance(outcome, Deferred)
    assert not isinstance(outcome, Ambiguous)
    assert outcome.device_is_down


def test_what_a_person_writes_comes_in_whole(kannel: Kannel) -> None:
    (written, *_) = [one for one in kannel.reports() if isinstance(one, Inbound)]
    assert (written.address, written.to, written.text) == (PHONE, OWN, WRITTEN)
    assert written.external_id


def ping(line: Connection) -> Health:
    async def main() -> Health:
        async with channel() as open_channel:
            return await open_channel.ping(line)

    return asyncio.run(main())


def test_kannel_can_be_asked_whether_it_knows_us(kannel: Kannel) -> None:
    assert ping(kannel.line).is_up
    wrong = ping(replace(kannel.line, secrets={**kannel.line.secrets, "password": "wrong"}))
    assert (wrong.is_up, wrong.detail) == (False, "the gateway answered 403: Authorization failed for sendsms")
