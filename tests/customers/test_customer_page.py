"""The page of one customer: who may open it, what stands where, and what each figure is."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd
import pytest

from accounts.models import ContractLine, Product
from expansion import clock
from expansion.dashboards import account as reads

AS_OF = date(2026, 11, 20)


def section(page: str, heading: str) -> str:
    """Return the words of the section with that heading, drawings left out."""
    found = re.search(rf'<section[^>]*aria-labelledby="{heading}".*?</section>', page, re.DOTALL)
    assert found is not None, heading
    return words(found[0])


def words(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", "", markup, flags=re.DOTALL)).split())


def popover(page: str, name: str) -> str:
    found = re.search(rf'<div popover id="{name}" class="pop".*?</div>\n', page, re.DOTALL)
    assert found is not None, name
    return words(found[0])


def lasting(page: bytes) -> str:
    """Return the page without what differs each time it is asked for: tokens and its own address."""
    return re.sub(r'(csrf-token" content|csrfmiddlewaretoken" value|name="next" value)="[^"]*"', "", page.decode())


@pytest.fixture
def shown(admin, browse):
    """Return a function that opens a customer's page as the administrator."""

    def show(customer_id: str = "K-1", language: str = "ja") -> str:
        response = browse(admin).get(f"/accounts/{customer_id}/", headers={"Accept-Language": language})
        assert response.status_code == 200
        return response.content.decode()

    return show


@pytest.fixture
def products(db):
    return {
        code: Product.objects.create(code=code, **fields)
        for code, fields in {
            "STD": {
                "name": "スタンダード",
                "name_en": "Standard",
                "kind": "plan",
                "complements": ["SIGN"],
                "included_quota": {"storage_gb": 100},
            },
            "SEAT": {"name": "追加席", "name_en": "Extra seat", "kind": "seat"},
            "SIGN": {"name": "電子契約", "name_en": "E-signature", "kind": "product"},
            "AUDIT": {"name": "監査ログ", "name_en": "Audit log", "kind": "addon"},
        }.items()
    }


@pytest.fixture
def line(products):
    """Return a function that adds a contract line: yearly, from a year before the day on, one period of twelve months."""

    def add(customer, code: str = "STD", line_id: str = "L1", **fields) -> ContractLine:
        given = {
            "starts_on": date(2026, 4, 1), "ends_before": date(2027, 4, 1), "service_until": date(2027, 4, 1), "quantity": 50,
            "mrr": Decimal(100_000), "arr": Decimal(1_200_000), "currency": "JPY", "billing_months": 12,
        }  # fmt: skip
        return ContractLine.objects.create(customer=customer, product=products[code], line_id=line_id, **given | fields)

    return add


# ── who may open it ──


@pytest.mark.parametrize(
    ("role", "scope", "team", "status"),
    [
        ("rep", "own", 0, 404),
        ("rep", "team", 0, 200),
        ("rep", "team", 1, 404),
        ("viewer", "all", 1, 200),
        ("manager", "all", 0, 200),
    ],
)
def test_who_may_open_a_colleagues_customer(run, person, customer, browse, role, scope, team, status):
    made = customer("K-1", "暁郷電設", owner=person("佐藤"))
    client = browse(person("田中", role, scope, team=team))
    page, missing = client.get("/accounts/K-1/"), client.get("/accounts/K-9/")
    assert page.status_code == status
    assert client.get(f"/timelines/{made.pk}/").status_code == status
    if status == 404:
        assert lasting(page.content) == lasting(missing.content)


def test_an_id_may_hold_what_an_address_holds(run, shown, customer):
    customer("EU/42 ?#%", "斜線商事")
    assert "斜線商事" in shown("EU%2F42%20%3F%23%25")


def test_a_merged_customer_leads_to_the_one_that_stays(run, person, admin, browse, customer):
    stays = customer("K-3", "残る会社", owner=person("佐藤"))
    middle = customer("K-2", "途中の会社", merged_into=stays)
    customer("K-1", "消えた会社", merged_into=middle)
    answer = browse(admin).get("/accounts/K-1/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/K-3/")
    assert "統合した取引先 途中の会社 K-2" in section(browse(admin).get("/accounts/K-3/").content.decode(), "s-facts")
    # Who may not see the one that stays is not told that there is one.
    assert browse(person("田中")).get("/accounts/K-1/").status_code == 404


