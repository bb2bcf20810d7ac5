"""Compiled rules: one clause at a time, and equal to a Python loop over customers on random rules."""

from __future__ import annotations

import operator
from datetime import date

import numpy as np
import pandas as pd
import pytest

from signals.compute import rules

D = date(2026, 6, 30)
NAN = np.nan


def frame(**columns):
    size = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=pd.Index(range(100, 100 + size), name="customer_id"))


def clause(term, op, threshold, **more):
    return {"key": f"{term}{op}", "term": term, "op": op, "threshold": threshold, **more}


def rule(*groups, unless=(), scope=None, **more):
    body = {"when": [list(g) for g in groups], "unless": list(unless), "scope": scope or {}, "play_kind": "upsell", **more}
    return rules.compile(body, key="r", family="f", version_id=7)


def fired(compiled, features, daily=None):
    (hits,) = rules.evaluate([compiled], features, daily).rules
    return hits.customer_ids.tolist()


@pytest.mark.parametrize(
    ("op", "who"), [(">=", [101, 102]), (">", [102]), ("<=", [100, 101]), ("<", [100])], ids=["at least", "more", "at most", "less"]
)
def test_comparisons_at_the_threshold_and_beside_it(op, who):
    assert fired(rule([clause("mrr", op, 2)]), frame(mrr=[1.0, 2.0, 3.0])) == who


@pytest.mark.parametrize("op", [">=", ">", "<=", "<"])
@pytest.mark.parametrize("negated", [False, True])
def test_a_missing_value_meets_no_condition(op, negated):
    assert fired(rule([clause("mrr", op, 0, negated=negated)]), frame(mrr=[NAN])) == []


def test_a_term_without_a_column_is_missing_everywhere():
    assert fired(rule([clause("nps", ">=", 0)]), frame(mrr=[1.0])) == []


def test_all_of_a_group_and_any_of_the_groups():
    compiled = rule([clause("a", ">=", 1), clause("b", ">=", 1)], [clause("c", ">=", 1)])
    assert fired(compiled, frame(a=[1.0, 1, 0, 0], b=[1.0, 0, 1, 0], c=[0.0, 0, 0, 1])) == [100, 103]


def test_an_exception_stops_where_it_is_known_to_hold():
    compiled = rule([clause("a", ">=", 1)], unless=[clause("open_p1_tickets", ">=", 1), clause("budget_freeze", ">=", 1)])
    features = frame(a=[1.0, 1, 1, 1], open_p1_tickets=[1.0, 0, NAN, 0], budget_freeze=[0.0, 0, NAN, 1])
    assert fired(compiled, features) == [101, 102]


@pytest.mark.parametrize(
    ("scope", "who"),
    [
        ({"plans": ["PRO"]}, [100]),
        ({"segments": ["loyal"]}, [101]),
        ({"bands": ["healthy", "watch"]}, [100, 101]),
        ({}, [100, 101]),
    ],
)
def test_a_scope_limits_who_is_looked_at(scope, who):
    features = frame(a=[1.0, 1.0], plan_code=["PRO", ""], segment=["", "loyal"], band=["healthy", "watch"])
    assert fired(rule([clause("a", ">=", 1)], scope=scope), features) == who


def test_a_condition_over_days_needs_each_of_them():
    compiled = rule([clause("a", ">=", 1, sustained_days=3)])
    daily = {"a": np.array([[0.0, 1, 1, NAN], [1, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]])}
    features = frame(a=[1.0, 1, 1, 1])
    assert fired(compiled, features, daily) == [100, 101, 103]
    assert fired(compiled, features, {"a": daily["a"][-2:]}) == [], "two days do not tell about three"
    assert fired(compiled, features) == []
    assert rules.needed_days([compiled]) == {"a": 3}
    assert fired(rule([clause("a", ">=", 1, sustained_days=1)]), features) == [100, 101, 102, 103]


