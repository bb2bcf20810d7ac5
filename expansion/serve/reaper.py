"""Wait for the end of a supervisor that could not clean up, then do it in its place.

Run as a program.  Reads from standard input, a pipe whose other end only the supervisor holds:
``watch PID SIGNAL GRACE``, ``forget PID``, ``remove FOLDER``, ``done``.  When the pipe ends without ``done``, each
watched process group is asked to stop, the last one first, then killed, and the folders are removed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watched: dict[int, tuple[int, float]] = {}
    folders: list[str] = []
    for line in sys.stdin:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "watch":
            pid, number, grace = rest.split()
            watched[int(pid)] = (int(number), float(grace))
        elif word == "forget":
            watched.pop(int(rest), None)
        elif word == "remove":
            folders.append(rest)
        elif word == "done":
            return
    for pid, (number, grace) in reversed(watched.items()):
        _end(pid, number, grace)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _end(group: int, number: int, grace: float) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        end = time.monotonic() + grace
        while time.monotonic() < end:
            os.killpg(group, 0)
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
