"""Private servers for the tests, up before Django reads its settings.

One PostgreSQL and one Valkey serve the whole session, also under xdist, where each worker has a database of its own.
They live in a temporary folder that is gone afterwards, whether the session ends, is interrupted or is killed.
``TEST_DATABASE_URL`` and ``TEST_REDIS_URL`` name servers to use instead; DATABASE_URL and REDIS_URL are never read.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from expansion.serve.processes import Child, Family
from expansion.serve.servers import private_servers

ROOT = Path(__file__).resolve().parent.parent
XDIST_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
_servers = contextlib.ExitStack()


def _forget_the_environment() -> None:
    """Drop the settings of the machine, so that a test sees the same on every one."""
    for name in re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE):
        if not name.startswith("TEST_") and name not in {"REAL_DATA_DIR", "REQUIRE_E2E"}:
            os.environ.pop(name, None)


def _start_servers() -> None:
    database, redis = os.environ.get("TEST_DATABASE_URL", ""), os.environ.get("TEST_REDIS_URL", "")
    folder = Path(tempfile.mkdtemp(prefix="kizashi-test-"))
    addresses = _servers.enter_context(private_servers(folder, postgres=not database, valkey=not redis))
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "static").mkdir()
    os.environ["DATABASE_URL"] = database or addresses.database_url
    os.environ["REDIS_URL"] = redis or addresses.redis_url
    os.environ["KIZASHI_DATA_DIR"] = str(folder / "data")


if not XDIST_WORKER:
    if settings.configured:
        raise pytest.UsageError("Unset DJANGO_SETTINGS_MODULE: the settings were read before the tests' own servers were there.")
    _forget_the_environment()
    _start_servers()
elif os.environ["REDIS_URL"].startswith("redis+socket:"):
    os.environ["REDIS_URL"] += f"?virtual_host={int(XDIST_WORKER.removeprefix('gw')) % 15 + 1}"
os.environ["DJANGO_SETTINGS_MODULE"] = "expansion.settings"


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    from expansion import translations

    settings.REDIS_URL = os.environ["REDIS_URL"]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    if not XDIST_WORKER:
        translations.compile_all()


def pytest_unconfigure() -> None:
    _servers.close()


@dataclass
class CeleryWorker:
    """A real worker process on the test database."""

    family: Family
    child: Child

    @property
    def log(self) -> str:
        return self.child.output()

    def tick(self) -> None:
        """Send what the scheduler sends each minute."""
        from expansion.celery import app

        app.send_task("signals.tasks.tick")

    def kill(self) -> None:
        """End it as a crash would, without a last word."""
        os.killpg(self.child.process.pid, signal.SIGKILL)
        self.child.process.wait()

    def wait_for(self, condition: Callable[[], bool], *, seconds: float = 60) -> None:
        """Return once the condition holds; fail with the worker's log when it does not in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or not self.child.alive:
                pytest.fail(f"the worker did not get there:\n{self.child.last_lines(60)}")
            time.sleep(0.1)


@pytest.fixture
def start_worker(transactional_db: None, tmp_path: Path) -> Iterator[Callable[[], CeleryWorker]]:
    """Return a function that starts a real Celery worker on the test database; all are stopped after the test."""
    from django.db import connection

    from expansion.celery import app

    with app.connection_for_write() as broker:
        broker.default_channel.client.flushdb()
    address, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    variables = os.environ | {"DATABASE_URL": f"{address}/{connection.settings_dict['NAME']}"}
    variables |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    family = Family()

    def start() -> CeleryWorker:
        argv = [sys.executable, "-m", "celery", "-A", "expansion", "worker", "-P", "threads", "-c", "2", "-l", "INFO"]
        argv += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        child = family.start("worker", argv, log=tmp_path / "worker.log", variables=variables, cwd=ROOT, grace=10)
        worker = CeleryWorker(family, child)
        worker.wait_for(lambda: " ready." in worker.log)
        return worker

    yield start
    family.close()


@pytest.fixture
def worker(start_worker: Callable[[], CeleryWorker]) -> CeleryWorker:
    """A real Celery worker on the test database."""
    return start_worker()
