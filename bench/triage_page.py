"""A page of the triage queue against Django admin's list of the same table: ten alerts to a customer of the size.

Both answer over HTTP with fifty rows, newest priority first.  Admin's list is registered here only; it shows six
columns and counts the table, as it does out of the box.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test import Client, override_settings
from django.urls import include, path

from bench.sizes import median_time
from bench.timing import SIZES
from expansion import clock
from expansion.users.models import Role, Scope, Team, User
from playbooks import defaults as playbook_defaults
from playbooks import triage
from signals import defaults as signal_defaults
from signals.models import Alert, Rule, Run

TITLE = "triage queue, a page of fifty"
GOALS = {
    ("queue", "admin"): (40.0, "at least"), ("mine", "admin"): (40.0, "at least"), ("thousandth", "second"): (1.2, "at most"),
}  # fmt: skip
PER_CUSTOMER = 10
REPS = 200
_QUEUE = {"HX-Request": "true", "HX-Target": "queue"}
_MORE = {"HX-Request": "true", "HX-Target": "more"}


def prepare(size: str) -> None:
    """Write as many open cards as ten times the customers of the size, spread over reps, priorities and due days."""
    now, today = clock.now(), clock.today()
    signal_defaults.load(now)
    playbook_defaults.load(now)
    team = Team.objects.create(key="all", name="All")
    for number in range(REPS):
        User.objects.create_user(f"rep{number}@example.jp", None, name=f"担当{number}", role=Role.REP, scope=Scope.TEAM, team=team)
    User.objects.create_user("manager@example.jp", None, name="部長", role=Role.MANAGER, scope=Scope.ALL, is_superuser=True)
    run = Run.objects.create(business_date=today - timedelta(days=1), queued_at=now, state="done", finished_at=now)
    rule = Rule.objects.get(key="seats_near_limit")
    _write(SIZES[size] * PER_CUSTOMER, run=run, rule=rule, today=today)


def queue(size: str) -> float:
    """The queue of all cards as a manager opens it: fifty rows and every count above them."""
    return _ours("/triage/?view=team", headers=_QUEUE)


def mine(size: str) -> float:
    """The queue of one rep."""
    return _ours("/triage/?view=mine", headers=_QUEUE, who="rep7@example.jp")


def second(size: str) -> float:
    """The next fifty rows."""
    return _ours(f"/triage/rows/?view=team&cursor={_cursor(size, page=1)}", headers=_MORE)


def thousandth(size: str) -> float:
    """The thousandth fifty rows (or those in the middle where there are fewer)."""
    return _ours(f"/triage/rows/?view=team&cursor={_cursor(size, page=999)}", headers=_MORE)


def admin_list(size: str) -> float:
    """Django admin's changelist of the same table."""
    installed = [*settings.INSTALLED_APPS, "django.contrib.admin"]
    templates = [settings.TEMPLATES[0] | {"DIRS": [], "APP_DIRS": True, "OPTIONS": {"context_processors": _PROCESSORS}}]
    storages = settings.STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with override_settings(ROOT_URLCONF="bench.triage_page", INSTALLED_APPS=installed, TEMPLATES=templates, STORAGES=storages):
        taken, body = median_time(_getting("/admin/signals/alert/", "manager@example.jp"))
        if body.count(b'class="action-select"') != triage.PAGE:
            raise AssertionError("the list does not show fifty rows")
        return taken


