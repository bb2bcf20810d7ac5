"""The embedded servers: they start, keep what they were given, and never outlive us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import redis

from expansion.env import BadSetting
from expansion.serve import servers
from expansion.serve.processes import Family

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path that the servers' user can reach."""
    path = Path(tempfile.mkdtemp(prefix="kz-"))
    path.chmod(0o711)
    yield path
    subprocess.run(["rm", "-rf", str(path)], check=True)


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of all processes that name the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(folder) in line:
                    found.append(line)
    return found


def gone(folder: Path, *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while processes_of(folder):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def test_keeps_rows_and_messages_over_a_restart(folder: Path) -> None:
    where = servers.places(folder)
    with closing(Family()) as family:
        servers.start_postgres(family, where, log=folder / "log")
        servers.start_valkey(family, where, log=folder / "log")
        with closing(psycopg2.connect(where.database_url)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('兆し')")
            connection.commit()
        with closing(redis.Redis(unix_socket_path=str(where.valkey_socket))) as queue:
            queue.rpush("kept", "task")
    assert processes_of(folder) == []

    with closing(Family()) as family:
        servers.start_postgres(family, where, log=folder / "log")
        servers.start_valkey(family, where, log=folder / "log")
        with closing(psycopg2.connect(where.database_url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT word, current_setting('synchronous_commit'), current_setting('server_encoding') FROM kept")
            assert cursor.fetchall() == [("兆し", "on", "UTF8")]
        with closing(redis.Redis(unix_socket_path=str(where.valkey_socket))) as queue:
            assert queue.lrange("kept", 0, -1) == [b"task"]


def test_runs_as_somebody_without_rights_in_a_private_folder(folder: Path) -> None:
    where = servers.places(folder)
    with closing(Family()) as family:
        postgres = servers.start_postgres(family, where, log=folder / "log")
        valkey = servers.start_valkey(family, where, log=folder / "log")
        for child in (postgres, valkey):
            assert Path(f"/proc/{child.process.pid}").stat().st_uid != 0
        assert where.sockets.stat().st_mode & 0o777 == 0o700
        assert where.cluster.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed outright", "terminated"])
def test_nothing_outlives_its_owner(folder: Path, number: signal.Signals) -> None:
    private = folder / "p"
    program = (
        "import sys, time; from pathlib import Path; from expansion.serve.servers import private_servers\n"
        f"with private_servers(Path({str(private)!r})): print('up', flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        assert len(processes_of(private)) >= 2
        owner.send_signal(number)
    assert gone(private, seconds=15)
    end = time.monotonic() + 10
    while private.exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not private.exists()


def test_waits_for_servers_that_are_still_stopping(folder: Path) -> None:
    where = servers.places(folder)
    with closing(Family()) as first, closing(Family()) as second:
        left_behind = servers.start_postgres(first, where, log=folder / "first.log")
        with subprocess.Popen(["sh", "-c", f"sleep 1; kill -INT {left_behind.process.pid}"]):
            child = servers.start_postgres(second, where, log=folder / "second.log")
        assert child.alive
        assert not left_behind.alive


def test_a_start_killed_while_making_the_cluster_is_made_again(folder: Path) -> None:
    where = servers.places(folder)
    half_made = where.cluster.with_name("postgres.new")
    where.runner.own(half_made)
    (half_made / "PG_VERSION").write_text("18\n")
    with closing(Family()) as family:
        assert servers.start_postgres(family, where, log=folder / "log").alive


def test_data_of_another_release_is_refused_with_what_to_do(folder: Path) -> None:
    where = servers.places(folder)
    where.runner.own(where.cluster)
    (where.cluster / "PG_VERSION").write_text("17\n")
    with closing(Family()) as family, pytest.raises(BadSetting, match=r"made by PostgreSQL 17, this is 18: type ./run export"):
        servers.start_postgres(family, where, log=folder / "log")


def test_socket_paths_fit_into_the_kernels_limit(folder: Path) -> None:
    deep = folder / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    assert len(str(servers.places(deep).sockets / ".s.PGSQL.5432")) < 104


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that others cannot enter")
def test_root_keeps_data_where_the_servers_user_can_reach_it(folder: Path) -> None:
    hidden = folder / "hidden"
    hidden.mkdir(mode=0o700)
    assert servers.places(folder).cluster == folder / "postgres"
    assert servers.places(hidden).cluster.parent.parent == Path("/var/lib")
