"""Apply a file: chunk by chunk, each in one transaction with its counts, so that a killed import goes on where it was.

Nothing is lost on the way: every row of the file is applied, unchanged, waiting for its customer, or refused.
The same rows again change nothing.  Two imports of one dataset take turns at their chunks; the same file twice at
once waits for the first to end and then finds nothing left to do.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F

from accounts import customers
from accounts.datasets import DATASETS, Dataset
from accounts.imports import checking, mapping, measuring, parsing, reasons, results, storing
from accounts.imports.checking import Checked, Rejected
from accounts.imports.mapping import Mapped
from accounts.imports.parsing import FileRefused
from accounts.imports.resolving import MAIN, Known
from accounts.imports.results import Result
from accounts.models import ImportBatch, RejectedRow, WaitingRow
from accounts.models.imports import BatchState, WaitsFor
from expansion.copying import copy_rows
from expansion.errors import DomainError

_FILE_LOCK: Final = 7_210_005
_DATASET_LOCK: Final = 7_210_006
# A chunk is a transaction.  Rows of usage are small, and only gathered here.
ROWS_AT_ONCE = 20_000
USAGE_ROWS_AT_ONCE = 50_000
_WAITING_AT_ONCE: Final = 20_000
_REPEATS_SHOWN: Final = 100

OnProgress = Callable[[int], None]


class ImportRefused(DomainError):
    """The file as a whole cannot be imported; nothing of it was."""


def apply(batch: ImportBatch, path: Path, *, now: datetime, on_progress: OnProgress | None = None) -> Result:
    """Import the file of the batch, or what an earlier attempt left of it.  Return the counts of the whole file."""
    with _only_one_for(batch):
        batch.refresh_from_db()
        if batch.state == BatchState.DONE:
            return result_of(batch, is_repeat=True)
        try:
            _apply_file(batch, path, now=now, on_progress=on_progress)
        except FileRefused as refused:
            error = reasons.of_file(refused.key, refused.details)
            ImportBatch.objects.filter(pk=batch.pk).update(state=BatchState.FAILED, error=error, finished_at=now)
            raise ImportRefused(error) from None
        settle(now=now)
        batch.refresh_from_db()
        return result_of(batch)


def rehearse(batch: ImportBatch, path: Path, *, now: datetime) -> Result:
    """Return what importing the file would do.  Everything is done, and taken back; the batch is not kept."""
    with transaction.atomic():
        batch.save(force_insert=True)
        try:
            _apply_file(batch, path, now=now, on_progress=None)
        except FileRefused as refused:
            raise ImportRefused(reasons.of_file(refused.key, refused.details)) from None
        settle(now=now)
        batch.refresh_from_db()
        result = result_of(batch, is_dry_run=True)
        transaction.set_rollback(True)
    return result


def result_of(batch: ImportBatch, *, is_repeat: bool = False, is_dry_run: bool = False) -> Result:
    """Return the counts of a batch.  A repeated file applied nothing: what it once applied is unchanged now."""
    rejected = batch.rejects.order_by("line", "pk").values_list("line", "column", "value", "reason", "details")
    return Result(
        batch_id=None if is_dry_run else batch.pk, dataset=batch.dataset, source=batch.source, rows=batch.rows,
        applied=0 if is_repeat else batch.applied, unchanged=batch.unchanged + (batch.applied if is_repeat else 0),
        waiting=batch.waiting, rejected=batch.rejected, rejects=results.rejects(rejected[: results.SHOWN]),
        is_repeat=is_repeat, is_dry_run=is_dry_run, notes=batch.notes,
    )  # fmt: skip


def settle(*, now: datetime, source: str | None = None, external_id: str | None = None) -> int:
    """Apply the waiting rows whose customer, line or parent is known by now; return how many left the queue.

    With ``source`` and ``external_id`` only those that wait for this one ID.
    """
    asked = {"source": source, "external_id": external_id, "most": _WAITING_AT_ONCE}
    done = 0
    while True:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_DATASET_LOCK, 0])
                cursor.execute(_KNOWN_BY_NOW, asked)
                ids = [pk for (pk,) in cursor.fetchall()]
            found = WaitingRow.objects.select_related("batch").in_bulk(ids)
            if not found:
                return done
            # One batch and dataset a transaction, so that no two locks of datasets are ever held together.
            _, some = next(groupby((found[pk] for pk in ids), key=lambda row: (row.batch_id, row.dataset, row.waits_for)))
            rows = list(some)
            _apply_waiting(rows, now=now)
        done += len(rows)


# --- one file ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Counts:
    """What became of the rows of a chunk."""

    rows: int = 0
    applied: int = 0
    unchanged: int = 0
    waiting: int = 0
    rejected: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    repeats: list[tuple[int, int]] = field(default_factory=list)


def _apply_file(batch: ImportBatch, path: Path, *, now: datetime, on_progress: OnProgress | None) -> None:
    dataset = DATASETS[batch.dataset]
    at_once = USAGE_ROWS_AT_ONCE if dataset.name == "usage" else ROWS_AT_ONCE
    with parsing.table(path, name=batch.filename, encoding=batch.encoding or "auto", rows_at_once=at_once) as table:
        plan = mapping.plan(dataset, table.header, mapping=batch.mapping)
        notes = {
            "encoding": table.encoding, "delimiter": table.delimiter, "unused_columns": list(plan.unused),
            "sheets_left_out": list(table.sheets_left_out),
        }  # fmt: skip
        # A file that went half-way keeps what it noted of its rows.
        ImportBatch.objects.filter(pk=batch.pk).update(state=BatchState.APPLYING, notes=batch.notes | notes)
        batch.refresh_from_db()
        apply_rows = _apply_usage if dataset.name == "usage" else _apply_entities
        apply_rows(batch, plan, table, now=now, on_progress=on_progress or (lambda _: None))
    ImportBatch.objects.filter(pk=batch.pk).update(state=BatchState.DONE, finished_at=now)


@dataclass(frozen=True, slots=True)
class _Read:
    """A chunk as far as the database is not needed: its last line, typed rows per block of the mapping, refused rows."""

    last: int
    blocks: list[Checked]
    refused: list[Rejected]
    remarks: Counter[str]


def _read(plan: mapping.Plan, table: parsing.Table) -> Iterator[_Read]:
    """Yield the chunks of a file from its beginning, also those that an earlier attempt has applied.

    What tells equal NPS answers apart must count from the top, and usage is added up over the whole file.
    """
    zone = settings.ORGANISATION_ZONE
    ordinals: Counter[str] = Counter()
    for chunk in table.chunks:
        mapped, skipped = mapping.rows(plan, chunk, zone=zone)
        blocks = [checking.check(plan.dataset, one, chunk, plan.header, zone=zone) for one in mapped]
        refused = [row for block in blocks for row in block.rejected] + checking.broken(chunk)
        if plan.dataset.name == "nps":
            blocks = [storing.with_response_ids(block, ordinals) for block in blocks]
        ends = [int(line) for line in chunk.lines[-1:]] + [one.line for one in chunk.broken[-1:]]
        remarks = Counter(lines=len(chunk) + len(chunk.broken), skipped=skipped)
        yield _Read(max(ends, default=0), blocks, sorted(refused, key=lambda row: row.line), remarks)


def _apply_entities(
    batch: ImportBatch, plan: mapping.Plan, table: parsing.Table, *, now: datetime, on_progress: OnProgress
) -> None:
    known = Known(batch.source, now=now)
    done_before = batch.lines_done
    for chunk in _read(plan, table):
        if chunk.last <= done_before:
            continue
        refused = [row for row in chunk.refused if row.line > done_before]
        with transaction.atomic():
            _take_turns(plan.dataset)
            counts = _Counts(rows=len(refused), rejected=len(refused), notes=chunk.remarks)
            _keep_rejects(batch, refused)
            for block in chunk.blocks:
                fresh = block if not done_before else block.only(np.flatnonzero(block.lines > done_before))
                _store_block(plan.dataset, fresh, counts, known=known, batch=batch, now=now)
            _count(batch, counts, lines_done=chunk.last)
        on_progress(chunk.last)


def _store_block(dataset: Dataset, rows: Checked, counts: _Counts, *, known: Known, batch: ImportBatch, now: datetime) -> None:
    """Store the rows whose customer is known, put the others into the queue, and add all to the counts."""
    counts.rows += len(rows)
    owners = np.zeros(len(rows), dtype=np.int64)
    if dataset.has_customer:
        owners = _owners(rows, known)
        is_created = dataset.name == "customers" and known.source == MAIN
        if not is_created:
            unknown = np.flatnonzero(owners < 0)
            counts.waiting += len(unknown)
            _keep_waiting(batch, dataset, rows.only(unknown))
            stays = np.flatnonzero(owners >= 0)
            rows, owners = rows.only(stays), owners[stays]
    stored = storing.store(dataset, rows, owners, known=known, batch=batch, now=now)
    _keep_orphans(batch, dataset, stored)
    counts.applied += stored.applied
    counts.unchanged += stored.unchanged
    counts.waiting += len(stored.orphans)
    counts.notes += stored.remarks
    counts.notes["repeated"] += len(stored.repeated)
    counts.repeats += stored.repeated


def _owners(rows: Checked, known: Known) -> storing.Ids:
    """Return the customer of each row, -1 where it is not known."""
    column = rows.coded["customer_id"]
    used = column.used
    ids = [column.distinct[code] for code in used]
    found = known.customers_of_lines(ids) if rows.is_lookup else known.customers(ids)
    by_code = np.full(len(column.distinct), -1, dtype=np.int64)
    by_code[used] = [found.get(one, -1) for one in ids]
    return by_code[column.codes]


def _apply_usage(batch: ImportBatch, plan: mapping.Plan, table: parsing.Table, *, now: datetime, on_progress: OnProgress) -> None:
    """Read the whole file into numbers, put the rows of each key together, then write the keys chunk by chunk.

    Rows of one key may stand anywhere in the file, so nothing can be written before its last line is
    read.  Refused and waiting rows are kept as they come; how far the keys are written is told by
    the counts, because their order is fixed.
    """
    known = Known(batch.source, now=now)
    gathered = measuring.Gathered()
    done_before = batch.lines_done
    # What an earlier attempt put into the queue stays there, even if its customer is known by now: settle() takes it out.
    queued = list(batch.waiting_rows.values_list("line", flat=True)) if done_before else []
    for chunk in _read(plan, table):
        refused = [row for row in chunk.refused if row.line > done_before]
        counts = _Counts(rows=len(refused), rejected=len(refused), notes=chunk.remarks)
        with transaction.atomic():
            _keep_rejects(batch, refused)
            for block in chunk.blocks:
                owners = _owners(block, known)
                is_fresh = block.lines > done_before
                waits = (owners < 0) | (np.isin(block.lines, queued) & ~is_fresh)
                counts.rows += int(is_fresh.sum())
                if waits.any():
                    unknown = block.only(np.flatnonzero(waits & is_fresh))
                    counts.waiting += len(unknown)
                    _keep_waiting(batch, plan.dataset, unknown)
                    stays = np.flatnonzero(~waits)
                    block, owners = block.only(stays), owners[stays]
                gathered.add(block, owners, known=known, batch=batch)
            if chunk.last > done_before:
                _count(batch, counts, lines_done=chunk.last)
        on_progress(chunk.last)

    keys = gathered.keys()
    if keys.refused and not batch.rejects.filter(reason="distinct_twice").exists():
        with transaction.atomic():
            _keep_rejects(batch, keys.refused)
            _count(batch, _Counts(rejected=len(keys.refused)))
    batch.refresh_from_db()
    for part in keys.parts(after=batch.applied + batch.unchanged):
        with transaction.atomic():
            _take_turns(plan.dataset)
            applied, unchanged = measuring.write(part, batch=batch)
            _count(batch, _Counts(applied=applied, unchanged=unchanged))


# --- rows that wait ---------------------------------------------------------------------------------------------------


def _apply_waiting(waiting: list[WaitingRow], *, now: datetime) -> None:
    """Apply rows of one batch that wait for the same kind of thing, and move them on in the counts of their batch."""
    batch, dataset, waits_for = waiting[0].batch, DATASETS[waiting[0].dataset], waiting[0].waits_for
    _take_turns(dataset)
    known = Known(batch.source, now=now)
    counts = _Counts(waiting=-len(waiting))
    if waits_for == WaitsFor.PARENT:
        customers.update_many(_links(waiting, known))
        counts.applied += len(waiting)
    else:
        blocks = []
        for names, some in groupby(sorted(waiting, key=_columns_of), key=_columns_of):
            block = _typed(dataset, names, list(some), is_lookup=waits_for == WaitsFor.LINE)
            _keep_rejects(batch, block.rejected)
            counts.rejected += len(block.rejected)
            blocks.append(block)
        if dataset.name == "usage":
            _apply_late_usage(blocks, counts, known=known, batch=batch)
        else:
            for block in blocks:
                stored = storing.store(dataset, block, _owners(block, known), known=known, batch=batch, now=now)
                counts.applied += stored.applied
                counts.unchanged += stored.unchanged
    WaitingRow.objects.filter(pk__in=[row.pk for row in waiting]).update(resolved_at=now)
    _count(batch, counts)


def _apply_late_usage(blocks: list[Checked], counts: _Counts, *, known: Known, batch: ImportBatch) -> None:
    gathered = measuring.Gathered()
    for block in blocks:
        gathered.add(block, _owners(block, known), known=known, batch=batch)
    keys = measuring.beside_the_batch(gathered.keys(), batch=batch)
    _keep_rejects(batch, keys.refused)
    counts.rejected += len(keys.refused)
    for part in keys.parts(after=0):
        applied, unchanged = measuring.write(part, batch=batch)
        counts.applied += applied
        counts.unchanged += unchanged


def _columns_of(row: WaitingRow) -> tuple[str, ...]:
    return tuple(sorted(row.row))


def _typed(dataset: Dataset, names: tuple[str, ...], rows: list[WaitingRow], *, is_lookup: bool) -> Checked:
    """Type the cells of waiting rows again, as they were when they were read."""
    lines = np.array([row.line for row in rows], dtype=np.int64)
    columns = [parsing.cells([row.row[name] for row in rows]) for name in names]
    chunk = parsing.Chunk(lines, columns)
    mapped = Mapped(
        lines, np.arange(len(rows)), dict(zip(names, columns, strict=True)), {name: name for name in names}, {}, is_lookup
    )
    return checking.check(dataset, mapped, chunk, names, zone=settings.ORGANISATION_ZONE)


def _links(waiting: list[WaitingRow], known: Known) -> pd.DataFrame:
    """Return child and parent of the rows; of several rows of one child the last one counts."""
    found = known.customers({row.row[name] for row in waiting for name in ("customer_id", "parent_customer_id")})
    links = {
        found[row.row["customer_id"]]: found[row.row["parent_customer_id"]] for row in waiting if row.row["customer_id"] in found
    }
    pairs = [(child, parent) for child, parent in links.items() if child != parent]
    return pd.DataFrame(pairs, columns=["id", "parent_id"])


# --- writing down -----------------------------------------------------------------------------------------------------


def _keep_rejects(batch: ImportBatch, rows: Sequence[Rejected]) -> None:
    if not rows:
        return
    copy_rows(RejectedRow._meta.db_table, pd.DataFrame({
        "batch_id": batch.pk,
        "line": [row.line for row in rows],
        "column": [row.column for row in rows],
        "value": [row.value for row in rows],
        "reason": [row.key for row in rows],
        "details": [json.dumps(dict(row.details), ensure_ascii=False) for row in rows],
        "row": [json.dumps(dict(row.row), ensure_ascii=False) for row in rows],
    }))  # fmt: skip


def _keep_waiting(batch: ImportBatch, dataset: Dataset, rows: Checked) -> None:
    names = list(rows.texts)
    waits_for = WaitsFor.LINE if rows.is_lookup else WaitsFor.CUSTOMER
    told = [dict(zip(names, cells, strict=True)) for cells in zip(*(rows.texts[name] for name in names), strict=True)]
    _queue(batch, dataset, waits_for, [
        (line, external_id, row) for line, external_id, row in zip(rows.lines, rows.values("customer_id"), told, strict=True)
    ])  # fmt: skip


def _keep_orphans(batch: ImportBatch, dataset: Dataset, stored: storing.Stored) -> None:
    _queue(batch, dataset, WaitsFor.PARENT, [
        (line, parent, {"customer_id": child, "parent_customer_id": parent}) for line, child, parent in stored.orphans
    ])  # fmt: skip


def _queue(batch: ImportBatch, dataset: Dataset, waits_for: str, rows: list[tuple[int, str, dict[str, str]]]) -> None:
    if not rows:
        return
    copy_rows(WaitingRow._meta.db_table, pd.DataFrame({
        "batch_id": batch.pk,
        "dataset": dataset.name,
        "source": batch.source,
        "external_customer_id": [external_id for _, external_id, _ in rows],
        "waits_for": str(waits_for),
        "line": [line for line, _, _ in rows],
        "row": [json.dumps(row, ensure_ascii=False) for _, _, row in rows],
    }))  # fmt: skip


def _count(batch: ImportBatch, counts: _Counts, *, lines_done: int | None = None) -> None:
    """Add to the counts of the batch, in the transaction of what they count."""
    remarks = {name: batch.notes.get(name, 0) + count for name, count in counts.notes.items() if count}
    repeats = [*batch.notes.get("repeats", []), *counts.repeats][:_REPEATS_SHOWN]
    batch.notes = batch.notes | remarks | ({"repeats": repeats} if repeats else {})
    changes: dict[str, Any] = {"notes": batch.notes} if remarks or counts.repeats else {}
    if lines_done is not None:
        changes["lines_done"] = lines_done
    for name in ("rows", "applied", "unchanged", "waiting", "rejected"):
        changes[name] = F(name) + getattr(counts, name)
    ImportBatch.objects.filter(pk=batch.pk).update(**changes)


# --- taking turns -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _only_one_for(batch: ImportBatch) -> Iterator[None]:
    """Hold the file while it is applied; whoever brings the same one waits.  A killed process lets go of it."""
    key = [_FILE_LOCK, _number(f"{batch.dataset} {batch.source} {batch.sha256}")]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", key)
    try:
        yield
    finally:
        # Where the connection is gone, so is the lock.
        with contextlib.suppress(InterfaceError, OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)


def _take_turns(dataset: Dataset) -> None:
    """Let one chunk of a dataset be written at a time, so that two imports never wait for each other in a circle."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_DATASET_LOCK, _number(dataset.name)])


