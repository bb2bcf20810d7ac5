"""Bytes to cells: encodings, quotes, lines, spreadsheets, and what is no table at all."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from accounts.imports import parsing, sheets
from accounts.imports.parsing import FileRefused

TEXT = "顧客ID,会社名,メモ\nC1,㈱あおば,カナ と ひらがな\nC2,高橋①商店,〒100-0001 千代田\n"


def read(tmp_path: Path, data: bytes, *, name: str = "file.csv", encoding: str = "auto", rows_at_once: int = 3):
    """Return (encoding, header, rows as (line, cells), broken lines as (line, key))."""
    path = tmp_path / name
    path.write_bytes(data)
    rows, broken = [], []
    with parsing.table(path, encoding=encoding, rows_at_once=rows_at_once) as table:
        for chunk in table.chunks:
            assert len(chunk) <= 2 * rows_at_once + 1
            rows += list(zip(chunk.lines.tolist(), zip(*chunk.columns, strict=True), strict=True))
            broken += [(one.line, one.key) for one in chunk.broken]
        return table.encoding, table.header, rows, broken


def cells(tmp_path: Path, data: bytes, **more) -> list[list[str]]:
    return [list(row) for _, row in read(tmp_path, data, **more)[2]]


def refusal(tmp_path: Path, data: bytes, **more) -> tuple[str, dict[str, str]]:
    with pytest.raises(FileRefused) as refused:
        read(tmp_path, data, **more)
    return refused.value.key, refused.value.details


@pytest.mark.parametrize(
    ("codec", "told"),
    [
        ("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("cp932", "cp932"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"), ("euc_jis_2004", "euc-jp"),
    ],
)  # fmt: skip
def test_the_same_content_in_every_encoding_gives_the_same_rows(tmp_path: Path, codec: str, told: str) -> None:
    encoding, header, rows, broken = read(tmp_path, TEXT.encode(codec))
    assert encoding == told
    assert header == ("顧客ID", "会社名", "メモ")
    assert rows == [(2, ("C1", "㈱あおば", "カナ と ひらがな")), (3, ("C2", "高橋①商店", "〒100-0001 千代田"))]
    assert broken == []


def test_iso_2022_jp_is_not_taken_for_ascii(tmp_path: Path) -> None:
    assert cells(tmp_path, "名前,x\nあおば,1\n".encode("iso-2022-jp")) == [["あおば", "1"]]


def test_plain_euc_jp_is_not_taken_for_cp932(tmp_path: Path) -> None:
    text = "顧客名,住所\n青葉商会,東京都千代田区丸の内\n大和屋,大阪府大阪市北区\n"
    assert read(tmp_path, text.encode("euc_jp"))[0] == "euc-jp"
    assert read(tmp_path, text.encode("cp932"))[0] == "cp932"


def test_half_width_kana_in_cp932(tmp_path: Path) -> None:
    encoding, _, rows, _ = read(tmp_path, "顧客ID,カナ名称\nC1,ｱｵﾊﾞ ｼﾖｳｶｲ\nC2,ﾔﾏﾀﾞ\n".encode("cp932"))
    assert (encoding, [row[1] for _, row in rows]) == ("cp932", ["ｱｵﾊﾞ ｼﾖｳｶｲ", "ﾔﾏﾀﾞ"])


def test_every_character_of_cp932_comes_through(tmp_path: Path) -> None:
    sequences = [bytes([a]) for a in range(0x20, 0x100)] + [bytes([a, b]) for a in range(0x81, 0xFD) for b in range(0x40, 0xFD)]
    known = []
    for raw in sequences:
        with contextlib.suppress(UnicodeDecodeError):
            known.append((raw, raw.decode("cp932")))
    known = [(raw, text) for raw, text in known if len(text) == 1 and text not in {'"', "\x7f"}]
    # With the 32 control characters, the quotation mark and DEL these are all 9,800 that the codec knows.
    assert len(known) == 9_800 - 32 - 2
    data = b"id,sign\r\n" + b"".join(b'%d,"a%sb"\r\n' % (place, raw) for place, (raw, _) in enumerate(known))
    rows = cells(tmp_path, data, rows_at_once=1000)
    assert [row[1] for row in rows] == [f"a{text}b" for _, text in known]


def test_a_file_that_fits_no_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    data = "名前,住所\nあおば,東京\n".encode() + "やまだ,大阪\n".encode("cp932")
    assert refusal(tmp_path, data) == ("no_encoding_fits", {"line": "3"})


def test_a_named_encoding_marks_what_does_not_fit_and_keeps_the_rest(tmp_path: Path) -> None:
    data = "名前,住所\nあおば,東京\n".encode() + b"\x82\xe2,1\nx,2\n"
    rows = cells(tmp_path, data, encoding="utf-8")
    assert [rows[0], rows[2]] == [["あおば", "東京"], ["x", "2"]]
    assert "\udcff" in rows[1][0]


@pytest.mark.parametrize("sign", [",", "\t", ";", "|"])
def test_delimiter_is_found(tmp_path: Path, sign: str) -> None:
    data = f"a{sign}b\n1,5{sign}2\n3{sign}4 4\n" if sign != "," else "a,b\n1 5,2\n3,4 4\n"
    assert read(tmp_path, data.encode())[1] == ("a", "b")


def test_a_tsv_is_parted_by_tabs_whatever_else_is_in_it(tmp_path: Path) -> None:
    assert cells(tmp_path, b"a,x\tb,y\n1,2\t3,4\n", name="f.tsv") == [["1,2", "3,4"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_numbers_are_those_of_the_file(tmp_path: Path, end: str) -> None:
    data = end.join(["a,b", "1,2", "", f'3,"x{end}y"', "5,6", ",", "7,8", ""])
    assert read(tmp_path, data.encode())[2] == [(2, ("1", "2")), (4, ("3", f"x{end}y")), (6, ("5", "6")), (8, ("7", "8"))]


def test_rows_of_another_width_are_broken_and_the_others_stay(tmp_path: Path) -> None:
    _, _, rows, broken = read(tmp_path, b"a,b\n1\n2,3\n4,5,6\n7,8,\n")
    assert rows == [(3, ("2", "3")), (5, ("7", "8"))]
    assert broken == [(2, "wrong_cell_count"), (4, "wrong_cell_count")]


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 100])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "later", ["", '"9","9"', "1,2,3", ",", "\n", '9,"x\ny"'], ids=["plain", "quoted", "wide", "blank", "empty", "two lines"]
)
def test_plain_and_quoted_parts_of_a_file_are_read_alike(tmp_path: Path, rows_at_once: int, end: str, later: str) -> None:
    lines = ["a,b", *(f"{n},{'あ' * (n % 5)}" for n in range(20)), later, "21,z"]
    data = "\n".join(lines).replace("\n", end).encode()
    _, _, rows, broken = read(tmp_path, data, rows_at_once=rows_at_once)
    expected = [(n + 2, (str(n), "あ" * (n % 5))) for n in range(20)]
    extra = {'"9","9"': [(22, ("9", "9"))], '9,"x\ny"': [(22, ("9", f"x{end}y"))]}.get(later, [])
    assert rows == [*expected, *extra, (23 + later.count("\n"), ("21", "z"))]
    assert broken == ([(22, "wrong_cell_count")] if later == "1,2,3" else [])


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 100])
def test_a_quote_that_never_closes_costs_its_own_line_only(tmp_path: Path, rows_at_once: int) -> None:
    data = b'a,b\n1,"x\ny"\n3,"open\n4,5\n6,"in"side\n7,8\n9,"last'
    _, _, rows, broken = read(tmp_path, data, rows_at_once=rows_at_once)
    assert rows == [(2, ("1", "x\ny")), (5, ("4", "5")), (7, ("7", "8"))]
    assert broken == [(4, "bad_quotes"), (6, "bad_quotes"), (8, "bad_quotes")]


def test_a_file_of_nothing_but_bad_quotes_is_given_up(tmp_path: Path) -> None:
    data = b"a,b\n" + b'1,"x"y\n' * 1001
    assert refusal(tmp_path, data) == ("too_many_bad_quotes", {"most": "1000"})


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"", "empty_file"),
        (b"\xef\xbb\xbf\r\n", "empty_file"),
        (b"\n\n", "empty_file"),
        (b"a,b,a\n1,2,3\n", "header_twice"),
        (b'a,"b\n1,2\n', "bad_quotes_in_header"),
        (b"a\0,b\n1,2\n", "has_nul_in_header"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old_or_protected_workbook"),
    ],
)
def test_no_table(tmp_path: Path, data: bytes, key: str) -> None:
    assert refusal(tmp_path, data)[0] == key


def test_json_lines(tmp_path: Path) -> None:
    data = '{"a": 1.50, "b": null}\n\n{"b": true, "c": {"x": [1.10, "あ"]}}\n{"a": 12345678901234567890}\n'.encode()
    _, header, rows, broken = read(tmp_path, data, name="f.jsonl")
    assert header == ("a", "b", "c")
    assert rows == [(1, ("1.50", "", "")), (3, ("", "true", '{"x": [1.10, "あ"]}')), (4, ("12345678901234567890", "", ""))]
    assert broken == []


def test_bad_json_lines_are_broken(tmp_path: Path) -> None:
    data = b'{"a": 1}\n[1]\n{"a": NaN}\n{"a": 1, "a": 2}\n{"a":\n"x"\n' + b"[" * 50_000 + b"\n"
    _, _, rows, broken = read(tmp_path, data, name="f.jsonl", rows_at_once=10)
    assert rows == [(1, ("1",))]
    assert broken == [
        (2, "not_a_json_line"),
        (3, "not_a_json_line"),
        (4, "key_twice"),
        *((n, "not_a_json_line") for n in (5, 6, 7)),
    ]


def test_json_lines_without_a_name_are_known_by_their_look(tmp_path: Path) -> None:
    assert cells(tmp_path, b'\xef\xbb\xbf{"a": "x"}\n', name="stdin") == [["x"]]


# --- spreadsheets -----------------------------------------------------------------------------------------------------


def workbook(tmp_path: Path, rows: list[list[object]], *, sheets_too: tuple[str, ...] = ()) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name in sheets_too:
        book.create_sheet(name)
    book.save(tmp_path / "made.xlsx")
    return (tmp_path / "made.xlsx").read_bytes()


def rewritten(tmp_path: Path, old: bytes, new: bytes) -> Path:
    """Return a workbook of the header a and the cell x, with part of its sheet replaced."""
    workbook(tmp_path, [["a"], ["x"]])
    path = tmp_path / "rewritten.xlsx"
    with zipfile.ZipFile(tmp_path / "made.xlsx") as made, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in made.namelist():
            body = made.read(name)
            if name == "xl/worksheets/sheet1.xml":
                assert old in body
                body = body.replace(old, new)
            archive.writestr(name, body)
    return path


def test_spreadsheet(tmp_path: Path) -> None:
    data = workbook(
        tmp_path,
        [
            ["id", "day", "at", "number", "flag", "text"],
            ["001", date(2026, 3, 1), datetime(2026, 3, 1, 9, 30), 1200, True, " あおば "],
            [2, None, None, 0.25, False, None],
            [],
            [3.0, "2026年3月1日", "46082", 12345678901234, None, "=1"],
        ],
    )
    _, header, rows, _ = read(tmp_path, data, name="f.xlsx")
    assert header == ("id", "day", "at", "number", "flag", "text")
    assert rows == [
        (2, ("001", "2026-03-01", "2026-03-01 09:30:00", "1200", "true", "あおば")),
        (3, ("2", "", "", "0.25", "false", "")),
        (5, ("3", "2026年3月1日", "46082", "12345678901234", "", "#FORMULA!")),
    ]


def test_a_spreadsheet_named_csv_is_read_as_what_it_is(tmp_path: Path) -> None:
    assert cells(tmp_path, workbook(tmp_path, [["a"], ["x"]]), name="f.csv") == [["x"]]


def test_further_sheets_are_named(tmp_path: Path) -> None:
    path = tmp_path / "f.xlsx"
    path.write_bytes(workbook(tmp_path, [["a"], ["x"]], sheets_too=("控え", "Notes")))
    with parsing.table(path) as table:
        assert table.sheets_left_out == ("控え", "Notes")


def test_formula_errors_arrive_as_they_are_shown(tmp_path: Path) -> None:
    path = rewritten(tmp_path, b't="inlineStr"><is><t>x</t></is>', b't="e"><v>#REF!</v>')
    assert cells(tmp_path, path.read_bytes(), name="f.xlsx") == [["#REF!"]]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"PK\x03\x04 but no zip after that", "not_a_workbook"),
        (b"a,b\n1,2\n", "not_a_workbook"),
    ],
)
def test_no_workbook(tmp_path: Path, data: bytes, key: str) -> None:
    assert refusal(tmp_path, data, name="f.xlsx")[0] == key


def test_an_empty_workbook_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, workbook(tmp_path, []), name="f.xlsx")[0] == "empty_file"


def test_a_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", b"\0" * 1000)
        archive.filelist[0].file_size = sheets.MOST_UNPACKED + 1
    assert refusal(tmp_path, path.read_bytes(), name="f.xlsx")[0] == "workbook_too_big"


def test_the_child_is_killed_when_it_needs_too_much_memory(tmp_path: Path) -> None:
    path = rewritten(tmp_path, b"<t>x</t>", b"<t>" + b"x" * (60 << 20) + b"</t>")
    assert path.stat().st_size < 100_000
    with (
        pytest.raises(FileRefused, match="workbook_too_big"),
        sheets.rows(path, refuse=FileRefused, memory_bytes=80 << 20) as (_, _, rows),
    ):
        list(rows)


def test_the_child_is_killed_when_it_takes_too_long(tmp_path: Path) -> None:
    path = tmp_path / "long.xlsx"
    path.write_bytes(workbook(tmp_path, [["a"], *([f"{n:064d}"] for n in range(20_000))]))
    with (
        pytest.raises(FileRefused, match="workbook_too_slow"),
        sheets.rows(path, refuse=FileRefused, wall_seconds=0.05) as (_, _, rows),
    ):
        list(rows)


# --- public suites ----------------------------------------------------------------------------------------------------

SUITES = os.environ.get("REAL_DATA_DIR", "")


@pytest.mark.skipif(not SUITES, reason="REAL_DATA_DIR is not set: it names the folder with csv_spectrum/.")
def test_csv_spectrum(tmp_path: Path) -> None:
    folder = Path(SUITES) / "csv_spectrum"
    files = sorted((folder / "csvs").glob("*.csv"))
    assert len(files) == 12
    for file in files:
        wanted = json.loads((folder / "json" / f"{file.stem}.json").read_text())
        wanted = wanted if isinstance(wanted, list) else [wanted]
        if file.stem == "location_coordinates":
            wanted[0]["Contact Phone Number"] = "2095257564"  # the suite's JSON has another number than its CSV
        _, header, rows, broken = read(tmp_path, file.read_bytes())
        assert broken == [], file.name
        # The suite is often checked out without the carriage returns that its JSON still has.
        wanted = [{name: cell.replace("\r\n", "\n") for name, cell in row.items()} for row in wanted]
        found = [dict(zip(header, [cell.replace("\r\n", "\n") for cell in row], strict=True)) for _, row in rows]
        assert found == wanted, file.name
