"""An admin changes a threshold in the sentence, sees who would start and stop, publishes it, and takes it back."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Customer
from expansion.audit.models import AuditEntry
from expansion.users.models import Role, Scope, User
from signals import defaults
from signals.models import Rule, RuleVersion
from tests.definitions import quotas

pytestmark = pytest.mark.django_db
URL = "/definitions/signals/quota_80/"


@pytest.fixture
def people() -> dict[str, User]:
    return quotas.make_people()


@pytest.fixture
def book(people: dict[str, User]) -> dict[str, Customer]:
    return quotas.write(people)


@pytest.fixture
def admin(people: dict[str, User], book: dict[str, Customer]) -> Client:
    client = Client()
    client.force_login(people[Role.ADMIN])
    return client


def form(**changes: str) -> dict[str, str]:
    fields = {
        "when.0.0.key": "used", "when.0.0.term": "quota_used_ratio", "when.0.0.op": ">=", "when.0.0.threshold": "80",
        "playbook": "higher_plan", "owner_role": "cs", "sla_business_days": "3", "cooldown_days": "30",
    }  # fmt: skip
    return fields | changes


def edit(client: Client, **changes: str):
    return client.post(URL + "draft/", form(**changes), headers={"HX-Request": "true"})


def states() -> list[tuple[int, str]]:
    return list(RuleVersion.objects.filter(rule__key="quota_80").order_by("number").values_list("number", "state"))


def test_a_lower_threshold_shows_who_would_start(admin: Client):
    page = edit(admin, **{"when.0.0.threshold": "75"}).content.decode()
    assert '<b class="num">3</b>' in page
    assert "+1" in page
    assert "取引先 C-3" in page
    assert states() == [(1, "published"), (2, "draft")]


def test_a_higher_threshold_shows_who_would_stop(admin: Client):
    page = edit(admin, **{"when.0.0.threshold": "90"}).content.decode()
    assert '<b class="num">1</b>' in page
    assert "取引先 C-2" in page
    assert "取引先 C-1" not in page


def test_typing_the_published_number_back_leaves_no_draft(admin: Client):
    edit(admin, **{"when.0.0.threshold": "75"})
    edit(admin)
    assert states() == [(1, "published")]


def test_publishing_needs_a_reason_and_is_written_down(admin: Client, people: dict[str, User]):
    edit(admin, **{"when.0.0.threshold": "75"})
    refused = admin.post(URL + "publish/", {"reason": " "}, follow=True)
    assert "Say why" in refused.content.decode()
    assert states() == [(1, "published"), (2, "draft")]
    admin.post(URL + "publish/", {"reason": "容量の相談が遅い"})
    assert states() == [(1, "retired"), (2, "published")]
    entry = AuditEntry.objects.get(verb="rule.published")
    assert (entry.by, entry.reason, entry.subject_key) == (
        people[Role.ADMIN],
        "容量の相談が遅い",
        str(Rule.objects.get(key="quota_80").pk),
    )
    log = admin.get("/definitions/log/").content.decode()
    assert "Rule published" in log
    assert "容量の相談が遅い" in log


def test_an_earlier_version_comes_back_as_a_new_one(admin: Client):
    edit(admin, **{"when.0.0.threshold": "75"})
    admin.post(URL + "publish/", {"reason": "try"})
    admin.post(URL + "restore/1/", {"reason": "too many"})
    assert states() == [(1, "retired"), (2, "retired"), (3, "published")]
    assert RuleVersion.objects.get(rule__key="quota_80", number=3).body["when"][0][0]["threshold"] == 0.8


def test_a_number_that_makes_no_sense_is_refused_in_words_and_kept_from_publishing(admin: Client):
    page = edit(admin, **{"when.0.0.threshold": "900"}).content.decode()
    assert "can never be right" in page
    admin.post(URL + "publish/", {"reason": "oops"})
    assert states() == [(1, "published"), (2, "draft")]


def test_one_customer_is_tested_clause_by_clause(admin: Client):
    page = admin.get(URL + "test/", {"customer": "C-3"}, headers={"HX-Request": "true"}).content.decode()
    assert "It does not fire" in page
    assert page.count('<li class="n">') == 1
    assert "76%" in page


def test_a_second_editor_is_told_whose_draft_it_is(admin: Client):
    edit(admin, **{"when.0.0.threshold": "75"})
    other = User.objects.create_user(
        "b@example.com", "a-long-password", name="大野", role=Role.ADMIN, scope=Scope.ALL, language="en"
    )
    client = Client()
    client.force_login(other)
    answer = edit(client, **{"when.0.0.threshold": "70"})
    assert answer.status_code == 409
    assert "has a draft of this rule" in answer.content.decode()
    assert RuleVersion.objects.get(rule__key="quota_80", state="draft").body["when"][0][0]["threshold"] == 0.75
    client.post(URL + "draft/", form(**{"when.0.0.threshold": "70", "take_over": "1"}), headers={"HX-Request": "true"})
    draft = RuleVersion.objects.get(rule__key="quota_80", state="draft")
    assert (draft.body["when"][0][0]["threshold"], draft.edited_by) == (0.7, other)


def test_switching_off_needs_a_reason(admin: Client):
    admin.post(URL + "switch/", {"on": "0", "reason": ""})
    assert Rule.objects.get(key="quota_80").is_on is True
    admin.post(URL + "switch/", {"on": "0", "reason": "容量の販売を休む"})
    assert Rule.objects.get(key="quota_80").is_on is False


@pytest.mark.parametrize("role", [Role.REP, Role.VIEWER])
def test_others_read_the_sentence_and_change_nothing(role: Role, people: dict[str, User], book: dict[str, Customer]):
    client = Client()
    client.force_login(people[role])
    page = client.get(URL)
    assert page.status_code == 200
    assert 'id="rule-form"' not in page.content.decode()
    for path in ("draft/", "publish/", "discard/", "switch/", "restore/1/"):
        assert client.post(URL + path, form(reason="x")).status_code == 404
    assert states() == [(1, "published")]


def test_a_rep_previews_only_own_customers(people: dict[str, User], book: dict[str, Customer]):
    client = Client()
    client.force_login(people[Role.REP])
    page = client.get(URL).content.decode()
    assert "取引先 C-1" in page
    assert "取引先 C-2" not in page


def test_without_a_finished_run_the_page_says_so(people: dict[str, User]):
    defaults.load(quotas.NOW)
    client = Client()
    client.force_login(people[Role.ADMIN])
    assert "No nightly run has finished yet" in client.get(URL).content.decode()
