"""Which encoding a text file is in, and what parts its columns."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

CHOICES: Final = ("auto", "utf-8", "cp932", "utf-16", "euc-jp")
DELIMITERS: Final = ",\t;|"
_BLOCK = 1 << 20
_SAMPLE = 1 << 18
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Python's euc-jp lacks NEC's row 13 (①, ㈱); its JIS X 0213 sibling has it.
_EUC: Final = ("euc_jp", "euc_jis_2004")
_ISO_2022_ESCAPE = re.compile(rb"\x1b\$[@B]|\x1b\([BJI]")
_HALF_KANA = re.compile("[\uff61-\uff9f]")
_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uff21-\uff5a]")


class Undecodable(Exception):
    """No encoding fits the whole file; ``line`` is where the likeliest one stops."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


# The name of a codec as people say it.
SPOKEN: Final = {
    "utf-8-sig": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16", "euc_jp": "euc-jp", "euc_jis_2004": "euc-jp",
    "iso2022_jp_ext": "iso-2022-jp",
}  # fmt: skip


def detect(path: Path, *, wanted: str = "auto") -> str:
    """Return the codec of the file.

    ``auto`` takes the first that fits the whole file: what a byte-order mark says, ISO-2022-JP,
    UTF-8, then CP932 or EUC-JP, whichever makes more Japanese of it.  A named encoding is taken
    at its word: cells that do not fit it are refused one by one.
    """
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    for mark, codec in _BOMS:
        if sample.startswith(mark) and (wanted == "auto" or codec.startswith(wanted)):
            return codec
    if wanted != "auto":
        return {"utf-16": _without_mark(sample), "euc-jp": _euc(path)}.get(wanted, wanted)
    if _looks_like_utf_16(sample) and _fits(path, _without_mark(sample)):
        return _without_mark(sample)
    if _ISO_2022_ESCAPE.search(sample) and _fits(path, "iso2022_jp_ext"):
        return "iso2022_jp_ext"
    if _fits(path, "utf-8"):
        return "utf-8"
    good, bad, first_bad = _lines_in_utf_8(path)
    candidates = [codec for codec in ("cp932", *_EUC) if _fits(path, codec)] if bad > good else []
    if not candidates:
        raise Undecodable(first_bad)
    return max(candidates, key=lambda codec: _likelihood(sample, codec))


def delimiter_of(lines: Iterable[str]) -> str:
    """Return what parts the columns: the sign that gives the most rows as many cells as the first, and the most cells."""
    sample = list(lines)

    def rank(sign: str) -> tuple[float, int, int]:
        rows = [row for row in csv.reader(sample, delimiter=sign) if row]
        if not rows or len(rows[0]) == 1:
            return 0.0, 0, -DELIMITERS.index(sign)
        same = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        return round(same, 1), len(rows[0]), -DELIMITERS.index(sign)

    return max(DELIMITERS, key=rank)


def _fits(path: Path, codec: str) -> bool:
    decoder = codecs.getincrementaldecoder(codec)("strict")
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(_BLOCK), b""):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _euc(path: Path) -> str:
    return next((codec for codec in _EUC if _fits(path, codec)), _EUC[0])


def _looks_like_utf_16(sample: bytes) -> bool:
    """ASCII signs in UTF-16 leave every other byte empty; a delimiter and a line end are always among them."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 20 <= len(sample) or max(even, odd) <= 20 * min(even, odd):
        return False
    text = sample.decode(_without_mark(sample), "ignore")
    return "\0" not in text and ("\n" in text or "\r" in text)


def _without_mark(sample: bytes) -> str:
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-16-be" if sample[::2].count(0) > sample[1::2].count(0) else "utf-16-le"


def _likelihood(sample: bytes, codec: str) -> float:
    """Japanese text in the wrong one of the two encodings is full of half-width kana and rare signs."""
    text = sample.decode(codec, "ignore")
    foreign = [letter for letter in text if letter > "\x7f"]
    if not foreign:
        return 0.0
    joined = "".join(foreign)
    return (len(_JAPANESE.findall(joined)) - 2 * len(_HALF_KANA.findall(joined))) / len(joined)


def _lines_in_utf_8(path: Path) -> tuple[int, int, int]:
    """Return how many lines beyond ASCII are UTF-8, how many are not, and the first that is not.

    A file that is mostly UTF-8 with a few lines of something else often fits CP932 or EUC-JP by accident,
    as nonsense; by line it shows what it is.
    """
    good = bad = first_bad = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if raw.isascii():
                continue
            try:
                raw.decode("utf-8")
                good += 1
            except UnicodeDecodeError:
                bad += 1
                first_bad = first_bad or number
    return good, bad, first_bad