def test_evidence_is_the_conditions_of_the_groups_that_held():
    compiled = rule(
        [clause("seats_used_ratio", ">=", 0.9), clause("mrr", ">", 5)], [clause("usage_7", ">=", 100)], [clause("mrr", "<", 0)]
    )
    (hits,) = rules.evaluate([compiled], frame(seats_used_ratio=[0.5, 0.95], mrr=[9.0, 9.0], usage_7=[0.0, 250.0])).rules
    assert hits.customer_ids.tolist() == [101]
    assert (hits.group.tolist(), hits.positions.tolist()) == ([0], [1])
    assert hits.evidence(0, D) == [
        {"key": "seats_used_ratio>=", "term": "seats_used_ratio", "op": ">=", "value": 0.95, "threshold": 0.9, "unit": "ratio",
         "window": 14, "sustained_days": None, "on": "2026-06-30"},
        {"key": "mrr>", "term": "mrr", "op": ">", "value": 9.0, "threshold": 5.0, "unit": "money", "window": None,
         "sustained_days": None, "on": "2026-06-30"},
        {"key": "usage_7>=", "term": "usage_7", "op": ">=", "value": 250.0, "threshold": 100.0, "unit": "count", "window": 7,
         "sustained_days": None, "on": "2026-06-30"},
    ]  # fmt: skip


def test_the_table_lists_every_hit_of_every_rule():
    features = frame(a=[1.0, 2.0], b=[0.0, 1.0])
    hits = rules.evaluate([rule([clause("a", ">=", 1)]), rule([clause("b", ">", 5)]), rule([clause("b", ">=", 1)])], features)
    assert len(hits) == 3
    assert hits.table().to_numpy().tolist() == [[0, 0, 100, 0], [0, 1, 101, 0], [2, 0, 101, 0]]


def test_nobody_and_no_rule_give_empty_answers():
    nobody = frame(a=np.empty(0))
    assert fired(rule([clause("a", ">=", 1)]), nobody) == []
    assert rules.evaluate([], frame(a=[1.0])).table().empty


def test_distances_tell_what_is_short():
    compiled = rule([clause("a", ">=", 10), clause("b", "<=", 5)])
    (found,) = rules.distances([compiled], frame(a=[4.0, 12.0, NAN], b=[9.0, 5.0, 1.0]))
    assert found.fires.tolist() == [False, True, False]
    np.testing.assert_array_equal(found.gaps, [[6, 0, NAN], [4, 0, 0]])
    assert found.holds.tolist() == [[False, True, False], [False, True, True]]


def slow(body, row, daily):
    """One customer: (fires, first group, values of the conditions in order)."""
    compare = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}

    def holds(c):
        value = row.get(c["term"], NAN)
        if np.isnan(value):
            return False
        met = compare[c["op"]](value, c["threshold"])
        if c.get("sustained_days"):
            days = daily[c["term"]][-c["sustained_days"] :]
            met = met and all(not np.isnan(v) and compare[c["op"]](v, c["threshold"]) for v in days)
        return not met if c.get("negated") else met

    first = next((i for i, group in enumerate(body["when"]) if all(holds(c) for c in group)), None)
    if first is None or any(holds(c) for c in body["unless"]):
        return None
    conditions = [c for group in body["when"] for c in group] + body["unless"]
    return first, [row.get(c["term"], NAN) for c in conditions]


@pytest.mark.parametrize("seed", range(25))
def test_masks_equal_a_loop(seed):
    rng = np.random.default_rng(seed)
    names, size = ["a", "b", "c", "d"], 60
    values = {name: np.where(rng.random(size) < 0.2, NAN, rng.integers(0, 5, size)) for name in names}
    features = frame(**values)
    daily = {}
    for name in names:
        span = rng.integers(0, 5, (5, size)).astype(float)
        span[rng.random(span.shape) < 0.1] = NAN
        span[-1] = values[name]
        daily[name] = span

    def some():
        made = clause(str(rng.choice([*names, "absent"])), str(rng.choice([">=", ">", "<=", "<"])), float(rng.integers(0, 5)))
        if rng.random() < 0.2 and made["term"] != "absent":
            made["sustained_days"] = int(rng.integers(2, 5))
        elif rng.random() < 0.2:
            made["negated"] = True
        return made

    body = {"when": [[some() for _ in range(rng.integers(1, 4))] for _ in range(rng.integers(1, 4))],
            "unless": [some() for _ in range(rng.integers(0, 3))]}  # fmt: skip
    before = features.copy()
    (hits,) = rules.evaluate([rules.compile(body)], features, daily).rules
    pd.testing.assert_frame_equal(features, before)
    expected = {}
    for position, (customer, row) in enumerate(features.iterrows()):
        found = slow(body, row.to_dict(), {name: daily[name][:, position] for name in names})
        if found is not None:
            expected[customer] = found
    assert hits.customer_ids.tolist() == list(expected)
    for place, (group, evidence) in enumerate(expected.values()):
        assert hits.group[place] == group
        np.testing.assert_array_equal(hits.given[:, place], evidence)
