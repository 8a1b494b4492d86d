"""Processes under measurement, and wrk as the client: an independent program on the second core."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

_READY_WITHIN_S = 30
_SCRIPT = Path(__file__).with_name("post.lua")


class LoadError(Exception):
    """A server did not come up, or answered with errors."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@contextmanager
def running(arguments: Sequence[str], port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a Python module that listens on a port, until the block is left."""
    process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        _await_port(process, port)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_port(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise LoadError("the server did not come up")


def until_ready(port: int) -> None:
    """Wait until a server of ours says that it is ready."""
    deadline = time.monotonic() + _READY_WITHIN_S
    with httpx2.Client(trust_env=False, timeout=5) as client:
        while client.get(f"http://127.0.0.1:{port}/readyz").status_code != 200:
            if time.monotonic() > deadline:
                raise LoadError("the server did not become ready")
            time.sleep(0.1)


def posts_per_second(port: int, api_key: str, first_number: int, seconds: int, connections: int = 64) -> tuple[float, int]:
    """Return accepted messages per second, and how many there were."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(_SCRIPT), f"http://127.0.0.1:{port}"]
    said = subprocess.run([*command, "--", api_key, str(first_number)], capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+)", said)
    if found is None or int(found[3]):
        raise LoadError(f"wrk saw errors: {said}")
    return int(found[1]) / int(found[2]) * 1_000_000, int(found[1])


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0
