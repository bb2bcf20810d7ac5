"""What the palette finds, and for whom."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import Customer
from expansion.dashboards.search import find, find_rules
from expansion.users.models import Team
from signals.models import Rule, RuleVersion


@pytest.fixture
def book(person):
    """Four customers: the rep's, a colleague's of the team, one of another team, and nobody's."""
    west = Team.objects.create(key="west", name="西日本")
    owners = {
        "mine": person("rep"),
        "team": person("rep", email="sato@example.jp"),
        "other": person("rep", email="mori@example.jp", team=west),
        "nobody": None,
    }
    names = {"mine": "ミナト精機", "team": "湊物流", "other": "みなと銀行", "nobody": "港南建設"}
    readings = {"mine": "ミナトセイキ", "team": "ミナトブツリュウ", "other": "ミナトギンコウ", "nobody": "コウナンケンセツ"}
    for slot, (key, owner) in enumerate(owners.items()):
        Customer.objects.create(customer_id=f"C-{slot}", slot=slot, name=names[key], name_kana=readings[key], owner=owner)
    return owners


def names(words, user):
    return [each.customer.name for each in find(words, user=user)]


@pytest.mark.parametrize("words", ["minato", "みなと", "ミナト", "Minato"])
def test_any_script_finds_the_reading(book, person, words):
    assert sorted(names(words, person("admin", scope="all"))) == ["みなと銀行", "ミナト精機", "湊物流"]


@pytest.mark.parametrize(
    ("scope", "seen"),
    [("own", ["ミナト精機"]), ("team", ["ミナト精機", "湊物流"]), ("all", ["みなと銀行", "ミナト精機", "湊物流"])],
)
def test_nobody_finds_what_they_may_not_see(book, scope, seen):
    user = book["mine"]
    user.scope = scope
    user.save(update_fields=["scope"])
    assert sorted(names("minato", user)) == seen


def test_an_id_is_found_and_a_merged_customer_is_not(book, person):
    admin = person("admin", scope="all")
    assert names("c-1", admin) == ["湊物流"]
    first, second = Customer.objects.order_by("slot")[:2]
    Customer.objects.filter(pk=second.pk).update(merged_into=first)
    assert names("c-1", admin) == []


def test_two_signs_are_the_least(as_person, book):
    client = as_person("admin", scope="all")
    assert "ミナト" not in client.get("/search/", {"q": "ミ"}, HTTP_HX_REQUEST="true").content.decode()
    assert "ミナト精機" in client.get("/search/", {"q": "ﾐﾅﾄ"}, HTTP_HX_REQUEST="true").content.decode()


def test_nothing_found_says_so_and_escapes_what_was_typed(as_person):
    shown = as_person("viewer").get("/search/", {"q": "<b>zz"}, HTTP_HX_REQUEST="true").content.decode()
    assert "「&lt;b&gt;zz」は見つかりません" in shown
    assert "<html" not in shown


def test_signals_are_found_by_their_name_in_either_language(db):
    rule = Rule.objects.create(key="quota", family="quota")
    body = {"name_ja": "データ容量", "name_en": "Storage used"}
    RuleVersion.objects.create(rule=rule, number=1, state="published", body=body, edited_at=timezone.now())
    RuleVersion.objects.create(rule=rule, number=2, state="draft", body={"name_en": "Drafted"}, edited_at=timezone.now())
    for words in ("容量", "STORAGE"):
        assert [(version.number, address) for version, address in find_rules(words)] == [(1, "/definitions/signals/quota/")]
    assert find_rules("Drafted") == []


def test_a_search_takes_as_many_queries_for_one_as_for_many(book, person, django_assert_num_queries):
    admin = person("admin", scope="all")
    for words in ("c-1", "minato"):
        with django_assert_num_queries(2):
            find(words, user=admin)
