"""What differs between machines: every variable is listed, and a wrong one is answered with the sentence that mends it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from expansion.serve import servers

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / ".env.example").read_text()


def load(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Read the settings in a process of their own."""
    given = {
        "PATH": os.environ["PATH"],
        "KIZASHI_DATA_DIR": str(tmp_path),
        "DATABASE_URL": "postgres://u@h/d",
        "REDIS_URL": "redis://h",
    }
    return subprocess.run(
        [sys.executable, "-c", "from expansion import settings; print(settings.DATABASES['default'])"],
        cwd=ROOT,
        env=given | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "", "Use ./run (it starts both for you)"),
        (
            "DATABASE_URL",
            "sqlite:///data.db",
            "DATABASE_URL must name a PostgreSQL database: postgres://user:password@host:5432/name.",
        ),
        ("REDIS_URL", "amqp://queue", "REDIS_URL must name a Redis or Valkey: redis://host:6379/0."),
        ("SECRET_KEY", "short", "SECRET_KEY is shorter than 32 characters: write a longer random one."),
        ("TIME_ZONE", "Tokyo", "TIME_ZONE='Tokyo' is no time zone: write one such as Asia/Tokyo."),
        ("FISCAL_YEAR_START", "13", "FISCAL_YEAR_START='13' must be a whole number from 1 to 12."),
        ("REPORTING_CURRENCY", "yen!", "REPORTING_CURRENCY='YEN!' is no currency: write an ISO 4217 code such as JPY."),
        ("NIGHTLY_AT", "4 o'clock", 'NIGHTLY_AT="4 o\'clock" is no time of day: write one such as 04:00.'),
        ("DEBUG", "maybe", "DEBUG='maybe' is neither on nor off: write 1 or 0."),
        ("KIZASHI_DATA_DIR", "/proc/kizashi", "KIZASHI_DATA_DIR=/proc/kizashi cannot be made"),
    ],
)
def test_a_wrong_variable_is_answered_with_what_to_write(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    asked = load(tmp_path, **{name: value})
    assert asked.returncode == 1
    assert sentence in asked.stderr
    assert "Traceback" not in asked.stderr


def test_a_database_that_does_not_answer_is_named(tmp_path: Path) -> None:
    given = {"PATH": os.environ["PATH"], "KIZASHI_DATA_DIR": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1"}
    asked = subprocess.run(
        [sys.executable, "manage.py", "prepare", "--tables-only"],
        cwd=ROOT,
        env=given | {"DATABASE_URL": "postgres://somebody@127.0.0.1:1/nothing"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 1
    assert asked.stderr.startswith("CommandError: The database that DATABASE_URL names cannot be used: ")


def test_the_folder_of_a_socket_may_stand_in_database_url(tmp_path: Path) -> None:
    asked = load(tmp_path, DATABASE_URL="postgres://postgres@%2Fvar%2Flib%2Fkizashi%2Fs/kizashi")
    assert "'HOST': '/var/lib/kizashi/s'" in asked.stdout


def test_a_secret_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    load(tmp_path)
    kept = tmp_path / "secret_key"
    first = kept.read_text()
    load(tmp_path)
    assert kept.read_text() == first
    assert len(first) >= 32
    assert kept.stat().st_mode & 0o777 == 0o600


def test_every_variable_is_listed_in_the_example_and_every_listed_one_is_read() -> None:
    read = set()
    for path in [*ROOT.glob("expansion/**/*.py"), *ROOT.glob("tests/**/*.py")]:
        text = path.read_text()
        read |= set(re.findall(r"""\benv\.(?:text|flag|integer|names|zone|local_time|currency)\(\s*["']([A-Z_]+)["']""", text))
        read |= set(re.findall(r"""(?<!env\.)\b(?:text|flag)\(["']([A-Z_]+)["']""", text)) if path.name == "env.py" else set()
        read |= set(re.findall(r"""os\.environ\.get\(["']([A-Z_0-9]+)["']""", text))
    read |= set(re.findall(r"\$\{([A-Z][A-Z_0-9]+):-", (ROOT / "run").read_text()))
    read |= set(re.findall(r"\$\{([A-Z_0-9]+):[-?]", (ROOT / "docker-compose.yml").read_text()))
    listed = set(re.findall(r"^#? ?([A-Z_0-9]+)=", EXAMPLE, re.MULTILINE))
    assert read - {"HOME", "PATH", "PYTEST_XDIST_WORKER"} == listed


def test_all_locks_agree_on_every_version() -> None:
    pins: dict[str, dict[str, list[str]]] = {}
    for lock in ROOT.glob("requirements*.lock"):
        for name, version in re.findall(r"^([A-Za-z0-9_.\-]+)==(.*?) *\\$", lock.read_text(), re.MULTILINE):
            pins.setdefault(name, {}).setdefault(lock.name, []).append(version)
    assert {name: locks for name, locks in pins.items() if any(one != next(iter(locks.values())) for one in locks.values())} == {}


class TestCompose:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    def test_there_is_exactly_one_scheduler(self) -> None:
        beats = [name for name, service in self.services.items() if "beat" in service.get("command", [])]
        assert beats == ["scheduler"]
        assert self.services["scheduler"]["deploy"]["replicas"] == 1
        assert not any("-B" in service.get("command", []) for service in self.services.values())

    def test_everything_that_stays_up_is_watched(self) -> None:
        image_has_one = "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()
        for name in set(self.services) - {"prepare"}:
            assert "test" in self.services[name].get("healthcheck", {}) or (name == "web" and image_has_one), name

    def test_the_database_sorts_as_the_embedded_one_does(self) -> None:
        words = self.services["db"]["environment"]["POSTGRES_INITDB_ARGS"].split()
        assert words == [word for word in servers.INITDB if word not in {"-U", "postgres", "-A", "trust"}]
        assert self.services["db"]["image"] == f"postgres:{servers.MAJOR}"
        assert self.services["db"]["volumes"] == ["database:/var/lib/postgresql"]
