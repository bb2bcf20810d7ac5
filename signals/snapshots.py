"""What was known about every customer on a business date: one vector per term and block of slots.

A vector is little-endian float32 for counts, float64 for money and ratios, NaN where the term is
missing, cut at the last known value.  Rules read these stored values, nightly and preview alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np
import pandas as pd
from django.db import connection
from psycopg2 import Binary
from psycopg2.extras import execute_values

from accounts import usage
from accounts.models import Product
from expansion.copying import copy_to_arrays
from signals import sources
from signals.compute.health import BANDS
from signals.compute.rfm import SEGMENTS
from signals.models import FeatureBlock
from signals.terms import TERMS

# The nightly run is cut at these, so that a chunk writes whole blocks and two workers find work in a middling book.
BLOCK_SLOTS = 8_192
# Columns of text that are stored as codes: what a rule may be scoped by.
TEXTS = {"plan_code": "plan_product", "band": "band_code", "segment": "segment_code"}


def chunks() -> list[tuple[int, int]]:
    """Return the ranges of slots that hold the customers there are, cut at block borders."""
    return [(start, start + BLOCK_SLOTS) for start in range(0, usage.slots_in_use(), BLOCK_SLOTS)]


def write(business_date: date, frame: pd.DataFrame, *, is_reconstructed: bool = False) -> int:
    """Store the term columns of whole blocks; return how many blocks were written.

    frame  column ``slot``, a float column per term; all customers of each block that it touches
    What is stored already and equal is not rewritten.
    """
    columns = [key for key in frame.columns if key in TERMS]
    slots = frame["slot"].to_numpy(np.int64)
    rows = []
    for block in np.unique(slots // BLOCK_SLOTS).tolist():
        here = slots // BLOCK_SLOTS == block
        inside = slots[here] % BLOCK_SLOTS
        for key in columns:
            data = _as_bytes(frame[key].to_numpy(np.float64)[here], inside, TERMS[key].dtype)
            rows.append((business_date, key, block, TERMS[key].dtype, Binary(data), is_reconstructed))
    if not rows:
        return 0
    with connection.cursor() as cursor:
        written = execute_values(
            cursor.cursor,
            "INSERT INTO signals_featureblock AS b (business_date, term, block, dtype, data, is_reconstructed) VALUES %s "
            "ON CONFLICT (business_date, term, block) DO UPDATE SET data = EXCLUDED.data, dtype = EXCLUDED.dtype, "
            "is_reconstructed = EXCLUDED.is_reconstructed "
            "WHERE (b.data, b.dtype, b.is_reconstructed) IS DISTINCT FROM "
            "(EXCLUDED.data, EXCLUDED.dtype, EXCLUDED.is_reconstructed) RETURNING 1",
            rows,
            page_size=32,
            fetch=True,
        )
    return len(written)


def read(
    business_date: date, terms: Iterable[str] | None = None, *, slot_from: int = 0, slot_until: int | None = None
) -> pd.DataFrame:
    """Return the stored terms (None: all) of a date, one row per customer by slot; index customer_id.

    Columns ``slot``, the terms as float64, and of TEXTS the ones that were asked for.  A term that was
    not stored then is missing everywhere.
    """
    wanted = list(dict.fromkeys(terms)) if terms is not None else [*TERMS, *TEXTS]
    keys = list(dict.fromkeys(TEXTS.get(key, key) for key in wanted))
    if slot_until is None:
        slot_until = usage.slots_in_use()
    customers = copy_to_arrays(
        sources.CUSTOMERS, {"slot_from": slot_from, "slot_until": slot_until}, dtypes={"id": "i8", "slot": "i4"}
    )
    slots = customers["slot"].astype(np.int64)
    columns = {key: np.full(max(slot_until - slot_from, 0), np.nan) for key in keys}
    blocks = FeatureBlock.objects.filter(
        business_date=business_date,
        term__in=keys,
        block__gte=slot_from // BLOCK_SLOTS,
        block__lte=max(slot_until - 1, 0) // BLOCK_SLOTS,
    )
    for key, block, dtype, data in blocks.values_list("term", "block", "dtype", "data"):
        values = np.frombuffer(data, dtype=f"<{dtype}")
        start = block * BLOCK_SLOTS - slot_from
        cut = values[max(-start, 0) : max(slot_until - slot_from - start, 0)]
        columns[key][max(start, 0) : max(start, 0) + len(cut)] = cut
    frame = pd.DataFrame(
        {"slot": slots, **{key: values[slots - slot_from] for key, values in columns.items()}},
        index=pd.Index(customers["id"], name="customer_id"),
    )
    for name in [name for name in wanted if name in TEXTS]:
        frame[name] = text_of(name, frame[TEXTS[name]])
    return frame[["slot", *wanted]]


def dates(*, last: int | None = None) -> list[date]:
    """Return the business dates that have a snapshot, newest first."""
    found = FeatureBlock.objects.filter(block=0, term="mrr").order_by("-business_date").values_list("business_date", flat=True)
    return list(found if last is None else found[:last])


def newest_date(*, within: tuple[date, date] | None = None) -> date | None:
    """Return the newest business date with a snapshot, of all or from the first to the second day inclusive."""
    found = FeatureBlock.objects.filter(block=0, term="mrr").order_by("-business_date")
    if within is not None:
        found = found.filter(business_date__range=within)
    return found.values_list("business_date", flat=True).first()


def values_of(slot: int, terms: Sequence[str], days: Sequence[date]) -> pd.DataFrame:
    """Return the stored values of one customer, one row per day (index) and one column per term, in one statement."""
    places = {key: i for i, key in enumerate(dict.fromkeys(terms))}
    at = {day: i for i, day in enumerate(days)}
    found = np.full((len(at), len(places)), np.nan)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT business_date, term, dtype, substring(data FROM %s * width + 1 FOR width) FROM signals_featureblock "
            "CROSS JOIN LATERAL (SELECT CASE dtype WHEN 'f8' THEN 8 ELSE 4 END AS width) w "
            "WHERE business_date = ANY(%s) AND term = ANY(%s) AND block = %s",
            [slot % BLOCK_SLOTS, list(days), list(terms), slot // BLOCK_SLOTS],
        )
        for day, term, dtype, data in cursor.fetchall():
            if len(data):
                found[at[day], places[term]] = np.frombuffer(data, dtype=f"<{dtype}")[0]
    return pd.DataFrame(found, index=list(at), columns=list(places))


def _as_bytes(values: np.ndarray, inside: np.ndarray, dtype: str) -> bytes:
    """Lay the values by slot and cut after the last known one."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == 0:
        return b""
    vector = np.full(int(inside[known].max()) + 1, np.nan)
    vector[inside[known]] = values[known]
    with np.errstate(over="ignore"):
        return vector.astype(f"<{dtype}").tobytes()


def text_of(name: str, codes: pd.Series) -> pd.Series:
    """Return what the codes of one of TEXTS stand for; an empty text where there is none."""
    if name == "plan_code":
        known = {float(pk): code for pk, code in Product.objects.values_list("pk", "code")}
    else:
        known = dict(enumerate(BANDS if name == "band" else SEGMENTS))
    return codes.map(known).astype(object).fillna("").astype("str")
