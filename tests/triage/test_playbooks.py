"""Playbooks, policies and quotes: what is shipped, what is refused, what an offer comes to."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from playbooks import catalogue, defaults, offers, people
from playbooks.models import DiscountPolicy, PlaybookVersion

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
FOLDER = Path(defaults.__file__).parent / "defaults"
SHIPPED = yaml.safe_load((FOLDER / "playbooks.yaml").read_text())
RULES = yaml.safe_load((FOLDER.parents[1] / "signals" / "defaults" / "rules.yaml").read_text())
POLICY = offers.read_policy(yaml.safe_load((FOLDER / "policy.yaml").read_text()))


@pytest.mark.parametrize("key", SHIPPED)
def test_every_shipped_playbook_is_whole(key):
    content = catalogue.read(SHIPPED[key])
    assert [step.key for step in content.steps][:2] == ["review", "ask"]
    ask = content.steps[1]
    assert [question.kind for question in ask.questions] == ["S", "P", "I", "N"]
    assert ask.minutes == sum(part.minutes for part in ask.demo)
    assert ask.message is not None
    assert set(content.next_steps) == {"opened", "won", "thinking", "no_reply"}
    assert content.makes_offers == (content.play_kind != "help")


def test_every_shipped_rule_has_its_playbook():
    assert {rule["body"]["playbook"] for rule in RULES} == set(SHIPPED)


def test_loading_twice_changes_nothing_and_keeps_what_a_person_published(desk):
    assert defaults.load(NOW) == 0
    version = PlaybookVersion.objects.get(playbook__key="add_seats", state="published")
    version.body = version.body | {"name": {"ja": "独自", "en": "Own"}}
    version.published_by = desk.manager
    version.save()
    assert defaults.load(NOW) == 0
    assert DiscountPolicy.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda body: body.pop("what"), "'what'", id="a part is missing"),
        pytest.param(lambda body: body["steps"][0].update(kind="dance"), "review", id="a step of an unknown kind"),
        pytest.param(lambda body: body["steps"][1]["questions"][0].update(kind="X"), "S・P・I・N", id="a question that is none"),
        pytest.param(lambda body: body["steps"][0].update(key="ask"), "同じキー", id="two steps of one key"),
        pytest.param(lambda body: body["name"].update(en=" "), "どちらかの文が空", id="one language only"),
        pytest.param(lambda body: body["action"].update(ja="{price}と{secret}"), "{secret}", id="a field that nobody fills"),
    ],
)
def test_a_playbook_that_nobody_could_work_with_is_refused(change, words):
    body = copy.deepcopy(SHIPPED["add_seats"])
    change(body)
    with pytest.raises(catalogue.Unreadable, match=words):
        catalogue.read(body)


def test_a_field_that_is_not_known_is_marked():
    pieces = catalogue.fill("{person}様 {signals}です。", {"person": "高橋", "signals": None})
    assert catalogue.plain(pieces, missing="〔未入力〕") == "高橋様 〔未入力〕です。"
    assert [piece.field for piece in pieces] == ["person", "", "signals", ""]


def basis(**fields):
    return offers.Basis(
        **{
            "kind": "next_plan",
            "name": "Pro",
            "unit_year": Decimal(36_000),
            "quantity": 120,
            "least": 1,
            "base_year": Decimal(2_880_000),
            "currency": "JPY",
            "margin_percent": Decimal(80),
        }
        | fields
    )


@pytest.mark.parametrize(
    ("discount", "added", "margin", "role", "below"),
    [
        pytest.param("0", "1440000.00", "80.0", "rep", False, id="the list price"),
        pytest.param("3.6", "1284480.00", "79.3", "rep", False, id="what a rep may decide"),
        pytest.param("5.0", "1224000.00", "78.9", "rep", False, id="the last that a rep may decide"),
        pytest.param("5.1", "1219680.00", "78.9", "manager", False, id="the first that needs a manager"),
        pytest.param("15.0", "792000.00", "76.5", "director", False, id="the most there is"),
    ],
)
def test_a_quote_follows_discount_margin_and_policy(discount, added, margin, role, below):
    made = offers.quote(basis(), POLICY, quantity=120, years=1, discount_percent=Decimal(discount))
    assert (made.added, made.margin_percent, made.zone.role, made.is_below_floor) == (Decimal(added), Decimal(margin), role, below)


def test_below_the_margin_floor_is_told():
    made = offers.quote(basis(margin_percent=Decimal(63)), POLICY, quantity=120, years=1, discount_percent=Decimal(10))
    assert (made.margin_percent, made.is_below_floor) == (Decimal("58.9"), True)


def test_more_seats_price_only_the_seats_that_are_added():
    seats = basis(kind="seats", unit_year=Decimal(24_000), quantity=150, least=121, kept_year=Decimal(2_880_000), free_quantity=120)
    made = offers.quote(seats, POLICY, quantity=150, years=2, discount_percent=Decimal(0))
    assert (made.added, made.new_year, made.total) == (Decimal(720_000), Decimal(3_600_000), Decimal(7_200_000))


@pytest.mark.parametrize(
    "fields", [{"quantity": 0}, {"years": 4}, {"discount_percent": Decimal(-1)}, {"discount_percent": Decimal("15.1")}]
)
def test_numbers_that_no_offer_has_are_refused(fields):
    with pytest.raises(offers.NoQuote):
        offers.quote(basis(), POLICY, **{"quantity": 120, "years": 1, "discount_percent": Decimal(0)} | fields)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"zones": [], "margin_floor_percent": "60", "suggested": ["0", "5"]},
        {"zones": [{"up_to": "5", "role": "rep", "business_days": 0}], "margin_floor_percent": "60", "suggested": ["0", "6"]},
        {"zones": [{"up_to": "ten", "role": "rep", "business_days": 0}], "margin_floor_percent": "60", "suggested": ["0", "5"]},
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(body):
    with pytest.raises(offers.PolicyUnreadable):
        offers.read_policy(body)


STD = offers.Sold(1, "STD", "Standard", "plan", "core", 1, Decimal(24_000), "JPY", Decimal(80))
PRO = offers.Sold(2, "PRO", "Pro", "plan", "core", 2, Decimal(38_400), "JPY", Decimal(80))
LENS = offers.Sold(3, "LENS", "Lens", "product", "", None, Decimal(600_000), "JPY", None)
PRODUCTS = {product.id: product for product in (STD, PRO, LENS)}
PLAN = offers.Line(1, "plan", Decimal(120), Decimal(2_880_000), "JPY", Decimal(2_000))


@pytest.mark.parametrize(
    ("kind", "offer", "expected"),
    [
        pytest.param("seats", {"quantity_after": 150}, ("seats", 150, 121, "24000.00"), id="seats, as the run said"),
        pytest.param("seats", {}, ("seats", 132, 121, "24000.00"), id="seats, a tenth more"),
        pytest.param("next_plan", {"product_id": 2}, ("next_plan", 120, 1, "38400"), id="the plan that the run named"),
        pytest.param("next_plan", {}, ("next_plan", 120, 1, "38400"), id="the next plan of the family"),
        pytest.param("product", {"product_id": 3}, ("product", 1, 1, "600000"), id="a related product"),
        pytest.param("renewal", {}, ("renewal", 1, 1, "2880000.00"), id="a renewal at today's price"),
    ],
)
def test_what_is_offered_comes_from_the_run_the_contract_and_the_catalogue(kind, offer, expected):
    made = offers.basis(kind, offer, lines=[PLAN], products=PRODUCTS)
    assert (made.kind, made.quantity, made.least, str(made.unit_year)) == expected


@pytest.mark.parametrize(("kind", "offer"), [("product", {}), ("none", {}), ("product", {"product_id": 99})])
def test_without_a_price_there_is_no_quote(kind, offer):
    assert offers.basis(kind, offer, lines=[PLAN], products=PRODUCTS) is None
    assert offers.basis("seats", {}, lines=[], products={}) is None


def test_win_rates_come_with_their_range():
    decided = [(Decimal("1.5"), won) for won in [True] * 7 + [False] * 15] + [(Decimal(12), True)]
    first, *_middle, last = people.buckets(decided)
    assert (first.offers, first.wins, round(first.least, 2), round(first.most, 2)) == (22, 7, 0.16, 0.53)
    assert (last.low, last.high, last.offers) == (Decimal(10), None, 1)
    assert people.wilson(0, 0) == (None, None)
