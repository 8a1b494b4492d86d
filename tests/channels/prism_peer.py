"""Prism, a program of others that answers as a vendor's interface document says and refuses what it does not allow."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures.installed import did_not_run, node_program
from fixtures.processes import free_port, until

_SOURCE = Path(__file__).parent / "peers" / "prism"
_DOCUMENTS = Path(__file__).parents[3] / "shared" / "spec" / "vendor"
_WITHIN_S = 60


def vendors_document(name: str) -> Path:
    """Return a vendor's own document; where it is not here its test does not run."""
    document = _DOCUMENTS / name
    if not document.exists():
        did_not_run(f"the vendor's document {name} is not here")
    return document


@contextmanager
def prism(document: Path, command: str, *more: str) -> Iterator[str]:
    """Return the address of a server that holds all that passes against the document.

    As a `mock` it makes the answers up, as a `proxy` it stands before another server.
    """
    home, port = node_program("prism", _SOURCE), free_port()
    program = str(home / "node_modules" / ".bin" / "prism")
    arguments = [command, "--errors", "-h", "127.0.0.1", "-p", str(port), str(document), *more]
    log = document.parent / f"{command}-{port}.log"
    with log.open("wb") as out, subprocess.Popen([program, *arguments], stdout=out, stderr=out) as process:
        try:
            asyncio.run(until(lambda: process.poll() is not None or b"listening" in log.read_bytes(), "Prism listens", _WITHIN_S))
            assert process.poll() is None, log.read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
