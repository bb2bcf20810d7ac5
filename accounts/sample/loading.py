"""Bring the sample into the database, and let its days go on.

The sample owns the whole book of customers: it is loaded into an empty database, or in
place of an earlier sample.  One row of ``ImportBatch`` (dataset "sample") keeps the
arguments and the last day; every row names the batch of its dataset.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.utils.translation import gettext as _
from psycopg2 import sql

from accounts import customers, ledger, usage
from accounts.models import (
    ActivityDaily,
    Contact,
    ContractLine,
    Cost,
    Customer,
    Department,
    Event,
    FxRate,
    ImportBatch,
    Invoice,
    Metric,
    NpsResponse,
    Opportunity,
    Order,
    Product,
    Project,
    Ticket,
    Touch,
)  # fmt: skip
from accounts.models.imports import BatchState
from accounts.sample import company, tables
from accounts.sample.company import Company, Person
from accounts.sample.tables import Piece
from accounts.sample.usage import DEPARTMENTS
from expansion.copying import copy_from_arrays, copy_rows, copy_upsert
from expansion.errors import DomainError
from expansion.users.models import Team, User

SOURCE = "sample"
MARK = "sample"
_TABLES: dict[str, Any] = {
    "contacts": Contact, "contract_lines": ContractLine, "orders": Order, "invoices": Invoice, "opportunities": Opportunity,
    "tickets": Ticket, "nps": NpsResponse, "events": Event, "touches": Touch, "departments": Department, "projects": Project,
}  # fmt: skip
_WITHOUT_SOURCE = {"departments"}
# Columns that the sample leaves empty and the tables want filled.
_PLAIN: dict[str, dict[str, Any]] = {"nps": {"respondent": ""}}

Say = Callable[[str], None]


class NotTheSample(DomainError):
    """There are customers that are not of the sample."""


@dataclass(slots=True)
class Loaded:
    """What a load or an extension wrote: rows by dataset.  Nothing was written where it was there already."""

    given: Company
    through: date
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.rows.values())


def marker() -> ImportBatch | None:
    """Return the row that says that this database holds the sample."""
    return ImportBatch.objects.filter(dataset=MARK, source=SOURCE).order_by("-id").first()


def given_by(mark: ImportBatch) -> tuple[Company, date]:
    """Return the arguments of the loaded sample, and its last day."""
    kept = mark.mapping or {}
    given = Company(kept["customers"], kept["months"], kept["reps"], kept["seed"], date.fromisoformat(kept["as_of"]))
    return given, date.fromisoformat(kept["through"])


def is_loaded(given: Company) -> bool:
    """Tell whether the database holds the sample of exactly these arguments (it may have grown since)."""
    mark = marker()
    return mark is not None and given_by(mark)[0] == given


def refuse_strangers() -> None:
    """Refuse to go on where there are customers that did not come with the sample."""
    strangers = Customer.objects.exclude(batch__source=SOURCE)
    first = strangers.order_by("pk").first()
    if first is not None:
        raise NotTheSample(
            _(
                "This database holds customers that are not of the sample: %(count)d, for example %(name)s. "
                "The sample replaces all customers: use an empty database, or --force to delete them."
            )
            % {"count": strangers.count(), "name": f"{first.customer_id} {first.name}"}
        )


@transaction.atomic
def load(given: Company, *, now: datetime, through: date | None = None, force: bool = False, say: Say | None = None) -> Loaded:
    """Put the sample in place of all customers; return what was written.

    The same arguments give the same rows.  All or nothing: a load that is interrupted leaves
    what was there.  What signals and playbooks kept about the customers goes with them.
    """
    if not force:
        refuse_strangers()
    through = through or given.as_of
    loaded = Loaded(given, through)
    _empty()
    batches = _Batches(now=now)
    people = _people(given)
    _catalogue(loaded, batches)
    _book(loaded, batches, since=None)
    keys = _Keys.read(people)
    for piece in tables.pieces(given, through=through):
        ids = customers.create_many(piece.frames["customers"].drop(columns="number"), batch=batches.of("customers"))
        loaded.rows["customers"] = loaded.rows.get("customers", 0) + len(ids)
        _write(piece, loaded, batches, keys, first=given.first_day, is_new=True)
        if say is not None:
            done = len(ids) + piece.number * tables.BLOCK
            say(_("%(done)d of %(all)d customers") % {"done": done, "all": given.population(through)})
    batches.close(loaded.rows, now=now)
    _mark(loaded, now=now)
    return loaded


@transaction.atomic
def extend(*, through: date, now: datetime) -> int:
    """Let the sample's days go on up to ``through``; return how many rows came or changed.

    Nothing happens, at the cost of one query, where the database holds no sample or one that
    reaches that day.  The rows are those that a load up to that day would have given.
    """
    mark = ImportBatch.objects.select_for_update().filter(dataset=MARK, source=SOURCE).order_by("-id").first()
    if mark is None:
        return 0
    given, before = given_by(mark)
    if through <= before:
        return 0
    loaded, batches = Loaded(given, through), _Batches(now=now)
    _book(loaded, batches, since=before)
    keys = _Keys.read(_people(given))
    for piece in tables.pieces(given, through=through, since=before):
        if len(piece.frames["customers"]):
            customers.create_many(piece.frames["customers"].drop(columns="number"), batch=batches.of("customers"))
            loaded.rows["customers"] = loaded.rows.get("customers", 0) + len(piece.frames["customers"])
        _write(piece, loaded, batches, keys, first=before + timedelta(days=1), is_new=False)
    batches.close(loaded.rows, now=now)
    mark.mapping = {**(mark.mapping or {}), "through": through.isoformat()}
    mark.save(update_fields=["mapping"])
    return loaded.total


# ── who logs in ─────────────────────────────────────────────────────────────────────────


def keep_logins(folder: Path) -> list[dict[str, str]]:
    """Give the sample's people one password, kept in the data folder, and return the three logins of the demo.

    It is made once for a folder; a folder that has one keeps it.
    """
    file = folder / "demo_logins.json"
    password = json.loads(file.read_text())[0]["password"] if file.exists() else f"fumikura-{secrets.token_hex(4)}"
    shown = [company.reps(1)[0], company.MANAGER, company.ADMIN]
    logins = [{"role": person.role, "email": person.email, "password": password} for person in shown]
    first = User.objects.get(email=shown[0].email)
    if not first.check_password(password):
        User.objects.filter(email__iendswith=f"@{company.MAIL_DOMAIN}").update(password=make_password(password))
    folder.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(json.dumps(logins, indent=2))
    return logins


def _people(given: Company) -> dict[str, int]:
    """Make the vendor's teams and people who log in, once; return their ids by e-mail address."""
    for key, name in company.TEAMS:
        Team.objects.get_or_create(key=key, defaults={"name": name})
    teams = {team.key: team for team in Team.objects.all()}
    wanted: Sequence[Person] = [*company.reps(given.reps), company.MANAGER, company.ADMIN, company.VIEWER]
    known = set(User.objects.filter(email__in=[p.email for p in wanted]).values_list("email", flat=True))
    nobody = make_password(None)
    User.objects.bulk_create(
        User(email=p.email, name=p.name, role=p.role, scope=p.scope, team=teams.get(p.team), password=nobody)
        for p in wanted
        if p.email not in known
    )
    return dict(User.objects.filter(email__in=[p.email for p in wanted]).values_list("email", "pk"))


