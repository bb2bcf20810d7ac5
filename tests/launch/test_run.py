"""``./run`` as a person meets it: from a copy of the project, with real servers, to a page and back to nothing."""

from __future__ import annotations

import contextlib
import os
import pty
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = {".git", ".venv", ".env", "var", "staticfiles", "__pycache__", "artefacts"}

pytestmark = pytest.mark.slow


def copy_of_project(place: Path) -> Path:
    """Lay a clean copy of the project down, as a clone would be."""
    shutil.copytree(
        ROOT,
        place,
        ignore=lambda _, names: [name for name in names if name in LEFT_OUT or name.endswith(("_cache", ".mo"))],
    )
    return place


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cookies_of(answer: HTTPResponse) -> dict[str, str]:
    return {name: crumb.value for sent in answer.headers.get_all("Set-Cookie", []) for name, crumb in SimpleCookie(sent).items()}


def processes_of(place: Path) -> list[str]:
    """Return the command lines of the processes that name the folder or work in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(place) in line or str(place) in str((entry / "cwd").readlink()):
                    found.append(f"{entry.name} {line}")
    return found


@dataclass
class Place:
    """A copy of the project and what runs in it."""

    folder: Path
    user: str | None = None
    port: int = field(default_factory=free_port)

    def variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
        home = str(self.folder.parent)
        return kept | {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", home) if self.user is None else home,
            "PORT": str(self.port),
        }

    def popen(self, *arguments: str, **options: object) -> subprocess.Popen[str]:
        other = {} if self.user is None else {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            ["./run", *arguments],
            cwd=self.folder,
            env=self.variables() | options.pop("variables", {}),
            text=True,
            **other,
            **options,
        )

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Carry out a command of ``./run`` that ends by itself."""
        with self.popen(
            *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, variables=variables
        ) as process:
            out, told = process.communicate(timeout=600)
        return subprocess.CompletedProcess(arguments, process.returncode, out, told)

    @contextlib.contextmanager
    def up(self) -> Iterator[Up]:
        """Start ``./run`` and wait until it says that it is ready."""
        told = self.folder.parent / "told"
        with told.open("w") as file, self.popen(stdin=subprocess.DEVNULL, stderr=file, start_new_session=True) as process:
            up = Up(self, process, told)
            try:
                up.wait_until_ready()
                yield up
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)
                process.wait(60)

    def is_silent(self, *, seconds: float) -> bool:
        """Return whether no process of this place is left after at most that time."""
        end = time.monotonic() + seconds
        while processes_of(self.folder):
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True


