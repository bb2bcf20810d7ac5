"""The usage store: rows are the truth, dense day blocks are derived from them (ADR-0003).

A row is one metric of one customer on one day.  A block is one metric on one day for up to
65,536 customers, one little-endian float32 per slot, NaN where there is no row, cut at the
highest slot that has one.  Writing rows marks their blocks dirty in the same transaction;
dirty blocks are rebuilt from the rows before the nightly reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from django.db import connection, transaction
from numpy.typing import NDArray
from psycopg2 import Binary
from psycopg2.extras import execute_values

from accounts.models import Customer, FeedDay, UsageBlock, UsageDaily
from expansion.copying import copy_from_arrays, copy_to_arrays
from expansion.periods import add_months, month_start

BLOCK_SLOTS = UsageBlock.BLOCK_SLOTS
_BLOCKS_AT_ONCE = 64
_TABLE = "accounts_usagedaily"
# Serialises the making of partitions; any constant that nothing else uses.
_PARTITION_LOCK = 4_021_701
# Appends take turns: whether a day ever arrived must not change under the one that asks.
_APPEND_LOCK = 4_021_702
_TABLE = UsageDaily._meta.db_table
_LARGEST = float(np.finfo(np.float32).max)


@transaction.atomic
def append(frame: pd.DataFrame, *, batch_id: int | None) -> tuple[int, int]:
    """Write usage rows, the newest value of a key winning; return (inserted, changed).

    frame  customer_id int64, metric_id int16, day date, value float64; keys do not repeat
    An equal row is left as it is.  Blocks of written rows become dirty, days become feed days.
    """
    if frame.empty:
        return 0, 0
    rows = _sorted_rows(frame)
    ensure_months(_as_date(rows["day"][0]), _as_date(rows["day"][-1]))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_APPEND_LOCK])
    is_fresh = _never_arrived(rows)
    straight = {name: column[is_fresh] for name, column in rows.items()}
    copied = _copy_straight(straight, batch_id=batch_id)
    inserted = changed = 0
    if copied < len(frame):
        inserted, changed = _merge({name: column[~is_fresh] for name, column in rows.items()}, batch_id=batch_id)
    _note_feed_days(rows)
    return copied + inserted, changed


def _never_arrived(rows: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Tell which rows are of a day and metric that never had any: every row was written together with its feed day."""
    first, last = rows["day"][0], rows["day"][-1]
    metrics = np.unique(rows["metric_id"])
    fed = np.zeros((int((last - first).astype(int)) + 1, len(metrics)), dtype=bool)
    known = FeedDay.objects.filter(metric_id__in=metrics.tolist(), day__gte=first.item(), day__lte=last.item())
    for metric, day in known.values_list("metric_id", "day"):
        fed[int((np.datetime64(day) - first).astype(int)), int(np.searchsorted(metrics, metric))] = True
    has_arrived: NDArray[np.bool_] = fed[(rows["day"] - first).astype(np.int64), np.searchsorted(metrics, rows["metric_id"])]
    return ~has_arrived


def _copy_straight(rows: dict[str, NDArray[Any]], *, batch_id: int | None) -> int:
    """Write rows that cannot be there yet, without a stage and without looking for conflicts."""
    count = len(rows["day"])
    if count == 0:
        return 0
    batch = {} if batch_id is None else {"batch_id": np.full(count, batch_id, dtype=np.int64)}
    copy_from_arrays(_TABLE, {**rows, **batch})
    ids, slots = _slots_of(np.unique(rows["customer_id"]))
    if len(ids):
        place = np.minimum(np.searchsorted(ids, rows["customer_id"]), len(ids) - 1)
        is_known = ids[place] == rows["customer_id"]
        blocks = pd.DataFrame({
            "day": rows["day"][is_known].astype("datetime64[s]"), "metric": rows["metric_id"][is_known],
            "block": slots[place[is_known]] // BLOCK_SLOTS,
        }).drop_duplicates()  # fmt: skip
        mark_dirty([(day.date(), int(metric), int(block)) for day, metric, block in blocks.itertuples(index=False)])
    return count


