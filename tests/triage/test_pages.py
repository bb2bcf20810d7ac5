"""The triage screen over HTTP: what a rep, a colleague, a manager and a viewer see and can do."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Contact, NpsResponse, Opportunity, Touch
from expansion.audit.models import AuditEntry
from playbooks.models import Outcome, Play, Undo
from signals import alerts
from signals.models import Alert, FeatureBlock

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
SWAP = {"HX-Request": "true", "HX-Target": "detail"}


@pytest.fixture(autouse=True)
def friday():
    with time_machine.travel(NOW, tick=False):
        yield


def client(user, language="ja"):
    one = Client(headers={"accept-language": language})
    one.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return one


def text(response):
    """The words on the page, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())).strip()


def entry(alert, key="key-00000001", **fields):
    return {"result": "opened", "amount": "1,562,000", "when": "2026-11-26", "version": alert.version, "key": key} | fields


def test_the_page_shows_the_queue_and_the_first_card(desk):
    alert = desk.alert(desk.customer("ミナト精機"))
    Contact.objects.create(
        customer=alert.customer,
        external_id="p1",
        name="高橋 恵一",
        title="部長",
        department="情報システム部",
        role="decision_maker",
        email="t@example.jp",
    )
    page = client(desk.owner).get("/triage/")
    assert page.status_code == 200
    shown = text(page)
    assert (
        "田中 優 が 高橋 恵一(情報システム部 部長) に、 席の追加(120 → 150席) を 11/24(火) までに提案する。"
        "価格は年 +150万円〜+162万円の幅 で示す。" in shown
    )
    for words in ("席の上限が近い", "席の使用率が90%以上", "93%", "概算見積り", "結果を記録", "商談化", "ミナト精機"):
        assert words in shown
    assert f'data-alert="{alert.pk}"' in page.content.decode()