CASES = {"queue": queue, "mine": mine, "second": second, "thousandth": thousandth, "admin": admin_list}
_PROCESSORS = [
    "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]  # fmt: skip


class OpenSite(admin.AdminSite):
    """Our users have no staff flag; here everybody who is logged in may look."""

    def has_permission(self, request: Any) -> bool:
        return request.user.is_authenticated


class AlertAdmin(admin.ModelAdmin):
    list_display = ("customer", "rule", "priority", "state", "owner", "due_on")
    list_select_related = ("customer", "rule", "owner")
    list_per_page = triage.PAGE
    ordering = ("-priority", "id")


site = OpenSite()
site.register(Alert, AlertAdmin)
urlpatterns = [path("admin/", site.urls), path("", include("expansion.urls"))]


def _ours(address: str, *, headers: dict[str, str], who: str = "manager@example.jp") -> float:
    storages = settings.STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with override_settings(STORAGES=storages):
        taken, body = median_time(_getting(address, who, headers), times=15)
    shown = body.count(b'class="qa"')
    if shown != triage.PAGE and "mine" not in address:
        raise AssertionError(f"{address} shows {shown} rows")
    return taken


def _getting(address: str, who: str, headers: dict[str, str] | None = None) -> Any:
    client = Client(headers=headers)
    client.force_login(User.objects.get(email=who), backend="django.contrib.auth.backends.ModelBackend")

    def get() -> bytes:
        answer = client.get(address, SERVER_NAME="localhost")
        if answer.status_code != 200:
            raise AssertionError(f"{address} answered {answer.status_code}")
        return answer.content

    return get


def _cursor(size: str, *, page: int) -> str:
    """Name the last row of a page of what is due today."""
    due = Alert.objects.filter(is_lead=True, due_on__lte=clock.today(), owner__isnull=False).order_by("-priority", "id")
    behind = min(page * triage.PAGE, SIZES[size] * PER_CUSTOMER // 4)
    priority, pk = due.values_list("priority", "pk")[behind]
    return triage.Cursor(0, str(priority), pk).text()


def _write(cards: int, *, run: Run, rule: Rule, today: date) -> None:
    version = rule.versions.get(state="published")
    values = {
        "cards": cards, "reps": REPS, "run": run.pk, "rule": rule.pk, "version": version.pk, "family": rule.family, "today": today,
        "raised": run.business_date,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(id ORDER BY id) FROM users_user WHERE role = 'rep'")
        values["owners"] = cursor.fetchone()[0]
        for statement in _ROWS:
            cursor.execute(statement, values)
        cursor.execute("VACUUM ANALYZE")


_ROWS = (
    """
    INSERT INTO accounts_customer (customer_id, slot, name, name_kana, name_key, domain, corporate_number, industry, country,
        region, currency, phase, owner_id, owner_email, sales_owner_email, product_owner_email, marketing_owner_email, created_at)
    SELECT 'C' || n, n, '取引先' || n, '', '', '', '', '', '', '', 'JPY', '', (%(owners)s::bigint[])[1 + n %% %(reps)s],
        '', '', '', '', now()
    FROM generate_series(0, %(cards)s - 1) n
    """,
    """
    INSERT INTO signals_standing (customer_id, as_of, score, band, coverage, segment, nps_answers, mrr, arr, currency, plan_code,
        seats, renews_on)
    SELECT id, %(raised)s, 50 + slot %% 50, 'healthy', 1, 'loyal', 0, 10000, 120000, 'JPY', '', 20, %(today)s::date + slot %% 300
    FROM accounts_customer
    """,
    """
    INSERT INTO signals_alert (customer_id, rule_id, rule_version_id, family, open_key, state, is_lead, play_kind, playbook_key,
        priority, priority_parts, evidence, guard, is_stopped, expected_low, expected_high, expected_currency, offer, owner_id,
        raised_on, raised_by_id, refreshed_on, due_on, snooze_reason, held_reason, close_reason, version)
    SELECT id, %(rule)s, %(version)s, %(family)s, id || ':' || %(family)s, 'open', true, 'upsell', 'add_seats',
        (slot::bigint * 7919) %% 101, '[]',
        '[{"term": "seats_used_ratio", "op": ">=", "value": 0.93, "threshold": 0.9}]', '[]', false,
        300000, 400000, 'JPY', '{"kind": "seats", "quantity_now": 20, "quantity_after": 25}', owner_id, %(raised)s, %(run)s,
        %(raised)s, %(today)s::date + (slot %% 11) - 5, '', '', '', 1
    FROM accounts_customer
    """,
)
