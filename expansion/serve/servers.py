"""PostgreSQL and Valkey as children of this process, reached through sockets in a private folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from expansion import env
from expansion.serve import binaries
from expansion.serve.processes import Child, Family, wait_until

DATABASE = "kizashi"
MAJOR = "18"
_LONGEST_SOCKET_PATH = 103
# The wheel has no ICU; the team set-up's compose file initialises its server with the same words.
INITDB = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
# For a machine of two cores that also runs the web server and the worker.
_SETTINGS = {
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "max_connections": "60",
    "max_parallel_workers_per_gather": "1",
    "random_page_cost": "1.1",
    "jit": "off",
    "huge_pages": "off",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_CARELESS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}


@dataclass(frozen=True, slots=True)
class Places:
    """Where a pair of servers keeps its data and its sockets, and as whom it runs."""

    cluster: Path
    valkey: Path
    sockets: Path
    runner: binaries.Runner

    @property
    def database_url(self) -> str:
        return f"postgres://postgres@{quote(str(self.sockets), safe='')}/{DATABASE}"

    @property
    def redis_url(self) -> str:
        return f"redis+socket://{self.valkey_socket}"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey"


@dataclass(frozen=True, slots=True)
class Addresses:
    """What DATABASE_URL and REDIS_URL are to be."""

    database_url: str
    redis_url: str


def places(folder: Path) -> Places:
    """Return the places for a data folder; as root beside the programs where the servers' user cannot reach the folder."""
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    base = folder
    if os.geteuid() == 0 and not _reachable(folder):
        base = binaries.SYSTEM_HOME / f"kizashi-{key}"
    sockets = base / "s"
    if len(str(sockets / ".s.PGSQL.5432")) > _LONGEST_SOCKET_PATH:
        home, user = (binaries.SYSTEM_HOME, "") if os.geteuid() == 0 else (Path("/tmp"), f"{os.geteuid()}-")  # noqa: S108
        sockets = home / f"kizashi-{user}{key}-s"
    cluster = base / "postgres"
    return Places(cluster, base / "valkey", sockets, binaries.runner(cluster))


def start_postgres(family: Family, where: Places, *, log: Path, fsync: bool = True) -> Child:
    """Start PostgreSQL on the places, making the cluster and the database on first use; returns when it answers."""
    programs = binaries.installed().postgres
    _check_owner(where.cluster)
    _sockets(where)
    variables = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}
    if not (where.cluster / "PG_VERSION").exists():
        _make_cluster(programs, where, variables)
    version = (where.cluster / "PG_VERSION").read_text().strip()
    if version != MAJOR:
        raise env.BadSetting(
            f"{where.cluster} was made by PostgreSQL {version}, this is {MAJOR}: type ./run export FILE with the earlier "
            f"release, ./run reset with this one, then ./run import FILE."
        )
    settings = _SETTINGS | ({} if fsync else _CARELESS)
    argv = [str(programs / "postgres"), "-D", str(where.cluster), "-h", "", "-k", str(where.sockets)]
    argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    child = _start_when_free(family, argv, where, log=log, variables=variables)
    _make_database(programs, where)
    return child