def test_the_same_page_in_english_has_no_japanese_but_the_data(desk):
    desk.alert(desk.customer("Minato Seiki", industry="Manufacturing"))
    desk.owner.name = "Yu Tanaka"
    desk.owner.save()
    page = client(desk.owner, "en").get("/triage/").content.decode()
    own = re.sub(r"<[^>]*lang=\"ja\"[^>]*>.*?</[^>]+>", "", page)
    assert sorted(set(re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]+", own))) == []
    assert "Next best action" in page


def test_a_swap_brings_the_card_and_not_the_frame(desk):
    alert = desk.alert(desk.customer())
    swapped = client(desk.owner).get(f"/triage/{alert.pk}/", headers=SWAP)
    assert swapped.content.decode().lstrip().startswith("<section")
    assert "HX-Request" in swapped["Vary"]
    whole = client(desk.owner).get(f"/triage/{alert.pk}/")
    assert b"<!doctype html>" in whole.content
    assert b'data-view="detail"' in whole.content


def test_any_alert_of_a_customer_opens_its_card(desk):
    customer = desk.customer()
    lead = desk.alert(customer)
    other = desk.alert(customer, "quota_80", lead=False, priority=10)
    page = client(desk.owner).get(f"/triage/{other.pk}/", headers=SWAP).content.decode()
    assert f'data-alert="{lead.pk}"' in page
    assert f"/triage/{other.pk}/choose/" in page


@pytest.mark.parametrize("rows", [1, 50])
def test_the_first_load_takes_eight_statements_and_a_swap_five(desk, rows):
    made = [desk.alert(desk.customer(f"取引先{number}"), priority=number) for number in range(rows)]
    for week in range(12):
        FeatureBlock.objects.create(
            business_date=date(2026, 11, 19) - timedelta(weeks=week),
            term="seats_used_ratio",
            block=0,
            dtype="f8",
            data=b"\0" * 8 * rows,
        )
    rep = client(desk.owner)
    rep.get("/triage/")
    with CaptureQueriesContext(connection) as first:
        rep.get("/triage/")
    with CaptureQueriesContext(connection) as swap:
        rep.get(f"/triage/{made[0].pk}/", headers=SWAP)
    assert [len(first), len(swap)] == [7, 5]


def test_in_the_first_weeks_one_more_statement_reads_the_usage(desk):
    alert = desk.alert(desk.customer())
    rep = client(desk.owner)
    rep.get("/triage/")
    with CaptureQueriesContext(connection) as first:
        rep.get("/triage/")
    with CaptureQueriesContext(connection) as swap:
        rep.get(f"/triage/{alert.pk}/", headers=SWAP)
    assert [len(first), len(swap)] == [8, 6]


def test_logging_shows_the_next_card_takes_the_row_out_and_offers_undo(desk):
    first, second = desk.alert(desk.customer("A"), priority=90), desk.alert(desk.customer("B"), priority=80)
    rep = client(desk.owner)
    saved = rep.post(f"/triage/{first.pk}/outcome/", entry(first), headers=SWAP)
    body = saved.content.decode()
    assert saved.status_code == 200
    assert saved["HX-Push-Url"] == f"/triage/{second.pk}/"
    assert json.loads(saved["HX-Trigger-After-Settle"]) == {"triage:moved": {"id": second.pk}}
    assert f'data-alert="{second.pk}"' in body
    assert json.loads(saved["HX-Trigger"]) == {"triage:gone": {"ids": [first.pk]}}
    assert "Aを記録しました — 商談化 · ¥1,562,000 · デモ · 11/26(木)" in text(saved)
    token = Undo.objects.get().token
    assert f"/triage/undo/{token}/" in body
    back = rep.post(f"/triage/undo/{token}/", headers={"HX-Request": "true"})
    assert "元に戻しました:A" in text(back)
    assert f'<ol id="list-today" hx-swap-oob="beforeend"><li class="qc sel" id="row-{first.pk}"' in back.content.decode().replace(
        "\n", ""
    )
    assert Outcome.objects.effective().count() == 0


def test_without_script_the_form_leads_to_the_next_card(desk):
    first, second = desk.alert(desk.customer("A"), priority=90), desk.alert(desk.customer("B"), priority=80)
    rep = client(desk.owner)
    saved = rep.post(f"/triage/{first.pk}/outcome/?view=mine", entry(first, when="", amount=""), follow=True)
    assert saved.redirect_chain == [(f"/triage/{second.pk}/?view=mine", 302)]
    assert "Aを記録しました" in text(saved)
    assert (Outcome.objects.get().next_on, Outcome.objects.get().amount) == (date(2026, 11, 26), None)


def test_who_wants_no_advance_stays_on_the_card(desk):
    desk.owner.has_auto_advance = False
    desk.owner.save()
    first = desk.alert(desk.customer("A"), priority=90)
    desk.alert(desk.customer("B"), priority=80)
    saved = client(desk.owner).post(f"/triage/{first.pk}/outcome/", entry(first), headers=SWAP)
    assert saved["HX-Push-Url"] == f"/triage/{first.pk}/"


def test_the_last_card_of_the_day_says_so(desk):
    alert = desk.alert(desk.customer("A"))
    saved = client(desk.owner).post(f"/triage/{alert.pk}/outcome/", entry(alert), headers=SWAP)
    assert "担当のアラートはすべて対応しました 商談化 1" in text(saved)
    assert "次の確認:11/21 04:00" in text(saved)
    assert saved["HX-Push-Url"] == "/triage/"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"result": "declined"}, "理由を選んでください。", id="a reason is missing"),
        pytest.param({"amount": "たくさん"}, "金額は 1,562,000 のように数字で入力してください。", id="an amount that is none"),
        pytest.param(
            {"when": "other", "when_other": "2026-11-20"}, "次回は明日から2年以内の日付を選んでください。", id="a date that is over"
        ),
        pytest.param({"result": ""}, "六つの結果から一つ選んでください。", id="no result"),
        pytest.param({"result": "won", "amount": ""}, "年額を入力してください。", id="won for nothing"),
    ],
)
def test_a_wrong_entry_comes_back_as_it_was_typed(desk, fields, words):
    alert = desk.alert(desk.customer())
    refused = client(desk.owner).post(
        f"/triage/{alert.pk}/outcome/", entry(alert, note="<b>部長は前向き</b>") | fields, headers=SWAP
    )
    assert refused.status_code == 422
    assert (refused["HX-Retarget"], refused["HX-Reswap"]) == ("#outcome", "outerHTML")
    body = refused.content.decode()
    assert words in text(refused)
    assert 'value="&lt;b&gt;部長は前向き&lt;/b&gt;"' in body
    assert 'value="key-00000001"' in body
    assert Outcome.objects.count() == 0


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("1,562,000", 1_562_000),
        ("１，５６２，０００円", 1_562_000),
        ("¥156万", 1_560_000),
        ("−1,728,000", -1_728_000),
        ("1.5M", 1_500_000),
        ("1.2億", 120_000_000),
    ],
)
def test_amounts_are_read_as_people_write_them(desk, typed, amount):
    alert = desk.alert(desk.customer())
    client(desk.owner).post(f"/triage/{alert.pk}/outcome/", entry(alert, amount=typed), headers=SWAP)
    assert Outcome.objects.get().amount == Decimal(amount)