# ── rows ────────────────────────────────────────────────────────────────────────────────


class _Batches:
    """The batches of one load, one per dataset, made when the first row comes."""

    def __init__(self, *, now: datetime) -> None:
        self.now = now
        self.made: dict[str, ImportBatch] = {}

    def of(self, dataset: str) -> ImportBatch:
        if dataset not in self.made:
            self.made[dataset] = ImportBatch.objects.create(
                dataset=dataset, source=SOURCE, filename="load_sample", received_at=self.now, state=BatchState.APPLYING
            )
        return self.made[dataset]

    def close(self, rows: dict[str, int], *, now: datetime) -> None:
        for dataset, batch in self.made.items():
            count = rows.get(dataset, 0)
            batch.rows = batch.applied = batch.lines_done = count
            batch.state, batch.finished_at = BatchState.DONE, now
            batch.save(update_fields=["rows", "applied", "lines_done", "state", "finished_at"])


@dataclass(frozen=True, slots=True)
class _Keys:
    """The database's ids of what all customers share."""

    products: dict[str, int]
    metrics: dict[str, int]
    people: dict[str, int]

    @classmethod
    def read(cls, people: dict[str, int]) -> _Keys:
        return cls(dict(Product.objects.values_list("code", "pk")), dict(Metric.objects.values_list("key", "pk")), people)


