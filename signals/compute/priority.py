"""The rank of an alert, 0 to 100, from parts that a person can check one by one (shipped formula).

amount 35 · log(1 + a/100k) / log(1 + p95/100k); likelihood 30 · min(1, p/0.5) with p = deals ÷ alerts
among similar past ones; timing 20 · max(0, 1 − |days − 75|/75) for renewals, else 20 · (1 − age/30 days);
overlap 5 per signal after the first; relationship 5 for a promoter in the best band; −2 for each caution,
−15 for a stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from expansion import formats

MOST = {"amount": 35, "likelihood": 30, "timing": 20, "overlap": 15, "relationship": 5}
PARTS = (*MOST, "cautions")
PROMOTER = 9
_SCALE = 100_000.0
_RENEWAL_BEST_DAYS = 75.0
_FRESH_DAYS = 30.0
_CAUTION, _STOP = 2, 15


def rank(alerts: pd.DataFrame, *, amount_p95: float) -> pd.DataFrame:
    """Return the priority and its parts in whole points, halves rounded up.

    alerts   amount (a year, reporting currency, NaN = unknown), deals and similar (past alerts like this
             one), is_renewal bool, days (to the renewal, or since the alert was raised; NaN = unknown),
             signals (open ones on the customer), nps_latest, is_excellent bool, cautions (count), is_stopped bool
    returns  same index; amount, likelihood, timing, overlap, relationship, cautions (negative), priority
    """
    amount = np.clip(np.nan_to_num(alerts["amount"].to_numpy(np.float64), nan=0.0), 0.0, None)
    top = np.log1p(amount_p95 / _SCALE) if amount_p95 > 0 else np.inf
    similar = alerts["similar"].to_numpy(np.float64)
    won = np.divide(alerts["deals"].to_numpy(np.float64), similar, out=np.zeros(len(alerts)), where=similar > 0)
    days = alerts["days"].to_numpy(np.float64)
    timing = np.where(
        alerts["is_renewal"].to_numpy(bool), 1 - np.abs(days - _RENEWAL_BEST_DAYS) / _RENEWAL_BEST_DAYS, 1 - days / _FRESH_DAYS
    )
    is_promoter = alerts["nps_latest"].to_numpy(np.float64) >= PROMOTER
    parts = {
        "amount": _points(np.log1p(amount / _SCALE) / top, "amount"),
        "likelihood": _points(won / 0.5, "likelihood"),
        "timing": _points(np.nan_to_num(timing, nan=0.0), "timing"),
        "overlap": np.minimum(5 * np.maximum(alerts["signals"].to_numpy(np.int64) - 1, 0), MOST["overlap"]),
        "relationship": np.where(is_promoter & alerts["is_excellent"].to_numpy(bool), MOST["relationship"], 0),
        "cautions": -_CAUTION * alerts["cautions"].to_numpy(np.int64) - _STOP * alerts["is_stopped"].to_numpy(np.int64),
    }
    total = np.clip(np.add.reduce([parts[name] for name in PARTS], axis=0), 0, 100)
    return pd.DataFrame({**parts, "priority": total}, index=alerts.index).astype(np.int64)


def facts(alert: Mapping[str, Any], *, currency: str) -> list[dict[str, Any]]:
    """Return the parts of one alert with the fact behind each, in both languages: what Alert.priority_parts holds.

    alert  a row of what ``rank`` took, together with the columns it gave (its points as ``<part>_points``)
    """
    return [
        {
            "key": key,
            "points": int(alert[f"{key}_points"]),
            "max": MOST.get(key, 0),
            "fact_ja": _FACTS[key](alert, "ja", currency),
            "fact_en": _FACTS[key](alert, "en", currency),
        }
        for key in PARTS
    ]


def _points(share: NDArray[np.float64], part: str) -> NDArray[np.int64]:
    return np.floor(np.clip(share, 0.0, 1.0) * MOST[part] + 0.5).astype(np.int64)


def _amount_fact(alert: Mapping[str, Any], language: str, currency: str) -> str:
    amount = alert["amount"]
    if amount is None or np.isnan(amount):
        return "金額は未算定" if language == "ja" else "amount not known"
    shown = formats.money_short(amount, currency=currency, language=language)
    return f"年{shown}" if language == "ja" else f"{shown} a year"


def _likelihood_fact(alert: Mapping[str, Any], language: str, _currency: str) -> str:
    deals, similar = int(alert["deals"]), int(alert["similar"])
    if similar == 0:
        return "似たアラートの実績がまだない" if language == "ja" else "no past alerts of this kind yet"
    return (
        f"似たアラート{similar:,}件中{deals:,}件が商談化"
        if language == "ja"
        else f"{deals:,} of {similar:,} similar alerts became deals"
    )


def _timing_fact(alert: Mapping[str, Any], language: str, _currency: str) -> str:
    days = alert["days"]
    if days is None or np.isnan(days):
        return "時期は不明" if language == "ja" else "timing not known"
    if alert["is_renewal"]:
        if days < 0:
            return f"更新日を{int(-days)}日過ぎた" if language == "ja" else f"{int(-days)} days past the renewal"
        return f"更新まで{int(days)}日" if language == "ja" else f"{int(days)} days to the renewal"
    if days == 0:
        return "本日検知" if language == "ja" else "raised today"
    return f"検知から{int(days)}日" if language == "ja" else f"raised {formats.count(int(days), 'days', language=language)} ago"


def _overlap_fact(alert: Mapping[str, Any], language: str, _currency: str) -> str:
    signals = int(alert["signals"])
    if language == "ja":
        return f"サイン{signals}件が同時" if signals > 1 else "サインは1件"
    return f"{signals} signals at once" if signals > 1 else "a single signal"


def _relationship_fact(alert: Mapping[str, Any], language: str, _currency: str) -> str:
    answer = alert["nps_latest"]
    is_known = answer is not None and not np.isnan(answer)
    nps = f"NPS {int(answer)}" if is_known else ("NPSの回答なし" if language == "ja" else "no NPS answer")
    if alert["is_excellent"]:
        return f"{nps}・ヘルスは極めて良好" if language == "ja" else f"{nps}, health excellent"
    return nps


def _caution_fact(alert: Mapping[str, Any], language: str, _currency: str) -> str:
    cautions = int(alert["cautions"])
    if alert["is_stopped"]:
        return "提案を止める理由がある" if language == "ja" else "a reason to stop offers"
    if cautions == 0:
        return "注意点なし" if language == "ja" else "nothing to mind"
    return f"注意点{cautions}件" if language == "ja" else f"{formats.number(cautions)} caution{'s' if cautions > 1 else ''}"


_FACTS = {
    "amount": _amount_fact,
    "likelihood": _likelihood_fact,
    "timing": _timing_fact,
    "overlap": _overlap_fact,
    "relationship": _relationship_fact,
    "cautions": _caution_fact,
}
