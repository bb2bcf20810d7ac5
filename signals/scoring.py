"""From features to scores: health per chunk, ranks over everybody, and the frame that rules read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from signals import health as models
from signals import loading, snapshots
from signals.compute import amounts, rfm
from signals.compute.health import Model
from signals.compute.health import score as weigh
from signals.compute.rules import CompiledRule, evaluate, needed_days, needed_terms
from signals.models import HealthModelVersion

TREND_DAYS = 30
# A base of the trend may be this many days older, where no run was done for the very day.
_TREND_SLACK = 6
_FACTS = (
    "nps_latest",
    "arr",
    "feature_burst_metric",
    "quota_metric",
    "offer_product",
    "next_plan_product",
    "plan_product",
    "band_code",
)


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of a chunk: ``features`` with health, health_change_30 and band_code; ``health`` with the points."""

    features: pd.DataFrame
    health: pd.DataFrame
    model: Model


@dataclass(frozen=True, slots=True)
class Ranks:
    """RFM of both lenses over everybody (columns of ``rank_lens``), and per customer the lens that is shown first."""

    purchase: pd.DataFrame
    usage: pd.DataFrame
    shown: pd.Series


def model_of(version: HealthModelVersion) -> Model:
    return models.compiled(version)


def published_model() -> Model:
    """Return the published version of the default health model."""
    return model_of(models.published())


def score(features: pd.DataFrame, *, business_date: date, model: Model, with_trend: bool = True) -> Scored:
    """Score the customers of a chunk by one health model.

    The change in 30 days compares with the snapshot of that day by the same model; where there is
    none within the week before it either, the features of that day are made anew.
    """
    scored = weigh(features, model)
    now = scored["score"]
    before = (
        _scores_before(features, business_date, model) if with_trend and len(features) else pd.Series(np.nan, index=features.index)
    )
    made = features.assign(
        health=now, health_change_30=now - before, band_code=scored["band_code"].astype(np.float64)
    )  # fmt: skip
    return Scored(features=made, health=scored, model=model)


def ranks(business_date: date) -> Ranks:
    """Rank everybody by recency, frequency and value, from the snapshot of the date."""
    raw = snapshots.read(business_date, RANKED_TERMS)
    purchase = rank_lens(raw, lens="purchase")
    used = rank_lens(raw, lens="usage")
    is_usage = (raw["mrr"] > 0) & used["r"].notna() | purchase["r"].isna()
    return Ranks(purchase=purchase, usage=used, shown=pd.Series(np.where(is_usage, "usage", "purchase"), index=raw.index))


RANKED_TERMS = (
    "purchase_recency_days", "purchase_frequency", "purchase_monetary", "purchase_tenure_days", "usage_recency_days",
    "active_days_28", "days_since_first_paid", "mrr",
)  # fmt: skip


def rank_lens(raw: pd.DataFrame, *, lens: str) -> pd.DataFrame:
    """Return one lens: slot, recency_days, frequency, monetary (an amount), r, f, m, segment_code; index as given.

    raw  index customer_id; ``slot`` and RANKED_TERMS
    The usage lens takes the tenure from the first purchase, else from the first paid day.
    """
    tenure = raw["purchase_tenure_days"].fillna(raw["days_since_first_paid"])
    prefix = (
        ("purchase_recency_days", "purchase_frequency", "purchase_monetary")
        if lens == "purchase"
        else ("usage_recency_days", "active_days_28", "mrr")
    )
    recency, frequency, monetary = (raw[key] for key in prefix)
    summary = pd.DataFrame(
        {
            "recency_days": recency,
            "frequency": frequency.fillna(0.0),
            "monetary_cents": (monetary.fillna(0.0) * 100).round(),
            "tenure_days": tenure,
            "mrr_cents": (raw["mrr"].fillna(0.0) * 100).round(),
        }
    )
    scored = rfm.score(summary, lens=lens)
    return pd.DataFrame(
        {
            "slot": raw["slot"],
            "recency_days": recency,
            "frequency": summary["frequency"],
            "monetary": monetary.fillna(0.0),
            **scored,
        }
    )


def rule_frame(
    business_date: date,
    rules: Sequence[CompiledRule],
    *,
    slot_from: int = 0,
    slot_until: int | None = None,
    extra: Sequence[str] = (),
) -> pd.DataFrame:
    """Return what rules, amounts and priorities read, from the snapshot: terms, ``extra`` ones, plan_code, band and segment."""
    wanted = (*needed_terms(rules), *amounts.NEEDED_TERMS, *_FACTS, *extra, *snapshots.TEXTS)
    return snapshots.read(business_date, wanted, slot_from=slot_from, slot_until=slot_until)


def rule_days(
    business_date: date, rules: Sequence[CompiledRule], *, slot_from: int = 0, slot_until: int | None = None
) -> dict[str, np.ndarray]:
    """Return the daily series that the rules look at, in the order of ``rule_frame``.

    From usage where the term has a daily series; from the snapshots of the days before otherwise
    (a day without one is missing, so the condition does not hold over it).
    """
    days = needed_days(rules)
    if not days:
        return {}
    until = snapshots.chunks()[-1][1] if slot_until is None and snapshots.chunks() else slot_until or 0
    series = loading.daily(business_date, days, slot_from=slot_from, slot_until=until)
    rest = {term: n for term, n in days.items() if term not in series}
    if rest:
        span = max(rest.values())
        frames = [
            snapshots.read(business_date - timedelta(days=ago), rest, slot_from=slot_from, slot_until=slot_until)
            for ago in reversed(range(span))
        ]
        for term, n in rest.items():
            series[term] = np.array([frame[term].to_numpy(np.float64) for frame in frames[span - n :]])
    return series


def facts(business_date: date, rules: Sequence[CompiledRule]) -> dict[str, Any]:
    """Return what only all hits of a night together tell: the 95th percentile of the expected amounts a year."""
    frame = rule_frame(business_date, rules)
    hits = evaluate(rules, frame, rule_days(business_date, rules))
    found = [
        amounts.expected(hit.rule.amount_kind, frame.iloc[hit.positions])[["low_cents", "high_cents"]].mean(axis=1)
        for hit in hits.rules
        if hit.rule.play_kind in {"upsell", "cross_sell", "renewal"} and len(hit)
    ]
    known = pd.concat(found).dropna() if found else pd.Series(dtype=np.float64)
    return {"amount_p95": float(np.percentile(known, 95)) / 100 if len(known) else 0.0, "hits": len(hits)}


def _scores_before(features: pd.DataFrame, business_date: date, model: Model) -> pd.Series:
    first, last = business_date - timedelta(days=TREND_DAYS + _TREND_SLACK), business_date - timedelta(days=TREND_DAYS)
    found = snapshots.newest_date(within=(first, last))
    slot_from, slot_until = int(features["slot"].min()), int(features["slot"].max()) + 1
    past = (
        snapshots.read(found, model.terms, slot_from=slot_from, slot_until=slot_until)
        if found is not None
        else loading.features(last, slot_from, slot_until)
    )
    return weigh(past, model)["score"].reindex(features.index)
