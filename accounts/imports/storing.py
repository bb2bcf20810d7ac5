"""Typed rows into their tables: one conflict-aware merge per block of rows, in the caller's transaction.

Within a block the last row of a key is the one that counts; the ones before it change nothing and are
listed as repeated.  Only the columns that the file gives are touched on rows that are there already.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from django.conf import settings
from django.db import connection

from accounts import customers, ledger
from accounts.datasets import Dataset
from accounts.imports.checking import Checked, Coded
from accounts.imports.parsing import Cells
from accounts.imports.resolving import Known
from accounts.models import ContractLine, ImportBatch, Product
from expansion.copying import copy_upsert

Ids = npt.NDArray[np.int64]
_JSON_KINDS: Final = frozenset({"codes", "quota", "json"})


@dataclass(slots=True)
class Stored:
    """What became of some rows.  ``repeated`` lists (line, line that counts instead) of keys given more than once."""

    applied: int = 0
    unchanged: int = 0
    repeated: list[tuple[int, int]] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)
    created: list[str] = field(default_factory=list)
    # (line, customer_id, parent) of rows that are stored but for the link to a parent that is not known yet.
    orphans: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, other: Stored) -> None:
        self.applied += other.applied
        self.unchanged += other.unchanged
        self.repeated += other.repeated
        self.remarks += other.remarks
        self.created += other.created


def store(dataset: Dataset, rows: Checked, owners: Ids, *, known: Known, batch: ImportBatch, now: datetime) -> Stored:
    """Write the rows.  ``owners`` holds the customer of each (nothing for a dataset without customers)."""
    if not len(rows):
        return Stored()
    if dataset.name == "customers":
        return _store_customers(rows, owners, known=known, batch=batch, now=now)
    frame, given = _frame(dataset, rows, owners, known=known, batch=batch)
    remarks: Counter[str] = Counter()
    _complete(dataset, rows, owners, frame, given, remarks, known=known, batch=batch)
    keys = [dataset.column(name).to for name in dataset.key]
    if dataset.has_source:
        frame["source"] = _filled(known.source, len(rows))
        keys.insert(0, "source")
    table = pd.DataFrame(frame)
    kept, repeated = _last_of_each_key(table, keys, rows)

    same = [name for name in table.columns if name in given and name not in keys]
    if "customer_id" in table and "customer_id" not in keys:
        same.append("customer_id")
    table["batch_id"] = batch.pk
    told = ["batch_id"]
    if dataset.name == "contract_lines":
        table["source_line"] = rows.lines
        told.append("source_line")
    inserted, changed = _merge(dataset, table[kept], keys, same, told)
    return Stored(
        applied=inserted + changed, unchanged=len(rows) - inserted - changed, repeated=repeated, remarks=remarks,
        created=list(dict.fromkeys(table["line_id"])) if dataset.name == "contract_lines" else [],
    )  # fmt: skip


def with_response_ids(rows: Checked, counts: Counter[str]) -> Checked:
    """Give NPS answers without an ID one that the same answer gets again.

    Of a known person one answer a day counts, so customer, person and day make the ID.  Answers
    without a person each count; those that are alike in every way are told apart by their order in the file.
    """
    given = rows.values("response_id")
    if all(given):
        return rows
    ids = []
    people = zip(rows.values("contact_id", ""), rows.values("email", ""), strict=True)
    answers = zip(
        rows.values("customer_id"), rows.values("responded_on"), rows.values("score"), rows.values("comment", ""), strict=True
    )
    for one, (contact, email), (customer, day, score, comment) in zip(given, people, answers, strict=True):
        if one:
            ids.append(one)
            continue
        person = contact or email.lower()
        parts = [customer, str(day), person] if person else [customer, str(day), "", str(score), comment]
        base = "auto:" + hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()[:24]
        if not person:
            counts[base] += 1
            base += f":{counts[base]}"
        ids.append(base)
    texts = np.empty(len(ids), dtype=object)
    texts[:] = ids
    coded = {**rows.coded, "response_id": Coded(np.arange(1, len(ids) + 1), [None, *ids])}
    return Checked(
        rows.lines, coded, rows.numbers, rows.derived, {**rows.texts, "response_id": texts}, rows.is_lookup, rows.rejected
    )


def _frame(dataset: Dataset, rows: Checked, owners: Ids, *, known: Known, batch: ImportBatch) -> tuple[dict[str, Any], set[str]]:
    """Return the table's columns and which of them the file says something about."""
    frame: dict[str, Any] = {}
    given: set[str] = set()
    for column in dataset.columns:
        if not column.to or column.to in {"customer_id", "contact_id"}:
            continue
        cells = rows.values(column.name, column.default)
        if column.kind in _JSON_KINDS:
            cells = _objects([json.dumps(cell, ensure_ascii=False, sort_keys=True) for cell in cells])
        if column.to == "product_id":
            codes = known.products({cell for cell in cells if cell}, batch=batch)
            cells = _objects([codes.get(cell) for cell in cells])
        frame[column.to] = cells
        if column.name in rows.coded or column.name in rows.numbers or column.name in rows.derived:
            given.add(column.to)
    if dataset.has_customer:
        frame["customer_id"] = owners
    return frame, given


