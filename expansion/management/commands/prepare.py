"""``manage.py prepare``: everything between a new release, or an empty database, and a page."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from expansion import translations


class Command(BaseCommand):
    help = "Compiles the translations, collects the static files, brings the tables up to date and loads the shipped definitions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tables-only", action="store_true", help="leave out the files, which an image brings with it")

    def handle(self, *_: Any, tables_only: bool, **__: Any) -> None:
        if not tables_only:
            translations.compile_all()
            _collect_static()
        call_command("migrate", verbosity=0, interactive=False, stdout=self.stdout)
        call_command("load_defaults", verbosity=0, stdout=io.StringIO())


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
