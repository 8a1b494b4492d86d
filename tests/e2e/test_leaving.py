"""A process that ends takes leave of the devices that it has standing connections to, whatever it is for."""

import socketserver
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from programs import READY, running, said

_BIND_TRANSCEIVER, _UNBIND, _ANSWER = 0x09, 0x06, 0x80000000


class _Session(socketserver.StreamRequestHandler):
    """One session of a message centre that takes whatever it is told, and notes which commands came."""

    def handle(self) -> None:
        while head := self.rfile.read(16):
            length, command, _, number = struct.unpack(">IIII", head)
            self.rfile.read(length - 16)
            self.server.commands.append(command)  # type: ignore[attr-defined]
            body = b"centre\0" if command == _BIND_TRANSCEIVER else b""
            self.wfile.write(struct.pack(">IIII", 16 + len(body), command | _ANSWER, 0, number) + body)


@contextmanager
def centre() -> Iterator[tuple[int, list[int]]]:
    """Run a message centre; return its port, and the commands that it is told."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session) as server:
        commands: list[int] = []
        server.commands = commands  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], commands
        finally:
            server.shutdown()
            thread.join()


def test_a_process_that_only_takes_calls_unbinds_from_a_carrier_that_a_call_had_it_ask(tmp_path: Path) -> None:
    folder = ("--data", tmp_path / "data")
    with centre() as (port, commands):
        said("workspaces", "create", "Acme", *folder)
        key = said("keys", "create", "--workspace", "Acme", *folder)
        carrier = ("--channel", "smpp", "--host", "127.0.0.1", "--port", port, "--system-id", "acme", "--phone", "+16285550123")
        line = said("lines", "add", *carrier, *folder, SMPP_PASSWORD="secret")
        program = [sys.executable, "-m", "posthaste", "api"]
        with running(tmp_path / "data", command=program, last=(READY,)) as server:
            answer = server.call("GET", f"/api/lines/check-availability?id={line}", key=key)
            assert answer.json()["status"] == "healthy", answer.text
            assert commands[0] == _BIND_TRANSCEIVER
            assert server.stop() == 0
        assert commands[-1] == _UNBIND