def _empty() -> None:
    """Empty the whole book; whatever hangs on a customer goes with it."""
    models = (Customer, Product, Metric, FxRate, Cost, ImportBatch)
    names = [model._meta.db_table for model in models] + ["accounts_usagedaily", "accounts_usageblock", "accounts_feedday"]
    with connection.cursor() as cursor:
        # What an earlier step of the same transaction left to be checked would forbid it.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(map(sql.Identifier, names))))
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _catalogue(loaded: Loaded, batches: _Batches) -> None:
    Product.objects.bulk_create(
        Product(
            code=item.code, name=item.name, name_en=item.name_en, family=item.family, kind=item.kind, tier=item.tier,
            list_price=item.price, billing_months=1, currency=company.CURRENCY, gross_margin_percent=item.margin,
            included_seats=item.seats, included_quota=dict(item.quota), complements=list(item.complements),
            batch=batches.of("products"),
        )
        for item in company.CATALOGUE
    )  # fmt: skip
    Metric.objects.bulk_create(
        Metric(key=m.key, kind=m.kind, unit=m.unit, label_ja=m.label_ja, label_en=m.label_en, batch=batches.of("metrics"))
        for m in company.MEASURES
    )
    loaded.rows |= {"products": len(company.CATALOGUE), "metrics": len(company.MEASURES)}


def _book(loaded: Loaded, batches: _Batches, *, since: date | None) -> None:
    """Write what belongs to no customer: exchange rates and costs."""
    given, through = loaded.given, loaded.through
    rates = [row for row in company.fx_rates(given, through) if since is None or row[0] > since]
    known = set(Cost.objects.values_list("month", "kind"))
    costs = [row for row in company.costs(given, through) if (row[0], row[1]) not in known]
    if rates:
        batch = batches.of("fx_rates")
        FxRate.objects.bulk_create(FxRate(valid_from=day, currency=code, rate=rate, batch=batch) for day, code, rate in rates)
        loaded.rows["fx_rates"] = len(rates)
    if costs:
        batch = batches.of("costs")
        Cost.objects.bulk_create(Cost(month=m, kind=k, amount=a, currency=company.CURRENCY, batch=batch) for m, k, a in costs)
        loaded.rows["costs"] = len(costs)


def _write(piece: Piece, loaded: Loaded, batches: _Batches, keys: _Keys, *, first: date, is_new: bool) -> None:
    """Write one block: its tables, the ledger of who has changed lines, usage and activity from ``first`` on."""
    ids = _ids_of(piece)
    contacts: dict[str, int] = {}
    for name, model in _TABLES.items():
        frame = piece.frames[name]
        if frame.empty:
            continue
        if name in {"nps", "touches"} and not contacts:
            people = Contact.objects.filter(source=SOURCE, customer__in=ids.tolist())
            contacts = dict(people.values_list("external_id", "pk"))
        frame = _for_database(name, frame, ids, keys, contacts, batch=batches.of(name))
        unique = ["source", *tables.KEYS[name]] if name not in _WITHOUT_SOURCE else ["customer_id", *tables.KEYS[name]]
        if is_new:
            loaded.rows[name] = loaded.rows.get(name, 0) + copy_rows(model._meta.db_table, frame)
        else:
            loaded.rows[name] = loaded.rows.get(name, 0) + sum(copy_upsert(model._meta.db_table, frame, keys=unique))
    if len(piece.frames["contract_lines"]):
        ledger.rebuild(ids.loc[piece.frames["contract_lines"]["number"].unique()].tolist())
    for frame in tables.usage_of(piece, loaded.given, first=first, last=loaded.through):
        rows = pd.DataFrame(
            {
                "customer_id": ids.loc[frame["number"]].to_numpy("int64"),
                "metric_id": frame["metric"].map(keys.metrics).to_numpy("int16"),
                "day": frame["day"],
                "value": frame["value"],
            }
        )
        loaded.rows["usage"] = loaded.rows.get("usage", 0) + usage.append(rows, batch_id=batches.of("usage").pk)[0]
    for frame in tables.activity_of(piece, loaded.given, first=first, last=loaded.through):
        loaded.rows["activity"] = loaded.rows.get("activity", 0) + _write_activity(frame, ids, batches.of("activity"))


