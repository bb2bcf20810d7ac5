"""The database that the tests run on is the kind the product runs on, and never somebody's own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from expansion.serve import binaries, servers

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db
def test_is_a_postgresql_that_the_product_supports() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'), current_database()"
        )
        version, encoding, name = cursor.fetchone()
    assert version >= 17
    assert encoding == "UTF8"
    assert name.startswith("test_")


@pytest.mark.django_db
def test_sorts_by_code_point_on_the_embedded_server() -> None:
    if "TEST_DATABASE_URL" in os.environ:
        pytest.skip("how a server of one's own sorts is its owner's business")
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(word, '' ORDER BY word) FROM (VALUES ('ア'), ('a'), ('B'), ('亜'), ('あ')) AS t(word)")
        assert cursor.fetchone() == ("Baあア亜",)


def test_the_queue_takes_messages() -> None:
    from expansion.celery import app

    with app.connection_for_write() as queue:
        assert queue.default_channel.client.ping()
    assert os.environ["REDIS_URL"] == settings.REDIS_URL


@pytest.mark.slow
def test_servers_of_ones_own_are_used_when_the_test_variables_name_them_and_never_by_the_plain_names(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with contextlib.ExitStack() as stack:
        own = stack.enter_context(servers.private_servers(Path(tempfile.mkdtemp(prefix="kz-own-")), valkey=False))
        queue = subprocess.Popen(
            [binaries.installed().valkey, "--port", str(port), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL
        )
        stack.callback(queue.wait)
        stack.callback(queue.terminate)
        variables = {
            name: value for name, value in os.environ.items() if name not in {"DJANGO_SETTINGS_MODULE", "PYTEST_XDIST_WORKER"}
        } | {
            "TEST_DATABASE_URL": own.database_url,
            "TEST_REDIS_URL": f"redis://127.0.0.1:{port}/3",
            "DATABASE_URL": "postgres://nobody@nowhere.invalid/precious",
            "REDIS_URL": "redis://nowhere.invalid",
        }
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", __file__, "-k", "supports or messages"]
        inner = subprocess.run(argv, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
        assert "2 passed" in inner.stdout, inner.stdout + inner.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_an_interrupted_session_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    slow = tmp_path / "test_slow.py"
    slow.write_text("import time\n\ndef test_slow():\n    time.sleep(60)\n")
    before = set(Path(tempfile.gettempdir()).glob("kizashi-test-*"))
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--rootdir",
        str(ROOT),
        "-c",
        str(ROOT / "pyproject.toml"),
        "-p",
        "tests.conftest",
        str(slow),
    ]
    variables = {name: value for name, value in os.environ.items() if name not in {"DJANGO_SETTINGS_MODULE", "PYTEST_XDIST_WORKER"}}
    inner = subprocess.Popen(argv, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    made: set[Path] = set()
    end = time.monotonic() + 60
    while not made or not all((folder / "data" / "static").exists() for folder in made):
        assert time.monotonic() < end
        made = set(Path(tempfile.gettempdir()).glob("kizashi-test-*")) - before
        time.sleep(0.1)
    time.sleep(1)
    inner.send_signal(number)
    inner.wait(30)
    end = time.monotonic() + 20
    while any(folder.exists() for folder in made):
        assert time.monotonic() < end, made
        time.sleep(0.1)
