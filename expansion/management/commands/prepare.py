"""``manage.py prepare``: everything between a new release, or an empty database, and a page."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection
from kombu.exceptions import OperationalError as KombuOperationalError

from expansion import translations
from expansion.celery import app

OLDEST_POSTGRESQL = 17


class Command(BaseCommand):
    help = "Compiles the translations, collects the static files, brings the tables up to date and loads the shipped definitions."

    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tables-only", action="store_true", help="leave out the files, which an image brings with it")

    def handle(self, *_: Any, tables_only: bool, **__: Any) -> None:
        if not tables_only:
            translations.compile_all()
            _collect_static()
        _check_database()
        if not _queue_answers():
            self.stderr.write("The queue that REDIS_URL names does not answer: pages work, but nothing is computed until it does.")
        call_command("migrate", verbosity=0, interactive=False, stdout=self.stdout)
        call_command("load_defaults", verbosity=0, stdout=io.StringIO())


def _check_database() -> None:
    try:
        connection.ensure_connection()
    except OperationalError as error:
        raise CommandError(f"The database that DATABASE_URL names cannot be used: {error}") from error
    major = connection.get_database_version()[0]
    if major < OLDEST_POSTGRESQL:
        raise CommandError(f"DATABASE_URL names a PostgreSQL {major}: {OLDEST_POSTGRESQL} or newer is needed.")


def _queue_answers() -> bool:
    try:
        with app.connection_for_write(transport_options={"socket_connect_timeout": 3}) as queue:
            queue.ensure_connection(max_retries=1, timeout=3)
    except (OSError, KombuOperationalError):
        return False
    return True


def _collect_static() -> None:
    """Collect when a file changed since the last time; compressing all of them takes longer than the rest of a start."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    now = _fingerprint()
    if stamp.exists() and stamp.read_text() == now:
        return
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.write_text(now)


def _fingerprint() -> str:
    files = []
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = Path(storage.path(path)).stat()
            files.append((path, found.st_size, found.st_mtime_ns))
    return hashlib.sha256(repr(sorted(files)).encode()).hexdigest()