def _merge(rows: dict[str, NDArray[Any]], *, batch_id: int | None) -> tuple[int, int]:
    """Write rows of days that had some before; return (inserted, changed)."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS usage_stage")
        cursor.execute(
            "CREATE TEMP TABLE usage_stage (customer_id bigint, metric_id smallint, day date, value double precision) "
            "ON COMMIT DROP"
        )
        copy_from_arrays("usage_stage", rows)
        cursor.execute(_INSERT_NEW, [batch_id])
        fresh = cursor.fetchall()
        inserted = sum(count for *_, count in fresh)
        changed_keys: list[tuple[Any, ...]] = []
        if inserted < len(rows["day"]):
            cursor.execute("ANALYZE usage_stage")
            cursor.execute(_UPDATE_CHANGED, [batch_id, rows["day"][0].item(), rows["day"][-1].item()])
            changed_keys = cursor.fetchall()
        cursor.execute("DROP TABLE usage_stage")
    mark_dirty([key[:3] for key in (*fresh, *changed_keys) if key[2] is not None])
    return inserted, sum(count for *_, count in changed_keys)


@transaction.atomic
def remove_batch(batch_id: int) -> int:
    """Delete the rows that the batch wrote last; return how many.  Its blocks become dirty."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_BATCH, [batch_id])
        gone = cursor.fetchall()
    mark_dirty([key[:3] for key in gone if key[2] is not None])
    return sum(count for *_, count in gone)


def mark_dirty(keys: Sequence[tuple[date, int, int]]) -> None:
    """Mark the blocks (day, metric, block) for rebuilding, in the caller's transaction.

    Also a block that is dirty already is locked until the commit, so that a rebuild
    running beside it waits for the rows instead of missing them.
    """
    if not keys:
        return
    with connection.cursor() as cursor:
        execute_values(
            cursor.cursor,
            "INSERT INTO accounts_usageblock (day, metric_id, block, is_dirty) VALUES %s "
            "ON CONFLICT (day, metric_id, block) DO UPDATE SET is_dirty = true WHERE NOT accounts_usageblock.is_dirty",
            sorted(set(keys)),
            template="(%s, %s, %s, true)",
            page_size=1000,
        )


def ensure_months(first: date, last: date) -> None:
    """Make the partitions of the months from first to last that do not exist yet.

    Rows of such a month that had gone to the default partition move into it.
    """
    wanted = []
    month = month_start(first)
    while month <= last:
        wanted.append(month)
        month = add_months(month, 1)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'accounts_usagedaily'::regclass")
        known = {name for (name,) in cursor.fetchall()}
        missing = [m for m in wanted if _partition(m) not in known]
        if not missing:
            return
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_PARTITION_LOCK])
        for month in missing:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [_partition(month)])
            if not cursor.fetchone()[0]:
                _make_partition(cursor, month)


def rebuild_dirty_blocks(*, through: date) -> int:
    """Rebuild the dirty blocks of days up to ``through`` from their rows; return how many there were.

    Works in small transactions; two at once share the work.  What is written meanwhile stays dirty.
    """
    rebuilt = 0
    while done := _rebuild_some(through):
        rebuilt += done
    return rebuilt