def _write_activity(frame: pd.DataFrame, ids: pd.Series, batch: ImportBatch) -> int:
    """Copy numbers, and let the database write the texts: a third of the time for some hundred thousand rows."""
    arrays = {
        "customer_id": ids.loc[frame["number"]].to_numpy("int64"),
        "place": frame["user"].to_numpy("int16"),
        "day": frame["day"].to_numpy("datetime64[D]"),
        "department": frame["department"].to_numpy("int16"),
        "events": frame["events"].to_numpy("int32"),
        "minutes": frame["minutes"].to_numpy("float64"),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE sample_activity (customer_id bigint, place smallint, day date, department smallint, events integer, "
            "minutes double precision) ON COMMIT DROP"
        )
        copy_from_arrays("sample_activity", arrays)
        cursor.execute(
            f"INSERT INTO {ActivityDaily._meta.db_table} (customer_id, user_key, day, department, events, minutes, batch_id) "  # noqa: S608
            "SELECT customer_id, 'u' || to_char(place, 'FM0000'), day, (%s::text[])[department + 1], events, minutes, %s "
            "FROM sample_activity",
            [list(DEPARTMENTS), batch.pk],
        )
        cursor.execute("DROP TABLE sample_activity")
    return len(frame)


def _ids_of(piece: Piece) -> pd.Series:
    """Return the database's id of each customer of the block, by its number."""
    numbers = {who.customer_id: who.number for who, _told in piece.people}
    known = dict(Customer.objects.filter(customer_id__in=list(numbers)).values_list("customer_id", "pk"))
    return pd.Series({numbers[name]: pk for name, pk in known.items()}, dtype="int64").sort_index()


def _for_database(
    name: str, frame: pd.DataFrame, ids: pd.Series, keys: _Keys, contacts: dict[str, int], *, batch: ImportBatch
) -> pd.DataFrame:
    """Put ids in the place of codes, and instants in the place of local times."""
    frame = tables.instants(frame, zone=settings.ORGANISATION_ZONE)
    frame = frame.assign(customer_id=ids.loc[frame["number"]].to_numpy(), batch_id=batch.pk, **_PLAIN.get(name, {}))
    if name not in _WITHOUT_SOURCE:
        frame = frame.assign(source=SOURCE)
    if "product" in frame:
        frame = frame.assign(product_id=frame["product"].map(keys.products).astype("Int64")).drop(columns="product")
    if "contact" in frame:
        frame = frame.assign(contact_id=frame["contact"].map(contacts).astype("Int64")).drop(columns="contact")
    if "by_email" in frame:
        frame = frame.assign(by_id=frame["by_email"].map(keys.people).astype("Int64"))
    return frame.drop(columns="number")


def _mark(loaded: Loaded, *, now: datetime) -> None:
    given = loaded.given
    ImportBatch.objects.create(
        dataset=MARK, source=SOURCE, filename="load_sample", received_at=now, finished_at=now, state=BatchState.DONE,
        mapping={
            "customers": given.customers, "months": given.months, "reps": given.reps, "seed": given.seed,
            "as_of": given.as_of.isoformat(), "through": loaded.through.isoformat(),
        },
    )  # fmt: skip
