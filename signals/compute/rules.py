"""Rules over feature frames: compiled once, evaluated for all customers at a time, with their evidence.

A missing value (NaN) meets no condition, whichever way it compares, and a negated condition
on it does not hold either.  An exception (``unless``) stops a rule only where it is known to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from signals.terms import TERMS

_COMPARE: Mapping[str, Callable[[Any, float], Any]] = {
    ">=": np.greater_equal,
    ">": np.greater,
    "<=": np.less_equal,
    "<": np.less,
}
Daily = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Condition:
    """``term op threshold``, on the business date or on each of the last ``sustained_days``."""

    key: str
    term: str
    op: str
    threshold: float
    sustained_days: int | None = None
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to evaluate: ``groups`` and ``unless`` hold positions in ``conditions``."""

    key: str
    family: str
    version_id: int
    conditions: tuple[Condition, ...]
    groups: tuple[tuple[int, ...], ...]
    unless: tuple[int, ...]
    plans: frozenset[str]
    segments: frozenset[str]
    bands: frozenset[str]
    play_kind: str
    amount_kind: str
    body: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RuleHits:
    """The customers on whom one rule fired, with the value of every condition.

    positions  of the customers in the evaluated frame
    group      the first group that held
    held       bool [groups, hits]: which groups held
    given      float64 [conditions, hits], NaN where missing
    """

    rule: CompiledRule
    customer_ids: NDArray[np.int64]
    positions: NDArray[np.intp]
    group: NDArray[np.int8]
    held: NDArray[np.bool_]
    given: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.customer_ids)

    def evidence(self, hit: int, on: date) -> list[dict[str, Any]]:
        """Return the conditions of the groups that held, each with value and threshold, as plain JSON."""
        shown = dict.fromkeys(c for g, members in enumerate(self.rule.groups) if self.held[g, hit] for c in members)
        return [_as_json(self.rule.conditions[c], float(self.given[c, hit]), on) for c in shown]


@dataclass(frozen=True, slots=True)
class Distances:
    """How far each customer is from firing one rule; arrays are [conditions, customers].

    given      the values of the terms, NaN where missing
    gaps       what is short of the threshold, 0 where the comparison holds, NaN where the value is missing
    held_days  days in a row up to the business date on which the comparison holds, as far as they were given
    """

    rule: CompiledRule
    fires: NDArray[np.bool_]
    given: NDArray[np.float64]
    gaps: NDArray[np.float64]
    held_days: NDArray[np.int64]
    holds: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Hits:
    """What a set of rules found: one entry per rule, in the order of the rules."""

    rules: tuple[RuleHits, ...]

    def __len__(self) -> int:
        return sum(len(hits) for hits in self.rules)

    def table(self) -> pd.DataFrame:
        """Return one row per hit: rule (its position), hit (position within the rule), customer_id, group."""
        sizes = [len(hits) for hits in self.rules]
        return pd.DataFrame(
            {
                "rule": np.repeat(np.arange(len(sizes), dtype=np.int16), sizes),
                "hit": _joined([np.arange(size, dtype=np.int64) for size in sizes], np.int64),
                "customer_id": _joined([hits.customer_ids for hits in self.rules], np.int64),
                "group": _joined([hits.group for hits in self.rules], np.int8),
            }
        )


def compile(body: Mapping[str, Any], *, key: str = "", family: str = "", version_id: int = 0) -> CompiledRule:  # noqa: A001
    """Turn the stored form of a rule into one that can be evaluated."""
    conditions: list[Condition] = []

    def place(clause: Mapping[str, Any]) -> int:
        days = clause.get("sustained_days")
        conditions.append(
            Condition(
                key=str(clause["key"]),
                term=str(clause["term"]),
                op=str(clause["op"]),
                threshold=float(clause["threshold"]),
                sustained_days=int(days) if days and int(days) > 1 else None,
                is_negated=bool(clause.get("negated", False)),
            )
        )
        return len(conditions) - 1

    groups = tuple(tuple(place(clause) for clause in group) for group in body["when"] if group)
    unless = tuple(place(clause) for clause in body.get("unless") or ())
    scope = body.get("scope") or {}
    return CompiledRule(
        key=key,
        family=family or key,
        version_id=version_id,
        conditions=tuple(conditions),
        groups=groups,
        unless=unless,
        plans=frozenset(scope.get("plans") or ()),
        segments=frozenset(scope.get("segments") or ()),
        bands=frozenset(scope.get("bands") or ()),
        play_kind=str(body.get("play_kind", "")),
        amount_kind=str((body.get("amount") or {}).get("kind", "none")),
        body=body,
    )


def needed_terms(rules: Iterable[CompiledRule]) -> tuple[str, ...]:
    """Return the terms that the rules read, each once."""
    return tuple(dict.fromkeys(c.term for rule in rules for c in rule.conditions))


def needed_days(rules: Iterable[CompiledRule]) -> dict[str, int]:
    """Return how many days of each term the rules look at, for terms with a condition over several days."""
    days: dict[str, int] = {}
    for rule in rules:
        for condition in rule.conditions:
            if condition.sustained_days:
                days[condition.term] = max(days.get(condition.term, 0), condition.sustained_days)
    return days


