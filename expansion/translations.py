"""The Japanese catalogues: where they lie, whose they are, and how they are compiled.

English stands in the code; each app keeps its Japanese beside it.  Compiled
catalogues are not committed: ./run, the tests and the image make them.
"""

from __future__ import annotations

from pathlib import Path

import polib
from django.conf import settings

HEADER = """msgid ""
msgstr ""
"Language: ja\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"
"""
# Where a file lies says whose catalogue holds its strings; the longest path that fits wins, the rest is the kernel's.
FOLDERS = {
    "accounts": "accounts",
    "templates/accounts": "accounts",
    "signals": "signals",
    "templates/definitions": "dashboards",
    "playbooks": "playbooks",
    "templates/triage": "playbooks",
    "expansion/dashboards": "dashboards",
    "templates/customers": "dashboards",
    "templates/dashboards": "dashboards",
    "templates/metrics": "dashboards",
}
_CATALOGUES = {
    "kernel": "expansion",
    "accounts": "accounts",
    "signals": "signals",
    "playbooks": "playbooks",
    "dashboards": "expansion/dashboards",
}


def catalogue_of(app: str, *, root: Path | None = None) -> Path:
    """Return the path of an app's Japanese catalogue, whether it is there or not."""
    return (root or settings.BASE_DIR) / _CATALOGUES[app] / "locale" / "ja" / "LC_MESSAGES" / "django.po"


def apps() -> tuple[str, ...]:
    return tuple(_CATALOGUES)


def app_of(path: str) -> str:
    """Return the app whose catalogue holds the strings of a file, given relative to the project."""
    fits = [folder for folder in FOLDERS if path.startswith(f"{folder}/")]
    return FOLDERS[max(fits, key=len)] if fits else "kernel"


def compile_all(*, root: Path | None = None) -> list[Path]:
    """Compile every catalogue that is newer than its compiled form; return what was written."""
    written = []
    for app in _CATALOGUES:
        source = catalogue_of(app, root=root)
        if not source.exists():
            continue
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime_ns <= source.stat().st_mtime_ns:
            # Written aside and moved, so that a process which starts meanwhile never reads half a file.
            part = compiled.with_suffix(".mo.part")
            polib.pofile(str(source)).save_as_mofile(str(part))
            part.replace(compiled)
            written.append(compiled)
    return written