def overtaken(desk):
    alert = desk.alert(desk.customer("ミナト精機"))
    theirs = entry(alert, "key-00000009", result="thinking", when="2026-12-01", next_step_thinking="approval", note="12月に再確認")
    assert client(desk.colleague).post(f"/triage/{alert.pk}/outcome/", theirs, headers=SWAP).status_code == 200
    mine = client(desk.owner).post(f"/triage/{alert.pk}/outcome/", entry(alert, note="部長は前向き"), headers=SWAP)
    return alert, mine


def test_the_second_person_gets_both_entries_side_by_side(desk):
    _alert, mine = overtaken(desk)
    assert mine.status_code == 409
    shown = text(mine)
    assert "佐藤 花さんが先に記録しました(11/20 10:00)。あなたの入力は消えていません。" in shown
    assert "検討中 · ¥1,562,000 · 稟議待ち · 12/1(火)" in shown
    assert "商談化 · ¥1,562,000 · デモ · 11/26(木)" in shown
    for choice in ("佐藤 花さんの記録を残す", "両方を経緯に残す", "私の内容で上書き"):
        assert choice in shown
    assert 'value="部長は前向き"' in mine.content.decode()
    assert Outcome.objects.count() == 1


@pytest.mark.parametrize("choice", ["both", "mine"])
def test_after_a_conflict_a_person_keeps_both_or_replaces(desk, choice):
    alert, mine = overtaken(desk)
    body = mine.content.decode()
    version = re.search(r'name="version" value="(\d+)"', body)[1]
    theirs = re.search(r'name="theirs" value="(\d+)"', body)[1]
    rep = client(desk.owner)
    fields = entry(alert, note="部長は前向き", choice=choice, version=version, theirs=theirs)
    if choice == "mine":
        again = rep.post(f"/triage/{alert.pk}/outcome/", fields | {"why": ""}, headers=SWAP)
        assert again.status_code == 422
        assert "上書きする理由を入力してください。" in text(again)
    done = rep.post(f"/triage/{alert.pk}/outcome/", fields | {"why": "部長から伺った"}, headers=SWAP)
    assert done.status_code == 200
    effective = Outcome.objects.effective().get()
    assert effective.result == ("thinking" if choice == "both" else "opened")
    assert Outcome.objects.filter(is_side_note=choice == "both", note="部長は前向き").count() == 1
    alert.refresh_from_db()
    assert alert.state == ("open" if choice == "both" else "waiting")


def test_sending_the_same_form_twice_logs_once(desk):
    alert = desk.alert(desk.customer())
    rep = client(desk.owner)
    answers = [rep.post(f"/triage/{alert.pk}/outcome/", entry(alert), headers=SWAP).status_code for _ in range(2)]
    assert answers == [200, 200]
    assert Outcome.objects.count() == 1


