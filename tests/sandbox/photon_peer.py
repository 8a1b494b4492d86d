"""Install a second program that drives BlueBubbles and that we did not write, once, into a folder of its own.

It is pinned with hashes in `peers/photon/package-lock.json` and lives in `.peers/photon` at the top of the repository, which
git ignores. No script of a package is run, and what only other machines need is left out.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from hermes_peer import PeerMissingError

PEER = Path(__file__).parent / "peers" / "photon"
HOME = Path(__file__).parents[2] / ".peers" / "photon"
MARK = HOME / "complete"
FILES = ("package.json", "package-lock.json", "drive.js")
INSTALL_WITHIN_S = 240


def photon_driver() -> Path:
    """Return the driver beside its installed packages, installing them if need be."""
    wanted = hashlib.sha256(b"".join((PEER / name).read_bytes() for name in FILES)).hexdigest()
    if MARK.exists() and MARK.read_text() == wanted:
        return HOME / "drive.js"
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise PeerMissingError("there is no node or no npm on this machine")
    HOME.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(PEER / name, HOME / name)
    _install()
    MARK.write_text(wanted)
    return HOME / "drive.js"


def drive_photon(driver: Path, home: Path, *arguments: str, within_s: float) -> str:
    """Run the driver with nothing of this user's settings in reach, and return what it prints."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    command = ["node", str(driver), *arguments]
    done = subprocess.run(command, env=environment, cwd=HOME, capture_output=True, text=True, timeout=within_s, check=False)
    if done.returncode:
        raise AssertionError(f"the peer ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def _install() -> None:
    command = ["npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"]
    try:
        subprocess.run(command, cwd=HOME, capture_output=True, text=True, timeout=INSTALL_WITHIN_S, check=True)
    except subprocess.CalledProcessError as error:
        raise PeerMissingError((error.stderr or error.stdout or str(error)).strip()[-500:]) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissingError(str(error)) from None
