"""``./run``: PostgreSQL, Valkey, the tables, the web server and the worker, until somebody stops it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from expansion import env
from expansion.serve import binaries, servers
from expansion.serve.locks import Ownership, using
from expansion.serve.processes import Child, Family, dying_with_parent, wait_until

MANAGE = [sys.executable, str(env.ROOT / "manage.py")]
_NEED_NO_TABLES = {"prepare", "migrate", "makemigrations", "check", "help"}
_LARGEST_LOG = 5_000_000
_MOST_DEATHS_A_MINUTE = 5


class Stopped(Exception):
    """Somebody asked us to stop."""


class Interruption:
    """Notes SIGINT, SIGTERM and SIGHUP, so that a child being started is never lost."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, *_: object) -> None:
        self.asked = True

    def check(self) -> None:
        if self.asked:
            raise Stopped


@dataclass
class Service:
    """A child that is started again when it dies."""

    start: Callable[[], Child]
    child: Child
    deaths: list[float] = field(default_factory=list)


def tell(text: str) -> None:
    """Write for the person at the terminal, if it is still open; standard output belongs to the commands."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def up() -> int:
    """Start everything and keep it up; return the exit code once it is stopped."""
    port = env.integer("PORT", 8000, least=1, most=65535)
    address = f"http://localhost:{port}"
    folder = env.data_dir()
    ownership = Ownership(folder)
    if not ownership.take(command="./run", address=address):
        holder = ownership.holder()
        if holder.address:
            tell(f"Kizashi is already running at {holder.address} (process {holder.pid}).  Stop that one with Ctrl-C first.")
            return 1
        tell(f"Waiting for {holder.command} (process {holder.pid}) to finish.")
        ownership.take(command="./run", address=address, wait=True)
    _refuse_busy_port(port)
    interruption = Interruption()
    with closing(Family()) as family:
        try:
            _keep_up(family, interruption, folder, port=port, address=address)
        except Stopped:
            tell("Stopping …")
    tell("Stopped.  Everything is kept; ./run starts it again.")
    return 0


@contextmanager
def environment(command: str, *, alone: bool = False) -> Iterator[dict[str, str]]:
    """Give the variables with which Django's commands run.

    The servers are those that the variables name, those that another command has running (refused when we must be
    alone with the data), or servers started for the call.
    """
    folder = env.data_dir()
    if env.text("DATABASE_URL") and env.text("REDIS_URL"):
        yield variables(folder, {})
        return
    ownership = Ownership(folder)
    with ExitStack() as stack:
        while not ownership.take(command=command):
            if alone:
                holder = ownership.holder()
                raise env.BadSetting(f"{holder.command} (process {holder.pid}) uses the data: stop it first.")
            with using(folder):
                if not ownership.is_free():
                    yield variables(folder, _urls_of_running(folder, ownership))
                    return
        stack.callback(ownership.release)
        family = stack.enter_context(closing(Family()))
        _, urls = _embedded(family, folder)
        stack.callback(ownership.end_use)
        yield variables(folder, urls)


def variables(folder: Path, urls: dict[str, str]) -> dict[str, str]:
    """Return the environment of a Django process."""
    return {
        **os.environ,
        **urls,
        "KIZASHI_DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "expansion.settings",
        "PYTHONUNBUFFERED": "1",
        # Threads of the numeric libraries only fight over the cores, and hang in a forked worker.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def manage(arguments: list[str]) -> int:
    """Run one of Django's commands in the terminal's foreground; return its exit code."""
    with environment(f"./run manage {' '.join(arguments)}".strip()) as given:
        if not env.text("DATABASE_URL") and not _NEED_NO_TABLES & set(arguments[:1]) and not _has_tables(env.data_dir()):
            tell("Preparing the tables …")
            if code := foreground([*MANAGE, "prepare"], given):
                return code
        return foreground([*MANAGE, *arguments], given)


def foreground(argv: list[str], given: dict[str, str]) -> int:
    """Run a command that may ask the person; a Ctrl-C reaches it from the terminal, other signals through us."""
    process = subprocess.Popen(argv, env=given, preexec_fn=dying_with_parent(signal.SIGTERM))
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number)),
        signal.SIGHUP: signal.signal(signal.SIGHUP, lambda number, _: process.send_signal(number)),
    }
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def sample_nights(last: str = "") -> list[list[str]]:
    """Return what computes the sample company's last three nights, then the weeks before as backfills.

    Newest first: a run for a day before a finished one raises no alerts, which would all be overdue on the first
    morning, but gives the scores a history.  The nights end on the given day, by default with yesterday.
    """
    # Before Django there is no expansion.clock.
    yesterday = datetime.fromtimestamp(time.time(), env.zone("TIME_ZONE", "Asia/Tokyo")).date() - timedelta(days=1)
    end = date.fromisoformat(last) if last else yesterday
    weeks = [end - timedelta(weeks=count) for count in range(1, 5)]
    return [
        ["nightly", "--date", str(end - timedelta(days=2)), "--through", str(end)],
        *(["nightly", "--date", str(day)] for day in weeks),
    ]


def _keep_up(family: Family, interruption: Interruption, folder: Path, *, port: int, address: str) -> None:
    services, urls = _embedded(family, folder)
    given = variables(folder, urls)
    embedded = "DATABASE_URL" in urls
    _first_steps(family, interruption, folder, given, sample=embedded)
    services += [_service(lambda: _web(family, folder, given, port)), _service(lambda: _worker(family, folder, given))]
    web = services[-2].child
    if not wait_until(lambda: interruption.asked or _web_answers(port), child=web, seconds=60):
        raise env.BadSetting(f"The web server did not start:\n{web.last_lines()}")
    interruption.check()
    _greet(folder, address, embedded=embedded)
    while not interruption.asked:
        for service in services:
            _revive(family, service)
        time.sleep(0.3)
    raise Stopped


def _embedded(family: Family, folder: Path) -> tuple[list[Service], dict[str, str]]:
    """Start the servers that no variable names."""
    where = servers.places(folder)
    urls = _embedded_urls(where)
    services = []
    if "DATABASE_URL" in urls:
        services.append(_service(lambda: servers.start_postgres(family, where, log=_log(folder, "postgres"))))
    if "REDIS_URL" in urls:
        services.append(_service(lambda: servers.start_valkey(family, where, log=_log(folder, "valkey"))))
    return services, urls


def _embedded_urls(where: servers.Places) -> dict[str, str]:
    """Return the addresses of the embedded servers for the variables that are not set."""
    urls = {"DATABASE_URL": where.database_url, "REDIS_URL": where.redis_url}
    return {name: url for name, url in urls.items() if not env.text(name)}


def _urls_of_running(folder: Path, ownership: Ownership) -> dict[str, str]:
    """Return the addresses of servers that another process owns, once they answer."""
    where = servers.places(folder)
    end = time.monotonic() + 60
    while not (
        (env.text("DATABASE_URL") or servers.postgres_answers(where))
        and (env.text("REDIS_URL") or servers.answers(where.valkey_socket))
    ):
        if time.monotonic() > end:
            holder = ownership.holder()
            raise env.BadSetting(f"{holder.command} (process {holder.pid}) is starting or stopping: try again in a moment.")
        time.sleep(0.1)
    return _embedded_urls(where)


def _first_steps(family: Family, interruption: Interruption, folder: Path, given: dict[str, str], *, sample: bool) -> None:
    """Bring the tables up to date; on an empty embedded database load the sample company.

    The mark outlives a start that was stopped while it loaded, so that the next one loads the rest.
    """
    _step(family, interruption, given, "Preparing the tables", ["prepare"])
    mark = folder / "sample-is-loading"
    if not sample or not (mark.exists() or _is_empty(folder)):
        return
    mark.touch()
    _step(family, interruption, given, "Loading the sample company (only this once)", ["load_sample"])
    _step(family, interruption, given, "Computing its last nights and the scores of the weeks before", *sample_nights())
    mark.unlink()


def _step(family: Family, interruption: Interruption, given: dict[str, str], title: str, *commands: list[str]) -> None:
    tell(f"{title} …")
    began = time.monotonic()
    log = _log(Path(given["KIZASHI_DATA_DIR"]), "start")
    for command in commands:
        child = family.start(command[0], [*MANAGE, *command], variables=given, cwd=env.ROOT, log=log, grace=5)
        shown = 0
        while child.alive:
            interruption.check()
            time.sleep(0.05)
            shown = _show(child, shown)
        _show(child, shown)
        family.stop(child)
        if child.process.returncode:
            raise env.BadSetting(f"manage.py {' '.join(command)} failed (above).  Nothing was lost: mend it and type ./run again.")
    tell(f"  done in {time.monotonic() - began:.1f} s")


def _show(child: Child, shown: int) -> int:
    """Show the child's whole lines after the shown ones; return how many are shown now."""
    lines = child.output().rpartition("\n")[0].splitlines()
    for line in lines[shown:]:
        tell(f"  {line}")
    return len(lines)