def test_undo_after_somebody_acted_says_what_happened(desk):
    alert = desk.alert(desk.customer())
    rep = client(desk.owner)
    rep.post(f"/triage/{alert.pk}/outcome/", entry(alert), headers=SWAP)
    with time_machine.travel(NOW + timedelta(minutes=2)):
        alerts.wake(alert, by=desk.colleague, now=NOW + timedelta(minutes=1))
        late = rep.post(f"/triage/undo/{Undo.objects.get().token}/", headers={"HX-Request": "true"})
    assert late.status_code == 410
    assert "その後に別の操作があったため、元に戻せません。 11/20 10:01に佐藤 花が一覧に戻しました" in text(late)


@pytest.mark.parametrize(
    ("fields", "until", "condition"),
    [
        ({"until": "2026-11-24"}, datetime(2026, 11, 23, 15, tzinfo=UTC), None),
        ({"until": "", "day": "2026-12-01"}, datetime(2026, 11, 30, 15, tzinfo=UTC), None),
        ({"until": "rise"}, None, {"term": "seats_used_ratio", "op": ">=", "threshold": 1.0}),
    ],
)
def test_snoozing_until_a_day_or_until_it_rises(desk, fields, until, condition):
    alert = desk.alert(desk.customer("A"))
    done = client(desk.owner).post(f"/triage/{alert.pk}/snooze/", fields | {"reason": "customer", "version": 1}, headers=SWAP)
    alert.refresh_from_db()
    assert done.status_code == 200
    assert (alert.state, alert.snoozed_until, alert.snooze_condition, alert.snooze_reason) == (
        "waiting",
        until,
        condition,
        "customer",
    )
    assert Undo.objects.get().kind == "snooze"


def test_a_snooze_without_a_date_is_refused_and_told(desk):
    alert = desk.alert(desk.customer())
    refused = client(desk.owner).post(f"/triage/{alert.pk}/snooze/", {"until": "", "reason": "own"}, headers=SWAP)
    assert (refused.status_code, refused["HX-Reswap"]) == (422, "none")


def test_assigning_lists_who_has_how_much_and_gives_the_card_away(desk):
    alert = desk.alert(desk.customer("A"))
    desk.alert(desk.customer("B", owner=desk.colleague))
    rep = client(desk.owner)
    shown = text(rep.get(f"/triage/{alert.pk}/assign/", headers={"HX-Request": "true"}))
    assert "田中 優 (自分) 対応中 1件" in shown
    assert "佐藤 花 対応中 1件" in shown
    assert "森 香" not in shown
    rep.post(f"/triage/{alert.pk}/assign/", {"to": desk.colleague.pk, "note": "席の話は済み", "version": 1}, headers=SWAP)
    alert.refresh_from_db()
    assert alert.owner == desk.colleague
    assert alert.changes.latest("id").reason == "席の話は済み"
    assert rep.post(f"/triage/{alert.pk}/assign/", {"to": desk.viewer.pk}, headers=SWAP).status_code == 404


def test_steps_and_questions_are_kept_with_who_and_when(desk):
    alert = desk.alert(desk.customer())
    rep = client(desk.owner)
    rep.post(f"/triage/{alert.pk}/steps/", {"step": "review", "done": "1"}, headers=SWAP)
    rep.post(f"/triage/{alert.pk}/questions/", {"key": "s1", "asked": "s1"}, headers=SWAP)
    play = Play.objects.get()
    assert (play.steps["review"]["by"], play.asked["s1"]["name"]) == (desk.owner.pk, "田中 優")
    card = rep.get(f"/triage/{alert.pk}/", headers=SWAP).content.decode()
    assert 'value="s1" checked' in card
    assert "11/20 田中 優" in card
    rep.post(f"/triage/{alert.pk}/questions/", {"key": "s1"}, headers=SWAP)
    play.refresh_from_db()
    assert play.asked == {}
    alert.refresh_from_db()
    assert (alert.acknowledged_at, alert.version) == (NOW, 1)
    assert rep.post(f"/triage/{alert.pk}/steps/", {"step": "nope", "done": "1"}, headers=SWAP).status_code == 422