@dataclass
class Up:
    """A running ``./run``."""

    place: Place
    process: subprocess.Popen[str]
    file: Path

    @property
    def told(self) -> str:
        return self.file.read_text()

    def wait_until_ready(self) -> None:
        end = time.monotonic() + 900
        while "Ctrl-C stops everything." not in self.told:
            assert self.process.poll() is None, self.told
            assert time.monotonic() < end, self.told
            time.sleep(0.1)

    def get(self, path: str, cookies: str = "") -> tuple[int, str]:
        connection = HTTPConnection("localhost", self.place.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Cookie": cookies, "Accept-Language": "ja"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def answers(self, path: str) -> bool:
        """Return whether the page can be had at this moment."""
        try:
            return self.get(path)[0] == 200
        except OSError:
            return False

    def logged_in(self, email: str, password: str) -> str:
        """Log in on the login page as a browser does; return the cookies."""
        connection = HTTPConnection("localhost", self.place.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", "/auth/login/")
            page = connection.getresponse()
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.read().decode())
            assert token is not None
            csrf = cookies_of(page)["csrftoken"]
            body = urlencode({"csrfmiddlewaretoken": token[1], "username": email, "password": password})
            sent = {"Cookie": f"csrftoken={csrf}", "Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/auth/login/", body, sent)
            answer = connection.getresponse()
            assert answer.status == 302, answer.read().decode()
            return f"sessionid={cookies_of(answer)['sessionid']}"

    def customers(self) -> int:
        return int(
            self.place.run(
                "manage", "shell", "-v0", "-c", "from accounts.models import Customer; print(Customer.objects.count())"
            ).stdout
        )


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A place where ``./run`` was started once, with our own .venv, and stopped with Ctrl-C."""
    if not (Path(sys.prefix) / ".locks").exists():
        pytest.skip("./run would rearrange a .venv that it did not make: use ./run test")
    home = Path(tempfile.mkdtemp(prefix="kizashi-run-"))
    home.chmod(0o755)
    place = Place(copy_of_project(home / "kizashi"))
    (place.folder / ".venv").symlink_to(Path(sys.prefix))
    with place.up() as first:
        assert "Loading the sample company" in first.told
        logins = re.findall(r"^  (rep|manager|admin) +(\S+@\S+) +(\S+)$", first.told, re.MULTILINE)
        assert [role for role, _, _ in logins] == ["rep", "manager", "admin"]
        for _, email, password in logins:
            status, page = first.get("/triage/", first.logged_in(email, password))
            assert status == 200
            assert 'lang="ja"' in page
            for sheet in re.findall(r'<link[^>]+href="(/static/[^"]+\.css)"', page):
                assert first.get(sheet)[0] == 200
        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(60) == 0
    assert place.is_silent(seconds=0)
    yield place
    shutil.rmtree(home)


def test_a_later_start_takes_seconds_keeps_everything_and_is_the_only_one(place: Place) -> None:
    before = time.monotonic()
    with place.up() as up:
        assert time.monotonic() - before < 30
        assert "Loading the sample company" not in up.told
        assert up.customers() == 400
        second = place.run()
        assert second.returncode == 1
        assert f"Kizashi is already running at http://localhost:{place.port} (process {up.process.pid})." in second.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["TERM", "closed terminal"])
def test_stops_everything_in_order(place: Place, number: signal.Signals) -> None:
    with place.up() as up:
        up.process.send_signal(number)
        assert up.process.wait(60) == 0
        assert up.told.endswith("Stopped.  Everything is kept; ./run starts it again.\n")
    assert place.is_silent(seconds=0)


def test_killed_outright_it_leaves_no_orphan_and_loses_nothing(place: Place) -> None:
    with place.up() as up:
        up.process.kill()
        up.process.wait()
        assert place.is_silent(seconds=30), processes_of(place.folder)
    with place.up() as up:
        assert up.customers() == 400


def test_what_dies_is_started_again(place: Place) -> None:
    with place.up() as up:
        for count, name in enumerate(("gunicorn", "celery", "bin/postgres", "valkey-server"), 1):
            leader = min(int(line.split()[0]) for line in processes_of(place.folder) if name in line)
            os.kill(leader, signal.SIGKILL)
            end = time.monotonic() + 60
            while up.told.count("ended unexpectedly") < count or not up.answers("/readyz"):
                assert time.monotonic() < end, up.told
                time.sleep(0.2)
        assert up.customers() == 400


def test_a_busy_port_is_named(place: Place) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", place.port))
        other.listen()
        refused = place.run()
    assert refused.returncode == 1
    assert (
        f"Port {place.port} is in use by another program: stop it, or choose another: PORT={place.port + 1} ./run" in refused.stderr
    )
    assert "Traceback" not in refused.stderr


def test_commands_side_by_side_share_the_servers(place: Place) -> None:
    slow = (
        "manage",
        "shell",
        "-v0",
        "-c",
        "import time; time.sleep(3); from accounts.models import Customer; print(Customer.objects.count())",
    )
    first = place.popen(*slow, stdout=subprocess.PIPE)
    second = place.popen(*slow, stdout=subprocess.PIPE)
    with first, second:
        assert (first.communicate(timeout=60)[0], second.communicate(timeout=60)[0]) == ("400\n", "400\n")
    assert place.is_silent(seconds=0)


def test_a_commands_exit_code_and_output_are_its_own(place: Place) -> None:
    asked = place.run("manage", "shell", "-v0", "-c", "import sys; print('only this'); sys.exit(3)")
    assert (asked.returncode, asked.stdout) == (3, "only this\n")


def test_reset_asks_first(place: Place) -> None:
    refused = place.run("reset")
    assert refused.returncode == 1
    assert "Nothing was done: there is nobody to ask.  Add --yes if you are sure." in refused.stderr
    controller, terminal = pty.openpty()
    with (
        os.fdopen(controller, "w") as person,
        os.fdopen(terminal) as stdin,
        place.popen("reset", stdin=stdin, stderr=subprocess.PIPE) as process,
    ):
        person.write("no\n")
        person.flush()
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "This deletes all data in" in told
    assert told.endswith("Nothing was done.\n")


def test_an_exported_file_brings_everything_back(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "saved.kizashi"
    uploads = place.folder / "var" / "uploads"
    uploads.mkdir(exist_ok=True)
    (uploads / "kept.csv").write_text("customer_id,name\n")
    assert place.run("export", str(file)).returncode == 0
    try:
        assert place.run("reset", "--yes").returncode == 0
        assert not uploads.exists()
        with_nobody_to_ask = place.run("import", str(file))
        assert with_nobody_to_ask.returncode == 0, with_nobody_to_ask.stderr  # nothing is there that could be lost
        assert "there is nobody to ask" in place.run("import", str(file)).stderr
    finally:
        restored = place.run("import", str(file), "--yes")
    assert restored.returncode == 0, restored.stderr
    assert (uploads / "kept.csv").read_text() == "customer_id,name\n"
    counted = place.run("manage", "shell", "-v0", "-c", "from accounts.models import Customer; print(Customer.objects.count())")
    assert counted.stdout == "400\n"


def test_a_file_of_something_else_is_not_imported(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("hello")
    refused = place.run("import", str(tmp_path / "other.txt"), "--yes")
    assert refused.returncode == 1
    assert refused.stderr.endswith("other.txt was not written by ./run export.\n")


def test_an_unknown_command_lists_those_there_are(place: Place) -> None:
    asked = place.run("dance")
    assert asked.returncode == 2
    assert "./run export FILE" in asked.stderr


def python_of_an_ordinary_user() -> str | None:
    """Return a Python that everybody may run, which the one of the tests need not be."""
    for name in ("/usr/local/bin/python3", "/usr/bin/python3"):
        new_enough = [name, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        with contextlib.suppress(OSError):
            if subprocess.run(new_enough, user="daemon", group="daemon", extra_groups=[], check=False).returncode == 0:
                return name
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else; the other tests ran as an ordinary user")
def test_an_ordinary_user_gets_from_a_clone_to_a_page_without_a_question() -> None:
    python = python_of_an_ordinary_user()
    if python is None:
        pytest.skip("no Python 3.11 or newer is installed that an ordinary user may run: apt-get install python3-venv")
    home = Path(tempfile.mkdtemp(prefix="kizashi-user-"))
    home.chmod(0o755)
    try:
        place = Place(copy_of_project(home / "kizashi"), user="daemon")
        subprocess.run(["chown", "-R", "daemon:daemon", str(home)], check=True)
        with place.up() as up:
            assert "Making .venv" in up.told
            email, password = re.findall(r"^  rep +(\S+) +(\S+)$", up.told, re.MULTILINE)[0]
            assert up.get("/triage/", up.logged_in(email, password))[0] == 200
            owners = {Path(f"/proc/{line.split()[0]}").stat().st_uid for line in processes_of(place.folder)}
            assert owners == {pwd.getpwnam("daemon").pw_uid}
            up.process.send_signal(signal.SIGINT)
            assert up.process.wait(60) == 0
        assert place.is_silent(seconds=0)
    finally:
        subprocess.run(["rm", "-rf", str(home)], check=True)
