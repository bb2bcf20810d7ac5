"""Child processes that end with us, however we end.

Each child leads a session of its own, so a Ctrl-C in the terminal reaches only the supervisor, which stops the
children in order.  When the supervisor is killed outright, Linux signals the children (PR_SET_PDEATHSIG) and the
reaper, a small process at the other end of a pipe, sees the end of the pipe and finishes off what is left.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from expansion.serve.binaries import OURSELVES, Runner

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Child:
    """A started process, how to ask it to stop and how long to wait until it is killed."""

    name: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    grace: float
    log: Path | None
    log_start: int

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        """Return what the child wrote to its log so far."""
        if self.log is None or not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(self.log_start)
            return file.read().decode(errors="replace")

    def last_lines(self, count: int = 20) -> str:
        """Return the end of what the child wrote to its log, to be shown when it failed."""
        return "\n".join(self.output().splitlines()[-count:])


class Family:
    """The children of this process and the reaper that outlives it."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("reaper.py"))],
            stdin=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
        )

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path | None = None,
        variables: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace: float = 20,
        cwd: Path | None = None,
        runner: Runner = OURSELVES,
    ) -> Child:
        """Start a child; without a log file it writes where we write."""
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(log.open("ab")) if log is not None else None
            log_start = out.tell() if out is not None else 0
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT if out is not None else None,
                env=dict(variables) if variables is not None else None,
                cwd=cwd,
                start_new_session=True,
                preexec_fn=dying_with_parent(stop_signal),
                user=runner.uid,
                group=runner.gid,
                extra_groups=runner.groups,
            )
        child = Child(name, process, stop_signal, grace, log, log_start)
        self._children.append(child)
        self._tell(f"watch {process.pid} {int(stop_signal)} {grace}")
        return child

    def remove_at_end(self, folder: Path) -> None:
        """Have the reaper remove the folder if we end without closing."""
        self._tell(f"remove {folder}")

    def stop(self, child: Child) -> None:
        """Stop the child and whatever it left in its group; killed when its grace is over."""
        if child.alive:
            child.process.send_signal(child.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(child.grace)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()
        if child in self._children:
            self._children.remove(child)
        self._tell(f"forget {child.process.pid}")

    def close(self) -> None:
        """Stop all children, the last one first, and dismiss the reaper."""
        for child in reversed(list(self._children)):
            self.stop(child)
        self._tell("done")
        if self._reaper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._reaper.stdin.close()
        self._reaper.wait()

    def _tell(self, line: str) -> None:
        if self._reaper.stdin is None or self._reaper.stdin.closed:
            return
        with contextlib.suppress(BrokenPipeError):
            self._reaper.stdin.write(f"{line}\n".encode())
            self._reaper.stdin.flush()


def dying_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child runs before its program so that it gets the signal when its parent dies (Linux only)."""
    if _LIBC is None:
        return None
    libc, parent = _LIBC, os.getpid()

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:
            os._exit(1)

    return ask_the_kernel


def wait_until(ready: Callable[[], bool], *, child: Child, seconds: float) -> bool:
    """Return whether it became ready before the child ended or the time was over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return True
        if not child.alive:
            return False
        time.sleep(0.03)
    return False