def rebuild_everything() -> int:
    """Make every block anew from the rows; return how many there are.  The bytes come out as they were."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MARK_EVERYTHING)
        cursor.execute("SELECT max(day) FROM accounts_usageblock")
        last = cursor.fetchone()[0]
    return 0 if last is None else rebuild_dirty_blocks(through=last)


def find_wrong_blocks(first: date, last: date) -> list[tuple[date, int, int]]:
    """Return the clean blocks (day, metric, block) of the span that differ from what the rows say."""
    wrong = []
    day = first
    while day <= last:
        stored = {
            (metric, block): bytes(data or b"")
            for metric, block, data in UsageBlock.objects.filter(day=day, is_dirty=False).values_list("metric_id", "block", "data")
        }
        metrics = list(_metrics_with_rows(day) | {metric for metric, _ in stored})
        dirty = set(UsageBlock.objects.filter(day=day, is_dirty=True).values_list("metric_id", "block"))
        right = {(m, b): data for (_, m, b), data in _blocks_of_rows([day], metrics, _slots()).items() if (m, b) not in dirty}
        wrong += [(day, *key) for key in sorted(stored.keys() | right.keys()) if stored.get(key, b"") != right.get(key, b"")]
        day += timedelta(days=1)
    return wrong


def read_days(
    metric_ids: Sequence[int], first: date, last: date, *, slot_from: int = 0, slot_until: int | None = None
) -> NDArray[np.float32]:
    """Return the stored values as float32 [days, metrics, slots], NaN where there is no row.

    Days from first to last inclusive; slots from ``slot_from`` until ``slot_until``
    (default: all).  A block that was never built reads as NaN.
    """
    if slot_until is None:
        slot_until = slots_in_use()
    days = (last - first).days + 1
    out = np.full((max(days, 0), len(metric_ids), max(slot_until - slot_from, 0)), np.nan, dtype=np.float32)
    if out.size == 0:
        return out
    place = {metric: i for i, metric in enumerate(metric_ids)}
    for block in range(slot_from // BLOCK_SLOTS, (slot_until - 1) // BLOCK_SLOTS + 1):
        start = max(slot_from - block * BLOCK_SLOTS, 0)
        stop = min(slot_until - block * BLOCK_SLOTS, BLOCK_SLOTS)
        offset = block * BLOCK_SLOTS + start - slot_from
        sink = _BlockSink(out, place, offset)
        with connection.cursor() as cursor:
            statement = cursor.cursor.mogrify(
                "SELECT (day - %s)::int4, metric_id::int4, substring(data FROM %s FOR %s) FROM accounts_usageblock "
                "WHERE day BETWEEN %s AND %s AND metric_id = ANY(%s) AND block = %s AND data IS NOT NULL",
                [first, start * 4 + 1, (stop - start) * 4, first, last, list(metric_ids), block],
            )
            cursor.cursor.copy_expert(f"COPY ({statement.decode()}) TO STDOUT WITH (FORMAT binary)", sink)
    return out


def read_customers(customer_ids: Sequence[int], metric_ids: Sequence[int], first: date, last: date) -> NDArray[np.float32]:
    """Return the rows of a few customers as float32 [days, metrics, customers]: what ``read_days`` gives once blocks are built."""
    out = np.full(((last - first).days + 1, len(metric_ids), len(customer_ids)), np.nan, dtype=np.float32)
    rows = copy_to_arrays(
        "SELECT customer_id, metric_id, (day - %s)::int4, value FROM accounts_usagedaily "
        "WHERE customer_id = ANY(%s) AND metric_id = ANY(%s) AND day BETWEEN %s AND %s",
        [first, list(customer_ids), list(metric_ids), first, last],
        dtypes={"customer_id": "i8", "metric_id": "i2", "day": "i4", "value": "f8"},
    )
    if len(rows["day"]):
        column = pd.Index(customer_ids).get_indexer(pd.Index(rows["customer_id"]))
        metric = pd.Index(metric_ids).get_indexer(pd.Index(rows["metric_id"]))
        out[rows["day"], metric, column] = _as_float32(rows["value"])
    return out


def feed_days(metric_ids: Sequence[int], first: date, last: date, *, built: bool = True) -> NDArray[np.bool_]:
    """Tell per [day, metric] whether the metric's feed delivered anything at all.

    A day with a block that was never built counts as missing, since its blocks do not tell yet;
    whoever reads rows instead of blocks says ``built=False``.
    """
    out = np.zeros(((last - first).days + 1, len(metric_ids)), dtype=bool)
    rows = copy_to_arrays(
        "SELECT metric_id, (day - %s)::int4 FROM accounts_feedday f "
        "WHERE metric_id = ANY(%s) AND day BETWEEN %s AND %s AND NOT (%s AND EXISTS "
        "(SELECT FROM accounts_usageblock b WHERE b.day = f.day AND b.metric_id = f.metric_id AND b.data IS NULL))",
        [first, list(metric_ids), first, last, built],
        dtypes={"metric_id": "i2", "day": "i4"},
    )
    out[rows["day"], pd.Index(metric_ids).get_indexer(pd.Index(rows["metric_id"]))] = True
    return out


def customer_rows(customer_id: int, first: date, last: date) -> pd.DataFrame:
    """Return one customer's rows (metric_id, day, value) from first to last inclusive, read from the rows themselves."""
    rows = copy_to_arrays(
        "SELECT metric_id, day, value FROM accounts_usagedaily "
        "WHERE customer_id = %s AND day BETWEEN %s AND %s ORDER BY metric_id, day",
        [customer_id, first, last],
        dtypes={"metric_id": "i2", "day": "date", "value": "f8"},
    )
    return pd.DataFrame({**rows, "day": rows["day"].astype("datetime64[s]")})


def last_days_of_use(customer_ids: Sequence[int], metric_ids: Sequence[int], *, before: date) -> pd.Series:
    """Return the last day before ``before`` with a value above 0 in any of the metrics; index customer_id.

    Probes the key per customer and metric from its end, so the cost does not follow the rows in between.
    Customers without such a day are absent.
    """
    rows = copy_to_arrays(
        _LAST_USE,
        {"customers": list(customer_ids), "metrics": list(metric_ids), "before": before},
        dtypes={"customer_id": "i8", "day": "date"},
    )
    return pd.Series(rows["day"].astype("datetime64[s]"), index=pd.Index(rows["customer_id"], name="customer_id"))


