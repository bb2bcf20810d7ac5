"""Files into tables: once, counted, and with the customers they belong to."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from accounts import customers, identity, ledger
from accounts.datasets import DATASETS
from accounts.imports import receiving
from accounts.imports.applying import ImportRefused
from accounts.models import (
    ActivityDaily,
    Contact,
    ContractLine,
    Cost,
    Customer,
    Department,
    Event,
    FxRate,
    Identity,
    ImportBatch,
    Invoice,
    Metric,
    MrrEvent,
    NpsResponse,
    Opportunity,
    Order,
    Product,
    Project,
    RejectedRow,
    SurveyAnswer,
    Ticket,
    Touch,
    UsageBlock,
    UsageDaily,
    WaitingRow,
)  # fmt: skip
from expansion.audit.models import AuditEntry
from expansion.users.models import User
from tests.imports.handing_in import NOW, counts

pytestmark = pytest.mark.django_db

CUSTOMERS = """
    customer_id,name
    C1,㈱あおば
    C2,Example Inc.
"""


def test_customers(load) -> None:
    owner = User.objects.create_user("rep@example.jp", name="R")
    result = load(
        "customers",
        """
        顧客ID,会社名,フリガナ,ドメイン,法人番号,業種,従業員数,国,都道府県,通貨,段階,担当メール,親会社ID,獲得日,獲得費用
        C1,㈱　あおば,アオバ,https://www.aoba.example/,7000012050002,製造,"1,200",日本,東京,円,導入初期,REP@example.jp,C2,令和8年3月1日,"¥50,000"
        C2,Example Inc.,,,,,,,,,,,,,
        """,
    )
    assert counts(result) == (2, 2, 0, 0, 0)
    first, second = Customer.objects.order_by("customer_id")
    assert (first.slot, second.slot) == (0, 1)
    assert (first.name, first.name_key, first.name_kana, first.domain) == ("㈱　あおば", "あおば", "アオバ", "aoba.example")
    assert (first.corporate_number, first.industry, first.employees, first.country, first.region) == (
        "7000012050002",
        "製造",
        1200,
        "日本",
        "東京",
    )
    assert (first.currency, first.phase, first.owner, first.owner_email, first.parent) == (
        "JPY",
        "onboarding",
        owner,
        "rep@example.jp",
        second,
    )
    assert (first.acquired_on, first.acquisition_cost, first.created_at) == (date(2026, 3, 1), Decimal("50000.00"), NOW)
    assert first.batch_id == result.batch_id
    assert (second.employees, second.acquired_on, second.owner, second.parent) == (None, None, None, None)


def test_only_the_columns_of_the_file_are_touched(load) -> None:
    load("customers", "customer_id,name,industry,employees\nC1,Old,IT,5\nC2,Two,IT,6")
    result = load("customers", "customer_id,name,employees\nC1,New,5\nC2,Two,\nC3,Three,1")
    assert counts(result) == (3, 3, 0, 0, 0)
    assert list(Customer.objects.order_by("slot").values_list("customer_id", "name", "industry", "employees", "slot")) == [
        ("C1", "New", "IT", 5, 0), ("C2", "Two", "IT", None, 1), ("C3", "Three", "", 1, 2),
    ]  # fmt: skip


def test_other_bytes_with_the_same_rows_change_nothing(load) -> None:
    load("customers", CUSTOMERS)
    before = list(Customer.objects.order_by("pk").values())
    assert counts(load("customers", "name,customer_id\nExample Inc.,C2\n㈱あおば,C1")) == (2, 0, 2, 0, 0)
    assert list(Customer.objects.order_by("pk").values()) == before


def test_the_same_file_says_so_and_changes_nothing(load) -> None:
    text = "customer_id,name\nC1,One\nC2,\nC3,Three\n"
    first = load("customers", text)
    load("customers", "customer_id,name\nC1,Corrected")
    again = load("customers", text)
    assert counts(first) == (3, 2, 0, 0, 1)
    assert counts(again) == (3, 0, 2, 0, 1)
    assert (again.is_repeat, again.batch_id, again.rejects) == (True, first.batch_id, first.rejects)
    assert Customer.objects.get(customer_id="C1").name == "Corrected"
    assert ImportBatch.objects.count() == 2


def test_the_same_file_for_another_source_or_mapping_is_another_import(load) -> None:
    load("customers", CUSTOMERS)
    assert not load("customers", CUSTOMERS, source="crm").is_repeat
    assert not load("customers", CUSTOMERS, mapping_text="{customer_id: customer_id, name: {from: name, prefix: x}}").is_repeat
    assert ImportBatch.objects.count() == 3


def test_refusals_are_kept_with_line_column_value_reason_and_row(load) -> None:
    load("customers", CUSTOMERS)
    result = load(
        "orders",
        """
        customer_id,order_id,ordered_on,amount
        C1,O1,2026-03-01,100
        C1,O2,31/12/2025,100
        C1,O3,2026-03-01,ten
        C1,O4
        """,
    )
    assert counts(result) == (4, 1, 0, 0, 3)
    assert [(one.line, one.column, one.value) for one in result.rejects] == [
        (3, "ordered_on", "31/12/2025"), (4, "amount", "ten"), (5, "", "C1,O4"),
    ]  # fmt: skip
    assert result.rejects[1].reason.startswith("This is no number.")
    kept = RejectedRow.objects.get(line=4)
    assert (kept.reason, kept.details) == ("not_a_number", {})
    assert kept.row == {"customer_id": "C1", "order_id": "O3", "ordered_on": "2026-03-01", "amount": "ten"}
    assert RejectedRow.objects.get(line=5).details == {"cells": "2", "expected": "4"}


def test_a_later_row_of_a_key_counts_and_the_earlier_is_told(load) -> None:
    load("customers", CUSTOMERS)
    result = load(
        "orders",
        """
        customer_id,order_id,ordered_on,amount
        C1,O1,2026-03-01,100
        C1,O2,2026-03-01,7
        C1,O1,2026-03-01,100
        C1,O1,2026-03-02,200
        C1,O1,bad,300
        """,
    )
    assert counts(result) == (5, 2, 2, 0, 1)
    assert (result.notes["repeated"], result.notes["repeats"]) == (2, [[2, 5], [4, 5]])
    assert list(Order.objects.order_by("external_id").values_list("external_id", "ordered_on", "amount")) == [
        ("O1", date(2026, 3, 2), Decimal("200.00")), ("O2", date(2026, 3, 1), Decimal("7.00")),
    ]  # fmt: skip


def test_rows_that_repeat_word_for_word_are_not_worth_telling(load) -> None:
    load("customers", CUSTOMERS)
    result = load("orders", "customer_id,order_id,ordered_on,amount\n" + "C1,O1,2026-03-01,100\n" * 3)
    assert counts(result) == (3, 1, 2, 0, 0)
    assert "repeated" not in result.notes


def test_a_file_that_lacks_a_column_is_refused_as_a_whole(load) -> None:
    with pytest.raises(ImportRefused, match="lacks required columns: name"):
        load("customers", "customer_id,nom\nC1,x")
    batch = ImportBatch.objects.get()
    assert (batch.state, Customer.objects.count()) == ("failed", 0)
    assert batch.error.startswith("The file lacks required columns")


# --- datasets ---------------------------------------------------------------------------------------------------------


def test_products_and_what_a_line_knew_of_them_before(load) -> None:
    load("customers", CUSTOMERS)
    load("contract_lines", "customer_id,line_id,product_code,starts_on,mrr\nC1,L1,pro,2026-01-01,100")
    guessed = Product.objects.get()
    assert (guessed.code, guessed.name, guessed.kind, guessed.is_guessed) == ("pro", "pro", "product", True)
    text = """
        商品コード,商品名,英語名,種類,段階,定価,請求月数,通貨,粗利率,基本席数,利用枠,関連商品
        pro,プロ,Pro,プラン,2,"1,200",12,JPY,80%,10,"{""storage_gb"": 100}",mini;extra
        """
    assert counts(load("products", text)) == (1, 1, 0, 0, 0)
    product = Product.objects.get()
    assert (product.pk, product.name, product.name_en, product.kind, product.tier) == (guessed.pk, "プロ", "Pro", "plan", 2)
    assert (product.list_price, product.billing_months, product.gross_margin_percent) == (Decimal("1200.00"), 12, Decimal("80.00"))
    assert (product.included_seats, product.included_quota, product.complements) == (10, {"storage_gb": 100}, ["mini", "extra"])
    assert product.is_guessed is False
    assert ledger.differing() == []


def test_contract_lines_make_the_ledger(load) -> None:
    load("customers", "customer_id,name,currency\nC1,One,USD\nC2,Two,")
    result = load(
        "contract_lines",
        """
        customer_id,line_id,contract_id,product_code,starts_on,ends_on,renews_on,quantity,amount,billing_months,auto_renew,notice_days,status
        C1,L1,K1,pro,2026-01-01,2026-12-31,2027-01-01,10,120000,12,yes,30,active
        C1,L1,K1,pro,2026-07-01,2026-12-31,2027-01-01,20,240000,12,yes,30,active
        C2,L2,,pro,2026-02-01,,,,100,1,,,
        """,
    )
    assert counts(result) == (3, 3, 0, 0, 0)
    first, amended, other = ContractLine.objects.order_by("line_id", "starts_on")
    assert (first.ends_before, first.service_until, first.mrr, first.arr) == (
        date(2027, 1, 1), date(2026, 7, 1), Decimal("10000.00"), Decimal("120000.00"),
    )  # fmt: skip
    assert (amended.service_until, amended.mrr, amended.source_line, amended.currency) == (
        date(2027, 1, 1),
        Decimal("20000.00"),
        3,
        "USD",
    )
    assert (other.currency, other.auto_renew, other.notice_days, other.service_until) == ("JPY", None, None, None)
    assert list(MrrEvent.objects.order_by("on").values_list("on", "change", "currency", "cause")) == [
        (date(2026, 1, 1), Decimal("10000.00"), "USD", "start"),
        (date(2026, 2, 1), Decimal("100.00"), "JPY", "start"),
        (date(2026, 7, 1), Decimal("10000.00"), "USD", "seats"),
        (date(2027, 1, 1), Decimal("-20000.00"), "USD", "end"),
    ]
    assert ledger.differing() == []


def test_the_same_key_is_a_correction_and_moves_to_its_customer(load) -> None:
    load("customers", CUSTOMERS)
    load("contract_lines", "customer_id,line_id,product_code,starts_on,mrr\nC1,L1,pro,2026-01-01,100")
    result = load("contract_lines", "customer_id,line_id,product_code,starts_on,mrr\nC2,L1,pro,2026-01-01,150")
    assert counts(result) == (1, 1, 0, 0, 0)
    assert list(MrrEvent.objects.values_list("customer__customer_id", "change")) == [("C2", Decimal("150.00"))]


def test_lines_of_one_product_that_overlap_are_flagged_and_kept(load) -> None:
    load("customers", CUSTOMERS)
    load(
        "contract_lines",
        """
        customer_id,line_id,product_code,starts_on,ends_on,mrr
        C1,L1,pro,2026-01-01,2026-06-30,1
        C1,L2,pro,2026-06-30,,1
        C1,L3,mini,2026-01-01,,1
        C2,L4,pro,2026-01-01,2026-06-30,1
        C2,L5,pro,2026-07-01,,1
        """,
    )
    assert set(ContractLine.objects.filter(is_co_term=True).values_list("line_id", flat=True)) == {"L1", "L2"}
    result = load(
        "contract_lines", "customer_id,line_id,product_code,starts_on,ends_on,mrr,co_term\nC1,L1,pro,2026-01-01,2026-06-30,1,no"
    )
    assert counts(result) == (1, 0, 1, 0, 0)


def test_tickets_orders_invoices_events_and_touches(load) -> None:
    rep = User.objects.create_user("rep@example.jp", name="R")
    load("customers", "customer_id,name,currency\nC1,One,USD")
    load("contacts", "customer_id,contact_id,name,email,role,opted_out\nC1,P1,Taro,taro@example.jp,決裁者,no")
    load(
        "tickets",
        "customer_id,ticket_id,opened_at,severity,satisfaction,theme,escalated\nC1,T1,2026-03-01 09:00,P1,4.5,ログイン,yes",
    )
    load("orders", "customer_id,order_id,ordered_on,amount,kind,product_code,quantity\nC1,O1,2026-03-01,-5.5,追加,x,2")
    load(
        "invoices",
        "customer_id,invoice_id,invoiced_on,amount,due_on,paid_on,status,line_id\nC1,I1,2026-03-01,-12,2026-03-31,,open,L1",
    )
    load("events", 'customer_id,event_id,kind,occurred_at,detail\nC1,E1,life_event.merger,2026-03-01,"{""who"": ""X""}"')
    load(
        "touches",
        "customer_id,touch_id,touched_at,kind,by_email,contact_id,note\nC1,X1,2026-03-01 10:00,電話,Rep@example.jp,P1,hello",
    )
    assert Contact.objects.values_list("external_id", "name", "email", "role", "has_opted_out").get() == (
        "P1", "Taro", "taro@example.jp", "decision_maker", False,
    )  # fmt: skip
    ticket = Ticket.objects.get()
    assert (ticket.opened_at, ticket.closed_at, ticket.severity, ticket.status) == (
        datetime(2026, 3, 1, tzinfo=UTC),
        None,
        "p1",
        "open",
    )
    assert (ticket.satisfaction, ticket.theme, ticket.is_escalated) == (Decimal("4.50"), "ログイン", True)
    order = Order.objects.get()
    assert (order.amount, order.currency, order.kind, order.product.code, order.quantity) == (
        Decimal("-5.50"),
        "USD",
        "addon",
        "x",
        Decimal("2.00"),
    )
    assert Invoice.objects.values_list("amount", "currency", "due_on", "paid_on", "status", "line_id").get() == (
        Decimal("-12.00"), "USD", date(2026, 3, 31), None, "open", "L1",
    )  # fmt: skip
    assert Event.objects.values_list("kind", "occurred_at", "detail").get() == (
        "life_event.merger", datetime(2026, 2, 28, 15, tzinfo=UTC), {"who": "X"},
    )  # fmt: skip
    touch = Touch.objects.get()
    assert (touch.kind, touch.by, touch.by_email, touch.contact.external_id, touch.note) == (
        "call",
        rep,
        "Rep@example.jp",
        "P1",
        "hello",
    )


def test_what_has_neither_contracts_nor_people(load) -> None:
    load("customers", CUSTOMERS)
    load(
        "opportunities",
        "customer_id,opportunity_id,opened_on,closed_on,result,kind,amount,reason\nC1,D1,2026-01-01,2026-02-01,受注,upsell,100,price",
    )
    load("costs", "month,kind,amount\n2026-03,営業,1000\n2026年4月,cs,5")
    load("fx_rates", "valid_from,currency,rate\n2026-04-01,USD,150.12345678")
    load("departments", "customer_id,department,headcount,may_use,as_of\nC1,営業部,30,,2026-03-01\nC1,経理部,,no,2026-03-01")
    load("projects", "customer_id,project_id,progress_percent,as_of\nC1,J1,45.5,2026-03-01")
    load("surveys", "customer_id,response_id,responded_on,question,score\nC1,S1,2026-03-01,Q1,4\nC1,S1,2026-03-01,Q2,-1.5")
    assert Opportunity.objects.values_list("result", "kind", "amount", "currency", "reason").get() == (
        "won", "upsell", Decimal("100.00"), "JPY", "price",
    )  # fmt: skip
    assert list(Cost.objects.order_by("month").values_list("month", "kind", "amount", "currency")) == [
        (date(2026, 3, 1), "sales", Decimal("1000.00"), "JPY"), (date(2026, 4, 1), "cs", Decimal("5.00"), "JPY"),
    ]  # fmt: skip
    assert FxRate.objects.values_list("currency", "rate").get() == ("USD", Decimal("150.12345678"))
    assert list(Department.objects.order_by("name").values_list("name", "headcount", "may_use")) == [
        ("営業部", 30, True),
        ("経理部", None, False),
    ]
    assert Project.objects.values_list("external_id", "progress_percent").get() == ("J1", Decimal("45.50"))
    assert list(SurveyAnswer.objects.order_by("question").values_list("question", "score")) == [
        ("Q1", Decimal("4.00")), ("Q2", Decimal("-1.50")),
    ]  # fmt: skip


def test_activity_is_kept_by_user_and_day(load) -> None:
    load("customers", CUSTOMERS)
    text = "customer_id,user_id,day,department,events,minutes\nC1,u1,2026-03-01,営業部,5,12.5\nC1,u2,2026-03-01,,,\n"
    assert counts(load("activity", text)) == (2, 2, 0, 0, 0)
    assert counts(load("activity", text + "C2,u1,2026-03-01,,1,\n")) == (3, 1, 2, 0, 0)
    told = ("customer__customer_id", "user_key", "department", "events", "minutes")
    assert list(ActivityDaily.objects.order_by("pk").values_list(*told)) == [
        ("C1", "u1", "営業部", 5, 12.5), ("C1", "u2", "", 0, None), ("C2", "u1", "", 1, None),
    ]  # fmt: skip


def test_nps_answers_with_and_without_ids_and_people(load) -> None:
    load("customers", CUSTOMERS)
    load("contacts", "customer_id,contact_id,name,email\nC1,P1,Taro,taro@example.jp")
    text = """
        customer_id,response_id,contact_id,email,responded_on,score,comment
        C1,R1,P1,,2026-03-01,9,good
        C1,,,TARO@example.jp,2026-03-02,8,
        C1,,,taro@example.jp,2026-03-02,3,later
        C1,,,,2026-03-01,10,
        C1,,,,2026-03-01,10,
        C1,,P9,,2026-03-01,0,
        C1,R2,,,2026-03-01,11,
        """
    result = load("nps", text)
    assert counts(result) == (7, 5, 1, 0, 1)
    answers = NpsResponse.objects.order_by("score", "pk").values_list("score", "contact__external_id", "respondent", "comment")
    assert list(answers) == [
        (0, None, "P9", ""),
        (3, "P1", "taro@example.jp", "later"),
        (9, "P1", "P1", "good"),
        (10, None, "", ""),
        (10, None, "", ""),
    ]
    assert counts(load("nps", text + "\n")) == (7, 0, 6, 0, 1)
    assert NpsResponse.objects.count() == 5


def test_every_dataset_can_be_imported(load) -> None:
    """The datasets of the interface, each with nothing but its required columns."""
    load("customers", CUSTOMERS)
    cells = {
        "customer_id": "C1", "name": "x", "kind": "", "starts_on": "2026-01-01", "amount": "1", "currency": "JPY", "rate": "1",
        "value": "1", "day": "2026-01-01", "score": "5", "progress_percent": "5", "month": "2026-01", "as_of": "2026-01-01",
    }  # fmt: skip
    for dataset in DATASETS.values():
        row = []
        for name in dataset.required:
            column = dataset.column(name)
            default = next(iter(column.choices), "2026-01-01" if column.kind in {"date", "instant"} else f"{dataset.name}-1")
            row.append(cells.get(name) or default)
        header = list(dataset.required)
        if dataset.name == "contract_lines":
            header, row = [*header, "mrr"], [*row, "1"]
        result = load(dataset.name, f"{','.join(header)}\n{','.join(row)}")
        assert counts(result) == (1, 1, 0, 0, 0), dataset.name


# --- usage ------------------------------------------------------------------------------------------------------------


def usage() -> list[tuple[str, str, date, float]]:
    names, keys = dict(Customer.objects.values_list("pk", "customer_id")), dict(Metric.objects.values_list("pk", "key"))
    rows = UsageDaily.objects.values_list("customer_id", "metric_id", "day", "value")
    return sorted((names[customer], keys[metric], day, value) for customer, metric, day, value in rows)


def test_rows_of_one_key_are_added_up_kept_or_refused_by_kind(load) -> None:
    load("customers", CUSTOMERS)
    load("metrics", "metric,kind\nfeature.x,counter\nseats_used,gauge\nweekly_users,distinct")
    result = load(
        "usage",
        """
        customer_id,metric,day,value
        C1,feature.x,2026-03-01,1
        C1,seats_used,2026-03-01,9
        C1,weekly_users,2026-03-01,4
        C2,weekly_users,2026-03-01,4
        C1,feature.x,2026/3/1,2.5
        C1,seats_used,20260301,7
        C1,weekly_users,令和8年3月1日,5
        C1,feature.x,2026-03-02,1
        """,
    )
    first = date(2026, 3, 1)
    assert counts(result) == (8, 6, 0, 0, 2)
    assert usage() == [
        ("C1", "feature.x", first, 3.5), ("C1", "feature.x", date(2026, 3, 2), 1.0), ("C1", "seats_used", first, 7.0),
        ("C2", "weekly_users", first, 4.0),
    ]  # fmt: skip
    assert [(one.line, one.column, one.value) for one in result.rejects] == [(4, "value", "4"), (8, "value", "5")]
    assert UsageBlock.objects.filter(is_dirty=True).count() == 4


def test_usage_again_and_corrected(load) -> None:
    load("customers", CUSTOMERS)
    load(
        "usage",
        "customer_id,metric,day,value\nC1,logins,2026-03-01,1\nC1,logins,2026-03-01,2\nC1,logins,2026-03-02,5\nC2,logins,2026-03-02,6",
    )
    assert counts(load("usage", "customer_id,metric,day,value\nC2,logins,2026-03-02,6\nC1,logins,2026-03-01,3")) == (2, 0, 2, 0, 0)
    result = load(
        "usage",
        """
        customer_id,metric,day,value
        C1,logins,2026-03-01,1
        C1,logins,2026-03-01,2
        C1,logins,2026-03-02,4
        C1,logins,2026-03-02,4
        C2,logins,2026-03-02,6
        C2,logins,2026-03-03,1
        """,
    )
    assert counts(result) == (6, 3, 3, 0, 0)
    assert [value for *_, value in usage()] == [3.0, 8.0, 6.0, 1.0]


def test_a_metric_that_nobody_described_is_made(load) -> None:
    load("customers", CUSTOMERS)
    load(
        "usage",
        "customer_id,metric,day,value\nC1,storage_gb,2026-03-01,1\nC1,feature.csv_export,2026-03-01,1\nC1,bad metric,2026-99-01,1",
    )
    assert dict(Metric.objects.values_list("key", "kind")) == {"storage_gb": "gauge", "feature.csv_export": "counter"}


def test_a_stray_date_makes_no_partitions_in_between(load) -> None:
    from django.db import connection

    load("customers", CUSTOMERS)
    load("usage", "customer_id,metric,day,value\nC1,logins,1971-03-01,1\nC1,logins,2150-03-01,1\nC1,logins,2026-03-01,1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'accounts_usagedaily'::regclass")
        assert cursor.fetchone()[0] == 4  # three months and the default


# --- customers that are not known yet -----------------------------------------------------------------------------------


def test_rows_wait_for_their_customer_and_are_applied_when_it_comes(load) -> None:
    orders = load("orders", "customer_id,order_id,ordered_on,amount\nC1,O1,2026-03-01,5\nC9,O2,2026-03-01,6")
    used = load("usage", "customer_id,metric,day,value\nC1,logins,2026-03-01,1\nC1,logins,2026-03-01,2")
    assert (counts(orders), counts(used)) == ((2, 0, 0, 2, 0), (2, 0, 0, 2, 0))
    assert Order.objects.count() == 0
    load("customers", CUSTOMERS)
    assert counts(ImportBatch.objects.get(pk=orders.batch_id)) == (2, 1, 0, 1, 0)
    assert counts(ImportBatch.objects.get(pk=used.batch_id)) == (2, 2, 0, 0, 0)
    assert Order.objects.values_list("external_id", "amount", "batch_id").get() == ("O1", Decimal("5.00"), orders.batch_id)
    assert usage() == [("C1", "logins", date(2026, 3, 1), 3.0)]
    assert list(WaitingRow.objects.filter(resolved_at__isnull=True).values_list("external_customer_id", "line")) == [("C9", 3)]


def test_another_source_is_resolved_by_identity_then_by_an_equal_id(load) -> None:
    load("customers", CUSTOMERS)
    result = load("orders", "customer_id,order_id,ordered_on,amount\nC1,O1,2026-03-01,5\nacme,O2,2026-03-01,6", source="crm")
    assert counts(result) == (2, 1, 0, 1, 0)
    assert Identity.objects.values_list("source", "external_id", "customer__customer_id", "confirmed_by").get() == (
        "crm",
        "C1",
        "C1",
        None,
    )
    rep = User.objects.create_user("rep@example.jp", name="R")
    second = Customer.objects.get(customer_id="C2")
    assert identity.match("crm", "acme", second, by=rep, now=NOW) == 1
    assert identity.match("crm", "acme", second, by=rep, now=NOW) == 0
    assert set(Order.objects.values_list("source", "external_id", "customer__customer_id")) == {
        ("crm", "O1", "C1"),
        ("crm", "O2", "C2"),
    }
    assert counts(ImportBatch.objects.get(pk=result.batch_id)) == (2, 2, 0, 0, 0)
    assert AuditEntry.objects.values_list("verb", "by", "after").get() == (
        "identity.matched",
        rep.pk,
        {"source": "crm", "external_id": "acme"},
    )
    with pytest.raises(identity.TakenAlready, match=r"acme of crm stands for Example Inc\. already"):
        identity.match("crm", "acme", Customer.objects.get(customer_id="C1"), by=rep, now=NOW)


def test_one_id_is_another_customer_in_each_source(load) -> None:
    load("customers", CUSTOMERS)
    for source, customer in (("a", "C1"), ("b", "C2")):
        identity.match(source, "7", Customer.objects.get(customer_id=customer), by=None, now=NOW)
        load("orders", "customer_id,order_id,ordered_on,amount\n7,O1,2026-03-01,5", source=source)
    assert set(Order.objects.values_list("source", "customer__customer_id")) == {("a", "C1"), ("b", "C2")}


def test_customers_of_another_source_wait_to_be_matched(load) -> None:
    load("customers", CUSTOMERS)
    result = load("customers", "customer_id,name,industry\n7,Example,IT\nC1,Aoba,IT", source="crm")
    assert counts(result) == (2, 1, 0, 1, 0)
    identity.match("crm", "7", Customer.objects.get(customer_id="C2"), by=None, now=NOW)
    assert list(Customer.objects.order_by("customer_id").values_list("customer_id", "name", "industry")) == [
        ("C1", "Aoba", "IT"), ("C2", "Example", "IT"),
    ]  # fmt: skip


def test_a_merged_customer_hands_on_to_the_one_that_stays(load) -> None:
    load("customers", CUSTOMERS)
    first, second = Customer.objects.order_by("customer_id")
    Customer.objects.filter(pk=first.pk).update(merged_into=second)
    load("orders", "customer_id,order_id,ordered_on,amount\nC1,O1,2026-03-01,5")
    assert Order.objects.get().customer == second


def test_the_customer_of_a_contract_line(load) -> None:
    load("customers", CUSTOMERS)
    yaml = "{customer_id: {from: sub, lookup: line_id}, metric: {const: logins}, day: day, value: n}"
    result = load("usage", "sub,day,n\nL1,2026-03-01,1\nL2,2026-03-01,2\nL2,2026-03-01,4", mapping_text=yaml)
    assert counts(result) == (3, 0, 0, 3, 0)
    load("contract_lines", "customer_id,line_id,product_code,starts_on,mrr\nC1,L1,x,2026-01-01,1\nC1,L2,x,2026-02-01,1")
    assert counts(ImportBatch.objects.get(pk=result.batch_id)) == (3, 3, 0, 0, 0)
    assert usage() == [("C1", "logins", date(2026, 3, 1), 7.0)]


def test_rows_of_one_key_that_arrive_late_still_belong_together(load) -> None:
    load("customers", CUSTOMERS)
    load("metrics", "metric,kind\nwau,distinct")
    load("contract_lines", "customer_id,line_id,product_code,starts_on,mrr\nC1,L1,x,2026-01-01,1")
    yaml = "{customer_id: {from: sub, lookup: line_id}, metric: metric, day: day, value: n}"
    text = "sub,metric,day,n\nL1,logins,2026-03-01,1\nL2,logins,2026-03-01,2\nL1,wau,2026-03-01,1\nL2,wau,2026-03-01,2\n"
    result = load("usage", text, mapping_text=yaml)
    assert counts(result) == (4, 2, 0, 2, 0)
    load("contract_lines", "customer_id,line_id,product_code,starts_on,mrr\nC1,L2,x,2026-02-01,1")
    assert counts(ImportBatch.objects.get(pk=result.batch_id)) == (4, 3, 0, 0, 1)
    assert usage() == [("C1", "logins", date(2026, 3, 1), 3.0), ("C1", "wau", date(2026, 3, 1), 1.0)]


def test_a_parent_may_come_later_in_the_file_or_in_another(load) -> None:
    result = load("customers", "customer_id,name,parent_customer_id\nC1,One,C3\nC2,Two,C9\nC3,Three,\nC4,Four,C4")
    assert counts(result) == (4, 2, 0, 1, 1)
    assert dict(Customer.objects.values_list("customer_id", "parent__customer_id")) == {"C1": "C3", "C2": None, "C3": None}
    load("customers", "customer_id,name\nC9,Nine")
    assert counts(ImportBatch.objects.get(pk=result.batch_id)) == (4, 3, 0, 0, 1)
    assert Customer.objects.get(customer_id="C2").parent.customer_id == "C9"
    again = load("customers", "customer_id,name,parent_customer_id\nC1,One,C3\nC2,Two,C9\nC3,Three,C9\n")
    assert counts(again) == (3, 1, 2, 0, 0)


# --- rehearsal ----------------------------------------------------------------------------------------------------------


def test_a_rehearsal_counts_everything_and_keeps_nothing(load, tmp_path) -> None:
    load("customers", CUSTOMERS)
    load("contract_lines", "customer_id,line_id,product_code,starts_on,mrr\nC1,L1,x,2026-01-01,1")
    path = tmp_path / "lines.csv"
    path.write_text(
        "customer_id,line_id,product_code,starts_on,mrr\nC1,L1,x,2026-01-01,1\nC1,L2,y,2026-01-01,1\nC9,L3,x,2026-01-01,1\nC1,L4,x,x,1\n"
    )
    tables = (Product, ContractLine, MrrEvent, ImportBatch, RejectedRow, WaitingRow, Customer)
    before = [list(table.objects.order_by("pk").values()) for table in tables]
    result = receiving.rehearse(path, dataset="contract_lines", now=NOW)
    assert (counts(result), result.batch_id, result.is_dry_run) == ((4, 1, 1, 1, 1), None, True)
    assert [(one.line, one.column) for one in result.rejects] == [(5, "starts_on")]
    assert [list(table.objects.order_by("pk").values()) for table in tables] == before


def test_a_received_batch_can_be_checked_before_it_is_applied(load) -> None:
    batch = receiving.receive(b"customer_id,name\nC1,One\n", dataset="customers", now=NOW, filename="a.csv")
    assert counts(receiving.check(batch, now=NOW)) == (1, 1, 0, 0, 0)
    assert Customer.objects.count() == 0
    assert counts(receiving.apply(batch, now=NOW)) == (1, 1, 0, 0, 0)


# --- customers ----------------------------------------------------------------------------------------------------------


def test_owners_are_found_when_the_people_come_later(load) -> None:
    load("customers", "customer_id,name,owner_email\nC1,One,Rep@example.jp\nC2,Two,gone@example.jp")
    rep = User.objects.create_user("rep@example.jp", name="R")
    User.objects.create_user("gone@example.jp", name="G", is_active=False)
    assert customers.assign_owners() == 1
    assert customers.assign_owners() == 0
    assert list(Customer.objects.order_by("customer_id").values_list("owner", flat=True)) == [rep.pk, None]


def test_days_that_never_arrived_are_written_straight_and_marked_alike(load) -> None:
    """Rows of new days and of known ones in one file: the blocks are those of a rebuild from the rows."""
    from accounts import usage as store

    load("customers", CUSTOMERS)
    load("usage", "customer_id,metric,day,value\nC1,logins,2026-03-01,1\nC2,exports,2026-03-02,4")
    store.rebuild_dirty_blocks(through=date(2026, 12, 31))
    result = load(
        "usage",
        """
        customer_id,metric,day,value
        C1,logins,2026-03-01,9
        C2,logins,2026-03-01,2
        C2,logins,2026-03-02,3
        C2,exports,2026-03-02,4
        C1,exports,2026-03-01,5
        """,
    )
    assert counts(result) == (5, 4, 1, 0, 0)
    dirty = set(UsageBlock.objects.filter(is_dirty=True).values_list("metric_id", "day"))
    keys = dict(Metric.objects.values_list("key", "pk"))
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    assert dirty == {(keys["logins"], first), (keys["logins"], second), (keys["exports"], first)}
    store.rebuild_dirty_blocks(through=date(2026, 12, 31))
    blocks = list(UsageBlock.objects.order_by("day", "metric_id", "block").values_list("day", "metric_id", "data"))
    store.rebuild_everything()
    assert list(UsageBlock.objects.order_by("day", "metric_id", "block").values_list("day", "metric_id", "data")) == blocks
