"""One process works on a data folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from posthaste.store.errors import FolderInUse
from posthaste.store.lock import hold

HOLDER = "import sys; from pathlib import Path; from posthaste.store.lock import hold; hold(Path(sys.argv[1]));"


def test_a_second_process_is_refused_until_the_first_has_died(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER + "print('held', flush=True); sys.stdin.read()", str(tmp_path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(FolderInUse, match=f"in use by process {holder.pid}$"):
            hold(tmp_path)
        holder.kill()
    hold(tmp_path)()


def test_letting_go_lets_the_next_one_in(tmp_path: Path) -> None:
    release = hold(tmp_path)
    with pytest.raises(FolderInUse):
        hold(tmp_path)
    assert (tmp_path / "posthaste.lock").read_text() == f"{os.getpid()}\n"
    release()
    release()
    hold(tmp_path)()
