"""What changed in a customer's recurring revenue on which day, and why.

Each stretch of a line begins and ends once.  Where one goes on from another (the next
period of the same line, or a line that replaces it on the same day) the two ends meet
and only the difference is a change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from accounts.revenue.frames import EVENTS, NEVER, NO_LINE, empty, shaped
from accounts.revenue.service import pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

UPSELL = ("plan", "seats", "capacity", "addon")
CROSS_SELL = ("product",)
# The causes that expansion is split by.
CAUSES = ("plan", "seats", "capacity", "addon", "product", "price", "discount", "term", "renewal_down", "pause")

# What it is called when a line of the kind is added or dropped while the customer pays for others …
_OF_LINE = {
    "plan": "plan", "seat": "seats", "capacity": "capacity", "addon": "addon", "product": "product", "service": "product",
}  # fmt: skip
# … and when there is more or less of it.
_OF_QUANTITY = {
    "plan": "seats", "seat": "seats", "capacity": "capacity", "addon": "addon", "product": "seats", "service": "product",
}  # fmt: skip

_DAY_BITS = 22  # day numbers up to the year 9999


def events(lines: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Return every dated change of MRR with its cause.

    The changes of a customer and currency up to a day sum to the MRR at its close.

    - start, end: the customer did not pay anything the day before, or does not from this day;
    - pause: a line pauses or resumes;
    - plan, addon, product, …: the product was replaced, or a line was added or dropped, by kind of product;
      a plan of a family that the customer did not have beside the one it keeps is another product;
    - seats, capacity, addon: the quantity changed.  A price change on the same day that goes the same way
      is an event of its own; one that goes the other way (a volume price) belongs to the quantity;
    - term, discount, price: the billing period, the discount or anything else about the price changed;
    - renewal_down: any of these three, downwards, on the first day of a new term.

    lines     columns LINES and ``until`` from ``service_until``, in any order
    products  columns PRODUCTS
    returns   columns EVENTS, ordered by customer, day, line and cause
    """
    stretches = pieces(lines)
    if stretches.empty:
        return empty(EVENTS)
    known = lines[["line", "product_id", "quantity", "billing_months", "discount_percent", "renews", "ends"]].rename(
        columns={"ends": "given_end"}
    )
    stretches = stretches.merge(known, on="line", how="left").merge(products, on="product_id", how="left")
    paying = stretches[stretches["mrr_cents"] != 0]
    counts = _PayingLines(stretches[stretches["mrr_cents"] > 0])

    before = stretches[stretches["until"] != NEVER].assign(on=lambda rows: rows["until"])
    after = stretches.assign(on=lambda rows: rows["begins"])
    pairs, before, after = _amended(before, after)
    before, after = before[before["mrr_cents"] != 0], after[after["mrr_cents"] != 0]

    found = [
        _events(before[before["pauses_after"]], cause="pause", sign=-1),
        _events(after[after["paused_before"]], cause="pause", sign=1),
    ]
    before, after = before[~before["pauses_after"]], after[~after["paused_before"]]

    for keys in (["product_id"], ["kind", "family"], ["kind"]):
        swapped, before, after = _swapped(before, after, [*keys, "currency"])
        pairs = pd.concat([pairs, swapped], ignore_index=True)
    found.append(_compared(pairs, counts))
    # The same product in another currency: nothing was sold, so both sides are a matter of price.
    switched, before, after = _swapped(before, after, ["product_id"])
    found.append(_rows(switched, change=-switched["mrr_cents_before"], cause="price", currency=switched["currency_before"]))
    found.append(_rows(switched, change=switched["mrr_cents_after"], cause="price", currency=switched["currency_after"]))

    found.append(_events(before, cause=_cause_of_line(before, was=counts.after(before), alone="end"), sign=-1))
    added = _cause_of_line(after, was=counts.before(after), alone="start")
    found.append(_events(after, cause=_other_family(after, added, paying), sign=1))
    made = pd.concat([frame for frame in found if not frame.empty] or [empty(EVENTS)], ignore_index=True)
    order = ["customer_id", "on", "line", "cause", "change_cents"]
    return shaped(made[made["change_cents"] != 0].sort_values(order, kind="stable", ignore_index=True), EVENTS)


