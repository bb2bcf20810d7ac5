"""Files that leave: no spreadsheet runs a cell, and numbers stay numbers."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import openpyxl
import pytest

from expansion import tables


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+SUM(A1)", "-2+3", "@SUM(A1)", "＝1+1", "＋1＋1", "－1", "＠SUM", "−1+1", "|cmd", "%0A=1",
        "\t=1", "\r=1", "\n=1", " =1", "\u3000=1", "\u200b=1", "\ufeff=1", "\u00a0+1", "+81-3-1234-5678", "+81 90 1234 5678",
    ],
)  # fmt: skip
def test_text_that_could_run_gets_an_apostrophe(text):
    assert tables.neutral(text) == f"'{text}"


def test_nul_is_removed_before_looking():
    assert tables.neutral("\x00=1+1") == "'=1+1"


@pytest.mark.parametrize("text", ["", "ミナト精機", "-5", "-5.25", "120", "a=b", "090-1234-5678", "'quoted", "1-2"])
def test_other_text_stays_as_it_is(text):
    assert tables.neutral(text) == text


def test_csv_opens_in_excel_and_keeps_numbers():
    rows = [
        ["ミナト, 精機", Decimal("-1562000.50"), -3, date(2026, 11, 26), datetime(2026, 11, 19, 21, 10, tzinfo=UTC), None, True]
    ]
    data = tables.csv_bytes(["name", "amount", "change", "on", "at", "gap", "yes"], rows)
    assert data.startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(io.StringIO(data.decode("utf-8-sig")))) == [
        ["name", "amount", "change", "on", "at", "gap", "yes"],
        ["ミナト, 精機", "-1562000.50", "-3", "2026-11-26", "2026-11-20T06:10:00+09:00", "", "true"],
    ]


def test_cp932_keeps_what_it_can_and_marks_what_it_cannot():
    data = tables.csv_bytes(["取引先", "変化"], [["髙橋〜𠮷野", "−3 — ¥"]], encoding="cp932")
    assert data.decode("cp932") == "取引先,変化\r\n髙橋～〓野,'－3 ― ￥\r\n"


def test_a_row_of_the_wrong_length_is_a_bug():
    with pytest.raises(ValueError, match="2 cells under 1 columns"):
        tables.csv_bytes(["a"], [["1", "2"]])


def test_xlsx_holds_text_as_text():
    data = tables.xlsx_bytes(["名前", "金額"], [["=cmd|' /C calc'!A0", Decimal("1562000")], ["ok\x00", 3]])
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["名前", "金額"],
        ["'=cmd|' /C calc'!A0", 1562000],
        ["ok", 3],
    ]
    assert sheet["A2"].data_type == "s"
    assert sheet["B2"].data_type == "n"


def test_the_file_has_a_japanese_name():
    response = tables.csv_response("取引先.csv", ["a"], [["1"]])
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''%E5%8F%96%E5%BC%95%E5%85%88.csv"
    assert b"".join(response.streaming_content) == b"\xef\xbb\xbfa\r\n1\r\n"
