"""Health: measures to points, points to groups, groups to one score (definitions §8).

A missing measure is left out and the other weights of its group are spread anew, so nobody is
punished for data that we do not have; ``coverage`` says how much of the full weight was known,
and below the floor the score is withheld.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BANDS = ("act_now", "watch", "healthy", "excellent", "insufficient")
INSUFFICIENT = BANDS.index("insufficient")
_FLOOR = 0.5
_CUTS = (40.0, 60.0, 80.0)


@dataclass(frozen=True, slots=True)
class Measure:
    """One term turned into 0 … 100 points, straight between ``worst`` and ``best``.

    ``absence_is_bad``: a missing value gives 0 points instead of being left out.
    """

    key: str
    group: str
    term: str
    weight: float
    worst: float
    best: float
    absence_is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """A health model ready to compute: measures in groups, weights at both levels, cuts of the bands."""

    measures: tuple[Measure, ...]
    group_weights: Mapping[str, float]
    cuts: tuple[float, float, float] = _CUTS
    floor: float = _FLOOR
    version_id: int = 0

    @property
    def terms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(m.term for m in self.measures))


def compile_model(body: Mapping[str, Any], *, version_id: int = 0) -> Model:
    """Turn the stored form of a health model into one that can be computed."""
    measures = tuple(
        Measure(
            key=str(measure["key"]),
            group=str(group["key"]),
            term=str(measure["term"]),
            weight=float(measure["weight"]),
            worst=float(measure["worst"]),
            best=float(measure["best"]),
            absence_is_bad=bool(measure.get("absence_is_bad", False)),
        )
        for group in body["groups"]
        for measure in group["measures"]
    )
    low, middle, high = (float(body.get("cuts", {}).get(name, cut)) for name, cut in zip(BANDS[1:4], _CUTS, strict=True))
    return Model(
        measures=measures,
        group_weights={str(group["key"]): float(group["weight"]) for group in body["groups"]},
        cuts=(low, middle, high),
        floor=float(body.get("floor", _FLOOR)),
        version_id=version_id,
    )


def score(features: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Weigh what is known about each customer.

    features  indexed by customer_id, one float column per term of the model (absent = missing everywhere)
    returns   same index; ``score`` float 0 … 100 in whole points (NaN when withheld), ``band_code`` int8
              (position in BANDS), ``coverage`` float 0 … 1, and ``points.<measure>`` float 0 … 100 or NaN
    """
    points = np.array([_points(features, measure) for measure in model.measures]).reshape(len(model.measures), len(features))
    is_known = ~np.isnan(points)
    filled = np.where(is_known, points, 0.0)
    total, weight, covered = (np.zeros(len(features)) for _ in range(3))
    full = sum(model.group_weights.values()) or 1.0
    for group, group_weight in model.group_weights.items():
        members = [i for i, m in enumerate(model.measures) if m.group == group]
        weights = np.array([model.measures[i].weight for i in members])[:, None]
        known = np.add.reduce(is_known[members] * weights, axis=0)
        earned = np.add.reduce(filled[members] * weights, axis=0)
        has_any = known > 0
        group_score = np.divide(earned, known, out=np.zeros(len(features)), where=has_any)
        total += group_weight * group_score
        weight += group_weight * has_any
        covered += group_weight * known / (weights.sum() or 1.0)
    coverage = covered / full
    is_enough = (coverage >= model.floor - 1e-9) & (weight > 0)
    whole = np.floor(np.divide(total, weight, out=np.zeros(len(features)), where=weight > 0) + 0.5 + 1e-9)
    return pd.DataFrame(
        {
            "score": np.where(is_enough, whole, np.nan),
            "band_code": np.where(is_enough, band_codes(whole, model.cuts), INSUFFICIENT).astype(np.int8),
            "coverage": coverage,
            **{f"points.{m.key}": points[i] for i, m in enumerate(model.measures)},
        },
        index=features.index,
    )


def band_codes(scores: NDArray[np.float64], cuts: Sequence[float] = _CUTS) -> NDArray[np.int8]:
    """Return the position in BANDS of whole scores; each band is [low, high), the last one closed at 100."""
    return np.searchsorted(np.asarray(cuts), scores, side="right").astype(np.int8)


def _points(features: pd.DataFrame, measure: Measure) -> NDArray[np.float64]:
    value = features[measure.term].to_numpy(np.float64) if measure.term in features.columns else np.full(len(features), np.nan)
    share = (value - measure.worst) / (measure.best - measure.worst)
    points = np.clip(share, 0.0, 1.0) * 100
    return np.where(np.isnan(points), 0.0, points) if measure.absence_is_bad else points