def test_customers_merged_in_a_circle_end_nowhere(run, admin, browse, customer):
    first = customer("K-1")
    second = customer("K-2", merged_into=first)
    first.merged_into = second
    first.save()
    assert browse(admin).get("/accounts/K-1/").status_code == 404


# ── statements ──


def test_the_page_takes_eight_statements(run, admin, browse, customer, line, alert, django_assert_num_queries, monkeypatch):
    """Six that Django counts, and two that copy rows out."""
    made = customer("K-1")
    for number in range(30):
        line(made, line_id=f"L{number}")
        made.contacts.create(external_id=f"P{number}", name=f"人 {number}")
        made.tickets.create(external_id=f"T{number}", opened_at=clock.now())
        made.orders.create(external_id=f"O{number}", ordered_on=AS_OF, amount=1, currency="JPY")
    alert(made)
    copies = []
    real = reads.copy_to_arrays
    monkeypatch.setattr(reads, "copy_to_arrays", lambda *given, **more: copies.append(1) or real(*given, **more))
    customer("K-2", band=None)
    client = browse(admin)
    with django_assert_num_queries(6):
        assert client.get("/accounts/K-1/").status_code == 200
    assert len(copies) == 2
    with django_assert_num_queries(6):
        assert client.get("/accounts/K-2/").status_code == 200


# ── what stands where ──


def test_a_customer_without_anything_says_so_everywhere(run, shown, customer):
    customer("K-1", band=None)
    page = shown()
    assert "未計算です。" in page
    assert "popover id" not in page.split("</header>", 1)[1].split('id="palette"')[0].split('class="pop"')[0]
    for heading, told in {
        "s-alerts": "対応中のアラートはありません。",
        "s-lines": "有効な契約明細はありません。",
        "s-usage": "この13か月に届いた利用データはありません。",
        "s-health": "ヘルススコアはまだありません。",
        "tlh": "記録はありません。",
        "s-hold": "商品マスターが空です。",
        "s-deals": "商談・提案の記録はありません。",
        "s-orders": "注文の記録はありません。",
        "s-tickets": "問い合わせの記録はありません。",
        "s-nps": "回答の記録はありません。",
        "s-dep": "部署の記録はありません。",
        "s-src": "まだ何も取り込まれていません。",
    }.items():
        assert told in section(page, heading), heading


def test_open_alerts_lead_to_triage(run, admin, shown, customer, alert):
    made = customer("K-1")
    evidence = [{"term": "seats_used_ratio", "op": ">=", "value": 0.95, "threshold": 0.9}]
    lead = alert(
        made,
        priority=88,
        owner=admin,
        evidence=evidence,
        expected_low=1_000_000,
        expected_high=2_000_000,
        expected_currency="JPY",
        due_on=date(2020, 1, 6),
    )
    alert(made, "held_one", state="held", is_lead=False)
    alert(made, "asleep", state="waiting", is_lead=False, priority=3, snoozed_until=clock.start_of(date(2026, 12, 1)))
    page = shown()
    assert f'<a class="al" href="/triage/{lead.pk}/">' in page
    assert section(page, "s-alerts") == (
        "対応中のアラート 2 優先度 88 席数が上限に近い アップセル 席の使用率 95%(しきい値 90%) "
        "+150万円 · 期限 1/6(月) 超過 · 管理 太郎 "
        "優先度 3 席数が上限に近い アップセル 12/1まで保留 · 担当なし"
    )


