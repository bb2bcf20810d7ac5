"""Make customers and keep what is known of them: the one place that gives out slots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import pandas as pd
from django.db import connection, transaction
from django.db.models import Max
from django.db.models.functions import Lower

from accounts.matching.names import name_key
from accounts.models import Customer, ImportBatch
from expansion import clock
from expansion.copying import copy_rows, copy_update
from expansion.users.models import User

_TABLE: Final = Customer._meta.db_table
_SLOT_LOCK: Final = 7_210_003
_TEXTS: Final = (
    "name_kana", "domain", "corporate_number", "industry", "country", "region", "currency", "phase",
    "owner_email", "sales_owner_email", "product_owner_email", "marketing_owner_email",
)  # fmt: skip
_EMAILS: Final = ("owner_email", "sales_owner_email", "product_owner_email", "marketing_owner_email")


def next_slots(count: int) -> range:
    """Return the next free slots.  Whoever asks has them until the end of the transaction; others wait."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SLOT_LOCK])
    highest = Customer.objects.aggregate(highest=Max("slot"))["highest"]
    first = 0 if highest is None else highest + 1
    return range(first, first + count)


@transaction.atomic
def create_many(frame: pd.DataFrame, *, batch: ImportBatch | None = None, now: datetime | None = None) -> pd.Series:
    """Create customers in the order of the frame; return their primary keys, indexed by customer_id.

    frame  customer_id and name, and any other columns of the model by their names (``owner_email``
           finds its user; slot, owner, name_key are set here).  Missing cells are None.
    A customer_id that is taken already raises IntegrityError.
    """
    if frame.empty:
        return pd.Series(dtype="int64", index=pd.Index([], name="customer_id"))
    rows = _with_derived(frame)
    for name in _TEXTS:
        rows[name] = rows[name].where(rows[name].notna(), "") if name in rows else ""
    slots = next_slots(len(rows))
    rows["slot"] = list(slots)
    rows["created_at"] = (now or clock.now()).isoformat()
    if batch is not None:
        rows["batch_id"] = batch.pk
    copy_rows(_TABLE, rows)
    made = Customer.objects.filter(slot__gte=slots.start, slot__lt=slots.stop).order_by("slot").values_list("pk", flat=True)
    return pd.Series(list(made), index=pd.Index(frame["customer_id"], name="customer_id"), dtype="int64")


@transaction.atomic
def update_many(frame: pd.DataFrame, *, batch: ImportBatch | None = None) -> int:
    """Change customers by their primary key (column ``id``); return how many differ from before.

    Only the columns of the frame are touched: a file that does not speak of the domain does not empty it.
    """
    if frame.empty:
        return 0
    rows = _with_derived(frame)
    same = [name for name in rows.columns if name != "id"]
    if batch is not None:
        rows["batch_id"] = batch.pk
    return copy_update(_TABLE, rows, key="id", same=same)


def assign_owners(customer_ids: Sequence[int] | None = None) -> int:
    """Give customers without an owner the user of their owner_email, if there is one by now; return how many got one.

    Customers are often imported before the people are invited, so the nightly run calls this too.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ASSIGN, {"everyone": customer_ids is None, "ids": list(customer_ids or [])})
        return int(cursor.rowcount)


def users_by_email(emails: Iterable[str]) -> dict[str, int]:
    """Return lower-case address → primary key of the active users among them."""
    wanted = {email.lower() for email in emails if email}
    if not wanted:
        return {}
    found = User.objects.annotate(lower=Lower("email")).filter(lower__in=wanted, is_active=True)
    return dict(found.values_list("lower", "pk"))


def domain_of(text: str) -> str:
    """Return the bare domain of what people write as one: an address, a mail address, www. before it."""
    bare = re.sub(r"^[a-z][a-z0-9+.\-]*://", "", text.strip().lower()).rpartition("@")[2]
    return re.split(r"[/?#:\s]", bare, maxsplit=1)[0].removeprefix("www.").rstrip(".")


def _with_derived(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what follows from the columns: the key of the name, the bare domain, the owner."""
    rows = frame.copy()
    if "name" in rows:
        rows["name_key"] = [name_key(name) for name in rows["name"]]
    if "domain" in rows:
        rows["domain"] = [domain_of(text or "") for text in rows["domain"]]
    for name in _EMAILS:
        if name in rows:
            rows[name] = [(email or "").lower() for email in rows[name]]
    if "owner_email" in rows:
        users = users_by_email(rows["owner_email"])
        rows["owner_id"] = pd.Series([users.get(email) for email in rows["owner_email"]], index=rows.index, dtype="Int64")
    return rows


_ASSIGN = """
UPDATE accounts_customer c SET owner_id = u.id FROM users_user u
WHERE c.owner_id IS NULL AND c.owner_email <> '' AND lower(u.email) = c.owner_email AND u.is_active
  AND (%(everyone)s OR c.id = ANY(%(ids)s))
"""
