"""One night and the morning after, with a real worker and a real browser: the rep, the manager and the admin in turn.

The worker computes the night when the scheduler ticks; the rep logs an outcome on what it raised; the manager opens a
number down to the contract line; the admin moves a threshold; the worker's next night follows the new threshold.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from accounts.models import Customer
from expansion import clock
from expansion.users.models import Role, Scope, User
from playbooks import defaults as playbook_defaults
from playbooks.models import Outcome
from signals.models import Alert, RuleVersion, Run
from signals.models.runs import RunState
from tests.signals import book

pytestmark = pytest.mark.django_db(transaction=True)


def people() -> dict[str, User]:
    return {
        role: User.objects.create_user(
            f"{role}@example.com", "a-long-password", name=f"{role} さん", role=role, scope=Scope.ALL, language="ja"
        )
        for role in (Role.REP, Role.MANAGER, Role.ADMIN)
    }


def is_done(day) -> bool:
    return Run.objects.filter(business_date=day, state=RunState.DONE).exists()


def open_families(name: str) -> set[str]:
    return set(Alert.objects.open().filter(customer__customer_id=name).values_list("family", flat=True))


def test_three_people_and_two_nights(worker, visit, settings):
    now: datetime = clock.now()
    last, before = clock.nightly_due(now), clock.nightly_due(now) - timedelta(days=1)
    who = people()
    customers = book.write(as_of=before)
    playbook_defaults.load(now)
    Customer.objects.update(owner=who[Role.REP])

    # The night before last, as the first scheduled run: it is the go-live.
    Run.objects.create(business_date=before, is_scheduled=True, queued_at=now)
    worker.tick()
    worker.wait_for(lambda: is_done(before))
    worker.wait_for(lambda: is_done(last))
    assert open_families("C-A") == {"renewal"}
    assert open_families("C-B") == {"detractor"}
    assert open_families("C-D") == set()

    # The rep logs "no reply" on the renewal of A with three keys, and is shown another card.
    rep = visit("ja-JP")
    rep.sign_in(who[Role.REP])
    alert = Alert.objects.open().get(customer=customers["A"])
    rep.page.goto(f"/triage/{alert.pk}/")
    rep.page.wait_for_selector("#detail >> text=取引先A")
    for key in ("r", "5", "Control+Enter"):
        rep.page.keyboard.press(key)
    rep.page.wait_for_selector("#toasts >> text=取引先A")
    outcome = Outcome.objects.get()
    assert (outcome.result, outcome.alert_id, outcome.by) == ("no_reply", alert.pk, who[Role.REP])
    rep.page.wait_for_load_state("networkidle")

    # The manager opens what renews within 90 days: A and C, a year's ¥120,000 each.
    manager = visit("ja-JP")
    manager.sign_in(who[Role.MANAGER])
    manager.page.goto("/metrics/")
    assert manager.axe() == []
    manager.page.goto("/metrics/drill/renewals/")
    drawer = manager.page.locator("main").inner_text()
    assert "取引先A" in drawer
    assert "取引先C" in drawer
    assert "取引先B" not in drawer

    # The admin lets renewals speak up 230 days ahead; the page tells before publishing that D would start.
    admin = visit("ja-JP")
    admin.sign_in(who[Role.ADMIN])
    admin.page.goto("/definitions/signals/renewal_90/")
    admin.page.fill("input[name='when.0.0.threshold']", "230")
    admin.page.wait_for_selector("#rule-side >> text=取引先D")
    admin.page.click("button[data-open=publish]")
    admin.page.fill("#publish-reason", "稟議に時間がかかるため")
    admin.page.click("#publish button.pri")
    admin.page.wait_for_selector("#toasts >> text=公開しました")
    assert RuleVersion.objects.get(rule__key="renewal_90", state="published").number == 2

    # The next night follows the published threshold: a night that has not been computed yet is queued and picked up.
    Run.objects.create(business_date=last + timedelta(days=1), is_scheduled=True, queued_at=now)
    worker.tick()
    worker.wait_for(lambda: is_done(last + timedelta(days=1)))
    assert open_families("C-D") == {"renewal"}
    assert Alert.objects.open().filter(customer=customers["A"]).count() == 1