def test_contract_lines_stand_where_the_day_puts_them(run, shown, customer, line):
    from accounts import contracts
    from accounts.revenue import frames

    made = customer("K-1")
    now = line(made, notice_days=30, auto_renew=True, discount_percent=Decimal("5.00"))
    trial = line(
        made, "SIGN", "L2", quantity=1, trial_ends_on=date(2026, 11, 30), arr=Decimal(336_000), ends_before=None, service_until=None
    )
    line(made, "AUDIT", "L3", quantity=1, arr=Decimal(180_000), cancelled_on=date(2026, 11, 1))
    line(made, line_id="L4", starts_on=date(2026, 12, 1))
    line(made, line_id="L5", starts_on=date(2025, 4, 1), ends_before=AS_OF, service_until=AS_OF)
    page = shown()
    text = section(page, "s-lines")
    assert text == (
        "契約 3 2026/11/20終了時点で有効な明細 商品 数量 契約期間 年額 割引 更新 "
        "スタンダード プラン · main L1 50席 2026/4/1 – 2027/4/1 12か月 120万円 割引 5% "
        "更新 2027/4/1 自動更新 · 解約通知期限 2027/3/2 "
        "電子契約 トライアル 商品 · main L2 1 2026/4/1 – 期限なし 34万円 — — "
        "監査ログ 解約通知あり オプション · main L3 1 2026/4/1 – 2027/4/1 12か月 18万円 — — "
        "計 138万円 "
        "これから始まる明細 1件 商品 数量 契約期間 年額 割引 "
        "スタンダード プラン · main L4 50席 2026/12/1 – 2027/4/1 4か月 120万円 — "
        "終了した明細 1件 商品 数量 契約期間 年額 割引 "
        "スタンダード プラン · main L5 50席 2025/4/1 – 2026/11/20 20か月 120万円 —"
    )
    assert f'id="line-{now.pk}"' in page
    # The same lines renew as in accounts.contracts, the same are in service.
    assert {one.pk for one in contracts.lines_of(made, AS_OF)} == {now.pk, trial.pk, ContractLine.objects.get(line_id="L3").pk}
    found = contracts.renewals_frame(AS_OF, customer_ids=[made.pk])
    assert [(row.line, frames.day_of(row.due)) for row in found.itertuples()] == [(now.pk, date(2027, 4, 1))]


def test_what_is_renewed_already_does_not_renew_again(run, customer, line):
    from accounts import contracts
    from expansion.users.models import User

    made = customer("K-1")
    line(made, ends_before=date(2027, 4, 1), service_until=date(2027, 1, 1))
    line(made, starts_on=date(2027, 1, 1), ends_before=date(2028, 1, 1), service_until=date(2028, 1, 1))
    user = User.objects.create_user("a@example.jp", "x", name="A", role="admin", scope="all")
    page = reads.build(reads.find(user, "K-1", as_of=AS_OF), user=user, as_of=AS_OF, language="ja")
    assert (page.renewing, [one.renews_on for one in page.lines.current]) == ((), [None])
    assert contracts.renewals_frame(AS_OF, customer_ids=[made.pk]).empty


def test_the_chips_explain_themselves(run, shown, customer, line):
    made = customer(
        "K-1",
        standing={
            "score": 88,
            "score_change_30": 6,
            "band": "excellent",
            "nps": 100,
            "nps_answers": 1,
            "arr": Decimal(1_200_000),
            "renews_on": date(2027, 4, 1),
            "notice_on": date(2027, 3, 2),
        },
    )
    line(made, notice_days=30, auto_renew=True)
    page = shown()
    assert "次の更新 スタンダード 自動更新 ¥1,200,000 更新日 2027/4/1 解約通知期限 2027/3/2" in popover(page, "p-renewal")
    assert "年額 ¥1,200,000 スタンダード ¥1,200,000" in popover(page, "p-arr")


# ── usage ──


@pytest.fixture
def use(db):
    """Return a function that writes usage: metric, value by days before the day."""
    from accounts import usage
    from accounts.models import Metric

    def add(customer, key: str, kind: str, values: dict[int, float], **fields: str) -> None:
        metric, _made = Metric.objects.get_or_create(key=key, defaults={"kind": kind, **fields})
        frame = pd.DataFrame(
            [(customer.pk, metric.pk, AS_OF - timedelta(days=ago), value) for ago, value in values.items()],
            columns=["customer_id", "metric_id", "day", "value"],
        )
        usage.append(frame, batch_id=None)

    return add


def test_usage_stands_against_what_the_contract_allows(run, shown, customer, line, use):
    made = customer("K-1")
    line(made, starts_on=date(2025, 4, 1))
    line(made, "SEAT", "L2", quantity=20, starts_on=AS_OF - timedelta(days=6))
    use(made, "seats_used", "gauge", {0: 66, 7: 48})
    use(made, "storage_gb", "gauge", {0: 81}, unit="GB", label_ja="容量", label_en="Storage")
    use(made, "feature.csv_export", "counter", {0: 3, 6: 4, 9: 90}, unit="回", label_ja="CSV出力", label_en="CSV export")
    page = shown()
    assert section(page, "s-usage").endswith("利用席数 66 / 70席 容量 81 / 100 GB CSV出力 週7回")
    chart = re.search(r'aria-label="利用席数: 66 / 70席。13か月で48から66へ。">(.*?)</svg>', page, re.DOTALL)
    assert chart is not None
    # 50 seats until the last week, 70 from then on; the box is as high as the most, and a little.
    assert re.search(r'<polyline class="th" points="([^"]*)"', chart[1])[1] == "0,9.48 100,9.48 100,2.07"
    assert re.search(r'<polyline class="l" points="([^"]*)"', chart[1])[1] == "98.21,10.22 100,3.56"


