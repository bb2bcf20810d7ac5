"""Take a file in: keep it under its checksum, and find the batch of the same file if there is one."""

from __future__ import annotations

import hashlib
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.datasets import DATASETS
from accounts.imports import applying, encodings, mapping, reasons
from accounts.imports.applying import ImportRefused
from accounts.imports.parsing import FileRefused
from accounts.imports.resolving import MAIN
from accounts.imports.results import Result
from accounts.models import ImportBatch
from accounts.models.imports import BatchState
from expansion.errors import DomainError
from expansion.users.models import User

_RECEIVE_LOCK: Final = 7_210_007
_BLOCK: Final = 1 << 20


def receive(
    file: IO[bytes] | bytes | Path, *, dataset: str, now: datetime, source: str = MAIN, filename: str = "",
    mapping_text: str | None = None, encoding: str = "auto", by: User | None = None,
) -> ImportBatch:  # fmt: skip
    """Keep the file and return its batch: the one it had before if the same file was handed in for the same purpose.

    Nothing is imported yet: ``apply`` does that.  A batch that failed as a whole is not taken up again.
    """
    asked = _asked(dataset, source, mapping_text, encoding)
    sha256 = _keep(file)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_RECEIVE_LOCK])
        same = ImportBatch.objects.filter(dataset=dataset, source=source, sha256=sha256).exclude(state=BatchState.FAILED)
        for batch in same.order_by("-pk"):
            if batch.mapping == asked["mapping"] and _read_alike(batch, encoding):
                return batch
        name = filename or (Path(file).name if isinstance(file, Path) else "")
        return ImportBatch.objects.create(**asked, filename=name[:255], sha256=sha256, by=by, received_at=now)


def apply(batch: ImportBatch, *, now: datetime, on_progress: applying.OnProgress | None = None) -> Result:
    """Import the file of a batch, or what is left of it.  Safe to repeat; twice at once does it once."""
    path = _path_of(batch.sha256)
    if not path.exists():
        raise ImportRefused(reasons.of_file("file_gone", {}))
    return applying.apply(batch, path, now=now, on_progress=on_progress)


def check(batch: ImportBatch, *, now: datetime) -> Result:
    """Return what applying a received batch would do; nothing is changed."""
    path = _path_of(batch.sha256)
    if not path.exists():
        raise ImportRefused(reasons.of_file("file_gone", {}))
    told = {name: getattr(batch, name) for name in ("dataset", "source", "filename", "mapping", "encoding")}
    return applying.rehearse(ImportBatch(**told, received_at=now), path, now=now)


def rehearse(
    path: Path, *, dataset: str, now: datetime, source: str = MAIN, filename: str = "", mapping_text: str | None = None,
    encoding: str = "auto",
) -> Result:  # fmt: skip
    """Return what importing the file would do; neither the file nor anything of it is kept."""
    asked = _asked(dataset, source, mapping_text, encoding)
    return applying.rehearse(ImportBatch(**asked, filename=(filename or path.name)[:255], received_at=now), path, now=now)


def _asked(dataset: str, source: str, mapping_text: str | None, encoding: str) -> dict[str, Any]:
    """Check what was asked for and return it as fields of a batch."""
    if dataset not in DATASETS:
        raise DomainError(
            _("There is no dataset %(dataset)s. There are: %(datasets)s.") % {"dataset": dataset, "datasets": ", ".join(DATASETS)}
        )
    if encoding not in encodings.CHOICES:
        raise DomainError(
            _("The encoding %(encoding)s is not known. Choose one of: %(encodings)s.")
            % {"encoding": encoding, "encodings": ", ".join(encodings.CHOICES)}
        )
    if not source.strip() or len(source) > 40:
        raise DomainError(_("Name the source in 1 to 40 characters."))
    try:
        given = None if mapping_text is None else mapping.parse(mapping_text, dataset=DATASETS[dataset])
    except FileRefused as refused:
        raise ImportRefused(reasons.of_file(refused.key, refused.details)) from None
    return {"dataset": dataset, "source": source.strip(), "mapping": given, "encoding": encoding}


def _read_alike(batch: ImportBatch, encoding: str) -> bool:
    """The same bytes read in another encoding are another file."""
    return encoding in {"auto", batch.encoding, batch.notes.get("encoding")}


def _keep(file: IO[bytes] | bytes | Path) -> str:
    """Copy the file to where uploads lie, named for its checksum; return that."""
    folder = _folder()
    digest = hashlib.sha256()
    handle, part = tempfile.mkstemp(dir=folder, prefix="part-")
    try:
        with os.fdopen(handle, "wb") as kept:
            for block in _blocks(file):
                digest.update(block)
                kept.write(block)
        path = _path_of(digest.hexdigest())
        path.parent.mkdir(mode=0o700, exist_ok=True)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def _blocks(file: IO[bytes] | bytes | Path) -> Any:
    if isinstance(file, bytes):
        return [file]
    if isinstance(file, Path):
        return _blocks_of_path(file)
    return iter(lambda: file.read(_BLOCK), b"")


def _blocks_of_path(path: Path) -> Any:
    with path.open("rb") as opened:
        yield from iter(lambda: opened.read(_BLOCK), b"")


def _folder() -> Path:
    folder = Path(settings.MEDIA_ROOT) / "imports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _path_of(sha256: str) -> Path:
    return _folder() / sha256[:2] / sha256
