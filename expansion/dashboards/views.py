"""The manager's page: figures, the customers behind each, and files of both."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from expansion import clock, tables
from expansion.dashboards import board, drills, figures, frame, kpis, targets
from expansion.dashboards.drills import Drill
from expansion.dashboards.forms import FilterForm, Filters, TargetForm
from expansion.dashboards.kpis import Retention
from expansion.errors import DomainError
from expansion.htmx import SignedIn, page, respond, wants_part
from expansion.tables import Cell
from expansion.templatetags.kizashi import band_name

_TABLES = ("waterfall", "trend", "renewals")
_MOST_SHOWN = 500
# Bars whose meaning is told with another figure.
_MEANT = {"other_gains": "expansion", "offset": "expansion"}


@page(permission="metrics.read")
@require_safe
def metrics(request: SignedIn) -> HttpResponse:
    """Show the board; a swap gets it without the frame."""
    as_of, form, filters = _asked(request)
    context: dict[str, Any] = {"form": form.shown(filters), "filters": filters, "query": filters.query(), "as_of": as_of}
    status = 200
    try:
        context["board"] = board.board(filters, user=request.user, as_of=as_of, language=_language())
    except DomainError as error:
        context["refused"], status = str(error), 422
    response = respond(request, "dashboards/metrics.html", context, partial="dashboards/_metrics.html", status=status)
    if wants_part(request):
        response["HX-Push-Url"] = _address(filters)
    return response


@page(permission="metrics.read")
@require_safe
def metrics_drill(request: SignedIn, metric: str) -> HttpResponse:
    """Show the customers behind a figure: a drawer over the board, or a page of its own."""
    as_of, _form, filters = _asked(request)
    context: dict[str, Any] = {"filters": filters, "query": filters.query(), "metric": metric}
    status = 200
    limit = _MOST_SHOWN if request.GET.get("all") else drills.SHOWN
    try:
        found = _drilled(request, metric, filters, as_of, limit=limit)
        context |= _drill_context(found, filters, as_of, request)
    except DomainError as error:
        context["refused"], status = str(error), 422
    return respond(request, "dashboards/drill.html", context, partial="dashboards/_drill.html", status=status)


@page(permission="metrics.export")
@require_safe
def metrics_drill_csv(request: SignedIn, metric: str) -> HttpResponseBase:
    """Answer with every row behind a figure."""
    as_of, _form, filters = _asked(request)
    try:
        found = _drilled(request, metric, filters, as_of, limit=None)
    except DomainError as error:
        return HttpResponse(str(error), status=422, content_type="text/plain; charset=utf-8")
    header = [
        _("Customer ID"),
        _("Customer"),
        _("Owner"),
        _("Health band"),
        _("MRR at the start"),
        _("MRR at the end"),
        _("Amount"),
    ]
    more = [_("Currency"), _("Day"), _("Cause"), _("Line"), _("Product before"), _("Product after"), _("Quantity before"),
            _("Quantity after")]  # fmt: skip
    return tables.csv_response(f"{metric}-{found.period.to_day}.csv", [*header, *more], _drill_rows(found))


@page(permission="metrics.export")
@require_safe
def metrics_csv(request: SignedIn) -> HttpResponseBase:
    """Answer with the figures of the page."""
    as_of, _form, filters = _asked(request)
    try:
        made = board.board(filters, user=request.user, as_of=as_of, language=_language())
    except DomainError as error:
        return HttpResponse(str(error), status=422, content_type="text/plain; charset=utf-8")
    header = [
        _("Figure"),
        _("Value"),
        _("Compared value"),
        _("Target"),
        _("Currency"),
        _("From the close of"),
        _("To the close of"),
    ]
    return tables.csv_response(f"metrics-{filters.period.to_day}.csv", header, _figure_rows(made))


@page(permission="metrics.export")
@require_safe
def metrics_table_csv(request: SignedIn, table: str) -> HttpResponseBase:
    """Answer with the numbers of one chart."""
    if table not in _TABLES:
        raise Http404
    as_of, _form, filters = _asked(request)
    try:
        made = board.board(filters, user=request.user, as_of=as_of, language=_language())
    except DomainError as error:
        return HttpResponse(str(error), status=422, content_type="text/plain; charset=utf-8")
    header, rows = {"waterfall": _waterfall_table, "trend": _trend_table, "renewals": _renewals_table}[table](made)
    return tables.csv_response(f"{table}-{filters.period.to_day}.csv", header, rows)


@page(permission="metrics.write")
@require_POST
def metrics_target(request: SignedIn) -> HttpResponse:
    """Set a goal from today on, then show the board again."""
    as_of, form, filters = _asked(request)
    target = TargetForm(request.POST)
    refused = "" if target.is_valid() else _("Give the target as a number of percent, for example 110.")
    if not refused:
        try:
            targets.put(target.cleaned_data["metric"], target.fraction(), valid_from=as_of, by=request.user, now=clock.now())
        except DomainError as error:
            refused = str(error)
    if not refused and not wants_part(request):
        return HttpResponseRedirect(_address(filters))
    context = {
        "form": form.shown(filters), "filters": filters, "query": filters.query(), "as_of": as_of, "refused_target": refused,
        "board": board.board(filters, user=request.user, as_of=as_of, language=_language()),
    }  # fmt: skip
    return respond(request, "dashboards/metrics.html", context, partial="dashboards/_metrics.html", status=422 if refused else 200)


def _asked(request: HttpRequest) -> tuple[date, FilterForm, Filters]:
    """Return the newest day with figures, and the filters in the address."""
    as_of = frame.latest().as_of or clock.last_closed_day(clock.now())
    form = FilterForm(request.GET.dict(), user=request.user, as_of=as_of)  # type: ignore[arg-type]
    return as_of, form, form.filters()


def _address(filters: Filters) -> str:
    query = filters.query()
    return reverse("metrics") + (f"?{query}" if query else "")


def _language() -> str:
    return "en" if (get_language() or "ja").startswith("en") else "ja"


def _drilled(request: SignedIn, metric: str, filters: Filters, as_of: date, *, limit: int | None) -> Drill:
    if metric not in drills.METRICS:
        raise Http404
    scope = filters.scope(request.user)
    if metric != "renewals":
        return drills.drill(metric, filters.period, scope, limit=limit)
    after, within = _days(request, "after", 0, (0, *kpis.WINDOWS)), _days(request, "within", 90, kpis.WINDOWS)
    return drills.renewals(
        as_of, scope, after_days=min(after, within), within_days=within, at_risk_only=bool(request.GET.get("risk")), limit=limit
    )


def _days(request: HttpRequest, name: str, default: int, known: tuple[int, ...]) -> int:
    given = request.GET.get(name, "")
    return int(given) if given.isdecimal() and int(given) in known else default


def _drill_context(found: Drill, filters: Filters, as_of: date, request: HttpRequest) -> dict[str, Any]:
    more = [(name, request.GET[name]) for name in ("after", "within", "risk") if name in request.GET]
    language = _language()
    meanings = {} if found.figures is None else figures.meanings(found.figures, None, language=language)
    total = max((abs(group.amount) for group in found.groups), default=0)
    return {
        "drill": found,
        "name": figures.names()[found.metric],
        "meaning": meanings.get(_MEANT.get(found.metric, found.metric)) or meanings.get("waterfall"),
        "ratio": found.ratio,
        "part": 0 if found.figures is None else _part(found.metric, found.figures),
        "groups": [(group, group.amount / total if total else 0) for group in found.groups],
        "as_of": as_of,
        "self_href": board.drill_href(found.metric, filters, more),
        "all_href": board.drill_href(found.metric, filters, [*more, ("all", 1)]),
        "csv_href": f"{reverse('metrics_drill_csv', args=[found.metric])}?{filters.query(more)}",
        "back_href": _address(filters),
        "is_capped": found.row_count > _MOST_SHOWN and len(found.rows) == _MOST_SHOWN,
    }


def _part(metric: str, f: Retention) -> int:
    return f.cross_sold_customers if metric == "cross_sell" else f.upsold_customers


def _drill_rows(found: Drill) -> Iterable[list[Cell]]:
    bands = _band_names()
    for row in found.rows:
        cells: list[Cell] = [
            row.customer.customer_id, row.customer.name, row.customer.owner.name if row.customer.owner else "", bands[row.band],
            row.start, row.end, row.amount, found.currency,
        ]  # fmt: skip
        change = row.changes[0] if found.is_of_changes and row.changes else None
        if change is None:
            # The lines of a customer stand on the page; here one row is one customer, so that the column can be summed.
            days = sorted(c.on for c in row.changes if c.on) if found.metric == "renewals" else []
            yield [*cells, days[0] if days else None, *[None] * 6]
            continue
        before, after = change.before, change.after
        line = after or before
        yield [
            *cells, change.on, change.cause_name, line.line_id if line else "", before.name if before else "",
            after.name if after else "", before.quantity if before else None, after.quantity if after else None,
        ]  # fmt: skip


def _band_names() -> dict[str, str]:
    return {band: band_name(band) for band in kpis.WORST_FIRST}


def _figure_rows(made: board.Board) -> Iterable[list[Cell]]:
    names, f, was = figures.names(), made.f, made.before
    goals = made.targets
    for key, name in (
        ("nrr", "nrr"), ("grr", "grr"), ("logo_retention", "logo"), ("upsell_rate", "upsell_rate"),
        ("cross_sell_rate", "cross_sell_rate"), ("start_mrr", "start"), ("upsell", "upsell"), ("cross_sell", "cross_sell"),
        ("other_gains", "other_gains"), ("offset", "offset"), ("expansion", "expansion"), ("contraction", "contraction"),
        ("churn", "churn"), ("retained_mrr", "retained"), ("reactivation", "reactivation"), ("new", "new"), ("end_mrr", "end"),
    ):  # fmt: skip
        is_rate = key in {"nrr", "grr", "logo_retention", "upsell_rate", "cross_sell_rate"}
        yield [
            names[name], getattr(f, key), None if was is None else getattr(was, key), goals.get(key),
            "" if is_rate else f.currency, f.period.from_day, f.period.to_day,
        ]  # fmt: skip
    soon = made.due.within(90)
    yield [names["renewals"], soon.arr, None, None, made.due.currency, made.as_of, None]


def _waterfall_table(made: board.Board) -> tuple[list[str], Iterable[list[Cell]]]:
    return [_("Step"), _("Amount"), _("Currency")], ([bar.name, bar.amount, made.f.currency] for bar in made.waterfall.bars)


def _trend_table(made: board.Board) -> tuple[list[str], Iterable[list[Cell]]]:
    rows: Iterable[list[Cell]] = ([point.period.to_day, point.nrr, point.grr] for point in made.trend)
    return [_("To the close of"), "NRR", "GRR"], rows


def _renewals_table(made: board.Board) -> tuple[list[str], Iterable[list[Cell]]]:
    bands = _band_names()
    header = [_("Window"), *(bands[band] for band in kpis.WORST_FIRST), _("ARR"), _("ARR in Watch or Act now"), _("Currency")]
    rows: Iterable[list[Cell]] = (
        [row.label, *(count for _band, count in row.window.by_band), row.window.arr, row.window.arr_at_risk, made.due.currency]
        for row in made.due_rows
    )
    return header, rows
