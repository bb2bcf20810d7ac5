"""Bytes to cells, a chunk of rows at a time, so that a file of a million rows stays small.

CSV and TSV are read strictly: a row with too many or too few cells, or a quote that never ends, is
handed on as broken, with its line, and the next line is read on its own.  Spreadsheets are read in a
child process (sheets.py).  Pure: no Django, no clock.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
import numpy.typing as npt

from accounts.imports import encodings, sheets

# A line that broke makes the rest of its chunk be read again; more than this many and the file is not what it says.
_MOST_BAD_QUOTES: Final = 1_000
_LONGEST_CELL: Final = 1 << 17
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
csv.field_size_limit(_LONGEST_CELL)
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_MARK = "\udcff"  # half a surrogate pair: what stands where bytes did not fit the named encoding

Cells = npt.NDArray[np.object_]
Lines = npt.NDArray[np.int64]


class FileRefused(Exception):
    """The whole file cannot be read: ``key`` says why (see reasons.py)."""

    def __init__(self, key: str, **details: object) -> None:
        super().__init__(key)
        self.key = key
        self.details = {name: str(value) for name, value in details.items()}


@dataclass(frozen=True, slots=True)
class Broken:
    """A line of the file that is no row."""

    line: int
    text: str
    key: str
    details: dict[str, str]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows: the line on which each begins, and one array of cells per column of the header."""

    lines: Lines
    columns: list[Cells]
    broken: list[Broken] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(frozen=True, slots=True)
class Table:
    """A file that is open for reading: take ``chunks`` once, then ``close``."""

    header: tuple[str, ...]
    chunks: Iterator[Chunk]
    encoding: str
    delimiter: str
    sheets_left_out: tuple[str, ...] = ()


@contextlib.contextmanager
def table(path: Path, *, name: str = "", encoding: str = "auto", rows_at_once: int = 20_000) -> Iterator[Table]:
    """Open a file as a table.

    ``name`` is what it was called, for its ending; where the bytes are clearly something else
    (a spreadsheet named .csv), the bytes win.  Raise FileRefused where it is no table.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    if not start.strip(b"\xef\xbb\xbf \t\r\n"):
        raise FileRefused("empty_file")
    ending = Path(name or path.name).suffix.casefold()
    if start.startswith(_ZIP):
        with sheets.rows(path, refuse=FileRefused) as (header, left_out, rows):
            yield Table(_checked_header(header), _sheet_chunks(rows, len(header), rows_at_once), "xlsx", "", left_out)
        return
    if start.startswith(_OLE):
        raise FileRefused("old_or_protected_workbook")
    if ending in {".xlsx", ".xlsm"}:
        raise FileRefused("not_a_workbook")
    try:
        codec = encodings.detect(path, wanted=encoding)
    except encodings.Undecodable as error:
        raise FileRefused("no_encoding_fits", line=error.line) from None
    spoken = encodings.SPOKEN.get(codec, codec)
    if ending == ".jsonl" or (ending not in {".csv", ".tsv"} and start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")):
        keys = _keys_of_lines(path, codec)
        with _opened(path, codec) as text:
            yield Table(_checked_header(keys), _json_chunks(text, keys, rows_at_once), spoken, "")
        return
    with _opened(path, codec) as text:
        sample = list(islice(text, 40))
        delimiter = "\t" if ending == ".tsv" else encodings.delimiter_of(sample)
        text.seek(0)
        feed = _Feed(text)
        names = _csv_header(feed, delimiter)
        chunks = _csv_chunks(feed, delimiter, len(names), rows_at_once, sum(map(len, sample)) / len(sample))
        yield Table(names, chunks, spoken, delimiter)


def _opened(path: Path, codec: str) -> TextIO:
    return path.open(encoding=codec, errors=_MARKING, newline="")


_MARKING: Final = "kizashi_marking"
codecs.register_error(_MARKING, lambda error: (_MARK, error.end) if isinstance(error, UnicodeDecodeError) else (_MARK, 0))


class _Feed:
    """The lines of a file, with those since ``start_chunk`` kept, so that a broken record can be taken back."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: list[str] = []
        self.given: list[str] = []
        self.lines_before = 0

    def lines(self) -> Iterator[str]:
        given, text = self.given, self._text
        while True:
            while self._again:
                given.append(self._again.pop())
                yield given[-1]
            for line in text:
                given.append(line)
                yield line
                if self._again:
                    break
            else:
                if not self._again:
                    return

    def block(self, length: int) -> str:
        """Return about as many characters as asked for, to the end of a line; nothing at the end of the file."""
        return self._text.read(length) + self._text.readline()

    def hand_out_again(self, block: str, *, before: int) -> None:
        """Hand the lines of a block out once more, the first of them after ``before`` others."""
        self._again = list(io.StringIO(block, newline=""))[::-1]
        self.given.clear()
        self.lines_before = before

    def start_chunk(self) -> None:
        self.lines_before += len(self.given)
        self.given.clear()

    def take_back(self, first: int) -> str:
        """Hand the lines from the given one on out again; return the one before, which broke."""
        self._again.extend(reversed(self.given[first:]))
        del self.given[first:]
        return self.given[-1]


