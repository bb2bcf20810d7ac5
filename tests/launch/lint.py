"""``./run lint``: every check that needs no test, all of them before it fails.

Run as ``python -m tests.launch.lint``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from expansion.serve.servers import private_servers

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

CHECKS: dict[str, list[str]] = {
    "ruff": ["ruff", "check", "--quiet", "."],
    "format": ["ruff", "format", "--check", "--quiet", "."],
    "types": ["mypy"],
    "direction of imports": ["lint-imports", "--no-cache"],
    "templates": ["djlint", "--lint", "--quiet", "templates"],
    "translations": ["python", "manage.py", "check_translations"],
    "migrations": ["python", "manage.py", "makemigrations", "--check", "--dry-run"],
    "deployment": ["python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
    "compose": ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
    "Dockerfile": ["hadolint", "Dockerfile"],
    "shell": ["sh", "-n", "run"],
    "CI script": ["bash", "-n", ".ci/run"],
}


def main(wanted: list[str]) -> int:
    """Run the checks with the given names, or all; return 1 when one found something."""
    failed = []
    with private_servers(Path(tempfile.mkdtemp(prefix="kizashi-lint-"))) as addresses:
        variables = os.environ | {
            "DATABASE_URL": addresses.database_url,
            "REDIS_URL": addresses.redis_url,
            "SECRET_KEY": "only-for-the-checks-and-long-enough-to-pass-them-" * 2,
            "HTTPS": "1",
        }
        for name, argv in CHECKS.items():
            if wanted and name not in wanted:
                continue
            began = time.monotonic()
            program = BIN / argv[0]
            asked = subprocess.run(
                [str(program) if program.exists() else argv[0], *argv[1:]],
                env=variables,
                cwd=ROOT,
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if asked.returncode:
                failed.append(name)
                _say(asked.stdout.rstrip())
            _say(f"{'FOUND SOMETHING' if asked.returncode else 'ok':<16}{name} ({time.monotonic() - began:.1f} s)")
    _say(f"{len(failed)} checks found something: {', '.join(failed)}" if failed else "All checks passed.")
    return 1 if failed else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