class _PayingLines:
    """How many lines a customer pays for just before, and from, a day on."""

    def __init__(self, paying: pd.DataFrame) -> None:
        ended = paying[paying["until"] != NEVER]
        moments = np.concatenate([
            _moments(paying["customer_id"], paying["begins"]), _moments(ended["customer_id"], ended["until"])
        ])  # fmt: skip
        steps = np.concatenate([np.ones(len(paying), dtype=np.int64), -np.ones(len(ended), dtype=np.int64)])
        self._moments, place = np.unique(moments, return_inverse=True)
        net = np.zeros(len(self._moments), dtype=np.int64)
        np.add.at(net, place, steps)
        total = np.concatenate([[0], np.cumsum(net)])
        is_first = np.diff(self._moments >> _DAY_BITS, prepend=-1) != 0
        owed = total[:-1][is_first][np.cumsum(is_first) - 1]
        self._lines = total[1:] - owed

    def after(self, rows: pd.DataFrame) -> np.ndarray:
        return self._at(rows, side="right")

    def before(self, rows: pd.DataFrame) -> np.ndarray:
        return self._at(rows, side="left")

    def _at(self, rows: pd.DataFrame, *, side: Literal["left", "right"]) -> np.ndarray:
        asked = _moments(rows["customer_id"], rows["on"])
        at = np.searchsorted(self._moments, asked, side=side) - 1
        is_known = (at >= 0) & (self._moments[at] >> _DAY_BITS == asked >> _DAY_BITS) if len(self._moments) else at >= 0
        return np.where(is_known, self._lines[at] if len(self._lines) else 0, 0)


def _moments(customer: pd.Series, day: pd.Series) -> np.ndarray:
    """Return customer and day as one number; days before 1970 stay positive."""
    number: np.ndarray = (customer.to_numpy(dtype=np.int64) << _DAY_BITS) + (1 << (_DAY_BITS - 2))
    number += day.to_numpy(dtype=np.int64)
    return number


