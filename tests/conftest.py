"""Private servers for the tests, up before Django reads its settings.

One PostgreSQL and one Valkey serve the whole session, also under xdist, where each worker has a database of its own.
They live in a temporary folder that is gone afterwards, whether the session ends, is interrupted or is killed.
``TEST_DATABASE_URL`` and ``TEST_REDIS_URL`` name servers to use instead; DATABASE_URL and REDIS_URL are never read.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_servers = contextlib.ExitStack()


def _forget_the_environment() -> None:
    """Drop the settings of the machine, so that a test sees the same on every one."""
    for name in re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE):
        if not name.startswith("TEST_") and name != "REAL_DATA_DIR":
            os.environ.pop(name, None)


def _start_servers() -> None:
    from expansion.serve.servers import private_servers  # noqa: PLC0415  (the environment is mended first)

    database, redis = os.environ.get("TEST_DATABASE_URL", ""), os.environ.get("TEST_REDIS_URL", "")
    folder = Path(tempfile.mkdtemp(prefix="kizashi-test-"))
    addresses = _servers.enter_context(private_servers(folder, postgres=not database, valkey=not redis))
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "static").mkdir()
    os.environ["DATABASE_URL"] = database or addresses.database_url
    os.environ["REDIS_URL"] = redis or addresses.redis_url
    os.environ["KIZASHI_DATA_DIR"] = str(folder / "data")


if "PYTEST_XDIST_WORKER" not in os.environ:
    _forget_the_environment()
    _start_servers()
os.environ["DJANGO_SETTINGS_MODULE"] = "expansion.settings"


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    from django.conf import settings  # noqa: PLC0415

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


def pytest_unconfigure() -> None:
    _servers.close()
