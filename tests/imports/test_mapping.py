"""Columns of a source to columns of a dataset, and rows to typed values, without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from accounts.datasets import DATASETS, guessed_metric_kind, header_names, plain_header
from accounts.imports import checking, mapping, parsing
from accounts.imports.parsing import FileRefused

TOKYO = ZoneInfo("Asia/Tokyo")


def typed(tmp_path: Path, dataset: str, text: str, *, columns: list[str], yaml: str | None = None):
    """Return (rows of the asked columns, refused rows as (line, column, value, key), rows skipped)."""
    path = tmp_path / "file.csv"
    path.write_text(text)
    one = DATASETS[dataset]
    given = None if yaml is None else mapping.parse(yaml, dataset=one)
    rows, refused, skipped = [], [], 0
    with parsing.table(path, rows_at_once=2) as table:
        plan = mapping.plan(one, table.header, mapping=given)
        for chunk in table.chunks:
            mapped, left_out = mapping.rows(plan, chunk, zone=TOKYO)
            skipped += left_out
            blocks = [checking.check(one, block, chunk, plan.header, zone=TOKYO) for block in mapped]
            for block in blocks:
                rows += list(zip(block.lines.tolist(), *(block.values(name) for name in columns), strict=True))
                refused += [(row.line, row.column, row.value, row.key) for row in block.rejected]
            refused += [(row.line, row.column, row.value, row.key) for row in checking.broken(chunk)]
    return rows, refused, skipped


def test_headers_in_both_languages_and_any_manner() -> None:
    names = header_names(DATASETS["customers"])
    for header in ("customer_id", "Customer ID", "CUSTOMER-ID", "ｃｕｓｔｏｍｅｒ＿ｉｄ", "顧客ID", "顧客ＩＤ", " 顧客 ID* "):
        assert names[plain_header(header)] == "customer_id"


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda one: one.name)
def test_no_header_name_means_two_columns(dataset) -> None:
    names = [(plain_header(name), column.name) for column in dataset.columns for name in (column.name, *column.en, *column.ja)]
    assert len(set(names)) == len({name for name, _ in names})
    assert all(column.ja for column in dataset.columns)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("seats_used", "gauge"), ("storage_gb", "gauge"), ("api_links", "gauge"), ("disk_percent", "gauge"),
        ("licenses_used", "gauge"),
        ("feature.csv_export", "counter"), ("logins", "counter"), ("exports", "counter"), ("shares", "counter"),
        ("feature.storage_report", "counter"),
    ],
)  # fmt: skip
def test_kind_of_a_metric_that_nobody_described(key: str, kind: str) -> None:
    assert guessed_metric_kind(key) == kind


def test_columns_are_found_by_their_names(tmp_path: Path) -> None:
    rows, refused, _ = typed(
        tmp_path, "orders", "注文日,顧客ID,注文番号,金額,備考\n令和8年3月1日,C1,O1,\"¥1,200\",x\n2026/3/2,C2,O2,abc,\n",
        columns=["order_id", "ordered_on", "amount"],
    )  # fmt: skip
    assert rows == [(2, "O1", date(2026, 3, 1), Decimal("1200.00"))]
    assert refused == [(3, "金額", "abc", "not_a_number")]


def test_a_row_is_refused_once_for_its_first_fault(tmp_path: Path) -> None:
    _, refused, _ = typed(
        tmp_path, "orders", "customer_id,order_id,ordered_on,amount\n,O1,x,y\nC1,,2026-03-01,1\nC1,O3,2026-03-01,\n",
        columns=["order_id"],
    )  # fmt: skip
    assert refused == [(2, "customer_id", "", "required"), (3, "order_id", "", "required"), (4, "amount", "", "required")]


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as refused:
        typed(tmp_path, "orders", "customer_id,amount,x\n", columns=[])
    assert refused.value.details == {"columns": "order_id, ordered_on", "header": "customer_id, amount, x"}


def test_two_columns_of_one_meaning_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as refused:
        typed(tmp_path, "metrics", "metric,指標,kind\n", columns=[])
    assert refused.value.details == {"column": "metric", "first": "metric", "second": "指標"}


def test_every_operation_of_a_mapping(tmp_path: Path) -> None:
    rows, refused, skipped = typed(
        tmp_path, "tickets",
        "Nr,Acct,Alias,Open,Hours,Prio,Score,Type\n"
        "1,A,,31/12/2025 23:00,1.5,Hoch,90,case\n"
        "2,,B,01/01/2026 00:00,,niedrig,,CASE\n"
        "3,C,,02/01/2026 00:00,,,80,spam\n"
        "4,D,,2026-01-02,,hoch,20,case\n"
        "5,E,,02/01/2026 00:00,x,hoch,20,case\n"
        "6,F,,02/01/2026 00:00,,mittel,20,case\n",
        columns=["ticket_id", "customer_id", "opened_at", "closed_at", "severity", "satisfaction", "status", "theme"],
        yaml="""
            dataset: tickets
            when: {type: case}
            columns:
              ticket_id: {from: nr, prefix: T-}
              customer_id: {from: [acct, alias]}
              opened_at: {from: open, date: "%d/%m/%Y %H:%M"}
              closed_at: {from: open, date: "%d/%m/%Y %H:%M", add_hours: hours}
              severity: {from: prio, map: {hoch: p1, niedrig: p4}}
              satisfaction: {from: score, scale: 0.05}
              theme: {const: imported}
        """,
    )  # fmt: skip
    eight_pm = datetime(2025, 12, 31, 14, 0, tzinfo=UTC)
    assert rows == [
        (2, "T-1", "A", eight_pm, eight_pm.replace(hour=15, minute=30), "p1", Decimal("4.50"), "closed", "imported"),
        (3, "T-2", "B", eight_pm.replace(hour=15), None, "p4", None, "open", "imported"),
    ]
    assert refused == [
        (5, "Open", "2026-01-02", "not_in_format"),
        (6, "Hours", "x", "not_a_number"),
        (7, "Prio", "mittel", "not_in_map"),
    ]
    assert skipped == 1


def test_one_source_row_makes_several(tmp_path: Path) -> None:
    rows, refused, skipped = typed(
        tmp_path, "usage", "who,day,feature,uses,errors\nC1,2026-03-01,x,3,0\nC2,2026-03-02,,4,2\n",
        columns=["customer_id", "metric", "day", "value"],
        yaml="""
            customer_id: who
            day: day
            emit:
              - {metric: {from: feature, prefix: feature.}, value: uses}
              - when: {errors: "2"}
                columns: {metric: {const: errors}, value: errors}
        """,
    )  # fmt: skip
    assert rows == [(2, "C1", "feature.x", date(2026, 3, 1), 3.0), (3, "C2", "errors", date(2026, 3, 2), 2.0)]
    assert refused == [(3, "feature", "", "required")]
    assert skipped == 0


def test_days_move_by_days_and_objects_are_put_together(tmp_path: Path) -> None:
    rows, _, _ = typed(
        tmp_path, "events", "id,at,reason,text\n1,2026-02-28,price,\n2,2026/3/1,,\n", columns=["occurred_at", "detail"],
        yaml="""
            customer_id: {const: C1}
            event_id: id
            kind: {const: churn_reported}
            occurred_at: {from: at, add_hours: 24}
            detail: {json: {reason: reason, told: text}}
        """,
    )  # fmt: skip
    assert rows == [
        (2, datetime(2026, 2, 28, 15, tzinfo=UTC), {"reason": "price"}),
        (3, datetime(2026, 3, 1, 15, tzinfo=UTC), None),
    ]


@pytest.mark.parametrize(
    ("yaml", "key"),
    [
        ("a: [", "mapping_not_yaml"),
        ("- a", "mapping_not_yaml"),
        ("dataset: orders", "mapping_for_other_dataset"),
        ("customer_id: a", "mapping_lacks_columns"),
        ("{customer_id: a, metric: b, day: c, value: d, colour: e}", "mapping_unknown_target"),
        ("{customer_id: a, metric: b, day: c, value: {form: d}}", "mapping_unknown_word"),
        ("{customer_id: a, metric: {from: b, lookup: line_id}, day: c, value: d}", "mapping_lookup_elsewhere"),
        ("{customer_id: a, metric: b, day: c, value: {from: d, scale: much}}", "mapping_scale_not_number"),
        ("{customer_id: a, metric: b, day: c, value: d, emit: {a: b}}", "mapping_emit_not_list"),
        ("{customer_id: a, metric: b, day: c, value: nowhere}", "mapping_names_no_column"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(tmp_path: Path, yaml: str, key: str) -> None:
    with pytest.raises(FileRefused, match=key):
        typed(tmp_path, "usage", "a,b,c,d\n1,2,2026-03-01,4\n", columns=[], yaml=yaml)


LINE = "customer_id,line_id,product_code,starts_on,"


@pytest.mark.parametrize(
    ("header", "cells", "ends_before", "amount", "months", "mrr", "arr"),
    [
        pytest.param("ends_on,amount,billing_months", "2026-12-31,100000,12", date(2027, 1, 1), "100000.00", 12, "8333.33",
                     "100000.00",
                     id="annual prepaid: a twelfth, rounded; the year stays whole"),
        pytest.param("ends_before,amount,billing_months", "2027-01-01,2000,12", date(2027, 1, 1), "2000.00", 12, "166.67",
                     "2000.00",
                     id="rounded half up"),
        pytest.param("ends_on,ends_before,mrr", "2026-12-31,2027-01-01,100", date(2027, 1, 1), None, 1, "100.00", "1200.00",
                     id="both ends, the same day"),
        pytest.param("mrr,billing_months", "19.99,12", None, None, 12, "19.99", "239.88", id="MRR as given; no end"),
        pytest.param("amount,billing_months,mrr", "300,3,100", None, "300.00", 3, "100.00", "1200.00",
                     id="a quarter that agrees with its MRR"),
        pytest.param("amount,billing_months", "0.125,1", None, "0.13", 1, "0.13", "1.50",
                     id="MRR and ARR come from the price as written"),
        pytest.param("amount,billing_months", "0,1", None, "0.00", 1, "0.00", "0.00", id="free"),
        pytest.param("ends_on,mrr", "9999-12-31,5", None, None, 1, "5.00", "60.00", id="the year 9999 is no end"),
        pytest.param("ends_on,mrr", "2026-01-01,5", date(2026, 1, 2), None, 1, "5.00", "60.00", id="a line of one day"),
    ],
)  # fmt: skip
def test_what_a_contract_line_is_worth(tmp_path: Path, header, cells, ends_before, amount, months, mrr, arr) -> None:
    rows, refused, _ = typed(
        tmp_path, "contract_lines", f"{LINE}{header}\nC1,L1,P,2026-01-01,{cells}\n",
        columns=["ends_before", "amount", "billing_months", "mrr", "arr"],
    )  # fmt: skip
    assert refused == []
    assert rows == [(2, ends_before, None if amount is None else Decimal(amount), months, Decimal(mrr), Decimal(arr))]


@pytest.mark.parametrize(
    ("header", "cells", "column", "value", "key"),
    [
        ("ends_on,mrr", "2025-12-31,1", "ends_on", "2025-12-31", "ends_before_start"),
        ("ends_before,mrr", "2026-01-01,1", "ends_before", "2026-01-01", "ends_before_start"),
        ("ends_on,ends_before,mrr", "2026-12-31,2026-12-31,1", "ends_before", "2026-12-31", "two_ends"),
        ("amount,billing_months", ",1", "amount", "", "no_price"),
        ("amount,billing_months", "100,", "billing_months", "", "no_billing_months"),
        ("amount,billing_months,mrr", "100,12,100", "mrr", "100", "mrr_and_amount_differ"),
        ("amount,billing_months", "100,0", "billing_months", "0", "too_small"),
        ("mrr", "-1", "mrr", "-1", "negative"),
        ("mrr,status", "1,cancelled", "status", "cancelled", "cancelled_when"),
        ("mrr,paused_before", "1,2026-02-01", "paused_before", "2026-02-01", "pause_without_start"),
        ("mrr,paused_from,paused_before", "1,2026-02-01,2026-02-01", "paused_before", "2026-02-01", "pause_ends_before_start"),
        ("mrr,currency", "¥100,USD", "mrr", "¥100", "yen_in_other_currency"),
    ],
)
def test_a_contract_line_is_refused(tmp_path: Path, header: str, cells: str, column: str, value: str, key: str) -> None:
    rows, refused, _ = typed(tmp_path, "contract_lines", f"{LINE}{header}\nC1,L1,P,2026-01-01,{cells}\n", columns=[])
    assert (rows, refused) == ([], [(2, column, value, key)])


@pytest.mark.parametrize("cells", ["1,cancelled,2026-02-01,", "1,cancelled,,2026-02-01", "1,paused,,", "1,trial,,"])
def test_a_status_with_enough_beside_it_is_taken(tmp_path: Path, cells: str) -> None:
    header = f"{LINE}mrr,status,cancelled_on,ends_on"
    assert typed(tmp_path, "contract_lines", f"{header}\nC1,L1,P,2026-01-01,{cells}\n", columns=[])[1] == []


def test_a_ticket_cannot_end_before_it_began(tmp_path: Path) -> None:
    rows = ["C1,T1,2026-03-01 10:00,2026-03-01 09:59", "C1,T2,2026-03-01 10:00,2026-03-01 10:00", ""]
    text = "\n".join(["customer_id,ticket_id,opened_at,closed_at", *rows])
    rows, refused, _ = typed(tmp_path, "tickets", text, columns=["ticket_id", "status"])
    assert rows == [(3, "T2", "closed")]
    assert refused == [(2, "closed_at", "2026-03-01 09:59", "closed_before_opened")]


def test_usage_values(tmp_path: Path) -> None:
    cells = ["5", "1,234", "１２", "1e3", "nan", "-1", "1_000", "", "inf", "0x1", "1e16"]
    text = "customer_id,metric,day,value\n" + "".join(f'C1,m,2026-03-01,"{cell}"\n' for cell in cells)
    rows, refused, _ = typed(tmp_path, "usage", text, columns=["value"])
    assert [value for _, value in rows] == [5.0, 1234.0, 12.0, 1000.0]
    assert [(value, key) for _, _, value, key in refused] == [
        ("nan", "not_a_number"), ("-1", "too_small"), ("1_000", "not_a_number"), ("", "required"), ("inf", "not_a_number"),
        ("0x1", "not_a_number"), ("1e16", "too_large"),
    ]  # fmt: skip


def test_a_refused_row_is_kept_as_it_came(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes("customer_id,order_id,ordered_on,amount\n顧客,O\0\0,2026-03-01,1\nC2,O2,いつか,1\n".encode())
    one = DATASETS["orders"]
    with parsing.table(path) as table:
        plan = mapping.plan(one, table.header)
        chunk = next(table.chunks)
        [mapped], _ = mapping.rows(plan, chunk, zone=TOKYO)
        first, second = checking.check(one, mapped, chunk, plan.header, zone=TOKYO).rejected
    assert (first.column, first.value, first.key) == ("order_id", "O␀␀", "has_nul")
    assert dict(second.row) == {"customer_id": "C2", "order_id": "O2", "ordered_on": "いつか", "amount": "1"}
