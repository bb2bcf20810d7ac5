"""The one writer of every CSV and XLSX file that leaves.

A text cell that a spreadsheet would run as a formula gets an apostrophe in
front; numbers stay numbers.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.timezone import localtime
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

Cell = str | int | float | Decimal | date | datetime | bool | None
Encoding = Literal["utf-8", "cp932"]

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSX_LONGEST_TEXT = 32_767
# What starts a formula in some spreadsheet, as it is and in full width; minus has several shapes.
_STARTS = frozenset("=+-@\t\r\n|%＝＋－＠\u2212\uff5c\uff05\ufe62\ufe63\ufe66\ufe6b")
_IGNORED = "".join(
    chr(code)
    for code in (
        *range(0x20),
        0x20,
        0x7F,
        0xA0,
        0x200B,
        0x200C,
        0x200D,
        0x2060,
        0x3000,
        0xFEFF,
    )
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# The same signs under the code points that CP932 has.
_TO_CP932 = str.maketrans({
    "\u2212": "\uff0d", "\u301c": "\uff5e", "\u2014": "\u2015", "\u2016": "\u2225",
    "\u00a5": "\uffe5", "\u00a2": "\uffe0", "\u00a3": "\uffe1", "\u00ac": "\uffe2", "\u00a0": " ",
})  # fmt: skip
codecs.register_error("kizashi.geta", lambda error: ("〓" * (error.end - error.start), error.end))  # type: ignore[attr-defined]


def neutral(text: str) -> str:
    """Return the text so that no spreadsheet runs it; a plain number stays as it is."""
    text = _CONTROL.sub("", text)
    if _NUMBER.fullmatch(text) or not text:
        return text
    bare = text.lstrip(_IGNORED)
    if text[0] in "\t\r\n" or (bare and bare[0] in _STARTS):
        return f"'{text}"
    return text


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Yield the lines of a CSV file, header first, each with its line end."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in _with_header(header, rows):
        writer.writerow([_csv_cell(cell) for cell in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def csv_bytes(
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    encoding: Encoding = "utf-8",
) -> bytes:
    """Return a CSV file that Excel opens as it is: UTF-8 with a byte order mark, or CP932 (unknown signs become 〓)."""
    return b"".join(_encoded(csv_lines(header, rows), encoding=encoding))


def csv_response(
    filename: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    encoding: Encoding = "utf-8",
) -> StreamingHttpResponse:
    """Answer with a CSV file, row by row as they come."""
    charset = "utf-8" if encoding == "utf-8" else "Shift_JIS"
    return StreamingHttpResponse(
        _encoded(csv_lines(header, rows), encoding=encoding),
        content_type=f"text/csv; charset={charset}",
        headers={"Content-Disposition": content_disposition_header(as_attachment=True, filename=filename)},
    )


def xlsx_bytes(header: Sequence[str], rows: Iterable[Sequence[Cell]], *, sheet: str = "Kizashi") -> bytes:
    """Return a workbook of one sheet; text is stored as text, never as a formula."""
    book = Workbook(write_only=True)
    page = book.create_sheet(re.sub(r"[\[\]:*?/\\]", " ", sheet)[:31])
    for row in _with_header(header, rows):
        page.append([_xlsx_cell(page, cell) for cell in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def xlsx_response(filename: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> HttpResponse:
    return HttpResponse(
        xlsx_bytes(header, rows),
        content_type=XLSX_TYPE,
        headers={"Content-Disposition": content_disposition_header(as_attachment=True, filename=filename)},
    )


def _with_header(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
    yield header
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"A row has {len(row)} cells under {len(header)} columns.")
        yield row


def _csv_cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return neutral(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return (localtime(cell) if cell.tzinfo else cell).isoformat(timespec="seconds")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return str(cell)


def _xlsx_cell(page: Any, cell: Cell) -> Any:
    if isinstance(cell, str):
        text = neutral(cell)
        if len(text) > XLSX_LONGEST_TEXT:
            text = text[: XLSX_LONGEST_TEXT - 1] + "…"
        made = WriteOnlyCell(page, value=text)
        made.data_type = "s"
        return made
    if isinstance(cell, datetime) and cell.tzinfo:
        return localtime(cell).replace(tzinfo=None)
    return cell


def _encoded(lines: Iterable[str], *, encoding: Encoding) -> Iterator[bytes]:
    if encoding == "utf-8":
        yield codecs.BOM_UTF8
        for line in lines:
            yield line.encode()
    else:
        for line in lines:
            yield line.translate(_TO_CP932).encode("cp932", errors="kizashi.geta")