def test_another_play_of_the_customer_can_take_the_card(desk):
    customer = desk.customer()
    lead = desk.alert(customer)
    other = desk.alert(customer, "quota_80", lead=False, priority=10)
    done = client(desk.owner).post(f"/triage/{other.pk}/choose/", headers=SWAP)
    assert f'data-alert="{other.pk}"' in done.content.decode()
    lead.refresh_from_db()
    other.refresh_from_db()
    assert (lead.is_lead, other.is_lead) == (False, True)


def test_the_quote_follows_the_policy(desk):
    alert = desk.alert(desk.customer())
    rep = client(desk.owner)

    def quote(**fields):
        return text(
            rep.get(
                f"/triage/{alert.pk}/quote/",
                {"quantity": 150, "years": 1, "discount": "0"} | fields,
                headers={"HX-Request": "true"},
            )
        )

    assert "年間の増額 +¥720,000 新しい年額 ¥3,600,000" in quote()
    assert "承認 不要" in quote(discount="5")
    assert "承認 マネージャー(1営業日)" in quote(discount="5.1")
    assert "承認 本部長+経理(3営業日)" in quote(discount="12")
    assert "値引は0〜15パーセントです。" in quote(discount="16")
    assert "121 以上で見積もってください。" in quote(quantity=100)
    assert "席数と値引は数字で入力してください。" in quote(quantity="x")
    assert "期間合計 ¥7,200,000" in quote(years=2)


def test_a_stopped_card_hides_the_offer_and_puts_the_snooze_first(desk):
    alert = desk.alert(desk.customer("A"))
    for number in range(3):
        Touch.objects.create(
            customer=alert.customer, external_id=f"t{number}", kind="proposal", touched_at=NOW - timedelta(days=10 + number)
        )
    page = client(desk.owner).get(f"/triage/{alert.pk}/", headers=SWAP)
    shown = text(page)
    assert "Aには12/8(火)まで提案できません" in shown
    assert "12/8まで保留" in shown
    assert "概算見積り" not in shown
    assert "いまは提案をしない。" in shown


def test_why_it_ranks_so_and_a_doubt_reaches_the_log(desk):
    alert = desk.alert(desk.customer())
    rep = client(desk.owner)
    assert "なぜ 92 点か 見込み金額 年156万円 28 /35 減点 注意点1件 −2" in text(
        rep.get(f"/triage/{alert.pk}/rank/", headers={"HX-Request": "true"})
    )
    rep.post(f"/triage/{alert.pk}/doubt/", {"why": "席は来月減る"}, headers={"HX-Request": "true"})
    kept = AuditEntry.objects.latest("id")
    assert (kept.verb, kept.reason, kept.by) == ("alert.rank_doubted", "席は来月減る", desk.owner)


def test_the_timeline_is_newest_first_by_kind_and_page_by_page(desk):
    alert = desk.alert(desk.customer())
    for number in range(30):
        Touch.objects.create(
            customer=alert.customer,
            external_id=f"t{number}",
            kind="meeting",
            touched_at=NOW - timedelta(days=number + 1),
            note=f"定例{number}",
        )
    rep = client(desk.owner)
    first = rep.get(f"/triage/{alert.pk}/timeline/", {"kind": "contact"}, headers={"HX-Request": "true"})
    seen = re.findall(r"定例(\d+)", text(first))
    assert seen == [str(number) for number in range(20)]
    more = re.search(r'hx-get="([^"]+before=[^"]+)"', first.content.decode())[1].replace("&amp;", "&")
    assert re.findall(r"定例(\d+)", text(rep.get(more, headers={"HX-Request": "true"}))) == [
        str(number) for number in range(20, 30)
    ]
    assert "スタンダード × 120" in text(
        rep.get(f"/triage/{alert.pk}/timeline/", {"kind": "contract"}, headers={"HX-Request": "true"})
    )


