"""Read settings from the environment, or stop with the sentence that mends them.

Django-free on purpose: the supervisor reads the same variables before Django is there.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ROOT = Path(__file__).resolve().parent.parent


class BadSetting(SystemExit):
    """A setting is missing or wrong; the text says which one and what to write instead."""


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    value = text(name).lower()
    if value in {"", "1", "true", "yes", "on", "0", "false", "no", "off"}:
        return default if not value else value in {"1", "true", "yes", "on"}
    raise BadSetting(f"{name}={value!r} is neither on nor off: write 1 or 0.")


def integer(name: str, default: int, *, least: int, most: int) -> int:
    value = text(name, str(default))
    if not re.fullmatch(r"\d+", value) or not least <= int(value) <= most:
        raise BadSetting(f"{name}={value!r} must be a whole number from {least} to {most}.")
    return int(value)


def names(name: str, default: str) -> list[str]:
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def zone(name: str, default: str) -> ZoneInfo:
    value = text(name, default)
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadSetting(f"{name}={value!r} is no time zone: write one such as Asia/Tokyo.") from None


def local_time(name: str, default: str) -> tuple[int, int]:
    """Return (hour, minute) of a local time such as 04:00."""
    value = text(name, default)
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value)
    if found is None:
        raise BadSetting(f"{name}={value!r} is no time of day: write one such as 04:00.")
    return int(found[1]), int(found[2])


def currency(name: str, default: str) -> str:
    value = text(name, default).upper()
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise BadSetting(f"{name}={value!r} is no currency: write an ISO 4217 code such as JPY.")
    return value


def data_dir() -> Path:
    """Return the folder of everything that is kept on this machine, made on first use."""
    folder = Path(text("KIZASHI_DATA_DIR", str(ROOT / "var"))).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSetting(f"KIZASHI_DATA_DIR={folder} cannot be made ({error.strerror}): name a folder you may write to.") from None
    return folder


def secret_key() -> str:
    """Return SECRET_KEY, or the one kept in the data folder since the first start."""
    given = text("SECRET_KEY")
    if given:
        if len(given) < 32:
            raise BadSetting("SECRET_KEY is shorter than 32 characters: write a longer random one.")
        return given
    kept = data_dir() / "secret_key"
    if not kept.exists():
        try:
            with kept.open("x") as file:
                kept.chmod(0o600)
                file.write(secrets.token_urlsafe(48))
        except FileExistsError:
            pass
    return kept.read_text().strip()
