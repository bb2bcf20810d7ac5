"""The sample as rows: cut at the close of a day, in blocks of customers, so that any size streams.

``number`` stands for the customer in every frame; ``loading`` puts the database's id in
its place.  What becomes known later (a notice, a ticket's end, a payment) is empty until then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pandas as pd

from accounts.sample import company, contracts, profiles, usage, voice
from accounts.sample.company import Company
from accounts.sample.contracts import History
from accounts.sample.profiles import Profile
from accounts.sample.voice import Voice
from expansion.money import arr_of, mrr_of
from expansion.periods import add_months, month_end, month_start

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 500
# So many days before the first wanted one are laid out, to know what a gauge was before.
_LOOK_BACK = 21

Row = tuple[Any, ...]

COLUMNS: dict[str, tuple[str, ...]] = {
    "customers": (
        "customer_id", "name", "name_kana", "domain", "corporate_number", "industry", "employees", "country", "region", "currency",
        "phase", "owner_email", "sales_owner_email", "product_owner_email", "marketing_owner_email", "acquired_on",
        "acquisition_cost",
    ),
    "contacts": ("external_id", "name", "email", "title", "department", "role", "has_opted_out"),
    "contract_lines": (
        "line_id", "contract_id", "product", "starts_on", "ends_before", "renews_on", "quantity", "amount", "billing_months", "mrr",
        "arr", "currency", "list_price", "discount_percent", "auto_renew", "notice_days", "trial_ends_on", "is_co_term", "status",
        "cancelled_on",
    ),
    "orders": ("external_id", "ordered_on", "amount", "currency", "product", "quantity", "kind"),
    "invoices": ("external_id", "invoiced_on", "amount", "currency", "due_on", "paid_on", "status", "line_id"),
    "opportunities": (
        "external_id", "opened_on", "closed_on", "stage", "result", "kind", "product", "amount", "currency", "discount_percent",
        "competitor", "reason",
    ),
    "tickets": ("external_id", "opened_at", "closed_at", "severity", "status", "satisfaction", "theme", "is_escalated"),
    "nps": ("external_id", "contact", "responded_on", "score", "comment"),
    "events": ("external_id", "kind", "occurred_at", "detail"),
    "touches": ("external_id", "touched_at", "kind", "by_email", "contact", "play", "until", "note"),
    "departments": ("name", "headcount", "may_use", "as_of"),
    "projects": ("external_id", "progress_percent", "as_of"),
}  # fmt: skip
# What makes a row of a dataset the same row again, within its customer.
KEYS: dict[str, tuple[str, ...]] = dict.fromkeys(COLUMNS, ("external_id",)) | {
    "customers": ("customer_id",), "contract_lines": ("line_id", "starts_on"), "departments": ("name", "as_of"),
    "projects": ("external_id", "as_of"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """One block of customers: their rows by dataset, and what their use is made from."""

    number: int
    people: list[tuple[Profile, History]]
    frames: dict[str, pd.DataFrame]


def pieces(given: Company, *, through: date, since: date | None = None) -> Iterator[Piece]:
    """Yield the sample as known at the close of ``through``, block by block.

    With ``since`` only rows that came or changed after that day; customers that came after it.
    """
    last = given.population(through)
    for number, first in enumerate(range(0, last, BLOCK)):
        people = []
        rows: dict[str, list[Row]] = {name: [] for name in COLUMNS}
        for customer in range(first, min(first + BLOCK, last)):
            who = profiles.profile(customer, given)
            told = contracts.history(who, given, through=through)
            people.append((who, told))
            _Cut(who, told, voice.voice(who, told, given, through=through), given, through=through, since=since).into(rows)
        frames = {name: pd.DataFrame(rows[name], columns=["number", *columns]) for name, columns in COLUMNS.items()}
        yield Piece(number, people, frames)


def usage_of(piece: Piece, given: Company, *, first: date, last: date) -> Iterator[pd.DataFrame]:
    """Yield the block's usage from first to last, month by month: number, metric, day, value."""
    laid = usage.block(piece.number, piece.people, given, first=max(given.first_day, first - timedelta(days=_LOOK_BACK)), last=last)
    return usage.usage_rows(laid, first=first, last=last)


def activity_of(piece: Piece, given: Company, *, first: date, last: date) -> Iterator[pd.DataFrame]:
    """Yield what the block's users did from first to last, month by month."""
    first = max(first, given.first_day_of_activity)
    laid = usage.block(piece.number, piece.people, given, first=first, last=last)
    return usage.activity_rows(laid, first=first, last=last)


