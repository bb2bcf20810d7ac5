"""Who has the embedded servers of a data folder: one owner started them, any number of commands use them.

Both are file locks, which the kernel lets go when their holder dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that started the servers, the command it was given and, for ``./run``, the page's address."""

    pid: int
    command: str
    address: str


class Ownership:
    """Held while the process owns the servers of the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[str] = (folder / "owner.lock").open("a+")
        self._users: IO[str] | None = None

    def take(self, *, command: str, address: str = "", wait: bool = False) -> bool:
        """Become the owner; return False when another process is and we do not wait for its end."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        self._file.truncate(0)
        self._file.write(json.dumps(asdict(Owner(os.getpid(), command, address))))
        self._file.flush()
        return True

    def is_free(self) -> bool:
        """Return whether nobody is the owner at this moment."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return True

    def holder(self) -> Owner:
        """Return who holds it; nothing is known of an owner that is just starting or has just ended."""
        self._file.seek(0)
        try:
            return Owner(**json.loads(self._file.read()))
        except (ValueError, TypeError):
            return Owner(0, "another command", "")

    def end_use(self) -> None:
        """Return once no other command uses the servers; from then on until the release none begins to."""
        self._users = (self._folder / "users.lock").open("a")
        fcntl.flock(self._users, fcntl.LOCK_EX)

    def release(self) -> None:
        self._file.close()
        if self._users is not None:
            self._users.close()


@contextlib.contextmanager
def using(folder: Path) -> Iterator[None]:
    """Keep the owner from stopping the servers, unless a person stops it; waits while the owner is just ending."""
    with (folder / "users.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield
