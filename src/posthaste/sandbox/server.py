"""Run the sandbox as a process: bind, say where, serve, and end with the parent.

`serve` is for the process itself, `spawn` for a program that wants a sandbox beside it. The parent holds a pipe to the
child's standard input; when the parent is gone, however it went, the pipe closes and the child ends. Only the URL is
printed, never a password.
"""

import asyncio
import os
import selectors
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import uvicorn

from posthaste.clock import SystemClock
from posthaste.ids import Ids
from posthaste.sandbox import mail_servers
from posthaste.sandbox.app import build
from posthaste.sandbox.connection import DyingHttp
from posthaste.sandbox.files import DiskFiles
from posthaste.sandbox.journal import DataFolderInUseError, DiskJournal
from posthaste.sandbox.sending import resume
from posthaste.sandbox.world import World

HOST = "127.0.0.1"
READY_WITHIN_MS = 10_000
STOP_WITHIN_S = 5.0
EXIT_WITHIN_S = 1.0
WEBHOOK_CONNECTIONS = 24
BACKLOG = 512
HOLD_TRIES = 20
HOLD_AGAIN_S = 0.1


class SandboxError(Exception):
    """The sandbox did not start; the text is one line for a person."""


async def serve(
    *,
    host: str = HOST,
    port: int = 0,
    data_dir: Path,
    ready: Callable[[str], None],
    ends_with: int | None = None,
) -> None:
    """Serve until told to stop, or until the file descriptor `ends_with` reaches its end."""
    journal = await _hold(data_dir)
    limits = httpx2.Limits(max_connections=WEBHOOK_CONNECTIONS)
    async with httpx2.AsyncClient(limits=limits, trust_env=False) as post:
        world = World(SystemClock(), Ids(), journal, post, DiskFiles(data_dir / "files"))
        resume(world)
        await mail_servers.resume(world)
        try:
            await _listen(world, _bind_remembered(host, port, data_dir / "port"), ready, ends_with)
        finally:
            await world.close()
            journal.close()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox in a child process."""

    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def spawn(data_dir: Path, port: int = 0, ready_within_ms: int = READY_WITHIN_MS) -> Sandbox:
    """Start a sandbox that ends with this process; blocks until it listens, so call it from a thread."""
    options = ["--port", str(port), "--data", str(data_dir), "--ends-with-stdin"]
    command = [sys.executable, "-m", "posthaste.sandbox", *options]
    # A session of its own: Ctrl-C is for the parent, which still needs the sandbox while it drains.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    sandbox = Sandbox(_first_line(process, ready_within_ms), process)
    if sandbox.url.startswith("http"):
        return sandbox
    ended = _exit_code(process)
    sandbox.stop()
    said = "did not start in time" if ended is None else f"ended with exit code {ended} before it listened"
    raise SandboxError(f"the sandbox {said} (data folder {data_dir}, port {port or 'free'})")


async def _hold(data_dir: Path) -> DiskJournal:
    """Open the journal; the sandbox of a parent that was just killed may need a moment to let go of it."""
    for _ in range(HOLD_TRIES):
        try:
            return DiskJournal(data_dir)
        except DataFolderInUseError:
            await asyncio.sleep(HOLD_AGAIN_S)
        except OSError as error:
            raise SandboxError(f"the sandbox cannot write to {data_dir}: {error.strerror}") from None
    raise SandboxError(f"another sandbox uses {data_dir}")


def _bind_remembered(host: str, port: int, memory: Path) -> socket.socket:
    """Bind the port asked for; if none was, the one of last time, since lines point at it; else a free one."""
    if port:
        return _bind(host, port)
    try:
        bound = _bind(host, int(memory.read_text()))
    except (OSError, ValueError, SandboxError):
        bound = _bind(host, 0)
    memory.write_text(str(bound.getsockname()[1]))
    return bound


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise SandboxError(f"the sandbox cannot listen on {host}:{port}: {why}") from None


async def _listen(world: World, bound: socket.socket, ready: Callable[[str], None], ends_with: int | None) -> None:
    # No access log: BlueBubbles carries its password in the URL.
    config = uvicorn.Config(
        build(world), http=DyingHttp, ws="none", lifespan="off", access_log=False, log_level="warning",
        timeout_graceful_shutdown=1, timeout_keep_alive=75,
    )  # fmt: skip
    server = uvicorn.Server(config)
    if ends_with is not None:
        _end_at_eof(server, ends_with)
    host, port = bound.getsockname()[:2]
    ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    await server.serve(sockets=[bound])


def _end_at_eof(server: uvicorn.Server, fd: int) -> None:
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(fd, 4096):
            loop.remove_reader(fd)
            server.should_exit = server.force_exit = True

    loop.add_reader(fd, readable)


def _exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit code of a child that closed its output, which happens a moment before it can be waited for."""
    try:
        return process.wait(EXIT_WITHIN_S)
    except subprocess.TimeoutExpired:
        return None


def _first_line(process: subprocess.Popen[bytes], within_ms: int) -> str:
    """Return the child's first line, or what there is of it when the time is over or the child ended."""
    clock = SystemClock()
    deadline = clock.monotonic_ms() + within_ms
    assert process.stdout is not None
    fd, line = process.stdout.fileno(), b""
    with process.stdout, selectors.DefaultSelector() as ready:
        ready.register(fd, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not ready.select(max(0.0, deadline - clock.monotonic_ms()) / 1000):
                break
            piece = os.read(fd, 4096)
            if not piece:
                break
            line += piece
    return line.decode().strip() if line.endswith(b"\n") else ""