def test_the_seats_are_those_that_the_nightly_run_counts(run, customer, line, use):
    from signals import loading

    made = customer("K-1")
    line(made)
    line(made, "SEAT", "L2", quantity=20)
    line(made, "SEAT", "L3", quantity=5, trial_ends_on=AS_OF)
    line(made, "SEAT", "L4", quantity=7, trial_ends_on=AS_OF - timedelta(days=1))
    features = loading.features(AS_OF, 0, 10)
    rows = list(ContractLine.objects.select_related("product"))
    catalogue = [
        {
            "id": p.pk,
            "code": p.code,
            "kind": p.kind,
            "family": "",
            "tier": None,
            "seats": None,
            "quota": p.included_quota,
            "complements": [],
        }
        for p in Product.objects.all()
    ]
    held = reads.held_by_week(rows, catalogue, last=AS_OF)
    assert held.terms["seats"][-1] == features.loc[made.pk, "seats"] == 77.0


def test_people_at_work_are_counted_by_week(run, shown, customer):
    from accounts.models import ActivityDaily

    made = customer("K-1")
    for user, ago, department, events in [
        ("u1", 0, "営業", 1),
        ("u1", 6, "営業", 2),
        ("u2", 3, "総務", 1),
        ("u3", 3, "法務", 0),
        ("u4", 30, "人事", 1),
    ]:
        ActivityDaily.objects.create(
            customer=made, user_key=user, day=AS_OF - timedelta(days=ago), department=department, events=events
        )
    made.departments.create(name="営業", headcount=9, as_of=date(2026, 1, 1))
    made.departments.create(name="営業", headcount=12, as_of=date(2026, 10, 1))
    made.departments.create(name="人事", headcount=4, as_of=date(2026, 10, 1))
    made.departments.create(name="工場", headcount=80, may_use=False, as_of=date(2026, 10, 1))
    page = shown()
    assert "週次アクティブ 2名" in section(page, "s-usage")
    assert section(page, "s-dep").endswith("営業 利用中 1 / 12 総務 利用中 1 人事 未利用 0 / 4 工場 契約対象外 0 / 80")


# ── health, people, voices ──


@pytest.fixture
def model(db):
    from signals.models import HealthModel, HealthModelVersion

    body = {
        "cuts": {"watch": 40, "healthy": 60, "excellent": 80},
        "groups": [
            {
                "measures": [
                    {"key": "seats", "term": "seats_used_ratio", "name_ja": "席の使用率", "name_en": "Share of seats in use"}
                ]
            }
        ],
    }
    made = HealthModel.objects.create(key="standard", is_default=True)
    return HealthModelVersion.objects.create(model=made, number=3, state="published", body=body, edited_at=clock.now())


def test_health_is_drawn_over_its_bands_and_explained(run, shown, customer, model):
    from signals.models import HealthScore

    made = customer("K-1", standing={"score": 70, "coverage": 0.8})
    for ago, score in ((0, 70), (30, 40), (400, 10)):
        HealthScore.objects.create(
            customer=made,
            business_date=AS_OF - timedelta(days=ago),
            score=score,
            band="watch",
            coverage=1,
            points=[float(score)],
            version=model,
        )
    page = shown()
    drawing = re.search(r'aria-label="ヘルススコアは2026/10/21の40から2026/11/20の70へ。">(.*?)</svg>', page, re.DOTALL)
    assert drawing is not None
    assert re.findall(r'<rect class="(b\d)" x="0" width="100%" y="([\d.]+)%" height="([\d.]+)%"', drawing[1]) == [
        ("b1", "0.00", "20.00"), ("b2", "20.00", "20.00"), ("b3", "40.00", "20.00"), ("b4", "60.00", "40.00"),
    ]  # fmt: skip
    assert re.findall(r'<polyline class="l" points="([^"]*)"', drawing[1]) == ["92.46,16.8 100,8.4"]
    assert "席の使用率 70 /100 +30" in popover(page, "p-health")
    assert "定義 v3" in popover(page, "p-health")