def slots_in_use() -> int:
    """Return one more than the highest slot of a customer."""
    highest = Customer.objects.order_by("-slot").values_list("slot", flat=True).first()
    return 0 if highest is None else highest + 1


class _BlockSink:
    """Takes the rows of one binary COPY as they arrive and lays each vector in its place.

    The driver hands over one row per call, so no second copy of the data is ever held.
    """

    def __init__(self, out: NDArray[np.float32], place: dict[int, int], offset: int) -> None:
        self._out, self._place, self._offset, self._is_first = out, place, offset, True

    def write(self, row: bytes) -> None:
        at = 19 if self._is_first else 0  # the header comes with the first row
        self._is_first = False
        if len(row) - at < 26:
            return  # the trailer
        day = int.from_bytes(row[at + 6 : at + 10], "big", signed=True)
        metric = int.from_bytes(row[at + 14 : at + 18], "big", signed=True)
        values = np.frombuffer(row, dtype="<f4", offset=at + 22)
        self._out[day, self._place[metric], self._offset : self._offset + len(values)] = values


def _rebuild_some(through: date) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT day, metric_id, block FROM accounts_usageblock WHERE is_dirty AND day <= %s "
            "ORDER BY day, metric_id, block LIMIT %s FOR UPDATE",
            [through, _BLOCKS_AT_ONCE],
        )
        keys = cursor.fetchall()
        if not keys:
            return 0
        days, metrics = sorted({day for day, _, _ in keys}), sorted({metric for _, metric, _ in keys})
        built = _blocks_of_rows(days, metrics, _slots())
        execute_values(
            cursor.cursor,
            "UPDATE accounts_usageblock b SET data = v.data, is_dirty = false FROM (VALUES %s) AS v (day, metric_id, block, data) "
            "WHERE b.day = v.day AND b.metric_id = v.metric_id AND b.block = v.block",
            [(*key, Binary(built.get(key, b""))) for key in keys],
            template="(%s::date, %s::smallint, %s::int, %s::bytea)",
            page_size=8,
        )
        return len(keys)


