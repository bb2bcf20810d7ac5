"""The commands behind ``./run`` that need the servers."""

from __future__ import annotations

import os
import sys

from expansion import env
from expansion.serve import supervisor, transfer


def main(arguments: list[str]) -> int:
    """Carry out one command; return its exit code."""
    _read_dotenv()
    command, *rest = arguments or ["up"]
    if command == "up" and not rest:
        return supervisor.up()
    if command == "manage":
        return supervisor.manage(rest)
    if command == "sample":
        return transfer.sample(rest)
    confirmed = "--yes" in rest
    rest = [part for part in rest if part != "--yes"]
    if command == "reset" and not rest:
        return transfer.reset(confirmed=confirmed)
    if command == "export" and len(rest) == 1:
        return transfer.export(rest[0])
    if command == "import" and len(rest) == 1:
        return transfer.restore(rest[0], confirmed=confirmed)
    supervisor.tell(f"./run {' '.join(arguments)} is not a command: ./run help lists them.")
    return 2


def _read_dotenv() -> None:
    """Take what .env says for the variables that are not set, as compose does."""
    file = env.ROOT / ".env"
    if not file.exists():
        return
    for line in file.read_text().splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip().strip("'\""))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