@pytest.mark.parametrize(("role", "name", "has_address"), [("rep", "高橋 恵一", True), ("viewer", "高橋 ●●", False)])
def test_names_and_addresses_are_shortened_for_a_viewer(run, person, browse, customer, role, name, has_address):
    made = customer("K-1")
    contact = made.contacts.create(
        external_id="P1", name="高橋 恵一", email="takahashi@example.jp", title="部長", role="decision_maker"
    )
    made.nps_responses.create(external_id="N1", contact=contact, responded_on=AS_OF, score=9, comment="速い")
    made.touches.create(external_id="T1", contact=contact, touched_at=clock.start_of(AS_OF), kind="meeting")
    page = browse(person("誰か", role, "all")).get("/accounts/K-1/").content.decode()
    assert section(page, "s-people").startswith(f"関係者 1 {name} 部長 決裁 2026/11/20 面談 NPS 9")
    assert ("takahashi@example.jp" in page) == has_address
    assert section(page, "s-nps") == f"NPSの回答 1 9 2026/11/20 {name} 速い"


def test_the_nps_counts_the_newest_answer_of_each_person_in_a_year(run, shown, customer):
    made = customer("K-1", standing={"nps": 0, "nps_answers": 3})
    one = made.contacts.create(external_id="P1", name="高橋")
    for key, contact, ago, score in [
        ("a", one, 400, 1),
        ("b", one, 20, 5),
        ("c", one, 10, 9),
        ("d", None, 5, 3),
        ("e", None, 4, 7),
    ]:
        made.nps_responses.create(external_id=key, contact=contact, responded_on=AS_OF - timedelta(days=ago), score=score)
    assert popover(shown(), "p-nps").startswith("NPS — 2026/11/16 7 — 2026/11/15 3 高橋 2026/11/10 9 ")


def test_tickets_stand_open_ones_first(run, shown, customer):
    made = customer("K-1")
    noon = clock.start_of(AS_OF)
    made.tickets.create(
        external_id="1",
        opened_at=noon,
        closed_at=noon,
        status="solved",
        severity="p3",
        theme="ログイン",
        satisfaction=Decimal("4.50"),
    )
    made.tickets.create(external_id="2", opened_at=noon - timedelta(days=9), severity="p1", theme="停止", is_escalated=True)
    # Closed by its status alone: no instant is known.
    made.tickets.create(external_id="3", opened_at=noon - timedelta(days=10), status="closed")
    assert section(shown(), "s-tickets") == (
        "問い合わせ 未解決 1件 2026/11/11 P1 停止 エスカレーション 対応中 "
        "2026/11/20 P3 ログイン 解決 評価 4.5 / 5 2026/11/10 — 完了"
    )


def test_deals_orders_and_products(run, shown, customer, line, products):
    made = customer("K-1")
    line(made)
    line(made, "AUDIT", "L2", trial_ends_on=AS_OF)
    made.opportunities.create(
        external_id="1",
        opened_on=date(2026, 5, 1),
        closed_on=date(2026, 6, 2),
        result="won",
        kind="cross_sell",
        product=products["SIGN"],
        amount=336_000,
        currency="JPY",
        discount_percent=Decimal("4.8"),
    )
    made.opportunities.create(external_id="2", opened_on=date(2026, 7, 1), stage="見積", reason="予算")
    made.touches.create(
        external_id="3", touched_at=clock.start_of(date(2026, 8, 1)), kind="refusal", until=date(2026, 12, 1), note="来期に"
    )
    made.touches.create(external_id="4", touched_at=clock.start_of(date(2026, 8, 2)), kind="offer", withdrawn_at=clock.now())
    made.orders.create(
        external_id="5", ordered_on=date(2026, 4, 1), amount=1_200_000, currency="JPY", product=products["STD"], kind="renewal"
    )
    page = shown()
    assert section(page, "s-deals") == (
        "商談と提案 3 2026/8/1 見送り 来期に 2026/12/1まで提案しない 2026/7/1 商談 予算 見積 "
        "2026/5/1 クロスセル 電子契約 34万円 値引 4.8% · 受注 6/2"
    )
    assert section(page, "s-orders") == "注文 1 2026/4/1 スタンダード 更新 120万円"
    assert section(page, "s-hold") == "商品 保有: スタンダード 試用中: 監査ログ 未導入: 電子契約 相性がよい"


# ── where it comes from, and what happened ──