class _Cut:
    """One customer's rows as they stood at the close of a day."""

    def __init__(self, who: Profile, told: History, said: Voice, given: Company, *, through: date, since: date | None) -> None:
        self.who, self.told, self.said, self.given, self.through = who, told, said, given, through
        self.since = since or date.min

    def into(self, rows: dict[str, list[Row]]) -> None:
        told: dict[str, Iterator[Row]] = {
            "customers": self._customers(), "contacts": self._contacts(), "contract_lines": self._contract_lines(),
            "orders": self._orders(), "invoices": self._invoices(), "opportunities": self._opportunities(),
            "tickets": self._tickets(), "nps": self._nps(), "events": self._events(), "touches": self._touches(),
            "departments": self._departments(), "projects": self._projects(),
        }  # fmt: skip
        for name, found in told.items():
            keys = [COLUMNS[name].index(column) for column in KEYS[name]]
            seen: set[Row] = set()
            for changed_on, *values in found:
                key = tuple(values[place] for place in keys)
                if self.since < changed_on <= self.through and key not in seen:
                    seen.add(key)
                    rows[name].append((self.who.number, *values))

    def _known(self, day: date | None) -> date | None:
        """The day, if it had come."""
        return day if day is not None and day <= self.through else None

    def _customers(self) -> Iterator[Row]:
        who = self.who
        came = who.begins if who.begins and who.begins > self.given.as_of else self.given.first_day
        spent = Random(f"{self.given.seed}/cost/{who.number}").randrange(30, 160) * 10_000  # noqa: S311
        yield (
            came, who.customer_id, who.named.name, who.named.kana, who.named.domain, who.corporate_number, who.named.industry,
            who.employees, who.country, who.region, who.currency, who.phase, who.owner_email, who.sales_owner_email,
            company.PRODUCT_OWNER, company.MARKETING_OWNER, who.begins,
            Decimal(spent) if who.currency == company.CURRENCY else None,
        )  # fmt: skip

    def _contacts(self) -> Iterator[Row]:
        came = self.who.begins if self.who.begins and self.who.begins > self.given.as_of else self.given.first_day
        for c in self.said.contacts:
            yield came, c.contact_id, c.name, c.email, c.title, c.department, c.role, c.opted_out

    def _contract_lines(self) -> Iterator[Row]:
        for period in self.told.periods:
            cancelled = self._known(period.cancelled_on)
            # Nobody knows the end of a monthly contract before the notice.
            ends = None if self.who.term_months == 0 and not cancelled and period.trial_ends_on is None else period.ends_before
            months = period.billing_months
            yield (
                max(period.starts_on, cancelled or period.starts_on), period.line_id, f"{self.who.customer_id}-K1", period.item,
                period.starts_on, ends, None if period.trial_ends_on or cancelled else ends, period.quantity, period.amount, months,
                mrr_of(period.amount, months), arr_of(period.amount, months), self.who.currency, period.unit * months,
                period.discount, period.auto_renew, period.notice_days, period.trial_ends_on, period.is_co_term,
                "trial" if period.trial_ends_on else "cancelled" if cancelled else "active", cancelled,
            )  # fmt: skip

    def _orders(self) -> Iterator[Row]:
        for place, (day, amount, item, quantity, kind) in enumerate(self.told.orders):
            if day >= self.given.first_day:
                yield day, f"{self.who.customer_id}-O{place + 1}", day, amount, self.who.currency, item, quantity, kind

    def _invoices(self) -> Iterator[Row]:
        rng = Random(f"{self.given.seed}/pays/{self.who.number}")  # noqa: S311
        for day, amount, line_id in self.told.charges:
            late, early = rng.random(), rng.random()
            due = month_end(add_months(month_start(day), 1))
            paid = due + timedelta(days=20 + int(early * 25)) if late < 0.012 else due - timedelta(days=int(early * 9))
            known = self._known(paid)
            name = f"{self.who.customer_id}-I{day:%Y%m%d}{line_id.rpartition('-')[2]}"
            yield known or day, name, day, amount, self.who.currency, due, known, "paid" if known else "open", line_id

    def _opportunities(self) -> Iterator[Row]:
        for place, deal in enumerate(self.told.deals):
            closed = self._known(deal.closed_on)
            if deal.opened_on >= self.given.first_day:
                stage, result = ("提案中", "") if closed is None else ("受注", "won") if deal.won else ("失注", "lost")
                yield (
                    closed or deal.opened_on, f"{self.who.customer_id}-D{place + 1}", deal.opened_on, closed, stage, result,
                    deal.kind, deal.item, deal.amount, self.who.currency, deal.discount, deal.competitor if closed else "",
                    deal.reason if closed else "",
                )  # fmt: skip

    def _tickets(self) -> Iterator[Row]:
        for ticket in self.said.tickets:
            ended = ticket.closed_at if ticket.closed_at and ticket.closed_at.date() <= self.through else None
            changed = (ended or ticket.opened_at).date()
            name = f"{self.who.customer_id}-S{ticket.opened_at:%y%m%d%H%M}"
            satisfaction = ticket.satisfaction if ended else None
            yield (
                changed,
                name,
                ticket.opened_at,
                ended,
                ticket.severity,
                "closed" if ended else "open",
                satisfaction,
                ticket.theme,
                ticket.escalated,
            )

    def _nps(self) -> Iterator[Row]:
        for day, contact, score, comment in self.said.answers:
            yield day, f"{contact}-N{day:%y%m%d}", contact, day, score, comment

    def _events(self) -> Iterator[Row]:
        for at, kind, detail in self.said.events:
            yield at.date(), f"{self.who.customer_id}-E{at:%y%m%d%H%M}-{kind}", kind, at, json.dumps(detail, ensure_ascii=False)

    def _touches(self) -> Iterator[Row]:
        for at, kind, contact, note, play, until in self.said.touches:
            by = self.who.sales_owner_email if kind == "proposal" or not self.who.owner_email else self.who.owner_email
            yield at.date(), f"{self.who.customer_id}-T{at:%y%m%d%H%M}-{kind}", at, kind, by, contact, play, until, note

    def _departments(self) -> Iterator[Row]:
        for name, headcount, may_use, day in self.said.departments:
            yield day, name, headcount, may_use, day

    def _projects(self) -> Iterator[Row]:
        for name, progress, day in self.said.projects:
            yield day, name, progress, day


def instants(frame: pd.DataFrame, *, zone: Any) -> pd.DataFrame:
    """Return the frame with its local times (columns in …_at) as instants in UTC."""
    times = [name for name in frame.columns if name.endswith("_at")]
    return frame.assign(**{name: pd.to_datetime(frame[name]).dt.tz_localize(zone).dt.tz_convert("UTC") for name in times})
