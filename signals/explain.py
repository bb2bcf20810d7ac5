"""Why a rule fires for one customer, or how far it is from firing: value, threshold, gap and what is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from accounts.models import Customer
from expansion import formats
from signals import loading, rules, scoring, series, snapshots
from signals.compute import rules as masks
from signals.models import RuleVersion
from signals.terms import TERMS, Term, format_value, round_half_up

# Counts whose gap is told in seats where the contract says how many there are.
_OF_SEATS = frozenset({"seats_used_ratio", "weekly_active_ratio"})
_UP = frozenset({">=", ">"})


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on one customer.  ``gap`` is what is short of the threshold, in the unit of the term; None where it is missing.

    ``held_days`` is on how many days in a row up to the date the comparison holds, where several are asked for.
    """

    key: str
    term: str
    op: str
    threshold: float
    value: float | None
    unit: str
    window: int | None
    sustained_days: int | None
    held_days: int | None
    holds: bool
    gap: float | None
    gap_ja: str
    gap_en: str


@dataclass(frozen=True, slots=True)
class Explained:
    """One rule on one customer.  ``groups`` are alternatives; all conditions of one must hold, and no exception.

    ``distance`` is 0 when it fires, else the relative gap of the nearest group (None where a value is missing
    or the rule does not look at the customer); ``unmet`` counts the conditions of that group that do not hold.
    """

    rule: str
    family: str
    name_ja: str
    name_en: str
    icon: str
    play_kind: str
    fires: bool
    why_not_ja: str
    why_not_en: str
    distance: float | None
    unmet: int
    nearest: Clause | None
    groups: tuple[tuple[Clause, ...], ...]
    exceptions: tuple[Clause, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as the command and the API print it."""
        said = asdict(self)
        said["conditions"] = [asdict(clause) | {"group": group} for group, clauses in enumerate(self.groups) for clause in clauses]
        said["exceptions"] = [asdict(clause) for clause in self.exceptions]
        del said["groups"]
        return said


def explain(
    customer: Customer,
    *,
    business_date: date,
    rule_key: str | None = None,
    versions: Sequence[RuleVersion] | None = None,
    stored: pd.DataFrame | None = None,
) -> list[Explained]:
    """Explain every published rule (or one) for the customer at the close of the date.

    Reads the snapshot of the date; where there is none, the features are made for this customer alone.
    A page that has read them already hands in the published ``versions`` and ``stored``, what
    ``snapshots.values_of`` gave for ``terms_of(versions)`` and a span of days.
    """
    known = rules.published() if versions is None else versions
    versions = [version for version in known if rule_key is None or version.rule.key == rule_key]
    compiled = _compiled(versions)
    frame = _frame(customer, business_date, compiled, stored)
    daily = _daily(customer, business_date, compiled, frame)
    found = masks.distances(compiled, frame, daily)
    return [_explained(version, one, frame) for version, one in zip(versions, found, strict=True)]


def terms_of(versions: Sequence[RuleVersion]) -> list[str]:
    """Return the terms that explaining the rules reads from a snapshot."""
    return _terms(_compiled(versions))


def nearly(explained: Sequence[Explained], *, most: int = 5) -> list[Explained]:
    """Return the rules that are closest to firing: those short of one condition first, then by distance."""
    near = [one for one in explained if not one.fires and one.distance is not None and one.nearest is not None]
    return sorted(near, key=lambda one: (one.unmet > 1, one.distance or 0.0))[:most]


def _compiled(versions: Sequence[RuleVersion]) -> list[masks.CompiledRule]:
    return [masks.compile(v.body, key=v.rule.key, family=v.rule.family, version_id=v.pk) for v in versions]


def _terms(compiled: Sequence[masks.CompiledRule]) -> list[str]:
    return list(dict.fromkeys((*masks.needed_terms(compiled), "mrr", *series.LIMITS, *snapshots.TEXTS.values())))


def _daily(
    customer: Customer, business_date: date, compiled: Sequence[masks.CompiledRule], frame: pd.DataFrame
) -> dict[str, NDArray[np.float64]]:
    """Return the daily series that the rules look at, as the night reads them, for this customer alone."""
    needed = masks.needed_days(compiled)
    limits = {key: float(frame[key].iloc[0]) for key in series.LIMITS}
    found = series.daily(customer.pk, needed, until=business_date, limits=limits)
    rest = {term: n for term, n in needed.items() if term not in found}
    if rest:
        days = [business_date - timedelta(days=ago) for ago in reversed(range(max(rest.values())))]
        stored = snapshots.values_of(customer.slot, list(rest), days)
        found |= {term: stored[[term]].to_numpy(np.float64)[-n:].copy() for term, n in rest.items()}
    for term, values in found.items():
        values[-1] = frame[term].to_numpy(np.float64)
    return found


def _frame(
    customer: Customer, business_date: date, compiled: Sequence[masks.CompiledRule], stored: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return one row with the terms that the rules read, and the texts that they may be scoped by."""
    terms = _terms(compiled)
    values = snapshots.values_of(customer.slot, terms, [business_date]) if stored is None else stored[terms]
    values = values[values.index == business_date]
    if values.isna().all(axis=None):
        made = loading.features(business_date, customer.slot, customer.slot + 1)
        values = scoring.score(made, business_date=business_date, model=scoring.published_model()).features.reindex(columns=terms)
    frame = values.set_axis(pd.Index([customer.pk], name="customer_id"))
    if any(rule.plans or rule.segments or rule.bands for rule in compiled):
        for name, code in snapshots.TEXTS.items():
            frame[name] = snapshots.text_of(name, frame[code])
    return frame


def _explained(version: RuleVersion, found: masks.Distances, frame: pd.DataFrame) -> Explained:
    rule, seats = found.rule, float(frame["seats"].iloc[0])
    clauses = [_clause(found, position, seats=seats) for position in range(len(rule.conditions))]
    groups = tuple(tuple(clauses[c] for c in group) for group in rule.groups)
    exceptions = tuple(clauses[c] for c in rule.unless)
    fires, is_in_scope = bool(found.fires[0]), _is_in_scope(rule, frame)
    distance, nearest, unmet = _nearest(groups) if is_in_scope else (None, None, 0)
    why_ja, why_en = ("", "") if fires else _why_not(nearest, exceptions, unmet=unmet, is_in_scope=is_in_scope)
    return Explained(
        rule=rule.key, family=rule.family, name_ja=version.body["name_ja"], name_en=version.body["name_en"],
        icon=version.body.get("icon", ""), play_kind=rule.play_kind, fires=fires, why_not_ja=why_ja, why_not_en=why_en,
        distance=0.0 if fires else distance, unmet=unmet, nearest=nearest, groups=groups, exceptions=exceptions,
    )  # fmt: skip


def _clause(found: masks.Distances, position: int, *, seats: float) -> Clause:
    condition = found.rule.conditions[position]
    term = TERMS.get(condition.term)
    known = float(found.given[position, 0])
    value = None if math.isnan(known) else known
    holds = bool(found.holds[position, 0])
    gap = None if value is None else 0.0 if holds else float(found.gaps[position, 0])
    held_days = int(found.held_days[position, 0]) if condition.sustained_days else None
    gap_ja, gap_en = ("", "") if holds else _gap_words(condition, term, value, gap, held_days, seats)
    return Clause(
        key=condition.key, term=condition.term, op=condition.op, threshold=condition.threshold, value=value,
        unit=term.unit if term else "", window=term.window_days if term else None, sustained_days=condition.sustained_days,
        held_days=held_days, holds=holds, gap=gap, gap_ja=gap_ja, gap_en=gap_en,
    )  # fmt: skip


def _gap_words(
    condition: masks.Condition, term: Term | None, value: float | None, gap: float | None, held_days: int | None, seats: float
) -> tuple[str, str]:
    """Say how much is lacking: 「あと5席」, “5 seats short”."""
    if term is None or value is None or gap is None:
        return (term.missing_text("ja"), term.missing_text("en")) if term else ("不明", "not known")
    if condition.is_negated:
        return "条件に反する", "the opposite holds"
    if gap == 0 and held_days is not None and condition.sustained_days:
        left = condition.sustained_days - held_days
        return f"あと{left}日続けば", f"{formats.count(left, 'days', language='en')} more in a row"
    if term.key in _OF_SEATS and condition.op in _UP and seats > 0:
        short = math.ceil(gap * seats - 1e-9)
        return f"あと{short}席", f"{formats.count(short, 'seats', language='en')} short"
    if term.unit in {"ratio", "change"}:
        points = formats.number(gap * 100, places=0 if gap >= 0.1 else 1)
        return f"あと{points}ポイント", f"{points} points away"
    if term.unit == "count":
        gap = math.ceil(gap - 1e-9) or 1
    shown = [format_value(term, gap or 1.0, language) for language in ("ja", "en")]
    if term.unit == "points":
        whole = round_half_up(gap) or 1
        return f"あと{whole}点", f"{formats.number(whole)} points away"
    if term.unit == "flag":
        return "該当しない", "not the case"
    return f"あと{shown[0]}", f"{shown[1]} away"


def _nearest(groups: Sequence[Sequence[Clause]]) -> tuple[float | None, Clause | None, int]:
    """Return the relative distance of the nearest group, its first unmet condition, and how many are unmet.

    Nearest is the group with the fewest unmet conditions, then the smallest distance.  A group with a
    missing value has no distance; it is named only where no other group can be.
    """
    known, unknown = [], []
    for clauses in groups:
        unmet = [clause for clause in clauses if not clause.holds]
        if any(clause.value is None for clause in unmet):
            unknown.append(unmet)
        else:
            known.append((len(unmet), sum((clause.gap or 0.0) / max(abs(clause.threshold), 1e-9) for clause in unmet), unmet))
    if known:
        _count, distance, unmet = min(known, key=lambda one: one[:2])
        return distance, unmet[0] if unmet else None, len(unmet)
    if unknown:
        unmet = min(unknown, key=len)
        return None, next(clause for clause in unmet if clause.value is None), len(unmet)
    return None, None, 0


def _why_not(nearest: Clause | None, exceptions: Sequence[Clause], *, unmet: int, is_in_scope: bool) -> tuple[str, str]:
    if not is_in_scope:
        return "対象の取引先ではない", "the rule does not look at this account"
    if nearest is not None:
        name_ja, name_en = (
            TERMS[nearest.term].name(language) if nearest.term in TERMS else nearest.term for language in ("ja", "en")
        )
        more_ja, more_en = (f"(ほか{unmet - 1}件)", f" (and {unmet - 1} more)") if unmet > 1 else ("", "")
        return f"{name_ja}:{nearest.gap_ja}{more_ja}", f"{name_en}: {nearest.gap_en}{more_en}"
    stopped = next((clause for clause in exceptions if clause.holds), None)
    if stopped is not None and stopped.term in TERMS:
        return f"例外:{TERMS[stopped.term].name('ja')}", f"exception: {TERMS[stopped.term].name('en')}"
    return "条件がない", "no condition"


def _is_in_scope(rule: masks.CompiledRule, frame: pd.DataFrame) -> bool:
    wanted = (("plan_code", rule.plans), ("segment", rule.segments), ("band", rule.bands))
    return all(frame[column].iloc[0] in values for column, values in wanted if values)
