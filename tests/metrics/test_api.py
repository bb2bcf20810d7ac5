"""The figures over REST: the same numbers, the caller's customers only."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

SPAN = {"from": "2024-12-31", "to": "2025-12-31"}


@pytest.fixture
def client_of(people):
    def log_in(name):
        client = APIClient()
        client.force_login(people[name])
        return client

    return log_in


def test_api_and_command_agree_on_every_number(book, client_of):
    for terms in ([], ["team=west"], ["plan=basic", "owner=aoi@example.jp"]):
        out = io.StringIO()
        words = [word for term in terms for word in ("--scope", term)]
        call_command("kpis", "--from", SPAN["from"], "--to", SPAN["to"], *words, "--json", stdout=out)
        answer = client_of("max").get("/api/v1/kpis/retention/", SPAN | {"scope": terms})
        assert answer.status_code == 200
        assert answer.json() == json.loads(out.getvalue())


def test_the_upsell_figures_fit_the_retention_figures(book, client_of):
    upsell = client_of("max").get("/api/v1/kpis/upsell/", SPAN).json()
    retention = client_of("max").get("/api/v1/kpis/retention/", SPAN).json()
    assert {name: upsell[name] for name in upsell if name in retention} == {
        name: retention[name] for name in upsell if name in retention
    }
    assert (upsell["upsell_mrr"], upsell["upsold_customers"], upsell["cross_sell_mrr"]) == ("500.00", 1, "300.00")


def test_a_rep_gets_own_customers(book, client_of):
    answer = client_of("aoi").get("/api/v1/kpis/retention/", SPAN).json()
    assert (answer["start_mrr"], answer["start_customers"]) == ("3000.00", 2)
    rows = client_of("aoi").get("/api/v1/kpis/movements/", {"from": "2025-01", "to": "2025-12"}).json()["results"]
    assert sorted({row["customer_id"] for row in rows}) == ["acme", "bolt", "echo"]  # echo belongs to nobody
    ask = {who: SPAN | {"scope": f"customer={who}"} for who in ("dash", "nope")}
    hidden, unknown = (client_of("aoi").get("/api/v1/kpis/retention/", query) for query in ask.values())
    assert (hidden.status_code, unknown.status_code) == (422, 422)
    assert hidden.content.replace(b"dash", b"nope") == unknown.content


def test_movements_page_by_page(book, client_of):
    client = client_of("max")
    whole = client.get("/api/v1/kpis/movements/", {"from": "2025-01", "to": "2025-12"}).json()
    assert whole["next"] is None
    assert whole["results"][0] == {
        "customer_id": "acme", "month": "2025-06", "mrr_before": "1000.00", "mrr_after": "1500.00", "change": "500.00",
        "category": "expansion",
    }  # fmt: skip
    pages, url = [], "/api/v1/kpis/movements/?from=2025-01&to=2025-12&limit=3"
    while url:
        page = client.get(url).json()
        pages.append(page["results"])
        url = page["next"]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [row for page in pages for row in page] == whole["results"]


@pytest.mark.parametrize(("path", "query", "where"), [
    ("retention", {}, "from"), ("retention", {"from": "2025-01-01"}, "to"),
    ("retention", {"from": "2025-01-02", "to": "2025-01-02"}, "to"),
    ("retention", {"from": "yesterday", "to": "2025-01-02"}, "from"),
    ("movements", {"from": "2025-1", "to": "2025-02"}, "from"), ("movements", {"from": "2025-03", "to": "2025-02"}, "to"),
    ("movements", {"from": "2025-01", "to": "2025-02", "cursor": "!!"}, "cursor"),
    ("movements", {"from": "2025-01", "to": "2025-02", "cursor": "WzFd"}, "cursor"),
    ("movements", {"from": "2025-01", "to": "2025-02", "limit": "0"}, "limit"),
    ("upsell", {"from": "2025-01-01", "to": "\x00"}, "to"),
])  # fmt: skip
def test_a_wrong_question_says_where(book, client_of, path, query, where):
    answer = client_of("max").get(f"/api/v1/kpis/{path}/", query)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert where in answer.json()["errors"]


def test_an_unknown_scope_is_a_problem_in_words(book, client_of):
    answer = client_of("max").get("/api/v1/kpis/retention/", SPAN | {"scope": "team=north"})
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert "north" in answer.json()["title"]


def test_without_a_log_in_there_is_no_answer(book):
    assert APIClient().get("/api/v1/kpis/retention/", SPAN).status_code in {401, 403}
