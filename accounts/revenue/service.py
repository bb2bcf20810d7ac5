"""From when to when a period of a contract line is in service, and when it pays."""

from __future__ import annotations

import numpy as np
import pandas as pd

from accounts.revenue.frames import NEVER, STRETCHES, shaped


def service_until(lines: pd.DataFrame) -> pd.Series:
    """Return the exclusive end of each period, NEVER where it is open.

    It is the earliest of the end as given, the start of the next period of the same
    line (an amendment), and, for a line without a given end, the effect of a
    cancellation: ``renews`` where it is known, else the day of notice.
    Never before the start: such a period is empty.

    lines    columns LINES, in any order
    returns  int64, same index
    """
    if lines.empty:
        return pd.Series(dtype="int64", index=lines.index, name="until")
    chain, starts, ends = (lines[name].to_numpy() for name in ("chain", "starts", "ends"))
    renews, cancelled = lines["renews"].to_numpy(), lines["cancelled"].to_numpy()
    order = np.lexsort((starts, chain))
    following = np.full(len(lines), NEVER, dtype=np.int64)
    same = chain[order][1:] == chain[order][:-1]
    following[order[:-1][same]] = starts[order[1:][same]]
    is_stopped = (ends == NEVER) & (cancelled != NEVER)
    stop = np.where(is_stopped, np.where(renews != NEVER, renews, cancelled), NEVER)
    until = np.minimum(np.minimum(ends, following), stop)
    return pd.Series(np.maximum(until, starts), index=lines.index, name="until")


def stretches(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the stretches over which periods pay: in service, no longer on trial, not paused.

    A pause in the middle cuts a period into two.  A period without MRR gives none.

    lines    columns line, customer_id, currency, starts, trial_until, paused, resumed and mrr_cents of LINES,
             and ``until`` from ``service_until``, in any order
    returns  columns STRETCHES, ordered by line and begin
    """
    paid = lines[lines["mrr_cents"] != 0]
    return shaped(_cut(paid).sort_values(["line", "begins"], kind="stable", ignore_index=True), STRETCHES)


def pieces(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the stretches with what ``changes`` must know about them, periods without MRR included.

    returns  columns STRETCHES, ``chain``, and ``pauses_after`` and ``paused_before``: whether a pause,
             not the end or the start of service, bounds the stretch
    """
    rows = lines.sort_values(["chain", "starts", "line"], kind="stable", ignore_index=True)
    starts, until, paused, resumed = (rows[name].to_numpy() for name in ("starts", "until", "paused", "resumed"))
    has_pause = _has_pause(rows)
    # A pause may also be written as a period of its own, or run over into the next period.
    joins = np.zeros(len(rows), dtype=bool)  # the next row goes on where this one ends
    joins[:-1] = starts[1:] == until[:-1]
    for name in ("chain", "customer_id"):
        joins[:-1] &= rows[name].to_numpy()[1:] == rows[name].to_numpy()[:-1]
    next_is_paused, was_paused = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
    next_is_paused[:-1] = joins[:-1] & (has_pause & (paused <= starts))[1:]
    was_paused[1:] = joins[:-1] & (has_pause & (resumed >= until))[:-1]
    made = _cut(rows.assign(next_is_paused=next_is_paused, was_paused=was_paused))
    made["pauses_after"] = made["is_cut"] | made["next_is_paused"]
    made["paused_before"] = (made["begins"] == made["resumed"]) & made["is_second"]
    made["paused_before"] |= made["was_paused"] & (made["begins"] == made["starts"])
    columns = [*STRETCHES, "chain", "pauses_after", "paused_before"]
    return made[columns].sort_values(["line", "begins"], kind="stable", ignore_index=True)


def _cut(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per stretch before, and one per stretch after a pause; ``is_cut`` where a pause follows."""
    pays_from = np.maximum(rows["starts"], rows["trial_until"])
    has_pause = _has_pause(rows)
    first = rows.assign(begins=pays_from, until=rows["until"].where(~has_pause, rows["paused"]), is_cut=has_pause, is_second=False)
    second = rows.assign(begins=np.maximum(pays_from, rows["resumed"]), is_cut=False, is_second=True)[has_pause]
    both = pd.concat([first, second], ignore_index=True) if len(second) else first
    return both[both["begins"] < both["until"]]


def _has_pause(rows: pd.DataFrame) -> np.ndarray:
    """Tell which periods have a pause that touches them."""
    paused, resumed = rows["paused"].to_numpy(), rows["resumed"].to_numpy()
    return (paused < resumed) & (paused < rows["until"].to_numpy()) & (resumed > rows["starts"].to_numpy())