def _complete(
    dataset: Dataset, rows: Checked, owners: Ids, frame: dict[str, Any], given: set[str], remarks: Counter[str],
    *, known: Known, batch: ImportBatch,
) -> None:  # fmt: skip
    """Add what a table needs besides the columns of its dataset."""
    if "currency" in frame and dataset.name not in {"products", "fx_rates"}:
        usual = known.currencies(owners.tolist()) if dataset.has_customer else {}
        whose: Iterable[int] = owners.tolist() if dataset.has_customer else [0] * len(rows)
        frame["currency"] = _objects([
            currency or usual.get(owner, settings.REPORTING_CURRENCY)
            for currency, owner in zip(frame["currency"], whose, strict=True)
        ])  # fmt: skip
    if dataset.name == "contract_lines":
        frame["amount"], frame["ends_before"] = rows.derived["amount"], rows.derived["ends_before"]
        frame["mrr"], frame["arr"] = rows.derived["mrr"], rows.derived["arr"]
        given |= {"amount", "mrr", "arr", "billing_months"}
        if "ends_on" not in rows.coded and "ends_before" not in rows.coded:
            given.discard("ends_before")
        given.discard("is_co_term")
    elif dataset.name == "products":
        frame["is_guessed"] = np.zeros(len(rows), dtype=bool)
        given.add("is_guessed")
    elif dataset.name == "nps":
        ids, emails = rows.values("contact_id", ""), rows.values("email", "")
        frame["contact_id"] = _contacts(ids, emails, owners, known=known)
        frame["respondent"] = _objects([contact or email for contact, email in zip(ids, emails, strict=True)])
        if {"contact_id", "email"} & rows.coded.keys():
            given |= {"contact_id", "respondent"}
    elif dataset.name == "touches":
        ids = rows.values("contact_id", "")
        frame["contact_id"] = _contacts(ids, _filled("", len(rows)), owners, known=known)
        users = known.users(frame["by_email"])
        frame["by_id"] = _objects([users.get(email.lower()) for email in frame["by_email"]])
        frame["play"] = _filled("", len(rows))
        remarks["unknown_contacts"] += sum(
            bool(told) and found is None for told, found in zip(ids, frame["contact_id"], strict=True)
        )
        given |= ({"contact_id"} if "contact_id" in rows.coded else set()) | ({"by_id"} if "by_email" in rows.coded else set())


def _contacts(ids: Cells, emails: Cells, owners: Ids, *, known: Known) -> Cells:
    """Return the contact that each ID, or else the address within the customer, stands for; None where there is none."""
    by_id = known.contacts(ids)
    pairs = [(int(owner), email.lower()) for owner, email in zip(owners, emails, strict=True)]
    by_email = known.contacts_by_email(pairs)
    return _objects([by_id.get(one) or by_email.get(pair) for one, pair in zip(ids, pairs, strict=True)])


def _last_of_each_key(table: pd.DataFrame, keys: list[str], rows: Checked) -> tuple[npt.NDArray[np.bool_], list[tuple[int, int]]]:
    """Return which rows count, and (line, line that counts instead) of those that do not and say something else."""
    kept = ~table.duplicated(keys, keep="last").to_numpy()
    if kept.all():
        return kept, []
    whole = list(table.astype(str).itertuples(index=False, name=None))
    last = {tuple(key): place for place, key in enumerate(table[keys].itertuples(index=False, name=None))}
    repeated = []
    for place in np.flatnonzero(~kept):
        counts = last[tuple(table[keys].iloc[place])]
        if whole[place] != whole[counts]:
            repeated.append((int(rows.lines[place]), int(rows.lines[counts])))
    return kept, repeated