def _number(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "replace")) - (1 << 31)


_KNOWN_BY_NOW: Final = """
WITH lines AS (
    SELECT w.source, w.external_customer_id AS line_id
    FROM (SELECT DISTINCT source, external_customer_id FROM accounts_waitingrow WHERE resolved_at IS NULL AND waits_for = 'line') w
    JOIN accounts_contractline l ON l.line_id = w.external_customer_id
    GROUP BY 1, 2 HAVING bool_or(l.source = w.source) OR count(DISTINCT l.customer_id) = 1
)
SELECT w.id FROM accounts_waitingrow w
JOIN accounts_importbatch b ON b.id = w.batch_id AND b.state = 'done' -- the counts of others tell how far they came
WHERE w.resolved_at IS NULL AND (%(source)s IS NULL OR (w.source = %(source)s AND w.external_customer_id = %(external_id)s)) AND (
    w.waits_for = 'line' AND (w.source, w.external_customer_id) IN (SELECT source, line_id FROM lines)
    OR w.waits_for <> 'line' AND (
        EXISTS (SELECT 1 FROM accounts_identity i WHERE i.source = w.source AND i.external_id = w.external_customer_id)
        OR EXISTS (SELECT 1 FROM accounts_customer c WHERE c.customer_id = w.external_customer_id)
    )
)
ORDER BY w.batch_id, w.dataset, w.waits_for, w.line, w.id LIMIT %(most)s
"""
