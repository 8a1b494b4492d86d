"""Install a program that drives BlueBubbles and that we did not write, once, into a virtual environment of its own.

It is pinned with hashes in `peers/hermes.lock` and lives in `.peers/hermes` at the top of the repository, which git
ignores. A complete installation is used again; run this file to make one beforehand.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
LOCK = PEERS / "hermes.lock"
DRIVER = PEERS / "drive_hermes.py"
HOME = Path(__file__).parents[2] / ".peers" / "hermes"
MARK = HOME / "complete"
INSTALL_WITHIN_S = 240


class PeerMissingError(Exception):
    """The peer cannot be installed here; the text says why."""


def hermes_python() -> Path:
    """Return the interpreter of the peer's environment, installing it if need be."""
    python = HOME / "bin" / "python"
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if MARK.exists() and MARK.read_text() == wanted and python.exists():
        return python
    _run([sys.executable, "-m", "venv", "--clear", str(HOME)])
    options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
    _run([str(python), "-m", "pip", "install", *options, "-r", str(LOCK)])
    MARK.write_text(wanted)
    return python


def drive(python: Path, home: Path, *arguments: str, within_s: float) -> str:
    """Run the driver with nothing of this user's settings in reach, and return what it prints."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "HERMES_HOME": str(home / "hermes")}
    command = [str(python), str(DRIVER), *arguments]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=within_s, check=False)
    if done.returncode:
        raise AssertionError(f"the peer ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_WITHIN_S, check=True)
    except subprocess.CalledProcessError as error:
        raise PeerMissingError((error.stderr or error.stdout or str(error)).strip()[-500:]) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissingError(str(error)) from None


if __name__ == "__main__":
    print(hermes_python())
