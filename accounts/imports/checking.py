"""From cells to typed values, or to a refusal that names line, column, value and reason.

Column by column: each distinct text is read once, however often it stands in the chunk.  A row is
refused for the first thing that is wrong with it, in the order of the dataset's columns.
Pure: no Django, no clock, no database.  What needs the database (which customer, which product)
comes after.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from accounts.datasets import Column, Dataset
from accounts.imports import values
from accounts.imports.mapping import Mapped, Problem
from accounts.imports.parsing import Cells, Chunk, Lines
from expansion.money import arr_of, mrr_of, round_half_up

_LONGEST_VALUE: Final = 500
_ONE_DAY: Final = timedelta(days=1)

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Coded:
    """A column as the place of each row's value in a list of distinct values; the first stands for an empty cell."""

    codes: Places
    distinct: list[Any]

    @property
    def used(self) -> Places:
        """The places of the distinct values that any row has."""
        return np.flatnonzero(np.bincount(self.codes, minlength=len(self.distinct)))

    def objects(self, default: Any = None) -> Cells:
        """Return one value per row, the default where the cell is empty."""
        found = np.empty(len(self.distinct), dtype=object)
        found[:] = self.distinct
        found[0] = copy.copy(default)
        return found[self.codes]

    def only(self, rows: Places) -> Coded:
        return Coded(self.codes[rows], self.distinct)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is refused: where, what stood there, why, and the row as it came."""

    line: int
    column: str
    value: str
    key: str
    details: Mapping[str, str]
    row: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Checked:
    """The good rows of a block of a chunk, typed.

    ``coded`` holds the columns that the file gives, ``numbers`` those of kind number (NaN where
    empty), ``derived`` what follows from several of them, ``texts`` the cells as they were
    read, for rows that have to wait.
    """

    lines: Lines
    coded: Mapping[str, Coded]
    numbers: Mapping[str, Numbers]
    derived: Mapping[str, Cells]
    texts: Mapping[str, Cells]
    is_lookup: bool
    rejected: list[Rejected] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    def values(self, name: str, default: Any = None) -> Cells:
        """Return one value per row; the default where the cell is empty or the column not given."""
        if name in self.derived:
            return self.derived[name]
        if name in self.numbers:
            return pd.Series(self.numbers[name]).astype(object).where(~np.isnan(self.numbers[name]), None).to_numpy()
        return self.coded.get(name, Coded(np.zeros(len(self), dtype=np.int64), [None])).objects(default)

    def only(self, rows: Places) -> Checked:
        """Return the rows at the given places, without what was rejected."""
        return Checked(
            self.lines[rows],
            {name: one.only(rows) for name, one in self.coded.items()},
            {name: one[rows] for name, one in self.numbers.items()},
            {name: one[rows] for name, one in self.derived.items()},
            {name: one[rows] for name, one in self.texts.items()},
            self.is_lookup,
        )


def check(dataset: Dataset, mapped: Mapped, chunk: Chunk, header: tuple[str, ...], *, zone: ZoneInfo) -> Checked:
    """Type the mapped rows of a chunk."""
    faults: dict[int, Problem] = {}
    coded: dict[str, Coded] = {}
    numbers: dict[str, Numbers] = {}
    for column in dataset.columns:
        if column.name not in mapped.cells:
            continue
        cells = mapped.cells[column.name]
        quick = _quick_numbers(cells, column) if column.kind == "number" else None
        if quick is not None:
            numbers[column.name] = quick
            continue
        one = _coded(column, cells, faults, mapped.names[column.name], zone=zone)
        if column.kind == "number":
            numbers[column.name] = np.array([np.nan, *one.distinct[1:]], dtype=np.float64)[one.codes]
        else:
            coded[column.name] = one
    _refuse_yen_in_other_currency(dataset, coded, mapped, faults)
    faults |= mapped.problems

    typed = Checked(mapped.lines, coded, numbers, {}, mapped.cells, mapped.is_lookup)
    good = _others(faults, len(typed))
    typed = typed if good is None else typed.only(good)
    if dataset.name in _ROW_RULES and len(typed):
        found, derived = _ROW_RULES[dataset.name](typed, mapped.names)
        typed = Checked(typed.lines, typed.coded, typed.numbers, derived, typed.texts, typed.is_lookup)
        places = range(len(mapped.lines)) if good is None else good
        faults |= {int(places[row]): fault for row, fault in found.items()}
        stays = _others(found, len(typed))
        typed = typed if stays is None else typed.only(stays)
    typed.rejected.extend(_rejected(row, faults[row], mapped, chunk, header) for row in sorted(faults))
    return typed


def broken(chunk: Chunk) -> list[Rejected]:
    """Return the lines of a chunk that are no rows as refusals."""
    return [Rejected(one.line, "", shown(one.text), one.key, one.details, {"": shown(one.text)}) for one in chunk.broken]


def _others(rows: Mapping[int, object], count: int) -> Places | None:
    """Return the places that are not among the rows; None where all stay."""
    if not rows:
        return None
    stays = np.ones(count, dtype=bool)
    stays[list(rows)] = False
    return np.flatnonzero(stays)


def _coded(column: Column, cells: Cells, faults: dict[int, Problem], name: str, *, zone: ZoneInfo) -> Coded:
    """Read each distinct cell once; write down the faults of the rows that hold one that cannot be read."""
    read = values.converter(column, zone=zone)
    codes, distinct = pd.factorize(cells)
    found: list[Any] = [None]
    new_codes = np.zeros(len(distinct), dtype=np.int64)
    bad: dict[int, Problem] = {}
    for code, given in enumerate(distinct):
        text = given.strip()
        if not text:
            if column.required:
                bad[code] = Problem(name, given, "required", {})
            continue
        try:
            value = read(text)
        except values.Refused as refused:
            bad[code] = Problem(name, given, refused.key, refused.details)
            continue
        if value is not None:
            new_codes[code] = len(found)
            found.append(value)
    for row in np.flatnonzero(np.isin(codes, list(bad))) if bad else ():
        faults.setdefault(int(row), bad[int(codes[row])])
    return Coded(new_codes[codes] if len(distinct) else np.zeros(len(cells), dtype=np.int64), found)


def _quick_numbers(cells: Cells, column: Column) -> Numbers | None:
    """Read a whole column of plain numbers at once, or return None where any cell needs a closer look."""
    try:
        found = cells.astype(np.float64)
    except ValueError:
        return None
    # float() reads 1_000 and takes nan and inf for numbers; the slow way refuses them.
    if not np.isfinite(found).all() or "_" in "".join(cells):
        return None
    least, most = column.least, column.most
    if (least is not None and (found < float(least)).any()) or (most is not None and (found > float(most)).any()):
        return None
    return found


def _refuse_yen_in_other_currency(dataset: Dataset, coded: Mapping[str, Coded], mapped: Mapped, faults: dict[int, Problem]) -> None:
    """An amount with ¥ or 円 beside a currency that has neither is one of the two wrong."""
    if "currency" not in coded:
        return
    for column in dataset.columns:
        if column.kind != "decimal" or column.name not in mapped.cells:
            continue
        cells = mapped.cells[column.name]
        _, distinct = pd.factorize(cells)
        if not any(map(values.has_yen_sign, distinct)):
            continue
        for row, (cell, currency) in enumerate(zip(cells, coded["currency"].objects(), strict=True)):
            if currency not in {None, "JPY", "CNY"} and values.has_yen_sign(cell):
                faults.setdefault(row, Problem(mapped.names[column.name], cell, "yen_in_other_currency", {"currency": currency}))


def _rejected(row: int, fault: Problem, mapped: Mapped, chunk: Chunk, header: tuple[str, ...]) -> Rejected:
    origin = int(mapped.origin[row])
    whole = {shown(name): shown(cells[origin]) for name, cells in zip(header, chunk.columns, strict=True)}
    column = shown(fault.column)
    return Rejected(int(mapped.lines[row]), column, whole.get(column) or shown(fault.value), fault.key, fault.details, whole)


def shown(text: str) -> str:
    """Return text as it can be kept and printed: NUL and half characters by their pictures, a long one cut."""
    if len(text) > _LONGEST_VALUE:
        text = text[:_LONGEST_VALUE] + "…"
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\u2400").encode("utf-8", "replace").decode("utf-8")


# --- what several columns of a row say together ---------------------------------------------------------------------

_Faults = dict[int, Problem]
_Rule = Callable[[Checked, Mapping[str, str]], tuple[_Faults, dict[str, Cells]]]


def _contract_lines(rows: Checked, names: Mapping[str, str]) -> tuple[_Faults, dict[str, Cells]]:
    """Say when each line ends (exclusive), and what it is worth a month and a year."""
    faults: _Faults = {}
    given = (
        "starts_on",
        "ends_on",
        "ends_before",
        "amount",
        "billing_months",
        "mrr",
        "status",
        "cancelled_on",
        "paused_from",
        "paused_before",
    )
    derived: dict[str, list[Any]] = {"ends_before": [], "amount": [], "billing_months": [], "mrr": [], "arr": []}
    for row, cells in enumerate(zip(*(rows.values(name) for name in given), strict=True)):
        line = dict(zip(given, cells, strict=True))
        ends = line["ends_before"] or _next_day(line["ends_on"])
        fault = _fault_of_line(line, ends)
        worth: tuple[Any, ...] = (None, None, None, None)
        if fault is None:
            try:
                worth = _worth(line["amount"], line["billing_months"], line["mrr"])
            except values.Refused as refused:
                fault = _priced_in(line), refused
        if fault is not None:
            column, why = fault
            told = line.get(column)
            faults[row] = Problem(_name(names, column), "" if told is None else str(told), why.key, why.details)
        for name, value in zip(derived, (ends, *worth), strict=True):
            derived[name].append(value)
    return faults, {name: _objects(cells) for name, cells in derived.items()}


def _fault_of_line(line: Mapping[str, Any], ends: date | None) -> tuple[str, values.Refused] | None:
    starts = line["starts_on"]
    if line["ends_on"] and line["ends_before"] and line["ends_before"] != _next_day(line["ends_on"]):
        return "ends_before", values.Refused("two_ends", ends_on=line["ends_on"])
    if ends is not None and ends <= starts:
        return ("ends_on" if line["ends_on"] else "ends_before"), values.Refused("ends_before_start", starts_on=starts)
    if line["paused_before"] is not None and line["paused_from"] is None:
        return "paused_before", values.Refused("pause_without_start")
    if line["paused_before"] is not None and line["paused_before"] <= line["paused_from"]:
        return "paused_before", values.Refused("pause_ends_before_start", paused_from=line["paused_from"])
    if line["status"] == "cancelled" and line["cancelled_on"] is None and ends is None:
        return "status", values.Refused("cancelled_when")
    return None


def _worth(amount: Decimal | None, months: int | None, mrr: Decimal | None) -> tuple[Decimal | None, int, Decimal, Decimal]:
    """Return (amount, billing months, MRR, ARR); MRR and ARR are rounded once each, from the price of the period."""
    if amount is None:
        if mrr is None:
            raise values.Refused("no_price")
        return None, months or 1, mrr, mrr * 12
    if months is None:
        raise values.Refused("no_billing_months")
    monthly = mrr_of(amount, months)
    if mrr is not None and mrr != monthly:
        raise values.Refused("mrr_and_amount_differ", mrr=monthly)
    return round_half_up(amount), months, monthly, arr_of(amount, months)


def _priced_in(line: Mapping[str, Any]) -> str:
    """Return the column that is to blame where the price of a line cannot be told."""
    if line["mrr"] is not None:
        return "mrr"
    return "amount" if line["amount"] is None else "billing_months"


def _next_day(day: date | None) -> date | None:
    return None if day is None else day + _ONE_DAY


def _tickets(rows: Checked, names: Mapping[str, str]) -> tuple[_Faults, dict[str, Cells]]:
    """A ticket with an end is closed unless the file says otherwise; it cannot end before it began."""
    faults: _Faults = {}
    statuses: list[str] = []
    opened, closed, status = rows.values("opened_at"), rows.values("closed_at"), rows.values("status")
    for row, (begin, end, told) in enumerate(zip(opened, closed, status, strict=True)):
        if end is not None and end < begin:
            faults[row] = Problem(
                names.get("closed_at", "closed_at"), _instant(end), "closed_before_opened", {"opened_at": _instant(begin)}
            )
        statuses.append(told or ("open" if end is None else "closed"))
    return faults, {"status": _objects(statuses)}


def _opportunities(rows: Checked, names: Mapping[str, str]) -> tuple[_Faults, dict[str, Cells]]:
    faults: _Faults = {}
    for row, (opened, closed) in enumerate(zip(rows.values("opened_on"), rows.values("closed_on"), strict=True)):
        if closed is not None and closed < opened:
            faults[row] = Problem(
                names.get("closed_on", "closed_on"), str(closed), "closed_before_opened", {"opened_at": str(opened)}
            )
    return faults, {}


def _customers(rows: Checked, names: Mapping[str, str]) -> tuple[_Faults, dict[str, Cells]]:
    faults: _Faults = {}
    for row, (own, parent) in enumerate(zip(rows.values("customer_id"), rows.values("parent_customer_id"), strict=True)):
        if own == parent:
            faults[row] = Problem(_name(names, "parent_customer_id"), parent, "own_parent", {})
    return faults, {}


def _name(names: Mapping[str, str], column: str) -> str:
    """Return what the file calls a column."""
    return names.get(column, column)


def _instant(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="minutes")


def _objects(cells: list[Any]) -> Cells:
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


_ROW_RULES: Final[Mapping[str, _Rule]] = {
    "customers": _customers,
    "contract_lines": _contract_lines,
    "tickets": _tickets,
    "opportunities": _opportunities,
}
