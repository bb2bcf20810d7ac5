"""From when to when a period of a contract line is in service, and when it pays."""

from __future__ import annotations

import numpy as np
import pandas as pd

from accounts.revenue.frames import NEVER, STRETCHES, empty, shaped


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

    lines    columns LINES and ``until`` from ``service_until``, in any order
    returns  columns STRETCHES, ordered by line and begin
    """
    return shaped(pieces(lines).query("mrr_cents != 0"), STRETCHES).reset_index(drop=True)


def pieces(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the stretches with what ``changes`` must know about them, free periods included.

    returns  columns STRETCHES, ``chain``, ``starts`` and ``ends`` of its period (exclusive end of service),
             ``pauses_after`` and ``paused_before``: whether a pause, not an end, bounds the stretch
    """
    if lines.empty:
        more = {"chain": "int64", "starts": "int64", "ends": "int64", "pauses_after": "bool", "paused_before": "bool"}
        return empty(STRETCHES | more)
    rows = lines.sort_values(["chain", "starts", "line"], kind="stable", ignore_index=True)
    starts, until = rows["starts"].to_numpy(), rows["until"].to_numpy()
    paused, resumed = rows["paused"].to_numpy(), rows["resumed"].to_numpy()
    has_pause = (paused < resumed) & (paused < until) & (resumed > starts)
    pays_from = np.maximum(starts, rows["trial_until"].to_numpy())
    first_until = np.where(has_pause, np.minimum(until, paused), until)
    second_from = np.where(has_pause, np.maximum(pays_from, resumed), until)

    # A pause may also be written as a period of its own, or run over into the next period.
    chain, customer = rows["chain"].to_numpy(), rows["customer_id"].to_numpy()
    joins = np.zeros(len(rows), dtype=bool)  # the next row goes on where this one ends
    joins[:-1] = (chain[1:] == chain[:-1]) & (customer[1:] == customer[:-1]) & (starts[1:] == until[:-1])
    begins_paused = has_pause & (paused <= starts)
    ends_paused = has_pause & (resumed >= until)
    next_is_paused = np.zeros(len(rows), dtype=bool)
    next_is_paused[:-1] = joins[:-1] & begins_paused[1:]
    was_paused = np.zeros(len(rows), dtype=bool)
    was_paused[1:] = joins[:-1] & ends_paused[:-1]

    common = {name: rows[name].to_numpy() for name in ("line", "customer_id", "currency", "mrr_cents", "chain", "starts")}
    common["ends"] = until
    first = pd.DataFrame({
        **common, "begins": pays_from, "until": first_until,
        "pauses_after": has_pause | next_is_paused,
        "paused_before": was_paused & (pays_from == starts),
    })  # fmt: skip
    second = pd.DataFrame({
        **common, "begins": second_from, "until": until,
        "pauses_after": next_is_paused, "paused_before": second_from == resumed,
    })  # fmt: skip
    both = pd.concat([first, second[has_pause]], ignore_index=True)
    both = both[both["begins"] < both["until"]]
    return both.sort_values(["line", "begins"], kind="stable", ignore_index=True)
