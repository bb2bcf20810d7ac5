"""Read a spreadsheet in a child process with limits of memory, processor time and time.

A workbook of half a megabyte can need a gigabyte, and a poisoned one can end the process that reads
it; so the child may die, and the parent says so.  Parent: ``rows``.  Child: ``python -m accounts.imports.sheets FILE``,
which sets its own limits before it opens the file, and writes one JSON line per row.
"""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

MEMORY_BYTES: Final = 1 << 30
PROCESSOR_SECONDS: Final = 120
WALL_SECONDS: Final = 180.0
MOST_UNPACKED: Final = 1 << 30
MOST_ROWS: Final = 1_048_576
MOST_COLUMNS: Final = 1_000
ROOT: Final = Path(__file__).resolve().parents[2]

_Refuse = Callable[..., Exception]
# What the child says when it gives up; the parent makes the sentence.
_PROTECTED, _NOT_A_WORKBOOK, _TOO_BIG, _EMPTY = "old_or_protected_workbook", "not_a_workbook", "workbook_too_big", "empty_file"


@contextlib.contextmanager
def rows(
    path: Path, *, refuse: _Refuse, memory_bytes: int = MEMORY_BYTES, wall_seconds: float = WALL_SECONDS
) -> Iterator[tuple[list[str], tuple[str, ...], Iterator[tuple[int, list[str]]]]]:
    """Yield (header, names of further sheets, rows with their row numbers) of the first sheet.

    ``refuse(key)`` makes the exception for a file that is no workbook, too big, or killed its reader.
    """
    command = [sys.executable, "-m", "accounts.imports.sheets", str(path.resolve()), str(memory_bytes)]
    child = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", errors="surrogatepass"
    )
    is_late = threading.Event()

    def stop() -> None:
        is_late.set()
        child.kill()

    watch = threading.Timer(wall_seconds, stop)
    watch.start()
    try:
        said = _said(child, refuse=refuse, is_late=is_late)
        first = next(said)
        yield first["header"], tuple(first["left_out"]), ((row[0], row[1]) for row in said)
    finally:
        watch.cancel()
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _said(child: subprocess.Popen[str], *, refuse: _Refuse, is_late: threading.Event) -> Iterator[Any]:
    """Yield what the child writes; it must end with the word done, whatever else happened to it."""
    if child.stdout is None:
        raise refuse(_NOT_A_WORKBOOK)
    for line in child.stdout:
        try:
            told = json.loads(line)
        except ValueError:
            break
        if isinstance(told, dict) and "refused" in told:
            raise refuse(told["refused"])
        if told == "done":
            return
        yield told
    raise refuse("workbook_too_slow" if is_late.is_set() else _TOO_BIG)


def main(path: str, memory_bytes: str) -> None:
    """Write the sheet as JSON lines: the header, rows, ``"done"``; or the reason for which it cannot be."""
    _limit(resource.RLIMIT_AS, int(memory_bytes))
    _limit(resource.RLIMIT_CPU, PROCESSOR_SECONDS)
    _limit(resource.RLIMIT_FSIZE, 0)
    out = sys.stdout
    out.reconfigure(encoding="utf-8", errors="surrogatepass")  # type: ignore[union-attr]
    try:
        for told in _sheet(path):
            out.write(json.dumps(told, ensure_ascii=False) + "\n")
        out.write('"done"\n')
    except MemoryError:
        out.write(json.dumps({"refused": _TOO_BIG}) + "\n")
    except BrokenPipeError:
        return
    except Exception:  # noqa: BLE001  (whatever a hostile file makes the library do, it is refused)
        out.write(json.dumps({"refused": _NOT_A_WORKBOOK}) + "\n")
    out.flush()


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _sheet(path: str) -> Iterator[Any]:
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MOST_UNPACKED:
            yield {"refused": _TOO_BIG}
            return
        if "EncryptedPackage" in archive.namelist():
            yield {"refused": _PROTECTED}
            return
    # openpyxl does without numpy, which would take more memory than most workbooks.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    import openpyxl  # noqa: PLC0415  (only ever loaded here, in the child, after its limits are set)

    # By open file, not by name: an upload has no ending, and openpyxl judges files by theirs.
    with Path(path).open("rb") as one, Path(path).open("rb") as other:
        values = openpyxl.load_workbook(one, read_only=True, data_only=True, keep_links=False)
        formulas = openpyxl.load_workbook(other, read_only=True, data_only=False, keep_links=False)
        yield from _rows_of(values, formulas)


def _rows_of(values: Any, formulas: Any) -> Iterator[Any]:
    """Yield the first visible sheet, its values beside its formulas: a formula without a value shows only so."""
    shown = [name for name in values.sheetnames if values[name].sheet_state == "visible" and hasattr(values[name], "iter_rows")]
    if not shown:
        yield {"refused": _EMPTY}
        return
    for book in (values, formulas):
        book[shown[0]].reset_dimensions()
    header: list[str] | None = None
    pairs = zip(values[shown[0]].rows, formulas[shown[0]].rows, strict=True)
    for number, (cells, written) in enumerate(pairs, start=1):
        row = [_text(cell.value, given.value) for cell, given in zip(cells, written, strict=True)]
        while row and not row[-1]:
            row.pop()
        if not row:
            continue
        if number > MOST_ROWS or len(row) > MOST_COLUMNS:
            yield {"refused": _TOO_BIG}
            return
        if header is None:
            header = row
            yield {"header": header, "left_out": shown[1:]}
        else:
            yield [number, row]
    if header is None:
        yield {"refused": _EMPTY}


def _text(value: Any, written: Any) -> str:
    """Return a cell as text: numbers without a tail of zeros, days and instants in ISO form."""
    if value is None:
        return "#FORMULA!" if isinstance(written, str) and written.startswith("=") else ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        whole = Decimal(repr(value))
        return str(whole.quantize(Decimal(1))) if whole == whole.to_integral_value() and abs(whole) < 10**16 else format(whole, "f")
    if isinstance(value, datetime):
        day = value.date().isoformat()
        return day if value.time() == time(0) else f"{day} {value.time().isoformat()}"
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return format(Decimal(value.total_seconds()) / 86_400, "f")
    return str(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