def _amended(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Match the end of a stretch with the begin of the next one of the same line; a change of currency is no match."""
    return _matched(before, after, ["customer_id", "on", "chain", "currency"])


def _swapped(before: pd.DataFrame, after: pd.DataFrame, keys: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Match lines of one customer that end with lines that begin on the same day, largest with largest."""
    keys = ["customer_id", "on", *keys]
    sides = []
    for side in (before, after):
        ordered = side.sort_values(["mrr_cents", "line"], ascending=[False, True], kind="stable")
        sides.append(ordered.assign(rank=ordered.groupby(keys, sort=False).cumcount()))
    return _matched(sides[0], sides[1], [*keys, "rank"])


def _matched(before: pd.DataFrame, after: pd.DataFrame, keys: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Join both sides on keys that are unique in each; return the pairs and what is left of the sides."""
    shared = {"customer_id", "on"}
    left = before.rename(columns={name: f"{name}_before" for name in before.columns if name not in shared})
    right = after.rename(columns={name: f"{name}_after" for name in after.columns if name not in shared})
    pairs = left.assign(_left=np.arange(len(left))).merge(
        right.assign(_right=np.arange(len(right))),
        left_on=[key if key in shared else f"{key}_before" for key in keys],
        right_on=[key if key in shared else f"{key}_after" for key in keys],
        how="inner",
    )
    is_left, is_right = np.ones(len(before), dtype=bool), np.ones(len(after), dtype=bool)
    is_left[pairs["_left"]] = False
    is_right[pairs["_right"]] = False
    return pairs.drop(columns=["_left", "_right"]), before[is_left], after[is_right]


def _compared(pairs: pd.DataFrame, counts: _PayingLines) -> pd.DataFrame:
    """Return the one or two events of each pair whose MRR differs."""
    if pairs.empty:
        return empty(EVENTS)
    pairs = pairs[pairs["mrr_cents_before"] != pairs["mrr_cents_after"]].reset_index(drop=True)
    was, now = pairs["mrr_cents_before"].to_numpy(), pairs["mrr_cents_after"].to_numpy()
    change = now - was

    # What the quantity alone would have changed at the old price of one unit.
    had, has = pairs["quantity_before"].to_numpy(), pairs["quantity_after"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((had > 0) & (has >= 0), has / had, 1.0)
    moved = (ratio - 1) * was
    part = np.trunc(moved + np.copysign(0.5, moved)).astype(np.int64)
    is_rounding = np.abs(change - part) <= 1 + ratio

    is_by_quantity = (part != 0) & (np.sign(part) == np.sign(change))
    takes_all = is_rounding | (np.abs(part) >= np.abs(change))
    is_replaced = (pairs["product_id_before"] != pairs["product_id_after"]).to_numpy()
    is_credit = (was < 0) | (now < 0)
    starts, ends = (was == 0) & (counts.before(pairs) == 0), (now == 0) & (counts.after(pairs) == 0)

    by_price = _price_cause(pairs, change)
    by_product = pairs["kind_after"].map(_OF_LINE).to_numpy()
    by_quantity = pairs["kind_after"].map(_OF_QUANTITY).to_numpy()
    cause = np.select(
        [starts, ends, is_credit, is_replaced, is_by_quantity], ["start", "end", "discount", by_product, by_quantity], by_price
    )
    is_split = is_by_quantity & ~(takes_all | is_replaced | is_credit | starts | ends)
    first = np.where(is_split, part, change)
    currency = pairs["currency_after"]
    whole = _rows(pairs, change=first, cause=cause, currency=currency)
    rest = _rows(pairs, change=change - first, cause=by_price, currency=currency)
    return pd.concat([whole, rest], ignore_index=True)


def _price_cause(pairs: pd.DataFrame, change: np.ndarray) -> np.ndarray:
    """Return why the price of one unit changed."""
    discount = [pairs[f"discount_percent_{side}"].fillna(0.0).to_numpy() for side in ("before", "after")]
    was_free_or_is = (pairs["mrr_cents_before"].to_numpy() == 0) | (pairs["mrr_cents_after"].to_numpy() == 0)
    cause = np.where((discount[0] != discount[1]) | was_free_or_is, "discount", "price")
    months = [pairs[f"billing_months_{side}"].to_numpy() for side in ("before", "after")]
    cause = np.where(months[0] != months[1], "term", cause)
    day = pairs["on"].to_numpy()
    is_renewal = (pairs["given_end_before"].to_numpy() == day) | (pairs["renews_before"].to_numpy() == day)
    return np.where(is_renewal & (change < 0), "renewal_down", cause)


def _cause_of_line(rows: pd.DataFrame, *, was: np.ndarray, alone: str) -> np.ndarray:
    """Return the cause of a line that is added or dropped: ``alone`` where the customer has no other."""
    cause = np.where(rows["mrr_cents"].to_numpy() < 0, "discount", rows["kind"].map(_OF_LINE).to_numpy())
    return np.where(was == 0, alone, cause)


def _other_family(rows: pd.DataFrame, cause: np.ndarray, paying: pd.DataFrame) -> np.ndarray:
    """Call a plan another product where the customer keeps a plan, but none of that plan's family."""
    asked = rows[cause == "plan"]
    if asked.empty:
        return cause
    plans = paying.loc[paying["kind"] == "plan", ["customer_id", "begins", "until", "family"]]
    kept = asked[["line", "customer_id", "on", "family"]].merge(plans, on="customer_id", suffixes=("", "_kept"))
    kept = kept[(kept["begins"] < kept["on"]) & (kept["on"] < kept["until"])]
    has_any, has_same = set(kept["line"]), set(kept.loc[kept["family"] == kept["family_kept"], "line"])
    is_other = rows["line"].isin(has_any - has_same).to_numpy() & (cause == "plan")
    return np.where(is_other, "product", cause)


def _events(rows: pd.DataFrame, *, cause: np.ndarray | str, sign: int) -> pd.DataFrame:
    """Return the events of lines that begin (sign 1) or end (sign −1) by themselves."""
    if rows.empty:
        return empty(EVENTS)
    return pd.DataFrame({
        "customer_id": rows["customer_id"].to_numpy(), "on": rows["on"].to_numpy(),
        "change_cents": sign * rows["mrr_cents"].to_numpy(), "currency": rows["currency"].to_numpy(), "cause": cause,
        "line": rows["line"].to_numpy(), "product_id": rows["product_id"].to_numpy(),
        "before_line": rows["line"].to_numpy() if sign < 0 else NO_LINE,
        "after_line": rows["line"].to_numpy() if sign > 0 else NO_LINE,
    })  # fmt: skip


def _rows(pairs: pd.DataFrame, *, change: np.ndarray | pd.Series, cause: np.ndarray | str, currency: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({
        "customer_id": pairs["customer_id"].to_numpy(), "on": pairs["on"].to_numpy(), "change_cents": np.asarray(change),
        "currency": currency.to_numpy(), "cause": cause, "line": pairs["line_after"].to_numpy(),
        "product_id": pairs["product_id_after"].to_numpy(), "before_line": pairs["line_before"].to_numpy(),
        "after_line": pairs["line_after"].to_numpy(),
    })  # fmt: skip
