"""Health: points, weights, coverage, rounding and bands (definitions §8)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from django.utils import translation

from signals import defaults
from signals import health as versions
from signals.compute import health

NAN = np.nan


def model(*groups, **more):
    """Groups are (weight, [(term, weight, worst, best), …])."""
    return health.compile_model(
        {
            "groups": [
                {"key": f"g{n}", "weight": weight, "measures": [
                    {"key": term, "term": term, "weight": w, "worst": worst, "best": best} for term, w, worst, best in measures
                ]}
                for n, (weight, measures) in enumerate(groups)
            ],
            **more,
        }
    )  # fmt: skip


def one(compiled, **values):
    return health.score(pd.DataFrame({k: [v] for k, v in values.items()}, index=[7]), compiled).loc[7]


HALVES = model((60, [("a", 50, 0, 100), ("b", 50, 0, 100)]), (40, [("c", 100, 0, 100)]))


@pytest.mark.parametrize(
    ("value", "points"), [(0, 0), (30, 0), (60, 50), (90, 100), (500, 100), (NAN, NAN)],
    ids=["far below", "worst", "half way", "best", "far above", "missing"],
)  # fmt: skip
def test_points_run_straight_from_worst_to_best(value, points):
    found = one(model((100, [("a", 100, 30, 90)])), a=value)
    assert found["points.a"] == pytest.approx(points, nan_ok=True)


def test_worst_may_lie_above_best():
    assert one(model((100, [("days", 100, 180, 30)])), days=105.0)["points.days"] == 50


def test_weights_count_inside_groups_and_between_them():
    found = one(HALVES, a=100.0, b=50.0, c=20.0)
    assert (found["score"], found["coverage"]) == (math.floor(0.6 * 75 + 0.4 * 20 + 0.5), 1.0)


@pytest.mark.parametrize(
    ("values", "score", "coverage"),
    [
        pytest.param({"a": 100.0, "b": NAN, "c": 20.0}, 68, 0.7, id="one measure: its group rests on the other"),
        pytest.param({"a": 100.0, "b": 50.0, "c": NAN}, 75, 0.6, id="a whole group: the other one decides"),
        pytest.param({"a": NAN, "b": 50.0, "c": NAN}, NAN, 0.3, id="too little is known"),
        pytest.param({"a": NAN, "b": NAN, "c": NAN}, NAN, 0.0, id="nothing is known"),
    ],
)
def test_what_is_missing_is_left_out(values, score, coverage):
    found = one(HALVES, **values)
    assert found["score"] == pytest.approx(score, nan_ok=True)
    assert found["coverage"] == pytest.approx(coverage)
    assert health.BANDS[int(found["band_code"])] == ("insufficient" if math.isnan(score) else health.BANDS[int(found["band_code"])])


def test_half_of_the_weight_is_just_enough():
    fifty = model((50, [("a", 100, 0, 100)]), (50, [("b", 100, 0, 100)]))
    assert one(fifty, a=70.0, b=NAN)["score"] == 70


@pytest.mark.parametrize(
    ("exact", "score", "band"),
    [
        (0.0, 0, "act_now"), (39.4, 39, "act_now"), (39.5, 40, "watch"), (59.49, 59, "watch"), (59.5, 60, "healthy"),
        (79.4999, 79, "healthy"), (79.5, 80, "excellent"), (100.0, 100, "excellent"), (0.5, 1, "act_now"), (2.5, 3, "act_now"),
    ],
)  # fmt: skip
def test_halves_round_up_before_the_band_is_chosen(exact, score, band):
    found = one(model((100, [("a", 100, 0, 100)])), a=exact)
    assert (found["score"], health.BANDS[int(found["band_code"])]) == (score, band)


def test_cuts_and_floor_come_from_the_model():
    strict = model((100, [("a", 100, 0, 100)]), cuts={"watch": 50, "healthy": 70, "excellent": 90}, floor=0.9)
    assert health.BANDS[int(one(strict, a=89.0)["band_code"])] == "healthy"


def test_absence_can_be_bad():
    body = {"groups": [{"key": "g", "weight": 100, "measures": [
        {"key": "a", "term": "a", "weight": 50, "worst": 0, "best": 1, "absence_is_bad": True},
        {"key": "b", "term": "b", "weight": 50, "worst": 0, "best": 1}]}]}  # fmt: skip
    assert one(health.compile_model(body), a=NAN, b=1.0)["score"] == 50


def test_the_shipped_model_is_valid():
    assert versions.validate(defaults.read("health.yaml")["body"]) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda b: b["groups"][0].update(weight=31), "The weights of the groups must add up to 100.", id="groups"),
        pytest.param(
            lambda b: b["groups"][0]["measures"][0].update(weight=1),
            "The weights inside “Usage” must add up to 100.",
            id="measures",
        ),
        pytest.param(
            lambda b: b["groups"][0]["measures"][0].update(term="health"),
            "“health” cannot be part of the health score.",
            id="itself",
        ),
        pytest.param(lambda b: b.update(cuts={"watch": 60}), "The cut-offs of the bands must rise, between 0 and 100.", id="cuts"),
        pytest.param(lambda b: b.update(groups=[]), "Give at least one group, and at least one measure in each.", id="empty"),
    ],
)
def test_a_faulty_model_is_refused_in_words(change, said):
    body = defaults.read("health.yaml")["body"]
    change(body)
    with translation.override("en"):
        assert versions.validate(body) == [said]


@pytest.mark.parametrize("seed", range(8))
def test_all_customers_at_once_equal_one_by_one(seed):
    rng = np.random.default_rng(seed)
    terms = ["a", "b", "c", "d", "e"]
    cuts = rng.multinomial(100, [0.4, 0.3, 0.3])
    compiled = model(
        (int(cuts[0]), [("a", 30, 0, 10), ("b", 70, 10, 0)]),
        (int(cuts[1]), [("c", 100, 2, 3)]),
        (int(cuts[2]), [("d", 55, -1, 1), ("e", 45, 0, 7)]),
    )
    values = {t: np.where(rng.random(50) < 0.35, NAN, rng.normal(3, 4, 50)) for t in terms}
    features = pd.DataFrame(values)
    before = features.copy()
    found = health.score(features, compiled)
    pd.testing.assert_frame_equal(features, before)
    for customer, row in features.iterrows():
        total = weight = covered = 0.0
        for group, group_weight in compiled.group_weights.items():
            mine = [m for m in compiled.measures if m.group == group]
            known = [
                (m, min(max((row[m.term] - m.worst) / (m.best - m.worst), 0), 1) * 100) for m in mine if not math.isnan(row[m.term])
            ]
            covered += group_weight * sum(m.weight for m, _ in known) / sum(m.weight for m in mine)
            if known:
                total += group_weight * sum(m.weight * p for m, p in known) / sum(m.weight for m, _ in known)
                weight += group_weight
        assert found.loc[customer, "coverage"] == pytest.approx(covered / 100)
        expected = math.floor(total / weight + 0.5) if covered >= 50 else NAN
        assert found.loc[customer, "score"] == pytest.approx(expected, nan_ok=True)


def test_nobody_gives_an_empty_answer_of_the_right_shape():
    found = health.score(pd.DataFrame({"a": np.empty(0)}), HALVES)
    assert list(found.columns) == ["score", "band_code", "coverage", "points.a", "points.b", "points.c"]
    assert len(found) == 0