def test_sources_tell_the_last_import_of_each_dataset(run, shown, customer):
    from accounts.models import Identity, ImportBatch

    made = customer("K-1")
    Identity.objects.create(source="crm", external_id="0012", customer=made, confirmed_at=clock.now())
    at = clock.start_of(AS_OF)

    def batch(dataset: str, source: str, state: str, ago: int, rows: int) -> None:
        moment = at - timedelta(days=ago)
        counted = {"rows": rows, "applied": rows} if state == "done" else {}
        ImportBatch.objects.create(dataset=dataset, source=source, state=state, received_at=moment, finished_at=moment, **counted)

    batch("usage", "main", "done", 5, 10)
    batch("usage", "main", "done", 1, 1200)
    batch("usage", "main", "failed", 0, 0)
    batch("customers", "crm", "done", 3, 1)
    batch("sample", "sample", "done", 3, 1)
    page = shown()
    assert section(page, "s-src") == (
        "データの出どころ 最終取り込み 顧客 crm 1行 2026/11/17 00:00 利用量 main 1,200行 2026/11/19 00:00 その後の取り込みに失敗"
    )
    assert "crmのID 0012" in section(page, "s-facts")


def test_the_timeline_goes_on_page_by_page_and_by_kind(run, admin, browse, customer):
    made = customer("K-1")
    for number in range(25):
        made.touches.create(
            external_id=str(number), touched_at=clock.start_of(AS_OF) - timedelta(days=number), kind="call", note=f"通話{number}"
        )
    made.orders.create(external_id="1", ordered_on=AS_OF, amount=5, currency="JPY")
    client = browse(admin)
    page = client.get("/accounts/K-1/").content.decode()
    more = re.search(r'hx-get="(/timelines/[^"]*before[^"]*)"', page)[1].replace("&amp;", "&")
    rest = client.get(more).content.decode()
    told = re.findall(r"通話(\d+)", page) + re.findall(r"通話(\d+)", rest)
    assert told == [str(number) for number in range(25)]
    assert "注文" in words(client.get(f"/timelines/{made.pk}/?kind=contract").content.decode())
    assert "通話" not in client.get(f"/timelines/{made.pk}/?kind=contract").content.decode()
    for bad in ("kind=gossip", "before=yesterday", "before=2026-11-20", "before=2026-13-40T00:00:00Z"):
        assert client.get(f"/timelines/{made.pk}/?{bad}").status_code == 404


def test_a_parent_is_named_only_to_who_may_see_it(run, person, browse, customer):
    me, other = person("田中"), person("山口", team=1)
    parent = customer("P-1", "親会社ホールディングス", owner=other)
    customer("K-1", "子会社", owner=me, parent=parent)
    customer("K-2", "孫会社", owner=other, parent=customer("K-3", "中間会社", owner=me))
    client = browse(me)
    assert "ホールディングス" not in client.get("/accounts/K-1/").content.decode()
    assert "孫会社" not in client.get("/accounts/K-3/").content.decode()
    other.scope = "all"
    other.save()
    client = browse(other)
    assert 'href="/accounts/P-1/"' in client.get("/accounts/K-1/").content.decode()
    assert 'href="/accounts/K-2/"' in client.get("/accounts/K-3/").content.decode()


def test_it_reads_in_english(run, person, browse, customer, line, alert, use, model):
    from signals.models import HealthScore, RfmScore

    made = customer("K-1", "Minato", standing={"segment": "at_risk"})
    line(made, auto_renew=False, past_due_since=AS_OF)
    alert(made, evidence=[{"term": "seats_used_ratio", "op": ">=", "value": 0.95, "threshold": 0.9}])
    use(made, "storage_gb", "gauge", {0: 81}, unit="件", label_ja="容量", label_en="Storage")
    HealthScore.objects.create(
        customer=made, business_date=AS_OF, score=70, band="healthy", coverage=1, points=[70.0], version=model
    )
    RfmScore.objects.create(
        customer=made, lens="usage", business_date=AS_OF, r=2, f=3, m=3, recency_days=9, frequency=3, monetary=1, segment="at_risk"
    )
    made.opportunities.create(external_id="1", opened_on=AS_OF, kind="upsell", result="lost")
    page = (
        browse(person("Ann", "manager", "all", language="en"))
        .get("/accounts/K-1/", headers={"Accept-Language": "en"})
        .content.decode()
    )
    assert (
        "Standard Payment overdue Plan · main L1 50 seats 1 Apr 2026 – 1 Apr 2027 12 months ¥1.20M — "
        "Renews 1 Apr 2027 to be renewed" in section(page, "s-lines")
    )
    assert "Storage 81 / 100" in section(page, "s-usage")
    shown = re.sub(r'lang="ja".*?</button>', "", page, flags=re.DOTALL)
    assert re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]+", shown.replace("東日本", "")) == []
