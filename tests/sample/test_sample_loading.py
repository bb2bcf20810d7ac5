"""The sample in the database: loaded again it is the same, its days go on, and nobody else's customers are touched."""

from __future__ import annotations

import hashlib
import json
import stat
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils.translation import override

from accounts.models import ContractLine, Customer, ImportBatch, MrrEvent, UsageDaily
from accounts.sample import loading
from accounts.sample.company import Company
from expansion.users.models import Team, User

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
AS_OF = date(2026, 11, 20)
SMALL = Company(customers=60, months=3, reps=5, seed=7, as_of=AS_OF)
ARGUMENTS = ["--customers", "60", "--months", "3", "--seed", "7", "--as-of", "2026-11-20"]

# What the rows say, without numbers that the database gives and batches that wrote them.
QUERIES = {
    "customers": "SELECT to_jsonb(c) - '{id,slot,created_at,batch_id,owner_id}'::text[], u.email, c.slot FROM accounts_customer c "
    "LEFT JOIN users_user u ON u.id = c.owner_id",
    "usage": "SELECT c.customer_id, m.key, u.day, u.value FROM accounts_usagedaily u "
    "JOIN accounts_customer c ON c.id = u.customer_id JOIN accounts_metric m ON m.id = u.metric_id",
    "feed": "SELECT m.key, f.day FROM accounts_feedday f JOIN accounts_metric m ON m.id = f.metric_id",
    "mrr": "SELECT c.customer_id, l.line_id, l.starts_on, e.on, e.change, e.cause FROM accounts_mrrevent e "
    "JOIN accounts_customer c ON c.id = e.customer_id JOIN accounts_contractline l ON l.id = e.line_id",
    "costs": "SELECT month, kind, amount FROM accounts_cost",
    "rates": "SELECT valid_from, currency, rate FROM accounts_fxrate",
} | {
    name: f"SELECT c.customer_id, to_jsonb(t) - '{{id,customer_id,batch_id,product_id,contact_id,by_id}}'::text[] "
    f"FROM accounts_{name} t JOIN accounts_customer c ON c.id = t.customer_id"
    for name in ("contact", "contractline", "order", "invoice", "opportunity", "ticket", "npsresponse", "event", "touch",
                 "department", "project", "activitydaily")
}  # fmt: skip


def digests() -> dict[str, str]:
    """Return a hash per table over all its rows, in an order that does not depend on who wrote them when."""
    found = {}
    with connection.cursor() as cursor:
        for name, query in QUERIES.items():
            cursor.execute(query)
            rows = sorted(map(str, cursor.fetchall()))
            assert rows, name
            found[name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


def test_a_second_load_gives_the_same_rows_and_the_same_ids():
    loading.load(SMALL, now=NOW)
    first, ids = digests(), dict(Customer.objects.values_list("customer_id", "pk"))
    loading.load(SMALL, now=NOW + timedelta(hours=1))
    assert digests() == first
    assert dict(Customer.objects.values_list("customer_id", "pk")) == ids


def test_days_that_are_added_are_those_of_a_later_load():
    loading.load(SMALL, now=NOW, through=AS_OF + timedelta(days=25))
    whole = digests()
    loading.load(SMALL, now=NOW)
    assert digests() != whole
    for days in (1, 2, 11, 25):
        assert loading.extend(through=AS_OF + timedelta(days=days), now=NOW) > 0
    assert digests() == whole
    assert loading.extend(through=AS_OF + timedelta(days=25), now=NOW) == 0


def test_where_there_is_no_sample_nothing_is_added(django_assert_num_queries):
    with django_assert_num_queries(1 + 2):  # and the savepoint around it
        assert loading.extend(through=AS_OF, now=NOW) == 0


def test_ledger_agrees_with_the_lines():
    loading.load(SMALL, now=NOW)
    paying = ContractLine.objects.filter(starts_on__lte=AS_OF, trial_ends_on=None).exclude(service_until__lte=AS_OF)
    events = MrrEvent.objects.filter(on__lte=AS_OF)
    assert sum(line.mrr for line in paying) == sum(event.change for event in events)
    assert all(line.mrr > 0 for line in paying)


def test_every_row_names_its_batch_and_the_batches_add_up():
    loaded = loading.load(SMALL, now=NOW)
    assert {batch.dataset: batch.rows for batch in ImportBatch.objects.exclude(dataset="sample")} == loaded.rows
    assert set(UsageDaily.objects.values_list("batch_id", flat=True)) == {ImportBatch.objects.get(dataset="usage").pk}
    assert (
        ContractLine.objects.filter(batch=ImportBatch.objects.get(dataset="contract_lines")).count()
        == loaded.rows["contract_lines"]
    )


def test_customers_of_somebody_else_are_not_touched():
    Customer.objects.create(customer_id="A-1", slot=0, name="本物商事")
    with pytest.raises(loading.NotTheSample, match="A-1 本物商事"):
        loading.load(SMALL, now=NOW)
    assert list(Customer.objects.values_list("customer_id", flat=True)) == ["A-1"]
    loading.load(SMALL, now=NOW, force=True)
    assert not Customer.objects.filter(customer_id="A-1").exists()


def test_people_of_the_vendor_can_log_in(tmp_path):
    loading.load(SMALL, now=NOW)
    logins = loading.keep_logins(tmp_path)
    assert [(login["role"], login["email"].partition("@")[0]) for login in logins] == [
        ("rep", "tanaka"), ("manager", "ono"), ("admin", "yamamoto"),
    ]  # fmt: skip
    assert {login["password"] for login in logins} == {logins[0]["password"]}
    for user in User.objects.all():
        assert user.check_password(logins[0]["password"])
    assert sorted(User.objects.values_list("role", flat=True)) == ["admin", "manager", *["rep"] * 5, "viewer"]
    assert {team.key: team.members.count() for team in Team.objects.all()} == {"east": 3, "west": 2}
    file = tmp_path / "demo_logins.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == logins
    assert loading.keep_logins(tmp_path) == logins


def test_command_leaves_a_loaded_sample_as_it_is(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    out = StringIO()
    call_command("load_sample", *ARGUMENTS, stdout=out)
    assert out.getvalue().startswith("Loaded the sample company up to 2026-11-20: products 15, metrics 14,")
    before = ImportBatch.objects.count()
    loading.extend(through=AS_OF + timedelta(days=1), now=NOW)
    call_command("load_sample", *ARGUMENTS, stdout=out)
    assert "is there already: nothing was changed." in out.getvalue()
    assert ImportBatch.objects.filter(dataset="sample").count() == 1
    call_command("load_sample", *ARGUMENTS[:-1], "2026-11-19", stdout=out)
    assert ImportBatch.objects.count() == before


def test_command_refuses_in_a_sentence(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    Customer.objects.create(customer_id="A-1", slot=0, name="本物商事")
    with override("en"), pytest.raises(CommandError, match="customers that are not of the sample: 1, for example A-1 本物商事"):
        call_command("load_sample", *ARGUMENTS)
    with pytest.raises(CommandError, match="must be a day, like 2026-11-20"):
        call_command("load_sample", "--as-of", "20.11.2026")
