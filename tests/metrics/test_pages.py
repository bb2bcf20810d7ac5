"""The page, the drawer and the files, over HTTP, for each role."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from expansion.audit.models import AuditEntry
from expansion.dashboards import drills, kpis
from expansion.dashboards.models import Target
from expansion.dashboards.scopes import Scope
from expansion.dashboards.spans import Period

YEAR = "period=custom&from=2024-12-31&to=2025-12-31"
PERIOD = Period(date(2024, 12, 31), date(2025, 12, 31))
SWAP = {"HX-Request": "true"}


@pytest.fixture
def as_of(monkeypatch):
    """Fix the newest day: the clock is the only thing that knows it."""
    from expansion import clock

    monkeypatch.setattr(clock, "now", lambda: datetime.fromisoformat("2026-01-01T09:00:00+09:00"))


@pytest.fixture
def open_as(client, people, as_of):
    def log_in(name, language="ja"):
        people[name].language = language
        people[name].save()
        client.force_login(people[name])
        return client

    return log_in


def text_of(response):
    page = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def rows_of(response):
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


def test_the_page_says_what_kpis_says(book, standing, open_as):
    standing({book["acme"]: "healthy"})
    shown = text_of(open_as("max").get(f"/metrics/?{YEAR}"))
    assert "NRRは 89.3% 。 増えた月額840円の 60% がアップセル。" in shown
    for figure in ("89.3 %", "69.8 %", "75.0 %", "25.0 %", "+840 円", "3 / 4社", "1 / 4社"):
        assert figure in shown
    english = text_of(open_as("max", "en").get(f"/metrics/?{YEAR}"))
    assert "NRR is 89.3% . Upsell is 60% of the ¥840 gained a month." in english
    assert "(¥4.3K + ¥840 − ¥800 − ¥500) ÷ ¥4.3K = 89.3%" in english


def test_nothing_is_left_untranslated(book, standing, open_as):
    standing(dict.fromkeys(book.values(), "watch"))
    for path in (f"/metrics/?{YEAR}", *(f"/metrics/drill/{metric}/?{YEAR}" for metric in drills.METRICS)):
        japanese = text_of(open_as("max").get(path))
        words = set(re.findall(r"\b[A-Z][a-z]{3,}(?: [a-z]+)+", japanese))
        assert not words - {"Ctrl K"}, (path, words)


def test_the_charts_carry_the_numbers_and_the_links(book, open_as):
    page = open_as("max").get(f"/metrics/?{YEAR}").content.decode()
    numbers = {
        kind: json.loads(found.replace("&quot;", '"').replace("&amp;", "&").replace("&#x27;", "'"))
        for kind, found in re.findall(r'data-chart="(\w+)" data-numbers="([^"]*)"', page)
    }
    bars = numbers["waterfall"]["bars"]
    assert [(bar["name"], bar["amount"], bar["base"], bar["kind"]) for bar in bars[:3]] == [
        ("期首", 4300.0, 0.0, "total"), ("アップセル", 500.0, 4300.0, "up"), ("クロスセル", 300.0, 4800.0, "up"),
    ]  # fmt: skip
    assert bars[1]["href"] == "/metrics/drill/upsell/?period=custom&from=2024-12-31&to=2025-12-31"
    lines = numbers["trend"]["lines"]
    assert (lines[0]["name"], lines[0]["last"], lines[1]["last"]) == ("NRR", "89.3", "69.8")
    assert len(numbers["trend"]["days"]) == len(lines[0]["values"]) == 13
    assert lines[0]["hrefs"][-1] == "/metrics/drill/nrr/?period=custom&from=2024-12-31&to=2025-12-31"


def test_a_swap_gets_the_board_only_and_the_address_in_short(book, open_as):
    client = open_as("max")
    swap = client.get("/metrics/?period=quarter&compare=year_before&team=&plan=&owner=&segment=", headers=SWAP)
    assert swap.content.lstrip().startswith(b'<div id="metrics">')
    assert swap["HX-Push-Url"] == "/metrics/?period=quarter"
    assert "HX-Request" in swap["Vary"]
    assert b"<html" in client.get("/metrics/").content


@pytest.mark.parametrize("metric", drills.METRICS)
def test_every_drill_proves_its_sum(book, standing, open_as, metric):
    from accounts.models import ContractLine

    ContractLine.objects.filter(line_id__in=["a1", "d1"]).update(renews_on="2026-02-10")
    standing({book["acme"]: "watch", book["dash"]: "healthy"})
    client = open_as("max", "en")
    page = client.get(f"/metrics/drill/{metric}/?{YEAR}")
    assert page.status_code == 200
    shown = text_of(page)
    assert "please tell your administrator" not in shown
    assert re.search(r"matches the page|the figure on the page|the MRR at the start", shown)
    part = client.get(f"/metrics/drill/{metric}/?{YEAR}", headers=SWAP)
    assert part.content.lstrip().startswith(b"<header>")


def test_a_drill_shows_customers_and_the_lines_that_changed(book, open_as):
    shown = text_of(open_as("max", "en").get(f"/metrics/drill/upsell/?{YEAR}"))
    assert "Upsell +¥500 · 25.0% (1 of 4)" in shown
    assert "Acme" in shown
    assert "1 Jun 2025 Basic 10 → 15 Seats" in shown
    assert "1 of 1 changes shown. The total, ¥500, matches the page." in shown
    nrr = text_of(open_as("max", "en").get(f"/metrics/drill/nrr/?{YEAR}"))
    assert "All rows sum to ¥3,840; ÷ ¥4,300 = 89.30%, the figure on the page." in nrr
    assert "1 Sept 2025 Pro → Basic Plan −¥800" in nrr.replace("Sep ", "Sept ")


def test_drills_without_a_limit_have_all_rows(book):
    scope = Scope()
    for metric in (*drills.NETTED, *drills.CHANGED):
        whole, cut = drills.drill(metric, PERIOD, scope, limit=None), drills.drill(metric, PERIOD, scope, limit=1)
        assert whole.matches
        assert cut.matches
        assert len(whole.rows) == whole.row_count == cut.row_count
        assert sum((row.amount for row in whole.rows), Decimal(0)) == whole.total == cut.total == whole.figure
        assert cut.rows == whole.rows[:1]


def test_renewals_drill_by_window_and_risk(fill, standing, people):
    customers = fill("""
        customer owner line product starts     renews     mrr
        acme     aoi   a1   basic   2025-01-01 2026-01-10 100
        acme     aoi   a2   board   2025-01-01 2026-03-01 50
        bolt     ben   b1   basic   2025-01-01 2026-01-30 200
    """)
    standing({customers["acme"]: "healthy", customers["bolt"]: "act_now"})
    day = date(2025, 12, 31)
    found = drills.renewals(day, Scope(), within_days=90)
    assert [(row.customer.customer_id, row.band, row.amount, [str(c.on) for c in row.changes]) for row in found.rows] == [
        ("acme", "healthy", Decimal("1800.00"), ["2026-01-10", "2026-03-01"]),
        ("bolt", "act_now", Decimal("2400.00"), ["2026-01-30"]),
    ]  # fmt: skip
    assert found.matches
    assert found.figure == Decimal("4200.00")
    risk = drills.renewals(day, Scope(), within_days=60, at_risk_only=True)
    assert ([row.customer.customer_id for row in risk.rows], risk.total, risk.matches) == (["bolt"], Decimal("2400.00"), True)
    later = drills.renewals(day, Scope(), after_days=30, within_days=60)
    assert [(row.customer.customer_id, row.amount) for row in later.rows] == [("acme", Decimal("600.00"))]
    mine = drills.renewals(day, Scope(user=people["ben"]), within_days=90)
    assert [row.customer.customer_id for row in mine.rows] == ["bolt"]


@pytest.mark.parametrize(("name", "status"), [("aoi", 200), ("emi", 200), ("max", 200), ("ada", 200), ("vic", 200)])
def test_every_role_reads_and_sees_only_its_customers(book, open_as, name, status):
    client = open_as(name)
    shown = text_of(client.get(f"/metrics/drill/start/?{YEAR}"))
    sees_west = name in {"max", "ada", "vic"}
    assert ("Dash" in shown, "Acme" in shown) == (sees_west, True)
    assert client.get(f"/metrics/?{YEAR}").status_code == status


@pytest.mark.parametrize(("path", "may"), [
    ("/metrics/figures.csv", {"aoi", "emi", "max", "ada"}), ("/metrics/tables/trend.csv", {"aoi", "emi", "max", "ada"}),
    ("/metrics/drill/nrr.csv", {"aoi", "emi", "max", "ada"}),
])  # fmt: skip
def test_who_may_take_files_away(book, open_as, path, may):
    for name in ("aoi", "emi", "max", "ada", "vic"):
        assert open_as(name).get(f"{path}?{YEAR}").status_code == (200 if name in may else 404)


def test_without_a_log_in_there_is_the_login_page(book, client, as_of):
    assert client.get("/metrics/")["Location"].startswith("/auth/login/")
    assert client.get("/metrics/drill/nrr/", headers=SWAP).status_code == 401


def test_files_hold_the_figures_of_the_page(book, standing, open_as):
    client = open_as("max", "en")
    figures = {row[0]: row[1:] for row in rows_of(client.get(f"/metrics/figures.csv?{YEAR}&compare=none"))}
    f = kpis.retention(PERIOD, Scope())
    assert figures["NRR"] == ["0.893023", "", "", "", "2024-12-31", "2025-12-31"]
    assert figures["Expansion MRR"][:4] == ["840.00", "", "", "JPY"]
    assert Decimal(figures["Upsell rate"][0]) == f.upsell_rate
    table = rows_of(client.get(f"/metrics/tables/waterfall.csv?{YEAR}"))
    assert [row[:2] for row in table][1:3] == [["Start", "4300.00"], ["Upsell", "500.00"]]
    trend = rows_of(client.get(f"/metrics/tables/trend.csv?{YEAR}"))
    assert trend[-1] == ["2025-12-31", "0.893023", "0.697674"]
    assert len(rows_of(client.get(f"/metrics/tables/renewals.csv?{YEAR}"))) == 5
    drilled = rows_of(client.get(f"/metrics/drill/upsell.csv?{YEAR}"))
    assert drilled[1] == [
        "acme", "Acme", "Aoi", "Not enough data", "1000.00", "1800.00", "500.00", "JPY",
        "2025-06-01", "Seats", "a1", "Basic", "Basic", "10.00", "15.00",
    ]  # fmt: skip
    everyone = rows_of(client.get(f"/metrics/drill/nrr.csv?{YEAR}"))
    assert sum(Decimal(row[6]) for row in everyone[1:]) == f.retained_mrr
    assert client.get("/metrics/tables/secrets.csv").status_code == 404


def test_a_figure_that_does_not_exist_is_no_page(book, open_as):
    assert open_as("max").get("/metrics/drill/ebitda/").status_code == 404


def test_wrong_filters_are_told_or_left_aside(book, open_as):
    client = open_as("max")
    told = client.get("/metrics/?team=north")
    assert told.status_code == 422
    assert "キー「north」のチームはありません。" in text_of(told)
    assert client.get("/metrics/drill/nrr/?owner=nobody@example.jp").status_code == 422
    assert client.get("/metrics/figures.csv?plan=gold").status_code == 422
    for query in (
        "period=never", "period=custom", "period=custom&from=2025-02-30&to=x", "period=custom&from=2025-02-02&to=2025-01-01",
        "compare=moon", "within=7", "after=-1", "period=custom&from=0001-01-01&to=9999-12-31",
    ):  # fmt: skip
        assert client.get(f"/metrics/?{query}").status_code == 200, query
        assert client.get(f"/metrics/drill/renewals/?{query}").status_code == 200, query


def test_filters_offer_what_the_reader_may_see(book, open_as):
    page = open_as("aoi").get("/metrics/").content.decode()
    assert "ben@example.jp" not in page
    assert '<option value="basic">Basic</option>' in page
    assert "ben@example.jp" in open_as("max").get("/metrics/").content.decode()
    assert '<option value="west" selected>西日本</option>' in open_as("max").get("/metrics/?team=west").content.decode()


def test_without_data_nothing_is_zero(open_as, fill):
    client = open_as("max")
    empty = text_of(client.get("/metrics/"))
    assert "この条件と期間には、支払いのあった取引先がありません。" in empty
    assert "0.0%" not in empty
    fill("""
        customer owner line product starts     mrr
        acme     aoi   a1   basic   2025-03-01 100
    """)
    young = text_of(client.get("/metrics/"))
    assert "期首に支払いのあった取引先がないため、NRRはまだ出せません。" in young
    assert "比べられるデータなし" in young
    assert "0.0%" not in young


def test_a_missing_exchange_rate_says_how_to_mend_it(open_as, fill):
    fill("""
        customer owner line product currency starts     mrr
        acme     aoi   a1   basic   USD      2025-03-01 100
    """)
    for path in ("/metrics/", "/metrics/drill/nrr/"):
        refused = open_as("max").get(path)
        assert refused.status_code == 422
        assert "USD" in text_of(refused)
        assert "fx_rates" in text_of(refused)


def test_a_manager_sets_a_target_and_it_is_written_down(book, people, open_as):
    client = open_as("max")
    answer = client.post(f"/metrics/targets/?{YEAR}", {"metric": "nrr", "percent": "85"}, headers=SWAP)
    assert answer.status_code == 200
    target = Target.objects.get()
    assert (target.metric, target.value, str(target.valid_from), target.set_by) == (
        "nrr",
        Decimal("0.85"),
        "2025-12-31",
        people["max"],
    )
    assert "NRRは 89.3% で、目標85%を達成。" in text_of(answer)
    entry = AuditEntry.objects.get(verb="target.set")
    assert (entry.by, entry.before, entry.after["value"]) == (people["max"], None, "0.85")
    plain = client.post(f"/metrics/targets/?{YEAR}", {"metric": "nrr", "percent": "110"})
    assert plain["Location"] == f"/metrics/?{YEAR}"
    assert Target.objects.get().value == Decimal("1.1")
    assert "目標110%に届いていない" in text_of(client.get(f"/metrics/?{YEAR}"))
    earlier = text_of(client.get("/metrics/?period=custom&from=2024-11-30&to=2025-11-30"))
    assert "目標110%" not in earlier


@pytest.mark.parametrize(("data", "said"), [
    ({"metric": "nrr", "percent": "0"}, "例: 110"), ({"metric": "nrr", "percent": "abc"}, "例: 110"),
    ({"metric": "nrr", "percent": "301"}, "300%以下"), ({"metric": "grr", "percent": "101"}, "100%以下"),
    ({"metric": "ebitda", "percent": "10"}, "例: 110"), ({}, "例: 110"),
])  # fmt: skip
def test_a_target_that_cannot_be_is_refused_in_words(book, open_as, data, said):
    answer = open_as("max").post(f"/metrics/targets/?{YEAR}", data, headers=SWAP)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not Target.objects.exists()


def test_only_managers_and_administrators_set_targets(book, open_as):
    for name, may in (("aoi", False), ("vic", False), ("emi", True), ("ada", True)):
        client = open_as(name)
        assert client.post("/metrics/targets/", {"metric": "grr", "percent": "92"}).status_code == (302 if may else 404)
        assert ('popovertarget="p-target-nrr"' in client.get(f"/metrics/?{YEAR}").content.decode()) is may


@pytest.mark.parametrize("path", [f"/metrics/?{YEAR}", f"/metrics/drill/nrr/?{YEAR}", f"/metrics/drill/upsell/?{YEAR}"])
def test_queries_do_not_grow_with_customers(fill, standing, open_as, path):
    client = open_as("max")
    rows = "\n".join(f"k{n} aoi l{n} basic 2024-01-01 10 100\nk{n} aoi l{n} basic 2025-06-01 15 150" for n in range(45))
    counts = []
    for text in ("k99 aoi l99 basic 2024-01-01 10 100\nk99 aoi l99 basic 2025-06-01 15 150", rows):
        customers = fill(f"customer owner line product starts qty mrr\n{text}")
        standing(dict.fromkeys(customers.values(), "healthy"))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] <= 24


def test_the_page_asks_nobody_else_and_runs_no_inline_code(book, open_as):
    page = open_as("max").get(f"/metrics/?{YEAR}").content.decode()
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert not re.findall(r"<[^>]+ (?:style|on\w+)=", page)
    assert not re.findall(r"<script(?![^>]*\bsrc=)", page)
    assert 'id="plotly.js-style-global" class="no-inline-styles"' in page


def test_plotly_is_told_to_keep_everything_here():
    from django.conf import settings

    script = (settings.BASE_DIR / "static/js/metrics.js").read_text()
    config = re.search(r"const config = {([^}]*)}", script)[1]
    for setting in ("showSendToCloud: false", 'plotlyServerURL: ""', "displaylogo: false", "displayModeBar: false"):
        assert setting in config
    assert len(re.findall(r"Plotly\.\w+\(", script)) == len(re.findall(r"Plotly\.react\([^;]*, config\);", script)) == 1
    assert '"waterfall"' not in re.sub(r'dataset\.chart === "waterfall"', "", script)  # the basic bundle has no such trace
    bundle = (settings.BASE_DIR / "static/vendor/plotly/plotly-basic.min.js").read_text()
    assert bundle.startswith("/**\n* plotly.js (basic - minified) v4.1.1")
    assert "new Function" not in bundle