def start_valkey(family: Family, where: Places, *, log: Path) -> Child:
    """Start Valkey on the places; what it was given is on disk within a second."""
    program = binaries.installed().valkey
    _sockets(where)
    where.runner.own(where.valkey)
    argv = [
        str(program),
        "--port",
        "0",
        "--unixsocket",
        str(where.valkey_socket),
        "--unixsocketperm",
        "700",
        "--dir",
        str(where.valkey),
    ]
    argv += ["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
    try:
        child = family.start("valkey", argv, log=log, cwd=where.valkey, runner=where.runner)
    except OSError as error:
        raise binaries.refusal(error, program) from None
    if not wait_until(lambda: answers(where.valkey_socket), child=child, seconds=30):
        family.stop(child)
        raise env.BadSetting(f"Valkey did not start:\n{child.last_lines()}")
    return child


def answers(path: Path) -> bool:
    """Return whether something listens on the socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def postgres_answers(where: Places) -> bool:
    return answers(where.sockets / ".s.PGSQL.5432")


@contextlib.contextmanager
def private_servers(folder: Path, *, fsync: bool = False, postgres: bool = True, valkey: bool = True) -> Iterator[Addresses]:
    """Run a pair of servers on an empty folder for tests and measurements; both and the folder are gone afterwards.

    Without ``fsync`` a crash of the machine would lose data, and everything is faster.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        folder.chmod(0o711)
        if not _reachable(folder):
            raise env.BadSetting(f"The servers' user cannot reach {folder}: choose a folder below /tmp.")
    where = places(folder)
    family = Family()
    try:
        family.remove_at_end(folder)
        family.remove_at_end(where.sockets)
        if postgres:
            start_postgres(family, where, log=folder / "postgres.log", fsync=fsync)
        if valkey:
            start_valkey(family, where, log=folder / "valkey.log")
        yield Addresses(where.database_url, where.redis_url)
    finally:
        family.close()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(where.sockets, ignore_errors=True)


def _reachable(folder: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (folder, *folder.parents))


def _check_owner(cluster: Path) -> None:
    if os.geteuid() != 0 and cluster.exists() and cluster.stat().st_uid != os.geteuid():
        raise env.BadSetting(
            f"{cluster} belongs to another user: start as that user, or set KIZASHI_DATA_DIR to a folder of your own."
        )


def _sockets(where: Places) -> None:
    folder = where.sockets
    if folder.is_symlink() or (folder.exists() and os.geteuid() not in {0, folder.stat().st_uid}):
        raise env.BadSetting(f"{folder} belongs to another user: remove it, or set KIZASHI_DATA_DIR to a shorter path.")
    where.runner.own(folder)


def _make_cluster(programs: Path, where: Places, variables: dict[str, str]) -> None:
    """Make the cluster beside its place and move it there, so that a killed start leaves nothing half made."""
    making = where.cluster.with_name(f"{where.cluster.name}.new")
    shutil.rmtree(making, ignore_errors=True)
    where.runner.own(making)
    try:
        made = subprocess.run(
            [programs / "initdb", "-D", making, *INITDB],
            env=variables,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            user=where.runner.uid,
            group=where.runner.gid,
            extra_groups=where.runner.groups,
        )
    except OSError as error:
        raise binaries.refusal(error, programs / "initdb") from None
    if made.returncode:
        raise env.BadSetting(f"The database could not be made in {where.cluster}:\n{made.stdout}{made.stderr}")
    with contextlib.suppress(FileNotFoundError):
        where.cluster.rmdir()
    making.rename(where.cluster)


def _start_when_free(family: Family, argv: list[str], where: Places, *, log: Path, variables: dict[str, str]) -> Child:
    """Start PostgreSQL; wait for one that a killed supervisor left behind to finish stopping."""
    end = time.monotonic() + 30
    while True:
        try:
            child = family.start(
                "postgres",
                argv,
                log=log,
                variables=variables,
                stop_signal=signal.SIGINT,
                grace=60,
                cwd=Path("/"),
                runner=where.runner,
            )
        except OSError as error:
            raise binaries.refusal(error, Path(argv[0])) from None
        # Recovery after a crash replays at most max_wal_size, which takes minutes on a slow disk.
        if wait_until(partial(_postgres_is_ready, Path(argv[0]).parent, where, child), child=child, seconds=300):
            return child
        family.stop(child)
        told = child.last_lines()
        if "lock file" not in told or time.monotonic() > end:
            raise env.BadSetting(f"PostgreSQL did not start:\n{told}")
        time.sleep(0.3)


def _postgres_is_ready(programs: Path, where: Places, child: Child) -> bool:
    try:
        master = (where.cluster / "postmaster.pid").read_text().partition("\n")[0]
    except FileNotFoundError:
        return False
    if master != str(child.process.pid):  # another server's, left behind
        return False
    return subprocess.run([programs / "pg_isready", "-q", "-h", where.sockets], check=False).returncode == 0


def _make_database(programs: Path, where: Places) -> None:
    options = ["-h", str(where.sockets), "-U", "postgres"]
    found = subprocess.run(
        [programs / "psql", *options, "-d", "postgres", "-tAc", f"select 1 from pg_database where datname = '{DATABASE}'"],  # noqa: S608
        capture_output=True,
        text=True,
        check=True,
    )
    if found.stdout.strip() != "1":
        subprocess.run([programs / "createdb", *options, DATABASE], check=True)