def _merge(dataset: Dataset, table: pd.DataFrame, keys: list[str], same: list[str], told: list[str]) -> tuple[int, int]:
    """Merge the rows and bring along what depends on them; return (inserted, changed)."""
    if dataset.name != "contract_lines":
        inserted, changed = copy_upsert(dataset.table, table, keys=keys, update=[*same, *told] if same else [], same=same)
        if dataset.name == "products" and inserted + changed:
            _rebuild_lines_of(set(table["code"]), batch_id=table["batch_id"].iloc[0])
        return inserted, changed

    source, line_ids = table["source"].iloc[0], set(table["line_id"])
    before = set(ContractLine.objects.filter(source=source, line_id__in=line_ids).values_list("customer_id", flat=True))
    inserted, changed = copy_upsert(dataset.table, table, keys=keys, update=[*same, *told], same=same)
    told_together = table[[bool(one) for one in table["is_co_term"]]]
    for line_id, starts_on in zip(told_together["line_id"], told_together["starts_on"], strict=True):
        ContractLine.objects.filter(source=source, line_id=line_id, starts_on=starts_on).update(is_co_term=True)
    if inserted + changed:
        touched = sorted(before | set(table["customer_id"]))
        ledger.rebuild(touched)
        _flag_overlaps(touched)
    return inserted, changed


def _rebuild_lines_of(codes: set[str], *, batch_id: int) -> None:
    """A product that became another kind gives other causes to the movements of its lines."""
    changed = Product.objects.filter(batch_id=batch_id, code__in=codes)
    touched = ContractLine.objects.filter(product__in=changed).values_list("customer_id", flat=True).distinct()
    if touched:
        ledger.rebuild(sorted(touched))


def _flag_overlaps(touched: list[int]) -> None:
    """Mark lines of one product that run at the same time (invariant C12); none is merged or dropped."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERLAPS, [touched])


def _store_customers(rows: Checked, owners: Ids, *, known: Known, batch: ImportBatch, now: datetime) -> Stored:
    """Create the customers that are new (owner -1) and update the others.

    A parent that is not known yet does not hold the customer back: only that link waits (``orphans``).
    """
    names = [name for name in rows.coded if name not in {"customer_id", "parent_customer_id"}]
    empty = {"employees": None, "acquired_on": None, "acquisition_cost": None}
    table = pd.DataFrame(
        {"customer_id": rows.values("customer_id"), **{name: rows.values(name, empty.get(name, "")) for name in names}}
    )
    table["id"], table["line"] = owners, rows.lines
    table["parent"] = rows.values("parent_customer_id", "")
    same_customer = table["customer_id"].where(owners < 0, [f"\0{pk}" for pk in owners])
    kept, repeated = _last_of_each_key(table.drop(columns="line").assign(same_customer=same_customer), ["same_customer"], rows)
    table = table[kept]

    is_new = table["id"] < 0
    made = customers.create_many(table.loc[is_new, ["customer_id", *names]], batch=batch, now=now)
    table.loc[is_new, "id"] = made.to_numpy()
    known.forget_currencies()
    parents = known.customers(set(table["parent"]))
    is_orphan = (table["parent"] != "") & ~table["parent"].isin(list(parents))

    update = table.loc[~is_new & ~is_orphan, ["id", *names]]
    if "parent_customer_id" in rows.coded:
        linked = table[~is_orphan & (table["parent"] != "")]
        _set_parents(linked.loc[linked["id"].isin(made), ["id", "parent"]], parents)
        update["parent_id"] = _objects(
            [_other(parents.get(one), pk) for one, pk in zip(table.loc[update.index, "parent"], update["id"], strict=True)]
        )
    changed = customers.update_many(update, batch=batch)
    customers.update_many(table.loc[~is_new & is_orphan, ["id", *names]], batch=batch)

    applied = int((is_new & ~is_orphan).sum()) + changed
    return Stored(
        applied=applied, unchanged=len(rows) - applied - int(is_orphan.sum()), repeated=repeated,
        created=[str(one) for one in made.index],
        orphans=list(table.loc[is_orphan, ["line", "customer_id", "parent"]].itertuples(index=False, name=None)),
    )  # fmt: skip


def _set_parents(linked: pd.DataFrame, parents: Mapping[str, int]) -> None:
    wanted = _objects([_other(parents[one], pk) for one, pk in zip(linked["parent"], linked["id"], strict=True)])
    customers.update_many(pd.DataFrame({"id": linked["id"].to_numpy(), "parent_id": wanted}))


def _other(parent: int | None, child: int) -> int | None:
    """Nobody is its own parent, also where two IDs turn out to be one customer."""
    return None if parent == child else parent


def _filled(value: Any, count: int) -> Cells:
    cells = np.empty(count, dtype=object)
    cells[:] = value
    return cells


def _objects(cells: list[Any]) -> Cells:
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


_OVERLAPS: Final = """
UPDATE accounts_contractline l SET is_co_term = true
WHERE l.customer_id = ANY(%s) AND NOT l.is_co_term AND EXISTS (
    SELECT 1 FROM accounts_contractline o
    WHERE o.customer_id = l.customer_id AND o.product_id = l.product_id AND (o.source, o.line_id) <> (l.source, l.line_id)
      AND o.starts_on < coalesce(l.service_until, 'infinity') AND l.starts_on < coalesce(o.service_until, 'infinity')
)
"""
