"""Write what a run computed: scores, standings and snapshots, in the caller's transaction.

A second call with the same numbers rewrites nothing.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from django.conf import settings
from numpy.typing import NDArray

from expansion.copying import merge_arrays
from signals import snapshots
from signals.compute.health import BANDS
from signals.compute.rfm import SEGMENTS
from signals.scoring import Ranks, Scored

_NAMES = np.array([*SEGMENTS, ""])  # the code −1 is the empty name
_HEALTH_TYPES = {
    "customer_id": "i8", "business_date": "date", "score": "i2", "band": "text", "coverage": "f8", "points": "f8[]",
    "version_id": "i8",
}  # fmt: skip
_RFM_TYPES = {
    "customer_id": "i8", "lens": "text", "business_date": "date", "recency_days": "i4", "frequency": "i4", "monetary": "i8",
    "r": "i2", "f": "i2", "m": "i2", "segment": "text",
}  # fmt: skip
_STANDING_TYPES = {
    "customer_id": "i8", "as_of": "date", "score": "i2", "band": "text", "coverage": "f8", "score_change_30": "i2",
    "segment": "text", "nps": "i2", "nps_answers": "i4", "mrr": "i8", "arr": "i8", "currency": "text",
    "plan_code": "text", "seats": "f8?", "seats_used": "f8?", "renews_on": "date", "notice_on": "date",
}  # fmt: skip


def put_scores(business_date: date, scored: Scored, *, is_newest: bool = True) -> int:
    """Store health, the snapshot and, for the newest date, the standing of a chunk; return how many customers were scored.

    An older date (a backfill) marks its snapshot as reconstructed and leaves the standings alone.
    """
    health = scored.health
    if health.empty:
        return 0
    merge_arrays(
        "signals_healthscore",
        {
            "customer_id": health.index.to_numpy(np.int64),
            "business_date": _repeated(business_date, len(health)),
            "score": health["score"].to_numpy(np.float64),
            "band": np.array(BANDS)[health["band_code"].to_numpy(np.int64)],
            "coverage": health["coverage"].round(6).to_numpy(np.float64),
            "points": health[[f"points.{m.key}" for m in scored.model.measures]].to_numpy(np.float64),
            "version_id": np.full(len(health), scored.model.version_id, dtype=np.int64),
        },
        keys=["customer_id", "business_date"],
        types=_HEALTH_TYPES,
    )
    snapshots.write(business_date, scored.features, is_reconstructed=not is_newest)
    if is_newest:
        _put_standings(business_date, scored)
    return len(health)


def put_ranks(business_date: date, ranks: Ranks, *, is_newest: bool = True) -> int:
    """Store RFM of both lenses, its snapshot terms and, for the newest date, the standings' share; return the rows."""
    written = sum(_put_lens(business_date, lens, name) for lens, name in ((ranks.purchase, "purchase"), (ranks.usage, "usage")))
    is_usage = (ranks.shown == "usage").to_numpy()
    shown = {name: np.where(is_usage, ranks.usage[name], ranks.purchase[name]) for name in ("r", "f", "m", "segment_code")}
    terms = pd.DataFrame(
        {
            "slot": ranks.purchase["slot"],
            **{f"rfm_{name}": ranks.purchase[name] for name in "rfm"},
            **{f"rfm_usage_{name}": ranks.usage[name] for name in "rfm"},
            "segment_code": np.where(shown["segment_code"] >= 0, shown["segment_code"], np.nan),
        }
    )
    snapshots.write(business_date, terms, is_reconstructed=not is_newest)
    if is_newest and len(terms):
        merge_arrays(
            "signals_standing",
            {
                "customer_id": terms.index.to_numpy(np.int64),
                **{f"rfm_{name}": shown[name].astype(np.float64) for name in "rfm"},
                "segment": _NAMES[shown["segment_code"].astype(np.int64)],
            },
            keys=["customer_id"],
            types={"customer_id": "i8", "rfm_r": "i2", "rfm_f": "i2", "rfm_m": "i2", "segment": "text"},
            only_known=True,
        )
    return written


def _put_standings(business_date: date, scored: Scored) -> None:
    features, health = scored.features, scored.health
    merge_arrays(
        "signals_standing",
        {
            "customer_id": features.index.to_numpy(np.int64),
            "as_of": _repeated(business_date, len(features)),
            "score": health["score"].to_numpy(np.float64),
            "band": np.array(BANDS)[health["band_code"].to_numpy(np.int64)],
            "coverage": health["coverage"].round(6).to_numpy(np.float64),
            "score_change_30": features["health_change_30"].to_numpy(np.float64),
            "segment": np.full(len(features), ""),
            "nps": features["nps"].to_numpy(np.float64),
            "nps_answers": features["nps_answers"].to_numpy(np.float64),
            "mrr": _cents(features["mrr"]),
            "arr": _cents(features["arr"]),
            "currency": np.full(len(features), settings.REPORTING_CURRENCY),
            "plan_code": snapshots.text_of("plan_code", features["plan_product"]).to_numpy(dtype=str),
            "seats": features["seats"].to_numpy(np.float64),
            "seats_used": features["seats_used"].to_numpy(np.float64),
            "renews_on": _days_ahead(business_date, features["days_to_renewal"]),
            "notice_on": _days_ahead(business_date, features["days_to_notice"]),
        },
        keys=["customer_id"],
        types=_STANDING_TYPES,
        update=[name for name in _STANDING_TYPES if name not in {"customer_id", "segment"}],
        cents=["mrr", "arr"],
    )


def _put_lens(business_date: date, lens: pd.DataFrame, name: str) -> int:
    scored = lens[lens["r"].notna()]
    if scored.empty:
        return 0
    merge_arrays(
        "signals_rfmscore",
        {
            "customer_id": scored.index.to_numpy(np.int64),
            "lens": np.full(len(scored), name),
            "business_date": _repeated(business_date, len(scored)),
            **{column: scored[column].to_numpy(np.float64) for column in ("recency_days", "frequency")},
            "monetary": _cents(scored["monetary"]),
            **{column: scored[column].to_numpy(np.float64) for column in "rfm"},
            "segment": _NAMES[scored["segment_code"].to_numpy(np.int64)],
        },
        keys=["customer_id", "lens", "business_date"],
        types=_RFM_TYPES,
        cents=["monetary"],
    )
    return len(scored)


def _repeated(day: date, count: int) -> NDArray[np.datetime64]:
    return np.full(count, np.datetime64(day, "D"))


def _cents(amount: pd.Series) -> NDArray[np.int64]:
    return np.round(amount.to_numpy(np.float64) * 100).astype(np.int64)


def _days_ahead(business_date: date, days: pd.Series) -> NDArray[np.datetime64]:
    """Return the date that many days on; NaT where it is not known."""
    ahead = days.to_numpy(np.float64)
    known = np.where(np.isnan(ahead), 0, ahead).astype("timedelta64[D]")
    return np.where(np.isnan(ahead), np.datetime64("NaT", "D"), np.datetime64(business_date, "D") + known)
