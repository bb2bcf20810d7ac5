"""The queue: views, groups, counts, filters, sorts, pages, and how many statements that costs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from playbooks import acts, outcomes, triage
from playbooks.triage import Filters
from signals import alerts

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)


def queue(user, *, view="mine", filters=None, sort="priority", cursor="", page=50, now=NOW, language="ja"):
    found = triage.Cursor.read(cursor) if cursor else None
    return triage.queue(
        user, view=view, filters=filters or Filters(), sort=sort, now=now, language=language, cursor=found, page=page
    )


def names(found):
    return {group.key: [row.name for row in group.rows] for group in found.groups if group.rows}


def test_a_promise_comes_before_a_score(desk):
    for name, due, priority in [("A", 20, 10), ("B", 27, 99), ("C", 18, 50), ("D", 24, 98), ("E", 30, 70)]:
        desk.alert(desk.customer(name), due_on=date(2026, 11, due), priority=priority)
    found = queue(desk.owner)
    assert names(found) == {"today": ["C", "A"], "week": ["B", "D"], "later": ["E"]}
    assert [(group.key, group.count) for group in found.groups] == [("today", 2), ("week", 2), ("later", 1), ("back", 0)]
    assert (found.figures.total, found.figures.over, found.friday) == (5, 1, date(2026, 11, 27))


def test_what_came_back_from_snooze_has_its_own_group(desk):
    alert = desk.alert(desk.customer("A"))
    alerts.snooze(alert, until=NOW + timedelta(hours=1), reason="customer", by=desk.owner, now=NOW)
    assert names(queue(desk.owner)) == {}
    assert names(queue(desk.owner, view="snoozed")) == {"back": ["A"]}
    later = NOW + timedelta(hours=2)
    assert names(queue(desk.owner, now=later)) == {"back": ["A"]}
    alerts.return_due(later)
    row = queue(desk.owner, now=later).rows[0]
    assert (row.group, row.snooze_reason, row.snoozed_until) == ("back", "customer", None)


def test_each_view_shows_its_own_and_every_count_is_right(desk):
    desk.alert(desk.customer("mine"))
    desk.alert(desk.customer("hers", owner=desk.colleague))
    desk.alert(desk.customer("nobody's", owner=None))
    desk.alert(desk.customer("elsewhere", owner=desk.manager))
    waiting = desk.alert(desk.customer("later"))
    alerts.snooze(waiting, until=NOW + timedelta(days=3), reason="own", by=desk.owner, now=NOW)
    gone = desk.alert(desk.customer("gone"))
    entry = outcomes.Entry(result="not_a_fit", reason="no_need", quiet_until=outcomes.NEVER)
    outcomes.record(gone, entry, version=1, idempotency_key="key-0001", by=desk.owner, now=NOW)
    shown = {view: [row.name for row in queue(desk.owner, view=view).rows] for view in ("mine", "team", "unassigned", "snoozed")}
    assert shown == {"mine": ["mine"], "team": ["mine", "hers"], "unassigned": ["nobody's"], "snoozed": ["later"]}
    assert queue(desk.owner).figures.counts == {"mine": 1, "team": 2, "unassigned": 1, "snoozed": 1, "done": 1}
    assert queue(desk.manager, view="team").figures.counts == {"mine": 1, "team": 3, "unassigned": 1, "snoozed": 1, "done": 1}
    assert [row.name for row in triage.done_rows(desk.owner, now=NOW)] == ["gone"]


def test_only_the_lead_of_a_customer_is_a_row_and_names_the_other_signals(desk):
    customer = desk.customer()
    desk.alert(customer)
    evidence = [{"term": "quota_used_ratio", "op": ">=", "value": 0.86, "threshold": 0.8}]
    desk.alert(customer, "quota_80", lead=False, evidence=evidence)
    desk.alert(customer, "renewal_90", lead=False, evidence=[{"term": "days_to_renewal", "op": "<=", "value": 78, "threshold": 90}])
    (row,) = queue(desk.owner).rows
    assert (row.signals, row.more) == (("席の使用率 93%", "契約容量の使用率 86%"), 1)
    assert (row.play, row.icon, row.amount, row.amount_kind) == ("120 → 150席", "seat", Decimal(1_562_000), "gain")
    assert queue(desk.owner, language="en").rows[0].play == "120 → 150 seats"


def test_expected_adds_gains_only(desk):
    desk.alert(desk.customer("A"))
    desk.alert(desk.customer("B"), "renewal_90", expected_low=Decimal(9_000_000), expected_high=Decimal(9_000_000))
    desk.alert(desk.customer("C"), "usage_falling", expected_low=Decimal(5_000_000), expected_high=Decimal(5_000_000))
    desk.alert(desk.customer("D"), expected_low=None, expected_high=None)
    assert (queue(desk.owner).figures.expected, queue(desk.owner).figures.currency) == (Decimal(1_562_000), "JPY")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        pytest.param(Filters(plays=("renewal",)), ["B"], id="by type"),
        pytest.param(Filters(bands=("act_now", "watch")), ["C"], id="by band"),
        pytest.param(Filters(rules=("quota_80",)), ["A"], id="by any signal of the customer"),
        pytest.param(Filters(guard="stopped"), ["C"], id="offers stopped"),
        pytest.param(Filters(guard="caution"), ["B"], id="with a caution"),
        pytest.param(Filters(guard="clear"), ["A"], id="free to offer"),
        pytest.param(Filters(due="week"), ["B"], id="by due group"),
        pytest.param(Filters(renewal_days=30), [], id="by renewal"),
        pytest.param(Filters(least_amount=Decimal(2_000_000)), ["C"], id="by amount"),
        pytest.param(Filters(words="c"), ["C"], id="by name"),
        pytest.param(Filters(plan="PRO"), [], id="by plan"),
        pytest.param(Filters(owners=()), ["A", "B", "C"], id="no filter at all"),
    ],
)
def test_filters_narrow_the_view(desk, filters, found):
    a = desk.customer("A")
    desk.alert(a)
    desk.alert(a, "quota_80", lead=False)
    desk.alert(
        desk.customer("B"), "renewal_90", guard=[{"key": "band_watch", "level": "caution"}], priority=50, due_on=date(2026, 11, 24)
    )
    desk.alert(
        desk.customer("C", band="watch", score=52),
        is_stopped=True,
        priority=40,
        expected_low=Decimal(2_000_000),
        expected_high=Decimal(2_000_000),
    )
    assert sorted(row.name for row in queue(desk.owner, filters=filters).rows) == found


@pytest.mark.parametrize(("sort", "expected"), [("priority", "BACD"), ("amount", "DABC"), ("renewal", "CABD"), ("newest", "BACD")])
def test_pages_follow_one_another_without_a_gap_in_every_sort(desk, sort, expected):
    from signals.models import Standing

    rows = [("A", 50, 3_000_000, 19, 2), ("B", 70, 2_000_000, 19, 3), ("C", 50, 1_000_000, 18, 1), ("D", 20, 9_000_000, 17, 4)]
    for name, priority, amount, raised, renews in rows:
        customer = desk.customer(name)
        low = Decimal(amount)
        desk.alert(customer, priority=priority, expected_low=low, expected_high=low, raised_on=date(2026, 11, raised))
        Standing.objects.filter(customer=customer).update(renews_on=date(2027, renews, 1))
    desk.alert(desk.customer("Z"), priority=99, due_on=date(2026, 12, 1))
    if sort == "newest":
        expected = "ABCD"
    shown, cursor = [], ""
    while True:
        page = queue(desk.owner, sort=sort, cursor=cursor, page=2)
        shown += [row.name for row in page.rows]
        cursor = page.next_cursor
        if not cursor:
            break
    assert "".join(shown) == f"{expected}Z"


@pytest.mark.parametrize("cursor", ["", "nonsense", "W10", "WzksIjEiLDFd"])
def test_a_broken_cursor_is_the_first_page(desk, cursor):
    desk.alert(desk.customer("A"))
    assert [row.name for row in queue(desk.owner, cursor=cursor).rows] == ["A"]


def test_the_next_card_is_the_one_below_and_then_the_first(desk):
    made = [desk.alert(desk.customer(name), priority=priority) for name, priority in (("A", 90), ("B", 80), ("C", 70))]

    def after(alert):
        row = triage.row(desk.owner, alert.pk, now=NOW, language="ja", as_of=None)
        args = {"view": "mine", "filters": Filters(), "sort": "priority", "now": NOW, "language": "ja"}
        return triage.next_after(desk.owner, row, but=alert.customer_id, **args)

    assert [after(alert) for alert in made] == [made[1].pk, made[2].pk, made[0].pk]
    for alert in made[1:]:
        alerts.snooze(alert, until=NOW + timedelta(days=1), reason="own", by=desk.owner, now=NOW)
    assert after(made[0]) is None


@pytest.mark.parametrize("rows", [1, 50])
def test_a_queue_costs_two_statements_whatever_its_length(desk, rows):
    for number in range(rows):
        desk.alert(desk.customer(f"取引先{number}"), priority=number)
    with CaptureQueriesContext(connection) as asked:
        found = queue(desk.owner)
    assert (len(asked), len(found.rows)) == (2, rows)


def test_bulk_acts_leave_one_way_back(desk):
    made = [desk.alert(desk.customer(name)) for name in "ABC"]
    done = acts.assign(made, to=desk.colleague, reason="", by=desk.owner, now=NOW)
    assert queue(desk.owner).figures.counts["mine"] == 0
    from playbooks import undo

    undo.take_back(done.undo.token, by=desk.owner, now=NOW)
    assert queue(desk.owner).figures.counts["mine"] == 3


def test_dismissing_leaves_stopped_cards_out_and_names_them(desk):
    free, stopped = desk.alert(desk.customer("A")), desk.alert(desk.customer("B"), is_stopped=True)
    done = acts.dismiss([free, stopped], reason="no_need", note="", by=desk.owner, now=NOW)
    assert (done.ids, done.skipped) == ([free.pk], ["B"])
    stopped.refresh_from_db()
    assert stopped.state == "open"
    assert triage.logged_today(desk.owner, now=NOW)


def test_news_tells_new_cards_and_the_acts_of_others(desk):
    mine = desk.alert(desk.customer("A"))
    since = triage.newest_change()
    fresh = desk.alert(desk.customer("B"))
    alerts.snooze(mine, until=NOW + timedelta(days=1), reason="own", by=desk.colleague, now=NOW)
    alerts.acknowledge(fresh, by=desk.owner, now=NOW)
    news = triage.news(desk.owner, since=since, now=NOW)
    assert (news.new, news.acts) == (1, (triage.Act(mine.pk, "snoozed", "佐藤 花"),))
    assert triage.news(desk.owner, since=news.newest, now=NOW) == triage.News(news.newest, 0, ())
