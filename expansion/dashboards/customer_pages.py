"""The customer list, its exports, and the page of one customer."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils.dateparse import parse_datetime
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from expansion import clock, tables
from expansion.dashboards import account, customers, frame
from expansion.htmx import page, respond, wants_part
from expansion.templatetags.kizashi import band_name
from playbooks import timeline
from signals.models.scores import Band, Segment
from signals.terms import TERMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from expansion.dashboards.customers import CustomerRow, Place
    from expansion.htmx import SignedIn

# What an administrator types to get customers.
_COMMANDS = {"import": "./run manage import_data customers customers.csv", "sample": "./run sample"}
# The terms whose definitions the list shows, in the order of its columns.
_DEFINED = ("health", "health_change_30", "seats_used", "seats", "arr", "days_to_renewal")


@require_safe
@page(permission="customers.read")
def accounts(request: SignedIn) -> HttpResponse:
    """List the customers that the person may see; filters, order and page stand in the address."""
    data_time = frame.latest()
    at, language = customers.place(request.GET), _language()
    listing = customers.read(request.user, at, as_of=_as_of(data_time), language=language)
    context = {
        "place": at,
        "listing": listing,
        "data_time": data_time,
        "filters": at.filters,
        "bands": Band.values,
        "segments": Segment.values,
        "renewals": customers.RENEWALS,
        "sorts": _sorts(),
        "headings": _headings(at),
        "nobody": customers.NOBODY,
        "commands": _COMMANDS,
        "defined": [(TERMS[key].name(language), TERMS[key].definition(language)) for key in _DEFINED],
    }
    response = respond(request, "customers/list.html", context, partial=["customers/_found.html", "customers/_sort_swap.html"])
    if wants_part(request):
        # Without the empty fields of the form, so that the address can be passed on.
        pages = {name: request.GET[name] for name in ("after", "before") if request.GET.get(name)}
        response["HX-Push-Url"] = _address(request.path, at, **pages)
    return response


@require_safe
@page(permission="customers.export")
def accounts_csv(request: SignedIn) -> HttpResponseBase:
    header, rows = _exported(request)
    return tables.csv_response(_filename(request, "csv"), header, rows)


@require_safe
@page(permission="customers.export")
def accounts_xlsx(request: SignedIn) -> HttpResponse:
    header, rows = _exported(request)
    return tables.xlsx_response(_filename(request, "xlsx"), header, rows)


@require_safe
@page(permission="customers.read")
def show(request: SignedIn, customer_id: str) -> HttpResponse:
    """Show one customer; a merged one leads to the one that stays."""
    data_time = frame.latest()
    as_of, language = _as_of(data_time), _language()
    customer = account.find(request.user, customer_id, as_of=as_of)
    if customer is None:
        raise Http404
    if customer.merged_into_id is not None:
        staying = account.find_staying(request.user, customer)
        if staying is None:
            raise Http404
        return redirect("account", customer_id=staying.customer_id)
    context = {
        "account": account.build(customer, user=request.user, as_of=as_of, language=language),
        "data_time": data_time,
        "timeline_kinds": _kinds(),
        "shown_charts": account.SHOWN_CHARTS,
    }
    return respond(request, "customers/account.html", context)


@require_safe
@page(permission="customers.read")
def history(request: SignedIn, pk: int) -> HttpResponse:
    """Answer with a page of a customer's timeline, of one kind or of all."""
    kind = request.GET.get("kind", "")
    given = request.GET.get("before", "")
    try:
        before = parse_datetime(given) if given else None
    except ValueError:
        before = None
    if kind not in {"", *timeline.KINDS} or (given and (before is None or before.tzinfo is None)):
        raise Http404
    found = account.history(request.user, pk, kind=kind, before=before, language=_language())
    if found is None:
        raise Http404
    items, later = found
    return respond(request, "customers/_timeline_items.html", {"items": items, "later": later, "kind": kind, "customer_pk": pk})


def _language() -> str:
    return "en" if (get_language() or "ja").startswith("en") else "ja"


def _as_of(data_time: frame.DataTime) -> date:
    """Return the day whose close the figures are about: the newest computed one, or today where none is."""
    return data_time.as_of or clock.today()


def _address(path: str, at: Place, **more: str) -> str:
    query = "&".join(part for part in (at.query, *(f"{name}={value}" for name, value in more.items())) if part)
    return f"{path}?{query}" if query else path


def _sorts() -> list[tuple[str, str]]:
    names = {
        "name": _("By name"), "-arr": _("ARR, highest first"), "arr": _("ARR, lowest first"), "score": _("Health, lowest first"),
        "-score": _("Health, highest first"), "renewal": _("Renewal, soonest first"),
    }  # fmt: skip
    return [(sort, names[sort]) for sort in customers.SORTS]


def _headings(at: Place) -> dict[str, Any]:
    """Return for each column that sorts: what a click on it asks for, and how it sorts now."""
    asked = {"name": ("name",), "score": ("score", "-score"), "arr": ("-arr", "arr"), "renewal": ("renewal",)}
    return {
        column: {
            "sort": sorts[1] if len(sorts) > 1 and at.sort == sorts[0] else sorts[0],
            "state": "" if at.sort not in sorts else "descending" if at.sort.startswith("-") else "ascending",
        }
        for column, sorts in asked.items()
    }


def _kinds() -> list[tuple[str, str]]:
    names = {
        "usage": pgettext("timeline", "Usage"),
        "contact": pgettext("timeline", "Contact"),
        "contract": pgettext("timeline", "Contract"),
    }
    return [("", pgettext("timeline", "All")), *((kind, names[kind]) for kind in timeline.KINDS)]


def _exported(request: SignedIn) -> tuple[list[str], Iterator[list[tables.Cell]]]:
    data_time = frame.latest()
    header = [
        _("Customer ID"), _("Account"), _("Reading"), _("Industry"), _("Domain"), _("Health band"), _("Health score"),
        _("Change in 30 days"), _("RFM segment"), _("Plan"), _("Seats in use"), _("Seats under contract"), _("ARR"), _("Currency"),
        _("Renewal date"), _("Owner"), _("Team"), _("Open alerts"),
    ]  # fmt: skip
    rows = customers.export(request.user, customers.place(request.GET), as_of=_as_of(data_time), language=_language())
    # Names of bands and segments are made now: the file is written after the request's language is gone.
    bands = {band: band_name(band) for band in Band.values}
    segments = {code: render_to_string("triage/_segment.html", {"segment": code}).strip() for code in ("", *Segment.values)}
    return header, (_cells(row, bands, segments) for row in rows)


def _cells(row: CustomerRow, bands: dict[str, str], segments: dict[str, str]) -> list[tables.Cell]:
    return [
        row.customer_id, row.name, row.name_kana, row.industry, row.domain, bands[row.band], row.score, row.change,
        segments[row.segment], row.plan, row.seats_used, row.seats, row.arr, row.currency, row.renews_on, row.owner, row.team,
        row.alerts,
    ]  # fmt: skip


def _filename(request: SignedIn, ending: str) -> str:
    name = _("accounts")
    return f"{name}-{clock.today():%Y%m%d}.{ending}"
