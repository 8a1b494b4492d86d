"""Posthaste as a person runs it: commands that end, and servers that stay, as processes of their own.

A server is ready when it says so, a process has ended when its file descriptor says so; nothing here sleeps or looks again.
"""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

END_WITHIN_S = 60
READY = "Posthaste is ready at "
LAST = ("curl ", "Make a key ")


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a person who has set nothing but these settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTHASTE_")}
    return {**clean, "PYTHONUNBUFFERED": "1", **settings}


def posthaste(*arguments: object, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "posthaste", *map(str, arguments)],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=END_WITHIN_S,
        check=False,
    )


def said(*arguments: object, **settings: str) -> str:
    """Run a command that must succeed, and return what it printed."""
    done = posthaste(*arguments, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refused(*arguments: object, **settings: str) -> str:
    """Run a command that must refuse in one line, and return the line."""
    done = posthaste(*arguments, **settings)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


@dataclass(frozen=True, slots=True)
class Server:
    """A process that is ready; `welcome` is all that it had printed by then."""

    process: subprocess.Popen[str]
    welcome: str
    ready_after_s: float
    folder: Path

    @property
    def url(self) -> str:
        return self.welcome.partition(READY)[2].split()[0]

    @property
    def sandbox(self) -> dict[str, Any]:
        """What is written down of the sandbox."""
        written: dict[str, Any] = json.loads((self.folder / "sandbox.json").read_text())
        return written

    def call(self, method: str, path: str, body: object = None, key: str | None = None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {key or self.sandbox['apiKey']}"}
        return httpx2.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=30, trust_env=False)

    def send(self, text: str, phone: str) -> httpx2.Response:
        return self.call("POST", "/api/messages", {"message": text, "recipientPhone": phone})

    def until(self, path: str, is_so: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Ask until the answer is as wanted; each call waits for the next outcome on the server, so that nothing sleeps here."""
        for number in range(200):
            found: dict[str, Any] = self.call("GET", path).json()
            if is_so(found):
                return found
            # An answer that takes half a second or more: a text whose outcome is waited for.
            self.send(f"Tick {number}", f"+1202555{number:04d}")
        raise AssertionError(f"it never was so: {path}: {found}")

    def received(self, address: str) -> list[str]:
        """Return the texts on a phone of the sandbox, or in a mailbox."""
        answer = httpx2.get(f"{self.sandbox['sandboxUrl']}/received", params={"to": address}, trust_env=False)
        return [one["text"] for one in answer.json()]

    def person_writes(self, phone: str, line: str, text: str) -> None:
        """Let a person of the sandbox write to a line's number."""
        url = f"{self.sandbox['sandboxUrl']}/phones/{phone}/send"
        assert httpx2.post(url, json={"to": line, "text": text}, trust_env=False).status_code == 201

    def children(self) -> list[int]:
        """Return the processes that it has started, whichever of its threads did."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return [int(child) for thread in threads for child in (thread / "children").read_text().split()]

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.terminate()
        return self.process.wait(END_WITHIN_S)


@contextmanager
def running(
    folder: Path, *arguments: object, command: list[str] | None = None, last: tuple[str, ...] = LAST, **settings: str
) -> Iterator[Server]:
    """Start a server on this data folder and a free port, and kill it when the block is left.

    It is ready when it has said its `last` line.
    """
    began = time.monotonic()
    shown = folder.with_name(f"{folder.name}.stderr")
    with shown.open("w") as errors:
        process = subprocess.Popen(
            [*(command or [sys.executable, "-m", "posthaste", "serve"]), *map(str, arguments)],
            env=environment({"POSTHASTE_DATA": str(folder), "POSTHASTE_PORT": "0", **settings}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    with process, process.stdout:
        try:
            yield Server(process, _welcome(process, shown, last), time.monotonic() - began, folder)
        finally:
            process.kill()


def _welcome(process: subprocess.Popen[str], shown: Path, last: tuple[str, ...]) -> str:
    """Read until it says that it is ready, with the call to paste if there is one."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(last):
            return "".join(lines)
    raise AssertionError(f"it ended before it was ready: {''.join(lines)}{shown.read_text()}")


def ended(descriptor: int) -> bool:
    """Wait until the process behind a descriptor (`os.pidfd_open`) has ended."""
    found, _, _ = select.select([descriptor], [], [], END_WITHIN_S)
    os.close(descriptor)
    return bool(found)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port
