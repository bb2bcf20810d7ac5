"""What is planted on whom: the behaviours that the product must find, and those it must leave alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np

CALM, CONSIDERING, YOUNG, GONE = "calm", "considering", "young", "gone"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Something that a planted customer does.  ``rule`` is the shipped rule that must fire; None: none of the ten may."""

    key: str
    rule: str | None
    shows: str


BEHAVIOURS = (
    Behaviour("seat_growth", "seats_near_limit", "seats in use climb to 93–99 % and have been above 90 % for one to six weeks"),
    Behaviour("quota_pressure", "quota_80", "storage passed 80 % of the plan's quota within three weeks and is at 82–93 %"),
    Behaviour(
        "feature_burst",
        "feature_burst",
        "for five to eight days one feature is used six times as much as in the three months before",
    ),
    Behaviour("health_rise", "health_rise", "active people and features in use double within four weeks; satisfaction turns good"),
    Behaviour("trial_started", "trial_started", "a trial line of an add-on began within the last 17 days, with its event"),
    Behaviour("wau_over", "wau_over", "nearly every seat is taken by somebody who comes every week (but under 90 % of the seats)"),
    Behaviour("missing_complement", "complement_missing", "owns one product of a pair, uses what it has, is in good health"),
    Behaviour("usage_falling", "usage_falling", "use fell by half within the last five weeks"),
    Behaviour("detractor", "detractor", "a key person answered 2 to 6 to the NPS question within the last 40 days"),
    Behaviour("renewal_due", "renewal_90", "the yearly contract ends in 16 to 90 days"),
    Behaviour("open_escalation", None, "quota pressure, but a P1 ticket was escalated and is open: offers are stopped"),
    Behaviour("asked_too_often", None, "seat growth, but three proposals within 30 days: offers are stopped"),
    Behaviour("recent_refusal", None, "seat growth, but more seats were declined three weeks ago: that play is stopped"),
    Behaviour("budget_freeze", None, "quota pressure, but the customer's budget is frozen until a known day: offers are stopped"),
    Behaviour("seasonal", None, "use peaks around the closings of March and September and goes back: no alert"),
    Behaviour(
        "reorganisation",
        None,
        "a department grew at a reorganisation within the last three weeks: on the timeline, no alert of the ten rules",
    ),
    Behaviour("discount_expiry", None, "a discount ended within the last 30 days: MRR grew with cause discount, no alert"),
)
GUARDED = ("open_escalation", "asked_too_often", "recent_refusal", "budget_freeze")

# Who plays what: part → how many of 400 customers, and which behaviours come together in it.
PARTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "star": (3, ("quota_pressure", "feature_burst", "renewal_due")),
    "seats": (5, ("seat_growth",)),
    "quota": (3, ("quota_pressure",)),
    "burst": (3, ("feature_burst",)),
    "rise": (4, ("health_rise",)),
    "trial": (4, ("trial_started",)),
    "weekly": (4, ("wau_over",)),
    "complement": (5, ("missing_complement",)),
    "falling": (4, ("usage_falling",)),
    "falling_renewal": (2, ("usage_falling", "renewal_due")),
    "detractor": (3, ("detractor",)),
    "renewal": (9, ("renewal_due",)),
    "escalated": (2, ("open_escalation", "quota_pressure")),
    "asked": (2, ("asked_too_often", "seat_growth")),
    "refused": (2, ("recent_refusal", "seat_growth")),
    "frozen": (2, ("budget_freeze", "quota_pressure")),
    "seasonal": (8, ("seasonal",)),
    "reorganised": (4, ("reorganisation",)),
    "discounted": (3, ("discount_expiry",)),
    GONE: (28, ()),
    YOUNG: (18, ()),
    CONSIDERING: (8, ()),
}


def customer_id(number: int) -> str:
    return f"K{number + 1:05}"


@lru_cache(maxsize=4)
def cast(customers: int, seed: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the part of each customer, and its turn in the order in which parts were dealt.

    Parts are dealt to a shuffled order of customers, each at least once; half of the
    customers stay calm, so that where there are very few the last parts are not dealt.
    """
    order = np.random.default_rng([seed, customers]).permutation(customers).tolist()
    wanted = [part for part, (of_400, _) in PARTS.items() for _ in range(max(1, round(of_400 * customers / 400)))]
    wanted = wanted[: customers // 2]
    parts, turns = [CALM] * customers, [0] * customers
    for turn, number in enumerate(order):
        turns[number] = turn
        if turn < len(wanted):
            parts[number] = wanted[turn]
    return tuple(parts), tuple(turns)


def part_of(number: int, *, customers: int, seed: int) -> tuple[str, int]:
    """Return the part and the turn of one customer; whoever arrives after ``as_of`` is young."""
    if number >= customers:
        return YOUNG, number
    parts, turns = cast(customers, seed)
    return parts[number], turns[number]


def planted(customers: int, seed: int, as_of: date) -> dict[str, list[str]]:
    """Return who was given which behaviour around ``as_of``: behaviour → customer IDs, in order."""
    del as_of  # Whom it falls on does not depend on the day.
    parts, _turns = cast(customers, seed)
    found: dict[str, list[str]] = {behaviour.key: [] for behaviour in BEHAVIOURS}
    for number, part in enumerate(parts):
        for behaviour in PARTS.get(part, (0, ()))[1]:
            found[behaviour].append(customer_id(number))
    return found


def expected(rule: str, customers: int, seed: int, as_of: date) -> list[str]:
    """Return the customers on whom the rule must have an open alert after the night of ``as_of``."""
    found = planted(customers, seed, as_of)
    return sorted({who for behaviour in BEHAVIOURS if behaviour.rule == rule for who in found[behaviour.key]})