def _blocks_of_rows(
    days: Sequence[date], metrics: Sequence[int], slots: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> dict[tuple[date, int, int], bytes]:
    """Return the bytes of every block that has a row on the days in the metrics."""
    rows = copy_to_arrays(
        "SELECT customer_id, metric_id, day, value FROM accounts_usagedaily "
        "WHERE day BETWEEN %s AND %s AND day = ANY(%s) AND metric_id = ANY(%s)",
        [days[0], days[-1], list(days), list(metrics)],
        dtypes={"customer_id": "i8", "metric_id": "i2", "day": "date", "value": "f8"},
    )
    known_ids, known_slots = slots
    if len(known_ids) == 0 or len(rows["day"]) == 0:
        return {}
    at = np.minimum(np.searchsorted(known_ids, rows["customer_id"]), len(known_ids) - 1)
    is_known = known_ids[at] == rows["customer_id"]
    slot = known_slots[at][is_known]
    day, metric = rows["day"][is_known].astype(np.int64), rows["metric_id"][is_known].astype(np.int64)
    value = _as_float32(rows["value"][is_known])
    block = slot // BLOCK_SLOTS
    group = (day - day.min()) * (1 << 40) + metric * (1 << 24) + block if len(day) else day
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    blocks = {}
    for begin, end in zip(starts, np.append(starts[1:], len(order)), strict=True):
        of = order[begin:end]
        inside = slot[of] % BLOCK_SLOTS
        vector = np.full(int(inside.max()) + 1, np.nan, dtype="<f4")
        vector[inside] = value[of]
        first = of[0]
        blocks[(_as_date(np.datetime64(int(day[first]), "D")), int(metric[first]), int(block[first]))] = vector.tobytes()
    return blocks


def _sorted_rows(frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Return the columns as arrays in the order day, customer, metric: so days lie together on disk."""
    day = pd.to_datetime(frame["day"]).to_numpy().astype("datetime64[D]")
    customer, metric = frame["customer_id"].to_numpy(np.int64), frame["metric_id"].to_numpy(np.int16)
    value = frame["value"].to_numpy(np.float64)
    if not np.isfinite(value).all():
        raise ValueError("A usage value is not a finite number.")
    order = np.lexsort((metric, customer, day))
    return {"customer_id": customer[order], "metric_id": metric[order], "day": day[order], "value": value[order]}


def _note_feed_days(rows: dict[str, NDArray[Any]]) -> None:
    pairs = pd.DataFrame({"metric": rows["metric_id"], "day": rows["day"].astype("datetime64[s]")}).drop_duplicates()
    feed = [FeedDay(metric_id=int(metric), day=day.date()) for metric, day in zip(pairs["metric"], pairs["day"], strict=True)]
    FeedDay.objects.bulk_create(sorted(feed, key=lambda f: (f.metric_id, f.day)), ignore_conflicts=True, batch_size=1000)


def _slots() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the customers' ids in order and the slot of each."""
    rows = copy_to_arrays("SELECT id, slot FROM accounts_customer ORDER BY id", dtypes={"id": "i8", "slot": "i4"})
    return rows["id"], rows["slot"].astype(np.int64)


def _slots_of(customer_ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids that are customers, in order, and the slot of each."""
    rows = copy_to_arrays(
        "SELECT id, slot FROM accounts_customer WHERE id = ANY(%s) ORDER BY id",
        [customer_ids.tolist()],
        dtypes={"id": "i8", "slot": "i4"},
    )
    return rows["id"], rows["slot"].astype(np.int64)


def _metrics_with_rows(day: date) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT metric_id FROM accounts_usagedaily WHERE day = %s", [day])
        return {metric for (metric,) in cursor.fetchall()}


def _make_partition(cursor: Any, month: date) -> None:
    name, until = _partition(month), add_months(month, 1)
    cursor.execute(f"CREATE TABLE {connection.ops.quote_name(name)} (LIKE {_TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    cursor.execute(
        f"INSERT INTO {connection.ops.quote_name(name)} SELECT * FROM accounts_usagedaily_default WHERE day >= %s AND day < %s",  # noqa: S608
        [month, until],
    )
    cursor.execute("DELETE FROM accounts_usagedaily_default WHERE day >= %s AND day < %s", [month, until])
    cursor.execute(
        f"ALTER TABLE {_TABLE} ATTACH PARTITION {connection.ops.quote_name(name)} FOR VALUES FROM (%s) TO (%s)", [month, until]
    )


def _partition(month: date) -> str:
    return f"accounts_usagedaily_{month:%Y_%m}"


def _as_date(day: Any) -> date:
    return pd.Timestamp(day).date()


def _as_float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.clip(values, -_LARGEST, _LARGEST).astype(np.float32)


_INSERT_NEW = """
WITH written AS (
    INSERT INTO accounts_usagedaily (customer_id, metric_id, day, value, batch_id)
    SELECT customer_id, metric_id, day, value, %s FROM usage_stage
    ON CONFLICT DO NOTHING RETURNING customer_id, metric_id, day
)
SELECT w.day, w.metric_id, c.slot / 65536, count(*)
FROM written w LEFT JOIN accounts_customer c ON c.id = w.customer_id GROUP BY 1, 2, 3
"""
_UPDATE_CHANGED = """
WITH written AS (
    UPDATE accounts_usagedaily u SET value = s.value, batch_id = %s FROM usage_stage s
    WHERE u.customer_id = s.customer_id AND u.metric_id = s.metric_id AND u.day = s.day
      AND u.day BETWEEN %s AND %s AND u.value IS DISTINCT FROM s.value
    RETURNING u.customer_id, u.metric_id, u.day
)
SELECT w.day, w.metric_id, c.slot / 65536, count(*)
FROM written w LEFT JOIN accounts_customer c ON c.id = w.customer_id GROUP BY 1, 2, 3
"""
_DELETE_BATCH = """
WITH written AS (
    DELETE FROM accounts_usagedaily WHERE batch_id = %s RETURNING customer_id, metric_id, day
)
SELECT w.day, w.metric_id, c.slot / 65536, count(*)
FROM written w LEFT JOIN accounts_customer c ON c.id = w.customer_id GROUP BY 1, 2, 3
"""
_MARK_EVERYTHING = """
INSERT INTO accounts_usageblock (day, metric_id, block, is_dirty)
SELECT DISTINCT u.day, u.metric_id, c.slot / 65536, true FROM accounts_usagedaily u JOIN accounts_customer c ON c.id = u.customer_id
UNION SELECT day, metric_id, block, true FROM accounts_usageblock
ON CONFLICT (day, metric_id, block) DO UPDATE SET is_dirty = true
"""
_LAST_USE = """
SELECT c.id, max(l.day)
FROM unnest(%(customers)s::bigint[]) AS c (id) CROSS JOIN unnest(%(metrics)s::smallint[]) AS m (id)
CROSS JOIN LATERAL (SELECT day FROM accounts_usagedaily u WHERE u.customer_id = c.id AND u.metric_id = m.id AND u.value > 0
                    AND u.day < %(before)s ORDER BY day DESC LIMIT 1) AS l
GROUP BY c.id
"""