def test_similar_wins_are_own_ones_and_none_are_made_up(desk):
    alert = desk.alert(desk.customer())
    rep = client(desk.owner)
    assert "この提案の受注記録はまだありません。" in text(rep.get(f"/triage/{alert.pk}/", headers=SWAP))
    for number, (industry, owner) in enumerate([("食品", desk.owner), ("製造", desk.owner), ("製造", desk.manager)]):
        other = desk.customer(f"受注{number}", owner=owner, industry=industry)
        Opportunity.objects.create(
            customer=other,
            external_id=f"o{number}",
            opened_on=date(2026, 9, 1),
            closed_on=date(2026, 9, 24),
            result="won",
            kind="upsell",
            product=desk.plans["PRO"],
            amount=Decimal(500_000),
            currency="JPY",
            discount_percent=Decimal("3.2"),
        )
    shown = text(rep.get(f"/triage/{alert.pk}/", headers=SWAP))
    assert shown.index("受注1") < shown.index("受注0")
    assert "受注2" not in shown
    assert "23日で受注 値引 3.2%" in shown


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        pytest.param(
            "?play=renewal&band=act_now",
            "条件に合うアラートはありません 絞り込み中: 更新・対応が必要 絞り込みを外す",
            id="no match",
        ),
        pytest.param("?view=snoozed", "保留中のカードはありません", id="nothing snoozed"),
        pytest.param("?view=unassigned", "未割当のカードはありません", id="every card has an owner"),
        pytest.param("?view=done", "この30日間の記録はありません", id="nothing done"),
    ],
)
def test_an_empty_view_says_why(desk, filters, words):
    desk.alert(desk.customer())
    shown = text(client(desk.owner).get(f"/triage/{filters}"))
    assert words.replace(" ", "") in shown.replace(" ", "")


def test_on_the_first_day_it_says_when_signals_come(desk):
    assert "まだサインが届いていません" in text(client(desk.owner).get("/triage/"))


def test_a_missing_night_is_told_above_the_rows(desk):
    desk.alert(desk.customer())
    with time_machine.travel(NOW + timedelta(days=2)):
        assert "直近の夜間処理が終わっていません。順位は11/19(木)時点です。" in text(client(desk.owner).get("/triage/"))


def test_done_lists_outcomes_with_the_way_back(desk):
    alert = desk.alert(desk.customer("A"))
    rep = client(desk.owner)
    rep.post(f"/triage/{alert.pk}/outcome/", entry(alert), headers=SWAP)
    page = rep.get("/triage/?view=done")
    assert "24時間以内は元に戻せます 1 A 結果 · 11/20 10:00 元に戻す" in text(page)
    assert f"/triage/undo/{Undo.objects.get().token}/" in page.content.decode()


def test_a_viewer_reads_and_can_do_nothing(desk):
    alert = desk.alert(desk.customer("ミナト精機"))
    Contact.objects.create(customer=alert.customer, external_id="p1", name="高橋 恵一", role="decision_maker", email="t@example.jp")
    viewer = client(desk.viewer)
    page = viewer.get(f"/triage/{alert.pk}/?view=team")
    shown, body = text(page), page.content.decode()
    assert page.status_code == 200
    assert "高橋 ●●" in shown
    assert "t@example.jp" not in body
    assert "恵一" not in body
    for absent in ("data-outcome-form", "p-snooze", "p-assign", 'id="handover"', 'type="checkbox" form="bulk"', "/steps/"):
        assert absent not in body
    for address in ("outcome", "snooze", "wake", "assign", "choose", "steps", "questions", "doubt"):
        assert viewer.post(f"/triage/{alert.pk}/{address}/").status_code == 404
    assert viewer.post("/triage/bulk/").status_code == 404


def test_a_card_outside_the_scope_does_not_exist(desk):
    alert = desk.alert(desk.customer("elsewhere", owner=desk.manager))
    rep = client(desk.owner)
    for path in ("", "rank/", "quote/", "timeline/", "assign/"):
        hidden, nothing = (rep.get(f"/triage/{pk}/{path}", headers=SWAP) for pk in (alert.pk, 999_999))
        assert (hidden.status_code, nothing.status_code) == (404, 404)
        assert text(hidden) == text(nothing)
    for path in ("outcome", "snooze", "wake", "assign", "choose", "steps", "questions", "doubt"):
        assert rep.post(f"/triage/{alert.pk}/{path}/", entry(alert), headers=SWAP).status_code == 404
    assert "elsewhere" not in text(rep.get("/triage/?view=team"))
    rep.post("/triage/bulk/", {"act": "snooze:2026-12-01", "alert": [alert.pk]}, headers={"HX-Request": "true"})
    alert.refresh_from_db()
    assert alert.state == "open"