def evaluate(rules: Sequence[CompiledRule], features: pd.DataFrame, daily: Daily | None = None) -> Hits:
    """Return on whom each rule fires.

    features  indexed by customer_id, a float column per term; a term without column is missing everywhere.
              ``plan_code``, ``segment`` and ``band`` are read where a rule is scoped by them
    daily     per term float64 [days, customers] in the frame's order, the last row being the business date;
              a condition over more days than it has does not hold
    """
    board = _Board(features, daily or {})
    return Hits(tuple(_fire(rule, board) for rule in rules))


def distances(rules: Sequence[CompiledRule], features: pd.DataFrame, daily: Daily | None = None) -> tuple[Distances, ...]:
    """Return for each rule how far every customer is from each of its conditions.  Takes what ``evaluate`` takes."""
    board = _Board(features, daily or {})
    found = []
    for rule in rules:
        values = np.array([board.column(c.term) for c in rule.conditions]).reshape(len(rule.conditions), board.size)
        thresholds = np.array([c.threshold for c in rule.conditions])[:, None]
        upward = np.array([c.op in {">=", ">"} for c in rule.conditions], dtype=bool)[:, None]
        fires = np.zeros(board.size, dtype=bool)
        fires[_fire(rule, board).positions] = True
        found.append(
            Distances(
                rule=rule,
                fires=fires,
                given=values,
                gaps=np.maximum(np.where(upward, thresholds - values, values - thresholds), 0),
                held_days=np.array([board.held_days(c) for c in rule.conditions]).reshape(values.shape),
                holds=np.array([board.mask(c) for c in rule.conditions], dtype=bool).reshape(values.shape),
            )
        )
    return tuple(found)


class _Board:
    """The columns of one frame as arrays, and the masks already made of them: rules share conditions."""

    def __init__(self, features: pd.DataFrame, daily: Daily) -> None:
        self._features, self._daily, self.size = features, daily, len(features)
        self._columns: dict[str, NDArray[np.float64]] = {}
        self._masks: dict[tuple[str, str, float, int | None, bool], NDArray[np.bool_]] = {}
        self.customer_ids = features.index.to_numpy(np.int64)

    def column(self, term: str) -> NDArray[np.float64]:
        if term not in self._columns:
            self._columns[term] = (
                self._features[term].to_numpy(np.float64, na_value=np.nan)
                if term in self._features.columns
                else np.full(self.size, np.nan)
            )
        return self._columns[term]

    def mask(self, condition: Condition) -> NDArray[np.bool_]:
        known = (condition.term, condition.op, condition.threshold, condition.sustained_days, condition.is_negated)
        if known not in self._masks:
            self._masks[known] = self._make_mask(condition)
        return self._masks[known]

    def texts(self, column: str, wanted: frozenset[str]) -> NDArray[np.bool_]:
        mask: NDArray[np.bool_] = self._features[column].isin(list(wanted)).to_numpy(dtype=bool)
        return mask

    def held_days(self, condition: Condition) -> NDArray[np.int64]:
        """Count the days in a row, up to the newest given one, on which the comparison holds."""
        span = self._daily.get(condition.term)
        compare = _COMPARE[condition.op]
        if span is None or len(span) == 0:
            return np.asarray(compare(self.column(condition.term), condition.threshold), dtype=np.int64)
        broken = ~compare(span[::-1], condition.threshold)
        return np.where(broken.any(axis=0), broken.argmax(axis=0), len(span))

    def _make_mask(self, condition: Condition) -> NDArray[np.bool_]:
        compare, value = _COMPARE[condition.op], self.column(condition.term)
        mask: NDArray[np.bool_] = compare(value, condition.threshold)
        if condition.sustained_days:
            span = self._daily.get(condition.term)
            if span is None or len(span) < condition.sustained_days:
                mask = np.zeros(self.size, dtype=bool)
            else:
                mask = mask & compare(span[-condition.sustained_days :], condition.threshold).all(axis=0)
        return ~mask & ~np.isnan(value) if condition.is_negated else mask


def _fire(rule: CompiledRule, board: _Board) -> RuleHits:
    held = np.empty((len(rule.groups), board.size), dtype=bool)
    for position, group in enumerate(rule.groups):
        np.logical_and.reduce([board.mask(rule.conditions[c]) for c in group], axis=0, out=held[position])
    fires = held.any(axis=0)
    for exception in rule.unless:
        fires &= ~board.mask(rule.conditions[exception])
    for column, wanted in (("plan_code", rule.plans), ("segment", rule.segments), ("band", rule.bands)):
        if wanted:
            fires &= board.texts(column, wanted)
    positions = np.flatnonzero(fires)
    values = np.empty((len(rule.conditions), len(positions)), dtype=np.float64)
    for row, condition in enumerate(rule.conditions):
        values[row] = board.column(condition.term)[positions]
    hit_groups = held[:, positions]
    return RuleHits(
        rule=rule,
        customer_ids=board.customer_ids[positions],
        positions=positions,
        group=(hit_groups.argmax(axis=0) if len(rule.groups) else np.zeros(0)).astype(np.int8),
        held=hit_groups,
        given=values,
    )


def _as_json(condition: Condition, value: float, on: date) -> dict[str, Any]:
    term = TERMS.get(condition.term)
    return {
        "key": condition.key,
        "term": condition.term,
        "op": condition.op,
        "value": None if np.isnan(value) else value,
        "threshold": condition.threshold,
        "unit": term.unit if term else "",
        "window": term.window_days if term else None,
        "sustained_days": condition.sustained_days,
        "on": on.isoformat(),
    }


def _joined(parts: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype=dtype)
