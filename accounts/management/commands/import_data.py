from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.datasets import DATASETS
from accounts.imports import encodings, receiving
from accounts.imports.results import Result
from expansion import clock
from expansion.errors import DomainError

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Import one file: CSV, TSV, XLSX or JSON lines.  The same file again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dataset", choices=sorted(DATASETS), metavar="DATASET", help=", ".join(DATASETS))
        parser.add_argument("file", metavar="FILE", help="a .csv, .tsv, .xlsx or .jsonl file, or - for standard input")
        parser.add_argument(
            "--source", default="main", metavar="NAME", help="the system the IDs are from (main: its IDs are the customer IDs)"
        )
        parser.add_argument("--mapping", metavar="FILE.yaml", help="where each column comes from, if the header does not say it")
        parser.add_argument("--encoding", default="auto", choices=encodings.CHOICES, metavar="|".join(encodings.CHOICES))
        parser.add_argument("--dry-run", action="store_true", help="say what would happen and change nothing")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document and nothing else")

    def handle(
        self,
        *,
        dataset: str,
        file: str,
        source: str,
        mapping: str | None,
        encoding: str,
        dry_run: bool,
        as_json: bool,
        **options: Any,
    ) -> None:
        with translation.override(_language()):
            result = self._imported(dataset, file, source, mapping, encoding, is_rehearsal=dry_run)
            if as_json:
                self.stdout.write(json.dumps(result.as_json(), ensure_ascii=False))
            else:
                for line in _sentences(result):
                    self.stdout.write(line)

    def _imported(self, dataset: str, file: str, source: str, mapping: str | None, encoding: str, *, is_rehearsal: bool) -> Result:
        try:
            with tempfile.TemporaryDirectory(prefix="kizashi-import-") as folder:
                path = _spooled(Path(folder)) if file == "-" else Path(file)
                asked: dict[str, Any] = {
                    "dataset": dataset, "source": source, "encoding": encoding, "now": clock.now(),
                    "filename": "" if file == "-" else path.name,
                    "mapping_text": None if mapping is None else Path(mapping).read_text(encoding="utf-8-sig"),
                }  # fmt: skip
                if is_rehearsal:
                    return receiving.rehearse(path, **asked)
                return receiving.apply(receiving.receive(path, **asked), now=asked["now"])
        except DomainError as refused:
            raise CommandError(str(refused)) from None
        except OSError as error:
            raise CommandError(
                _("%(file)s cannot be read: %(why)s.") % {"file": error.filename or file, "why": error.strerror or error}
            ) from None
        except UnicodeDecodeError:
            raise CommandError(_("The mapping %(file)s is not UTF-8. Save it as UTF-8.") % {"file": mapping}) from None


def _language() -> str:
    """Return the language of the terminal: Japanese if it says so, else English."""
    told = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "ja" if told.startswith("ja") else "en"


def _spooled(folder: Path) -> Path:
    """Copy standard input to a file: it is read more than once."""
    path = folder / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def _sentences(result: Result) -> list[str]:
    """Return the result as lines for people."""
    counts = {name: getattr(result, name) for name in ("rows", "applied", "unchanged", "waiting", "rejected")}
    lines = []
    if result.is_repeat:
        lines.append(_("This file was imported before (batch %(batch)s): nothing was changed.") % {"batch": result.batch_id})
    elif result.is_dry_run:
        lines.append(_("This was a rehearsal: nothing was changed."))
    lines.append(
        _(
            "Rows %(rows)s: applied %(applied)s, unchanged %(unchanged)s, "
            "waiting for their customer %(waiting)s, refused %(rejected)s."
        )
        % counts
    )
    notes = result.notes
    if notes.get("unused_columns"):
        lines.append(_("Columns that were not read: %(columns)s.") % {"columns": ", ".join(notes["unused_columns"])})
    if notes.get("sheets_left_out"):
        lines.append(_("Sheets that were not read: %(sheets)s.") % {"sheets": ", ".join(notes["sheets_left_out"])})
    if notes.get("skipped"):
        lines.append(_("Lines of the file that the mapping does not mean: %(count)s.") % {"count": notes["skipped"]})
    if notes.get("repeated"):
        first, second = notes["repeats"][0]
        lines.append(
            _("Rows corrected by a later row of the same key: %(count)s (first: line %(first)s by line %(second)s).")
            % {"count": notes["repeated"], "first": first, "second": second}
        )
    if notes.get("unknown_contacts"):
        lines.append(_("Rows that name an unknown contact, kept without it: %(count)s.") % {"count": notes["unknown_contacts"]})
    for one in result.rejects:
        place = _("Line %(line)s, %(column)s") if one.column else _("Line %(line)s")
        lines.append(f"{place % {'line': one.line, 'column': one.column}}: {one.value!r} – {one.reason}")
    if result.rejected > len(result.rejects):
        lines.append(_("Further refused rows: %(count)s.") % {"count": result.rejected - len(result.rejects)})
    return lines