def test_bulk_acts_name_what_changed_and_take_the_rows_out(desk):
    made = [desk.alert(desk.customer(name), is_stopped=name == "C") for name in "ABC"]
    rep = client(desk.owner)
    ids = [alert.pk for alert in made]
    done = rep.post("/triage/bulk/", {"act": "dismiss:no_need", "alert": ids}, headers={"HX-Request": "true"})
    assert "2件を対象外にしました — 提案停止中のため除外:C" in text(done)
    assert [Alert.objects.get(pk=pk).state for pk in ids] == ["closed", "closed", "open"]
    rep.post(f"/triage/undo/{Undo.objects.get().token}/", headers={"HX-Request": "true"})
    assert {Alert.objects.get(pk=pk).state for pk in ids} == {"open"}
    done = rep.post("/triage/bulk/", {"act": f"assign:{desk.colleague.pk}", "alert": ids}, headers={"HX-Request": "true"})
    assert "3件の担当を佐藤 花さんにしました" in text(done)
    assert rep.post("/triage/bulk/", {"act": "dismiss:no_need"}, headers={"HX-Request": "true"}).status_code == 422


def test_more_rows_come_as_rows_alone_or_without_script_as_a_page(desk):
    for number in range(60):
        desk.alert(desk.customer(f"取引先{number:02}"), priority=60 - number)
    rep = client(desk.owner)
    first = rep.get("/triage/").content.decode()
    assert first.count('class="qa"') == 50
    address = re.search(r'href="(/triage/rows/[^"]+)"', first)[1].replace("&amp;", "&")
    part = rep.get(address, headers={"HX-Request": "true", "HX-Target": "more"}).content.decode()
    assert (part.count('class="qa"'), "<!doctype" in part) == (10, False)
    page = rep.get(address)
    assert (page.content.decode().count('class="qa"'), "60件" in text(page)) == (10, True)


def test_news_comes_only_when_there_is_some(desk):
    alert = desk.alert(desk.customer("A"))
    rep = client(desk.owner)
    first = rep.get("/triage/delta/?view=mine", headers={"HX-Request": "true"})
    since = re.search(r'data-since="(\d+)"', first.content.decode())[1]
    assert rep.get(f"/triage/delta/?since={since}", headers={"HX-Request": "true"}).status_code == 204
    desk.alert(desk.customer("B"))
    alerts.snooze(alert, until=NOW + timedelta(days=1), reason="own", by=desk.colleague, now=NOW)
    news = rep.get(f"/triage/delta/?since={since}", headers={"HX-Request": "true"})
    assert "新着 1件を表示" in text(news)
    assert json.loads(news["HX-Trigger"]) == {"triage:others": [{"id": alert.pk, "text": "佐藤 花さんが保留しました"}]}


def test_the_answer_of_an_ended_session_keeps_the_page(desk):
    alert = desk.alert(desk.customer())
    gone = Client().post(f"/triage/{alert.pk}/outcome/", entry(alert), headers=SWAP)
    assert (gone.status_code, gone.content) == (401, b"")
    assert Client().get("/triage/").status_code == 302


def test_a_message_tells_the_customer_its_own_use_and_nothing_of_ours(desk):
    alert = desk.alert(
        desk.customer(), "detractor", evidence=[{"term": "nps_detractors_90", "op": ">=", "value": 1, "threshold": 1}]
    )
    NpsResponse.objects.create(customer=alert.customer, external_id="n1", responded_on=date(2026, 11, 10), score=2)
    page = client(desk.owner).get(f"/triage/{alert.pk}/", headers=SWAP).content.decode()
    message = re.search(r"<textarea hidden data-message[^>]*>(.*?)</textarea>", page, re.DOTALL)[1]
    assert "批判者" not in message
    assert "〔未入力〕" in message