def _reader(feed: _Feed, delimiter: str) -> Any:
    return csv.reader(feed.lines(), delimiter=delimiter, strict=True)


def _csv_header(feed: _Feed, delimiter: str) -> tuple[str, ...]:
    try:
        header = next((row for row in _reader(feed, delimiter) if any(cell.strip() for cell in row)), None)
    except csv.Error:
        raise FileRefused("bad_quotes_in_header") from None
    if header is None:
        raise FileRefused("empty_file")
    return _checked_header(header)


def _checked_header(header: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name.strip().lstrip("\ufeff") for name in header)
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise FileRefused("header_twice", column=twice[0])
    if any("\0" in name for name in names):
        raise FileRefused("has_nul_in_header")
    return names


def _csv_chunks(feed: _Feed, delimiter: str, width: int, rows_at_once: int, line_length: float) -> Iterator[Chunk]:
    """Yield the rows of a file: its plain part by splitting, what follows the first quotation mark by the rules of CSV."""
    feed.start_chunk()
    line = feed.lines_before + 1
    while block := feed.block(int(rows_at_once * line_length) + 1):
        columns = _split(block, delimiter, width)
        if columns is None:
            feed.hand_out_again(block, before=line - 1)
            yield from _quoted_chunks(feed, delimiter, width, rows_at_once)
            return
        count = len(columns[0])
        yield Chunk(np.arange(line, line + count, dtype=np.int64), columns)
        line += count
        line_length = len(block) / count