def _is_empty(folder: Path) -> bool:
    return _asked(folder, "select not exists (select from users_user) and not exists (select from accounts_customer)")


def _has_tables(folder: Path) -> bool:
    return _asked(folder, "select to_regclass('django_migrations') is not null")


def _asked(folder: Path, question: str) -> bool:
    """Ask the embedded database a question of yes or no."""
    psql = binaries.installed().postgres / "psql"
    url = servers.places(folder).database_url
    return subprocess.run([psql, url, "-tAc", question], capture_output=True, text=True, check=True).stdout.strip() == "t"


def _service(start: Callable[[], Child]) -> Service:
    return Service(start, start())


def _web(family: Family, folder: Path, given: dict[str, str], port: int) -> Child:
    argv = [sys.executable, "-m", "gunicorn", "expansion.wsgi:application", "--bind", f"{env.text('BIND', '127.0.0.1')}:{port}"]
    argv += ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--no-control-socket"]
    argv += ["--timeout", "60", "--graceful-timeout", "10", "--keep-alive", "5"]
    return family.start("web", argv, log=_log(folder, "web"), variables=given, cwd=env.ROOT, grace=15)


def _worker(family: Family, folder: Path, given: dict[str, str]) -> Child:
    argv = [sys.executable, "-m", "celery", "-A", "expansion", "worker", "-P", "threads", "-c", "2", "-B"]
    argv += ["-s", str(folder / "beat-schedule"), "-l", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    return family.start("worker", argv, log=_log(folder, "worker"), variables=given, cwd=env.ROOT, grace=30)


def _revive(family: Family, service: Service) -> None:
    """Start a dead child again; give up when it keeps dying."""
    child = service.child
    if child.alive:
        return
    family.stop(child)
    now = time.monotonic()
    service.deaths = [death for death in service.deaths if now - death < 60] + [now]
    if len(service.deaths) > _MOST_DEATHS_A_MINUTE:
        raise env.BadSetting(f"{child.name} ended {len(service.deaths)} times in a minute, last with:\n{child.last_lines()}")
    tell(f"{child.name} ended unexpectedly (exit code {child.process.returncode}); starting it again.")
    service.child = service.start()


def _web_answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/livez", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _refuse_busy_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((env.text("BIND", "127.0.0.1"), port))
        except PermissionError:
            raise env.BadSetting(f"PORT={port} is reserved for root: write one above 1023, such as PORT=8000.") from None
        except OSError:
            raise env.BadSetting(
                f"Port {port} is in use by another program: stop it, or choose another: PORT={port + 1} ./run"
            ) from None


def _greet(folder: Path, address: str, *, embedded: bool) -> None:
    tell(f"\nKizashi is ready:  {address}\n")
    logins = folder / "demo_logins.json"
    if embedded and logins.exists():
        for login in json.loads(logins.read_text()):
            tell(f"  {login['role']:<8} {login['email']:<32} {login['password']}")
        tell("")
    elif not embedded:
        tell("To make the first administrator:  ./run manage create_admin EMAIL\n")
    if embedded:
        tell(f"The data is in {servers.places(folder).cluster}.")
    tell(f"Logs are in {folder / 'log'}.  Ctrl-C stops everything.")


def _log(folder: Path, name: str) -> Path:
    """Return the log file of a child, the old one put aside when it grew large."""
    path = folder / "log" / f"{name}.log"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.exists() and path.stat().st_size > _LARGEST_LOG:
        path.replace(path.with_suffix(".log.1"))
    return path
