"""Thirty rules over every customer, evidence included, against a Python loop over customers."""

from __future__ import annotations

import operator
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench import sizes
from bench.timing import SIZES
from signals import defaults
from signals.compute import rules

TITLE = "rules"
GOALS = {("masks", "loop"): (25.0, "at least")}
_RULES = 30
_OPS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


def prepare(size: str) -> None:
    """Nothing: rules read a frame."""


def masks(size: str) -> float:
    """All hits with the value of every condition, by columns: what the night keeps and compares."""
    features, bodies = _features(SIZES[size]), _bodies()
    compiled = [rules.compile(body, key=str(n)) for n, body in enumerate(bodies)]
    taken, (hits, table) = sizes.median_time(lambda: _found(compiled, features))
    sizes.agree("hits", [len(table), table["customer_id"].sum(), *(np.nansum(hit.given) for hit in hits.rules)])
    return taken


def masks_and_json(size: str) -> float:
    """The same, and the evidence of every hit as the JSON that an alert keeps (the night writes it for new and changed ones)."""
    features, bodies = _features(SIZES[size]), _bodies()
    compiled = [rules.compile(body, key=str(n)) for n, body in enumerate(bodies)]
    taken, (hits, told) = sizes.median_time(lambda: _told(compiled, features))
    if len(told) != len(hits):
        raise AssertionError(len(told))
    return taken


def loop(size: str) -> float:
    """One customer and one rule after another, the values of the conditions kept for each hit."""
    features, bodies = _features(SIZES[size]), _bodies()
    rows = features.reset_index().to_dict("records")
    started = time.perf_counter()
    found = []
    for number, body in enumerate(bodies):
        for row in rows:
            values = _values(body, row)
            if values is not None:
                found.append((number, row["customer_id"], values))
    taken = time.perf_counter() - started
    sums = [0.0] * len(bodies)
    for number, _, values in found:
        sums[number] += sum(value for value in values if value == value)
    sizes.agree("hits", [len(found), sum(customer for _, customer, _ in found), *sums])
    return taken


CASES = {"masks": masks, "masks_and_json": masks_and_json, "loop": loop}


def _found(compiled: list[rules.CompiledRule], features: pd.DataFrame) -> tuple[rules.Hits, pd.DataFrame]:
    hits = rules.evaluate(compiled, features)
    return hits, hits.table()


def _told(compiled: list[rules.CompiledRule], features: pd.DataFrame) -> tuple[rules.Hits, list[Any]]:
    hits = rules.evaluate(compiled, features)
    return hits, [hit.evidence(place, sizes.LAST) for hit in hits.rules for place in range(len(hit))]


def _values(body: Mapping[str, Any], row: Mapping[str, float]) -> list[float] | None:
    if not any(all(_OPS[c["op"]](row[c["term"]], c["threshold"]) for c in group) for group in body["when"]):
        return None
    if any(_OPS[c["op"]](row[c["term"]], c["threshold"]) for c in body["unless"]):
        return None
    return [row[c["term"]] for group in body["when"] for c in group] + [row[c["term"]] for c in body["unless"]]


def _bodies() -> list[dict[str, Any]]:
    """The shipped rules three times, each time with other thresholds."""
    shipped = [rule["body"] for rule in defaults.read("rules.yaml")]
    made = []
    for number in range(_RULES):
        body = shipped[number % len(shipped)]
        shift = 1 + 0.05 * (number // len(shipped))
        made.append(
            {
                **body,
                "when": [
                    [{**c, "threshold": c["threshold"] * shift, "sustained_days": None} for c in group] for group in body["when"]
                ],
                "unless": list(body.get("unless") or ()),
            }
        )
    return made


def _features(customers: int) -> pd.DataFrame:
    """Values of the terms that the rules read, spread so that each rule finds a few customers in a hundred."""
    rng = np.random.default_rng(sizes.SEED)
    columns = {}
    for body in _bodies():
        for c in [c for group in body["when"] for c in group] + body["unless"]:
            if c["term"] not in columns:
                scale = abs(c["threshold"]) or 1.0
                share = 1.55 if c["op"] in {">=", ">"} else -1.55
                columns[c["term"]] = c["threshold"] + scale * 0.4 * (rng.normal(0, 1, customers) - share)
                columns[c["term"]][rng.random(customers) < 0.1] = np.nan
    return pd.DataFrame(columns, index=pd.Index(np.arange(customers), name="customer_id"))