def _split(block: str, delimiter: str, width: int) -> list[Cells] | None:
    """Return whole lines as columns, or None where anything about them is not plain.

    Several times faster than a CSV reader: no list per row is made.  Plain means no quotation mark, the
    same number of cells on every line, and no blank one.
    """
    if '"' in block:
        return None
    if "\r" in block:
        block = block.replace("\r\n", "\n")
        if "\r" in block:
            return None
    if not block.endswith("\n"):
        block += "\n"
    blank = delimiter * (width - 1) + "\n"
    if block.startswith(blank) or "\n" + blank in block:
        return None
    # Delimiters are ASCII, so in UTF-8 no other character holds their bytes.
    signs = np.frombuffer(block.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    signs = signs[(signs == ord(delimiter)) | (signs == ord("\n"))]
    if len(signs) % width:
        return None
    grid = signs.reshape(-1, width)
    if (grid[:, -1] != ord("\n")).any() or (grid[:, :-1] == ord("\n")).any():
        return None
    texts = block.replace("\n", delimiter).split(delimiter)
    return [cells(texts[place:-1:width]) for place in range(width)]


def _quoted_chunks(feed: _Feed, delimiter: str, width: int, rows_at_once: int) -> Iterator[Chunk]:
    reader = _reader(feed, delimiter)
    bad_quotes = 0
    ended = False
    while not ended:
        feed.start_chunk()
        rows: list[list[str]] = []
        starts: list[int] = []  # the lines on which the rows begin; filled only where it is not one line a row
        broken: list[Broken] = []
        line = feed.lines_before + 1

        while not ended and len(rows) < rows_at_once:
            try:
                rows.extend(islice(reader, rows_at_once - len(rows)))  # keeps what came before an error
                ended = len(rows) < rows_at_once
            except csv.Error:
                bad_quotes += 1
                if bad_quotes > _MOST_BAD_QUOTES:
                    raise FileRefused("too_many_bad_quotes", most=_MOST_BAD_QUOTES) from None
                line = _place(rows, starts, line)
                text = feed.take_back(line - feed.lines_before)
                broken.append(Broken(line, text.rstrip("\r\n"), "bad_quotes", {}))
                line += 1
                reader = _reader(feed, delimiter)

        if broken or len(feed.given) != len(rows):
            _place(rows, starts, line)
            lines = np.array(starts, dtype=np.int64)
        else:
            lines = np.arange(line, line + len(rows), dtype=np.int64)
        if rows or broken:
            yield _columns(rows, lines, width, broken, delimiter)


def _place(rows: list[list[str]], starts: list[int], line: int) -> int:
    """Add the lines on which the rows not yet placed begin; return the line after the last."""
    for row in rows[len(starts) :]:
        starts.append(line)
        line += _line_count(row)
    return line


def _line_count(row: list[str]) -> int:
    """Return how many lines of the file a record takes: line breaks inside quotes belong to it."""
    return 1 + sum(len(_LINE_BREAK.findall(cell)) for cell in row if "\n" in cell or "\r" in cell)


def _columns(rows: list[list[str]], lines: Lines, width: int, broken: list[Broken], delimiter: str) -> Chunk:
    """Turn rows into columns; blank rows are left out, rows of another width are broken."""
    if set(map(len, rows)) - {width} or not all(map(any, rows)):
        kept: list[list[str]] = []
        places: list[int] = []
        for place, row in enumerate(rows):
            if not any(row):
                continue
            if len(row) != width:
                if len(row) < width or any(row[width:]):
                    details = {"cells": str(len(row)), "expected": str(width)}
                    broken.append(Broken(int(lines[place]), delimiter.join(row), "wrong_cell_count", details))
                    continue
                del row[width:]
            kept.append(row)
            places.append(place)
        rows, lines = kept, lines[places]
    columns = [cells(column) for column in zip(*rows, strict=True)] if rows else [cells(()) for _ in range(width)]
    return Chunk(lines, columns, sorted(broken, key=lambda one: one.line))


def cells(texts: tuple[str, ...] | list[str]) -> Cells:
    """Return texts as a column."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def _keys_of_lines(path: Path, codec: str) -> list[str]:
    """Return the keys of all lines, in the order in which they turn up."""
    keys: dict[str, None] = {}
    with _opened(path, codec) as text:
        for line in text:
            with contextlib.suppress(_BadLine):
                keys.update(dict.fromkeys(_json_row(line)))
    if not keys:
        raise FileRefused("no_json_objects")
    return list(keys)


def _json_chunks(text: TextIO, header: list[str], rows_at_once: int) -> Iterator[Chunk]:
    numbered = enumerate(text, start=1)
    while True:
        lines: list[int] = []
        rows: list[list[str]] = []
        broken: list[Broken] = []
        taken = list(islice(numbered, rows_at_once))
        if not taken:
            return
        for number, line in taken:
            if not line.strip():
                continue
            try:
                row = _json_row(line)
            except _BadLine as error:
                broken.append(Broken(number, line.rstrip("\r\n"), error.key, {}))
                continue
            rows.append([row.get(name, "") for name in header])
            lines.append(number)
        yield _columns(rows, np.array(lines, dtype=np.int64), len(header), broken, "\t")


class _BadLine(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _json_row(line: str) -> dict[str, str]:
    """Read one object as cells.  Numbers keep the digits that they were written with."""
    if not line.strip():
        return {}
    try:
        given = json.loads(
            line, object_pairs_hook=_no_key_twice, parse_float=_Digits, parse_int=_Digits, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise _BadLine("key_twice" if isinstance(error, _BadLine) else "not_a_json_line") from None
    if not isinstance(given, dict):
        raise _BadLine("not_a_json_line")
    return {name.strip(): _cell(value) for name, value in given.items()}


class _Digits(str):
    """A number as it was written."""

    __slots__ = ()


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise _BadLine("key_twice")
    return row


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _dumped(value)


def _dumped(value: Any) -> str:
    """Write nested JSON again, its numbers as they came."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_dumped(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_dumped, value)) + "]"
    if isinstance(value, _Digits):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _sheet_chunks(rows: Iterator[tuple[int, list[str]]], width: int, rows_at_once: int) -> Iterator[Chunk]:
    while True:
        taken = list(islice(rows, rows_at_once))
        if not taken:
            return
        lines = np.array([number for number, _ in taken], dtype=np.int64)
        yield _columns([row + [""] * (width - len(row)) for _, row in taken], lines, width, [], "\t")
