"""The customer list: who sees which rows, filters, order, pages, totals and files."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from openpyxl import load_workbook

AS_OF = date(2026, 11, 20)


def names(response) -> list[str]:
    return re.findall(r'class="c-name"><a class="lk" href="[^"]*">([^<]*)</a>', response.content.decode())


def total(response) -> str:
    found = re.search(r'class="accs" role="status">\s*<b class="num">([^<]*)</b>', response.content.decode())
    return found[1] if found else ""


def link(response, rel: str) -> str:
    found = re.search(rf'<a class="btn sm" href="([^"]*)"[^>]*rel="{rel}"', response.content.decode())
    return found[1].replace("&amp;", "&") if found else ""


@pytest.fixture
def book(run, person, customer):
    """Four customers: mine, my colleague's, the other team's, and one that nobody owns."""
    me, colleague, other = person("田中"), person("佐藤"), person("山口", team=1)
    customer("A-1", "アオバ薬品", name_kana="アオバヤクヒン", owner=me, domain="aoba.example", industry="製薬")
    customer("B-1", "北信フーズ", name_kana="ホクシンフーズ", owner=colleague)
    customer("C-1", "株式会社ミナト精機", name_kana="ミナトセイキ", owner=other)
    customer("D-1", "さくら電設", name_kana="サクラデンセツ")
    return me


@pytest.mark.parametrize(
    ("role", "scope", "seen"),
    [
        ("rep", "own", ["アオバ薬品", "さくら電設"]),
        ("rep", "team", ["アオバ薬品", "さくら電設", "北信フーズ"]),
        ("manager", "all", ["アオバ薬品", "さくら電設", "北信フーズ", "株式会社ミナト精機"]),
        ("viewer", "own", ["アオバ薬品", "さくら電設"]),
    ],
)
def test_each_sees_the_customers_of_the_own_scope(book, browse, role, scope, seen):
    book.role, book.scope = role, scope
    book.save()
    page = browse(book).get("/accounts/")
    assert names(page) == seen
    assert total(page) == f"{len(seen)}社"


def test_a_stranger_logs_in_first_and_a_swap_is_refused(book, client):
    assert client.get("/accounts/?band=watch").headers["Location"] == "/auth/login/?next=/accounts/%3Fband%3Dwatch"
    assert client.get("/accounts/", headers={"HX-Request": "true"}).status_code == 401


def test_a_merged_customer_is_not_listed(run, admin, browse, customer):
    stays = customer("A-1", "残る会社")
    customer("A-2", "消えた会社", merged_into=stays)
    assert names(browse(admin).get("/accounts/")) == ["残る会社"]


@pytest.mark.parametrize("words", ["minato", "みなと", "ミナト", "ﾐﾅﾄ", "精機", "C-1", "c-1", "港"])
def test_it_is_found_by_name_reading_and_id_in_any_script(book, admin, browse, words):
    found = names(browse(admin).get("/accounts/", {"q": words}))
    assert found == ([] if words == "港" else ["株式会社ミナト精機"])


def test_it_is_found_by_domain(book, admin, browse):
    assert names(browse(admin).get("/accounts/", {"q": "aoba.ex"})) == ["アオバ薬品"]


@pytest.fixture
def varied(run, person, customer, alert):
    """Three customers that differ in everything that can be filtered."""
    from accounts.models import Product

    Product.objects.create(code="PRO", name="プロ", name_en="Pro", kind="plan")
    east, west = person("佐藤"), person("山口", team=1)
    far = {
        "plan_code": "PRO",
        "arr": Decimal(3_000_000),
        "score": 88,
        "segment": "champion",
        "renews_on": AS_OF + timedelta(days=90),
    }
    first = customer("F", "遠い", name_kana="ア", owner=east, band="excellent", standing=far)
    customer(
        "N",
        "近い",
        name_kana="イ",
        owner=west,
        band="watch",
        standing={"arr": 500_000, "score": 45, "renews_on": AS_OF + timedelta(days=91)},
    )
    customer("U", "未計算", name_kana="ウ", band=None)
    alert(first)
    return east, west


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("band=excellent", ["遠い"]),
        ("band=excellent&band=watch", ["遠い", "近い"]),
        ("band=insufficient", ["未計算"]),
        ("plan=PRO", ["遠い"]),
        ("team=west", ["近い"]),
        ("owner=none", ["未計算"]),
        ("renews=90", ["遠い"]),
        ("renews=120", ["遠い", "近い"]),
        ("segment=champion", ["遠い"]),
        ("alerts=open", ["遠い"]),
        ("alerts=none", ["近い", "未計算"]),
        ("band=watch&alerts=open", []),
        ("sort=-arr", ["遠い", "近い", "未計算"]),
        ("sort=arr", ["近い", "遠い", "未計算"]),
        ("sort=-score", ["遠い", "近い", "未計算"]),
        ("sort=score", ["近い", "遠い", "未計算"]),
        ("sort=renewal", ["遠い", "近い", "未計算"]),
        ("sort=name", ["遠い", "近い", "未計算"]),
        # What means nothing is passed over.
        ("band=purple&owner=x&renews=7&sort=size&segment=rich&alerts=all&after=%00&team=", ["遠い", "近い", "未計算"]),
    ],
)
def test_filters_and_order(varied, admin, browse, query, found):
    assert names(browse(admin).get(f"/accounts/?{query}")) == found


def test_the_owner_filter_goes_by_person(varied, admin, browse):
    east, west = varied
    assert names(browse(admin).get(f"/accounts/?owner={west.pk}")) == ["近い"]
    page = browse(admin).get("/accounts/").content.decode()
    assert f'<option value="{east.pk}">佐藤</option>' in page
    assert '<option value="west">西日本</option>' in page


def test_what_a_rep_may_filter_by_tells_nothing_of_other_scopes(varied, browse):
    page = browse(varied[0]).get("/accounts/").content.decode()
    assert "佐藤" in page
    assert "山口" not in page
    assert "西日本" not in page


def test_a_held_alert_is_not_an_open_one(run, admin, browse, customer, alert):
    alert(customer("H", "待つ会社"), state="held")
    client = browse(admin)
    assert names(client.get("/accounts/?alerts=open")) == []
    assert names(client.get("/accounts/?alerts=none")) == ["待つ会社"]


def test_a_row_says_what_is_known(run, admin, browse, customer, alert):
    standing = {
        "score": 55,
        "score_change_30": -11,
        "arr": Decimal(1_560_000),
        "seats": 36.0,
        "seats_used": 16.0,
        "renews_on": date(2027, 3, 6),
        "plan_code": "OLD",
    }
    made = customer("K", "暁郷電設", owner=admin, industry="建設", band="watch", standing=standing)
    lead = alert(made)
    alert(made, "wau_over", is_lead=False)
    text = browse(admin).get("/accounts/").content.decode()
    row = re.sub(r"<svg.*?</svg>", "", text[text.index("<tbody>") : text.index("</tbody>")], flags=re.DOTALL)
    words = " ".join(re.sub(r"<[^>]+>", " ", row).split())
    assert words == "暁郷電設 建設 注意が必要 55 ▼11 OLD 席数 16 / 36 年額 156万円 更新 2027/3/6 管理 太郎 2"
    assert f'href="/triage/{lead.pk}/"' in row
    assert 'aria-label="暁郷電設のアラート 2件"' in row


def test_the_total_adds_up_the_filter_and_not_the_page(run, admin, browse, customer):
    for number in range(60):
        customer(f"C{number:02}", standing={"arr": Decimal(100_000)})
    customer("X", band="watch", standing={"arr": Decimal(7)})
    page = browse(admin).get("/accounts/?band=healthy").content.decode()
    assert '<b class="num">60社</b>' in page
    assert '<b class="num" title="¥6,000,000">600万円</b>' in page


def test_pages_show_each_row_once_whatever_the_order(run, admin, browse, customer):
    # Every third has the same revenue, so that the order inside a tie matters too.
    for number in range(120):
        customer(f"C{number:03}", name_kana=f"{number % 40:03}", standing={"arr": Decimal(number % 40), "score": number % 7})
    client = browse(admin)
    for sort in ("name", "-arr", "arr", "score", "-score", "renewal"):
        whole = {"name": lambda n: (f"{n % 40:03}", n), "-arr": lambda n: (-(n % 40), n), "arr": lambda n: (n % 40, n),
                 "score": lambda n: (n % 7, n), "-score": lambda n: (-(n % 7), n), "renewal": lambda n: n}[sort]  # fmt: skip
        expected = [f"C{number:03}" for number in sorted(range(120), key=whole)]
        first = client.get(f"/accounts/?sort={sort}")
        second = client.get(link(first, "next"))
        third = client.get(link(second, "next"))
        assert names(first) + names(second) + names(third) == expected, sort
        assert (link(first, "prev"), link(third, "next")) == ("", "")
        assert "120社中 51〜100" in second.content.decode()
        assert "120社中 101〜120" in third.content.decode()
        back = client.get(link(third, "prev"))
        assert names(back) == names(second)
        assert "120社中 51〜100" in back.content.decode()
        assert names(client.get(link(back, "prev"))) == names(first)


def test_a_page_keeps_its_place_while_rows_come_and_go(run, admin, browse, customer):
    made = [customer(f"C{number:03}") for number in range(70)]
    client = browse(admin)
    following = link(client.get("/accounts/"), "next")
    made[10].delete()
    customer("C005b")
    assert names(client.get(following)) == [f"C{number:03}" for number in range(50, 70)]


def test_a_page_beyond_the_end_says_so(run, admin, browse, customer):
    from expansion.dashboards.customers import Cursor

    customer("C")
    page = browse(admin).get("/accounts/", {"after": Cursor("zzz", 9).text()}).content.decode()
    assert "このページより前で一覧は終わりです。" in page


@pytest.mark.parametrize("count", [1, 50])
def test_the_list_takes_six_statements(run, admin, browse, customer, alert, django_assert_num_queries, count):
    for number in range(count):
        alert(customer(f"C{number:02}", owner=admin))
    client = browse(admin)
    with django_assert_num_queries(6):
        page = client.get("/accounts/")
    assert len(names(page)) == count
    with django_assert_num_queries(6):
        client.get("/accounts/?q=C0&band=healthy&alerts=open&sort=-arr")
    with django_assert_num_queries(6):
        client.get("/accounts/?q=nothing")


def test_a_swap_brings_rows_and_a_clean_address(varied, admin, browse):
    answer = browse(admin).get("/accounts/?q=&band=watch&plan=&owner=&renews=&sort=-arr", headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert "<html" not in text
    assert names(answer) == ["近い"]
    assert '<select name="sort" id="cu-sort" form="cu-form" hx-swap-oob="true">' in text
    assert answer.headers["HX-Push-Url"] == "/accounts/?band=watch&sort=-arr"
    assert "HX-Request" in answer.headers["Vary"]


def test_headings_say_and_turn_the_order(varied, admin, browse):
    page = browse(admin).get("/accounts/?sort=-arr&band=watch").content.decode()
    assert (
        'aria-sort="descending"><a href="/accounts/?sort=arr&amp;band=watch"' in page
        or 'aria-sort="descending"><a href="/accounts/?band=watch&amp;sort=arr"' in page
    )
    assert page.count("aria-sort=") == 1


def test_no_match_offers_to_clear_the_filters(varied, admin, browse):
    page = browse(admin).get("/accounts/?q=存在しない").content.decode()
    assert "該当する取引先がありません" in page
    assert '<a class="btn sm" href="/accounts/">' in page


def test_an_empty_book_says_how_to_fill_it(admin, person, browse):
    assert "./run manage import_data customers customers.csv" in browse(admin).get("/accounts/").content.decode()
    page = browse(person("田中")).get("/accounts/").content.decode()
    assert "import_data" not in page
    assert "閲覧できる取引先がありません。" in page


def test_it_reads_in_english(varied, person, browse):
    page = browse(person("Ann", "manager", "all", language="en"))
    text = page.get("/accounts/", headers={"Accept-Language": "en"}).content.decode()
    assert '<b class="num">3 accounts</b>' in text
    assert "18 Feb 2027" in text
    assert "Name, reading, ID or domain" in text
    shown = re.sub(r'lang="ja".*?</button>', "", text, flags=re.DOTALL)
    names_of_data = "遠い|近い|未計算|佐藤|山口|東日本|西日本"
    assert re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]+", re.sub(names_of_data, "", shown)) == []


# ── files ──


def csv_rows(response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


@pytest.mark.parametrize(("role", "status"), [("rep", 404), ("viewer", 404), ("manager", 200), ("admin", 200)])
def test_who_may_take_the_list_away(run, person, browse, customer, role, status):
    customer("C")
    client = browse(person("誰か", role, "all"))
    for address in ("/accounts.csv", "/accounts.xlsx"):
        assert client.get(address).status_code == status
    assert ("/accounts.csv" in client.get("/accounts/").content.decode()) == (status == 200)


def test_the_file_holds_what_the_screen_shows(varied, admin, browse):
    client = browse(admin)
    for query in ("sort=-arr", "band=watch", "alerts=none&sort=name"):
        rows = csv_rows(client.get(f"/accounts.csv?{query}"))
        assert [row[1] for row in rows[1:]] == names(client.get(f"/accounts/?{query}"))
    header, first, *_rest = csv_rows(client.get("/accounts.csv?sort=-arr"))
    assert dict(zip(header, first, strict=True)) == {
        "取引先ID": "F", "取引先": "遠い", "読み": "ア", "業種": "", "ドメイン": "", "ヘルス区分": "極めて良好",
        "ヘルススコア": "88", "30日の変化": "", "RFMセグメント": "最優良", "プラン": "プロ", "利用席数": "", "契約席数": "",
        "年額": "3000000.00", "通貨": "JPY", "更新日": "2027-02-18", "担当": "佐藤", "チーム": "東日本", "対応中のアラート": "1",
    }  # fmt: skip


def test_the_file_keeps_to_the_scope_and_goes_beyond_a_page(run, person, browse, customer):
    manager, other = person("部長", "manager", "own"), person("山口", team=1)
    for number in range(60):
        customer(f"C{number:02}", owner=manager)
    customer("X", owner=other)
    assert [row[0] for row in csv_rows(browse(manager).get("/accounts.csv"))[1:]] == [f"C{number:02}" for number in range(60)]


def test_no_spreadsheet_runs_what_a_customer_is_called(run, admin, browse, customer):
    customer("=1+1", "=HYPERLINK(A1)", industry="＝cmd|", domain="+evil", standing={"arr": Decimal("-5.00")})
    client = browse(admin)
    row = csv_rows(client.get("/accounts.csv"))[1]
    assert (row[0], row[1], row[3], row[4], row[12]) == ("'=1+1", "'=HYPERLINK(A1)", "'＝cmd|", "'+evil", "-5.00")
    sheet = load_workbook(io.BytesIO(client.get("/accounts.xlsx").content)).active
    cells = list(sheet[2])
    assert [cell.data_type for cell in cells[:2]] == ["s", "s"]
    assert (cells[1].value, cells[12].value, cells[12].data_type) == ("'=HYPERLINK(A1)", -5, "n")
