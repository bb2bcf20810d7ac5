"""The triage screen: one page, and the parts that htmx swaps into it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from expansion import clock, formats
from expansion.audit import trail
from expansion.errors import DomainError
from expansion.htmx import SignedIn, may, page, respond, wants_part
from expansion.templatetags.kizashi import band_name
from playbooks import acts, cards, catalogue, outcomes, people, plays, timeline, triage, undo
from playbooks import offers as quotes
from playbooks.forms import SNOOZE_REASONS, AssignForm, BulkForm, OutcomeForm, SnoozeForm, read_day, read_filters, reasons_of
from playbooks.models import Outcome, Reason, Result
from signals import alerts
from signals.models import Alert
from signals.models.alerts import PlayKind
from signals.models.scores import Band


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the queue the person is: what every link and form of the screen carries along."""

    view: str
    sort: str
    filters: triage.Filters
    query: str

    @property
    def root(self) -> str:
        """The address that rows go on from: made once a page, not once a row."""
        return reverse("triage")

    @property
    def tail(self) -> str:
        """The query behind an alert's address; kept ready because every row has it twice."""
        return f"?{self.query}" if self.query else ""

    @property
    def list_url(self) -> str:
        return self.url(None)

    def url(self, alert_id: int | None) -> str:
        path = reverse("triage_alert", args=[alert_id]) if alert_id else reverse("triage")
        return f"{path}?{self.query}" if self.query else path


def _place(request: SignedIn) -> Place:
    views = triage.views_of(request.user)
    view = request.GET.get("view", "")
    sort = request.GET.get("sort", "")
    kept = [
        (name, value)
        for name, values in request.GET.lists()
        if name in {"view", "sort", "play", "band", "rule", "owner", "plan", "guard", "due", "renews", "least", "q"}
        for value in values
        if value
    ]
    return Place(
        view=view if view in views else "mine" if may(request.user, "alerts.work") else views[1] if "team" in views else "mine",
        sort=sort if sort in triage.SORTS else "priority",
        filters=read_filters(request.GET),
        query=urlencode(kept),
    )


def _language() -> str:
    return "en" if (get_language() or "ja").startswith("en") else "ja"


def _now() -> datetime:
    return clock.now()


# ── reading ──


@page(permission="alerts.read")
@require_safe
def show(request: SignedIn, pk: int | None = None) -> HttpResponse:
    """Show the queue with a card beside it; a swap of an alert brings the card, one of the queue the queue."""
    now, place = _now(), _place(request)
    if pk is not None and wants_part(request) and request.htmx.target == "detail":
        return respond(
            request,
            "triage/page.html",
            _card_context(request, place, _card(request, pk, now=now), now=now),
            partial="triage/_detail.html",
        )
    context = _queue_context(request, place, now=now)
    if wants_part(request) and request.htmx.target == "queue":
        return respond(request, "triage/page.html", context, partial="triage/_queue.html")
    chosen = pk
    if chosen is None and place.view != "done":
        chosen = next((row.id for row in context["queue"].rows), None)
    card = None if chosen is None else _card(request, chosen, now=now)
    context |= _card_context(request, place, card, now=now) | {"is_detail": pk is not None}
    return respond(request, "triage/page.html", context)


@page(permission="alerts.read")
@require_safe
def rows(request: SignedIn) -> HttpResponse:
    """Bring the next rows of the queue."""
    now, place = _now(), _place(request)
    is_part = wants_part(request)
    context = _queue_context(request, place, now=now, cursor=triage.Cursor.read(request.GET.get("cursor", "")), is_part=is_part)
    return respond(request, "triage/page.html", context | {"is_more": is_part}, partial="triage/_rows.html")


@page(permission="alerts.read")
@require_safe
def delta(request: SignedIn) -> HttpResponse:
    """Tell what others did since the page was read: how many new cards, and which rows are no longer as shown."""
    since = request.GET.get("since", "")
    news = triage.news(request.user, since=int(since) if since.isdecimal() and len(since) < 19 else None, now=_now())
    if news.newest is None or since == str(news.newest):
        return HttpResponse(status=204)
    now, place = _now(), _place(request)
    context = {
        "place": place,
        "news": news,
        "since": news.newest,
        "figures": triage.figures(request.user, view=place.view, filters=place.filters, now=now),
        "views": triage.views_of(request.user),
    }
    response = respond(request, "triage/_delta.html", context, partial="triage/_delta.html")
    if news.acts:
        told = [{"id": act.alert_id, "text": _act_words(act)} for act in news.acts]
        response["HX-Trigger"] = json.dumps({"triage:others": told}, ensure_ascii=True)
    return response


@page(permission="alerts.read")
@require_safe
def rank(request: SignedIn, pk: int) -> HttpResponse:
    """Say why an alert stands where it does."""
    alert = _visible(request, pk)
    context = {"alert": alert, "parts": cards.parts(alert, _language()), "can_work": may(request.user, "alerts.work")}
    return _part(request, alert.pk, "triage/_rank.html", context, heading=alert.customer.name)


@page(permission="alerts.read")
@require_safe
def near(request: SignedIn, pk: int) -> HttpResponse:
    """Bring the signals that are close to firing, once the card stands."""
    alert = _visible(request, pk)
    context = {"near": cards.near(alert, language=_language())}
    if wants_part(request):
        return respond(request, "triage/_near.html", context)
    return _part(request, pk, "triage/near.html", context, heading=alert.customer.name)


@page(permission="alerts.read")
@require_safe
def quote(request: SignedIn, pk: int) -> HttpResponse:
    """Work out a quote for the card."""
    now = _now()
    card = _card(request, pk, now=now)
    refused, made = "", card.quote
    if card.basis is not None and card.policy is not None:
        try:
            made = quotes.quote(
                card.basis,
                card.policy,
                quantity=int(request.GET.get("quantity") or card.basis.quantity),
                years=int(request.GET.get("years") or 1),
                discount_percent=Decimal(request.GET.get("discount") or "0"),
            )
        except (ValueError, InvalidOperation):
            refused = _("Write seats and discount in figures.")
        except quotes.NoQuote as error:
            refused = str(error)
    context = {"card": card, "quote": made, "refused": refused, "can_work": may(request.user, "alerts.work")}
    return _part(request, pk, "triage/_quote_result.html", context, heading=card.customer.name)


@page(permission="alerts.work")
@require_safe
def workers(request: SignedIn) -> HttpResponse:
    """List who could take the ticked cards."""
    return _part(
        request, None, "triage/_workers.html", {"workers": people.workers(request.user)}, heading=_("Assign the selected cards")
    )


@page(permission="alerts.read")
@require_safe
def discounts(request: SignedIn) -> HttpResponse:
    """Show what past discounts brought: offers, wins and how sure that is."""
    context = {"buckets": people.discount_record(request.user, now=_now())}
    return _part(request, None, "triage/_discounts.html", context, heading=_("Discount and win rate, 18 months"))


@page(permission="alerts.read")
@require_safe
def history(request: SignedIn, pk: int) -> HttpResponse:
    """Bring a page of the customer's timeline."""
    alert = _visible(request, pk)
    kind = request.GET.get("kind", "")
    items, later = timeline.read(
        request.user,
        alert.customer_id,
        kind=kind if kind in timeline.KINDS else "",
        before=_instant(request.GET.get("before", "")),
        language=_language(),
    )
    context = {"items": items, "later": later, "kind": kind, "alert_id": pk, "is_first": not request.GET.get("before")}
    return _part(request, pk, "triage/_timeline_items.html", context, heading=_("Timeline"))


# ── acting on one card ──


@page(permission="alerts.work")
@require_POST
def outcome(request: SignedIn, pk: int) -> HttpResponse:
    """Log what came of the card and go on to the next one."""
    now, place, alert = _now(), _place(request), _visible(request, pk)
    form = OutcomeForm(request.POST)
    if not form.is_valid():
        return _outcome_again(
            request, alert, form, place=place, now=now, errors={name: str(found[0]) for name, found in form.errors.items()}
        )
    data = form.cleaned_data
    content = plays.content_of(alert)
    expected = outcomes.expected(alert)
    entry = form.entry(content=content, expected=expected, today=clock.day_of(now))
    before = _position(request, place, alert, now=now)
    try:
        if data["choice"] == "both":
            outcomes.add_note(alert, entry, idempotency_key=data["key"], by=request.user, now=now)
            return _moved_on(
                request, place, alert, before=before, text=_("Your entry is kept beside the other, in the timeline."), now=now
            )
        if data["choice"] == "mine":
            theirs = _theirs(request, alert, data["theirs"])
            logged = outcomes.replace(
                alert,
                entry,
                theirs=theirs,
                why=data["why"],
                version=data["version"],
                idempotency_key=data["key"],
                by=request.user,
                now=now,
            )
        else:
            logged = outcomes.record(alert, entry, version=data["version"], idempotency_key=data["key"], by=request.user, now=now)
    except outcomes.Overtaken as error:
        return _outcome_again(request, alert, form, place=place, now=now, errors={}, overtaken=error)
    except outcomes.Invalid as error:
        return _outcome_again(request, alert, form, place=place, now=now, errors={error.field: str(error)})
    except DomainError as error:
        return _outcome_again(request, alert, form, place=place, now=now, errors={"": str(error)})
    text = _("%(name)s logged: %(words)s") % {"name": alert.customer.name, "words": _words_of(logged.outcome, content)}
    return _moved_on(request, place, alert, before=before, text=text, undo_token=logged.undo.token if logged.undo else "", now=now)


@page(permission="alerts.work")
@require_POST
def snooze(request: SignedIn, pk: int) -> HttpResponse:
    """Put the card off until a day or until its measure rises again."""
    now, place, alert = _now(), _place(request), _visible(request, pk)
    form = SnoozeForm(request.POST)
    if not form.is_valid():
        return _refused(request, place, alert, str(next(iter(form.errors.values()))[0]))
    condition = cards.rise(alert) if form.waits_for_rise else None
    reason = form.cleaned_data["reason"]
    before = _position(request, place, alert, now=now)
    try:
        token = acts.snooze(
            [alert],
            until=form.moment(),
            condition=condition,
            reason=reason,
            version=form.cleaned_data["version"],
            by=request.user,
            now=now,
        ).undo.token
    except DomainError as error:
        return _refused(request, place, alert, str(error))
    if condition is not None:
        until = triage.condition_words(condition, _language())
    else:
        until = formats.day(clock.day_of(form.moment() or now), language=_language())
    text = _("%(name)s snoozed until: %(until)s") % {"name": alert.customer.name, "until": until}
    return _moved_on(request, place, alert, before=before, text=text, undo_token=token, now=now)


@page(permission="alerts.work")
@require_POST
def wake(request: SignedIn, pk: int) -> HttpResponse:
    """Bring a snoozed card back now."""
    now, place, alert = _now(), _place(request), _visible(request, pk)
    before = _position(request, place, alert, now=now)
    try:
        alerts.wake(alert, by=request.user, now=now)
    except DomainError as error:
        return _refused(request, place, alert, str(error))
    return _moved_on(
        request,
        place,
        alert,
        before=before,
        text=_("%(name)s is back in the queue") % {"name": alert.customer.name},
        now=now,
        stay=True,
    )


@page(permission="alerts.work")
def assign(request: SignedIn, pk: int) -> HttpResponse:
    """List who could take the card with how much each has open; give it to the one chosen."""
    now, place, alert = _now(), _place(request), _visible(request, pk)
    if request.method != "POST":
        context = {
            "alert": alert,
            "place": place,
            "workers": people.workers(request.user),
            "is_handover": "handover" in request.GET,
        }
        return _part(request, pk, "triage/_assign.html", context, heading=alert.customer.name)
    form = AssignForm(request.POST)
    if not form.is_valid():
        return _refused(request, place, alert, str(next(iter(form.errors.values()))[0]))
    to = people.find_worker(request.user, form.cleaned_data["to"]) if form.cleaned_data["to"] else None
    if to is None and form.cleaned_data["to"]:
        raise Http404
    before = _position(request, place, alert, now=now)
    try:
        done = acts.assign(
            [alert], to=to, reason=form.cleaned_data["note"], version=form.cleaned_data["version"], by=request.user, now=now
        )
    except DomainError as error:
        return _refused(request, place, alert, str(error))
    words = {"name": alert.customer.name, "owner": to.name if to else ""}
    text = _("%(name)s assigned to %(owner)s") % words if to else _("%(name)s now has no owner") % words
    return _moved_on(request, place, alert, before=before, text=text, undo_token=done.undo.token, now=now)


@page(permission="alerts.work")
@require_POST
def choose(request: SignedIn, pk: int) -> HttpResponse:
    """Let the card show another of the customer's plays."""
    now, place, alert = _now(), _place(request), _visible(request, pk)
    previous = Alert.objects.visible_to(request.user).filter(customer=alert.customer_id, is_lead=True).first()
    try:
        done = acts.choose(alert, by=request.user, now=now)
    except DomainError as error:
        return _refused(request, place, alert, str(error))
    text = _("%(name)s now follows another play") % {"name": alert.customer.name}
    if not wants_part(request):
        messages.success(request, text)
        return HttpResponseRedirect(place.url(alert.pk))
    context = _card_context(request, place, _card(request, alert.pk, now=now), now=now)
    context |= _toast(text, done.undo.token) | {
        "gone": [previous.pk] if previous else [],
        "back": _by_group(_in_view(request, place, alert.pk, now=now)),
        **_figures_context(request, place, now=now),
    }
    return _swapped(request, context, url=place.url(alert.pk), selected=alert.pk)


@page(permission="alerts.work")
@require_POST
def step(request: SignedIn, pk: int) -> HttpResponse:
    """Tick a step of the playbook off, or take the tick back."""
    now, place, alert = _now(), _place(request), _visible(request, pk)
    try:
        plays.mark_step(alert, request.POST.get("step", ""), is_done=request.POST.get("done") == "1", by=request.user, now=now)
    except DomainError as error:
        return _refused(request, place, alert, str(error))
    if not wants_part(request):
        return HttpResponseRedirect(place.url(pk))
    return respond(
        request,
        "triage/page.html",
        _card_context(request, place, _card(request, pk, now=now), now=now),
        partial="triage/_steps.html",
    )


@page(permission="alerts.work")
@require_POST
def question(request: SignedIn, pk: int) -> HttpResponse:
    """Note which questions were asked: one at a time from the page, or the whole list without script."""
    now, place, alert = _now(), _place(request), _visible(request, pk)
    ticked = set(request.POST.getlist("asked"))
    keys = request.POST.getlist("key")
    try:
        for key in keys[:20]:
            plays.mark_question(alert, key, is_asked=key in ticked, by=request.user, now=now)
    except DomainError as error:
        return _refused(request, place, alert, str(error))
    if not wants_part(request):
        return HttpResponseRedirect(place.url(pk))
    return HttpResponse(status=204)


@page(permission="alerts.work")
@require_POST
def doubt(request: SignedIn, pk: int) -> HttpResponse:
    """Note for the administrators that a person finds the rank wrong, and why."""
    place, alert = _place(request), _visible(request, pk)
    why = request.POST.get("why", "").strip()[:400]
    if not why:
        return _refused(request, place, alert, _("Say in a few words what is wrong with the rank."))
    trail.record(
        request.user,
        "alert.rank_doubted",
        alert,
        after={"priority": alert.priority, "parts": alert.priority_parts},
        reason=why,
        now=_now(),
    )
    text = _("Thank you. The administrators see it in the change log.")
    if not wants_part(request):
        messages.success(request, text)
        return HttpResponseRedirect(place.url(pk))
    return respond(request, "_toast.html", {"text": text}, partial="_toast.html")


# ── several cards, and back ──


@page(permission="alerts.work")
@require_POST
def many(request: SignedIn) -> HttpResponse:
    """Assign, snooze or dismiss the ticked cards."""
    now, place = _now(), _place(request)
    form = BulkForm(request.POST)
    if not form.is_valid():
        return _refused(request, place, None, str(next(iter(form.errors.values()))[0]))
    chosen = list(Alert.objects.visible_to(request.user).open().filter(pk__in=form.ids()).select_related("customer").order_by("pk"))
    if not chosen:
        return _refused(request, place, None, _("Tick at least one card."))
    act, about = form.chosen()
    try:
        if act == "assign":
            to = people.find_worker(request.user, int(about)) if int(about) else None
            if to is None and int(about):
                raise Http404
            done = acts.assign(chosen, to=to, reason="", by=request.user, now=now)
            text = ngettext("%(count)d card assigned to %(owner)s", "%(count)d cards assigned to %(owner)s", len(done.ids)) % {
                "count": len(done.ids), "owner": to.name if to else _("nobody"),
            }  # fmt: skip
        elif act == "snooze":
            day = read_day(about)
            reason = form.cleaned_data["snooze_reason"] or "own"
            done = acts.snooze(
                chosen, until=clock.start_of(day) if day else None, condition=None, reason=reason, by=request.user, now=now
            )
            text = ngettext("%(count)d card snoozed until %(until)s", "%(count)d cards snoozed until %(until)s", len(done.ids)) % {
                "count": len(done.ids), "until": formats.day(day, language=_language()),
            }  # fmt: skip
        else:
            done = acts.dismiss(chosen, reason=about, note="", by=request.user, now=now)
            text = ngettext("%(count)d card dismissed", "%(count)d cards dismissed", len(done.ids)) % {"count": len(done.ids)}
    except DomainError as error:
        return _refused(request, place, None, str(error))
    if done.skipped:
        names = ("、" if _language() == "ja" else ", ").join(done.skipped[:5])
        text += " — " + _("left out, offers are stopped: %(names)s") % {"names": names}
    if not wants_part(request):
        messages.success(request, text)
        return HttpResponseRedirect(place.url(None))
    back = [row for pk in done.ids[: triage.PAGE] for row in _in_view(request, place, pk, now=now)]
    context = _figures_context(request, place, now=now) | _toast(text, done.undo.token)
    context |= {"gone": done.ids, "back": _by_group(back)}
    return _swapped(request, context, selected=None, partial="triage/_swap_list.html")


@page(permission="alerts.work")
@require_POST
def take_back(request: SignedIn, token: str) -> HttpResponse:
    """Undo one act; 410 with what happened since where that is no longer possible."""
    now, place = _now(), _place(request)
    try:
        undone = undo.take_back(token, by=request.user, now=now)
    except undo.Gone as error:
        text = " ".join([str(error), *(_change_words(change) for change in error.since)])
        if not wants_part(request):
            messages.error(request, text)
            return HttpResponseRedirect(place.url(None))
        return respond(request, "_toast.html", {"text": text, "level": "error"}, partial="_toast.html", status=410)
    text = _("Undone: %(name)s is as it was") % {"name": undone.label}
    first = undone.alerts[0]
    if not wants_part(request):
        messages.success(request, text)
        return HttpResponseRedirect(place.url(first))
    restored = Alert.objects.visible_to(request.user).filter(pk__in=undone.alerts)
    leads = list(restored.filter(is_lead=True).values_list("pk", flat=True))
    customers = list(restored.values_list("customer_id", flat=True))
    others = list(
        Alert.objects.visible_to(request.user).filter(customer__in=customers).exclude(pk__in=leads).values_list("pk", flat=True)
    )
    back = [row for pk in leads[: triage.PAGE] for row in _in_view(request, place, pk, now=now)]
    shown = leads[0] if leads else first
    context = _card_context(request, place, _card(request, shown, now=now), now=now)
    seen = _queue_context(request, place, now=now) if place.view == "done" else _figures_context(request, place, now=now)
    context |= seen | {"gone": [*others, *leads], "back": _by_group(back)} | _toast(text, "")
    return _swapped(request, context, url=place.url(shown), selected=shown, partial="triage/_swap_restored.html")


# ── what the views share ──


def _visible(request: SignedIn, pk: int) -> Alert:
    alert = Alert.objects.visible_to(request.user).filter(pk=pk).select_related("customer__standing", "owner").first()
    if alert is None:
        raise Http404
    return alert


def _card(request: SignedIn, pk: int, *, now: datetime) -> cards.Card:
    alert = cards.find(request.user, pk)
    if alert is None:
        raise Http404
    return cards.build(alert, user=request.user, now=now, language=_language())


def _row_words() -> dict[str, str]:
    """Return the words that stand in every row, looked up once."""
    return {
        "priority": _("Priority"), "why": _("why?"), "select": _("Select"), "new": _("New"), "no_offer": _("No offer"),
        "hold": _("Hold offers"), "owner": _("Owner"),
    }  # fmt: skip


def _queue_context(
    request: SignedIn, place: Place, *, now: datetime, cursor: triage.Cursor | None = None, is_part: bool = False
) -> dict[str, Any]:
    queue = triage.queue(
        request.user,
        view=place.view,
        filters=place.filters,
        sort=place.sort,
        now=now,
        language=_language(),
        cursor=cursor,
        is_part=is_part,
    )
    context = {
        "queue": queue,
        "figures": queue.figures,
        "place": place,
        "views": triage.views_of(request.user),
        "can_work": may(request.user, "alerts.work"),
        "today": clock.day_of(now),
        "words": _row_words(),
        "choices": {"plays": PlayKind.choices, "bands": Band.values, "renewals": (30, 60, 90, 120), "rules": queue.figures.rules},
        "filter_words": _filter_words(place.filters, queue.figures),
        "sorts": {sort: _sorted_url(place, sort) for sort in triage.SORTS},
        "bulk_snoozes": cards.snoozes(clock.day_of(now), []),
        "dismiss_reasons": [reason for reason in reasons_of(Result.NOT_A_FIT) if reason != Reason.OTHER],
        "snooze_reasons": SNOOZE_REASONS.items(),
        "data_time": {"as_of": queue.figures.as_of, "computed_at": queue.figures.computed_at, "is_late": queue.figures.is_late},
    }
    if place.view == "done":
        context["done"] = triage.done_rows(request.user, now=now)
        context["undoable"] = undo.find_good(request.user, now=now)
    elif not queue.rows and cursor is None:
        context["today_logged"] = triage.logged_today(request.user, now=now)
        context["next_check"] = triage.next_check(now)
    return context


def _figures_context(request: SignedIn, place: Place, *, now: datetime) -> dict[str, Any]:
    return {
        "figures": triage.figures(request.user, view=place.view, filters=place.filters, now=now),
        "place": place,
        "views": triage.views_of(request.user),
        "can_work": True,
        "today": clock.day_of(now),
        "words": _row_words(),
    }


def _card_context(request: SignedIn, place: Place, card: cards.Card | None, *, now: datetime, **more: Any) -> dict[str, Any]:
    can_work = may(request.user, "alerts.work")
    return {
        "card": card,
        "place": place,
        "can_work": can_work,
        "account_url": reverse("account", args=[card.customer.customer_id]) if card else "",
        "timeline_kinds": [("", _("All")), ("usage", _("Usage")), ("contact", _("Contact")), ("contract", _("Contract"))],
        "next_steps": _next_steps(card, {}),
        "snooze_reasons": SNOOZE_REASONS.items(),
        "results": [(value, label, number) for number, (value, label) in enumerate(Result.choices, start=1)],
        "reasons": [(result, reasons_of(result)) for result in (Result.DECLINED, Result.NOT_A_FIT)],
        "entry": {
            "version": card.alert.version if card else 0,
            "key": uuid.uuid4().hex,
            "amount": card.defaults[Result.OPENED].amount if card and card.defaults else "",
        },
        "errors": {},
        "today": clock.day_of(now),
        "words": _row_words(),
        "selected": card.alert.pk if card else None,
        **more,
    }


def _outcome_again(
    request: SignedIn,
    alert: Alert,
    form: OutcomeForm,
    *,
    place: Place,
    now: datetime,
    errors: dict[str, str],
    overtaken: outcomes.Overtaken | None = None,
) -> HttpResponse:
    """Show the form again as it was sent, with what is wrong or with what somebody else did first."""
    card = _card(request, alert.pk, now=now)
    sent = {name: request.POST.get(name, "") for name in (*form.fields, *(f"next_step_{result}" for result in Result.values))}
    context = _card_context(request, place, card, now=now) | {
        "errors": errors,
        "entry": sent,
        "next_steps": _next_steps(card, sent),
    }
    status = 422
    if overtaken is not None:
        status = 409
        sent["version"] = str(overtaken.current.version)
        context["overtaken"] = _overtaken_words(overtaken)
        context["mine"] = _sent_words(form, card, today=clock.day_of(now))
    elif sent["choice"]:
        context["overtaken"] = {"who": "", "words": "", "note": "", "theirs": sent["theirs"], "is_again": True}
    if not wants_part(request):
        return respond(
            request, "triage/page.html", _queue_context(request, place, now=now) | context | {"is_detail": True}, status=status
        )
    response = respond(request, "triage/page.html", context, partial="triage/_outcome.html", status=status)
    response["HX-Retarget"] = "#outcome"
    response["HX-Reswap"] = "outerHTML"
    return response


def _next_steps(card: cards.Card | None, sent: dict[str, str]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the next steps of each result; the one that was sent is chosen, else the first."""
    if card is None:
        return []
    made = []
    for result, choices in card.next_steps:
        chosen = sent.get(f"next_step_{result}") or (choices[0][0] if choices else "")
        made.append((result, [{"key": key, "label": label, "is_chosen": key == chosen} for key, label in choices]))
    return made


def _sorted_url(place: Place, sort: str) -> str:
    kept = [pair for pair in parse_qsl(place.query) if pair[0] != "sort"]
    return f"{reverse('triage')}?{urlencode([*kept, ('sort', sort)])}"


def _filter_words(filters: triage.Filters, figures: triage.Figures) -> list[str]:
    """Say the filters that are on, one word each."""
    rules = {rule["key"]: rule["name_ja"] if _language() == "ja" else rule["name_en"] for rule in figures.rules}
    words = [str(PlayKind(play).label) for play in filters.plays] + [band_name(band) for band in filters.bands]
    words += [rules.get(rule, rule) for rule in filters.rules]
    words += {"stopped": [_("No offer")], "caution": [_("Hold offers")], "clear": [_("Free")]}.get(filters.guard, [])
    words += {"today": [_("Due today")], "week": [_("This week")], "later": [_("Later")], "back": [_("Back from snooze")]}.get(
        filters.due, []
    )
    if filters.renewal_days is not None:
        words.append(_("Renewal within %(days)s") % {"days": formats.count(filters.renewal_days, "days", language=_language())})
    if filters.least_amount is not None:
        words.append("≥ " + formats.money_short(filters.least_amount, currency=figures.currency or "JPY", language=_language()))
    if filters.owners:
        words += people.names(filters.owners)
    return [*words, *([filters.plan] if filters.plan else []), *([f"“{filters.words}”"] if filters.words else [])]


def _overtaken_words(error: outcomes.Overtaken) -> dict[str, Any]:
    theirs, change = error.theirs, error.change
    who = theirs.by.name if theirs else change.by.name if change and change.by else ""
    if theirs is not None:
        words = _words_of(theirs, catalogue.read(theirs.play.playbook_version.body))
    else:
        words = _change_words(change) if change else ""
    return {
        "who": who,
        "words": words,
        "note": theirs.note if theirs else "",
        "at": theirs.at if theirs else change.at if change else None,
        "theirs": theirs.pk if theirs else "",
        "is_again": False,
    }


def _sent_words(form: OutcomeForm, card: cards.Card, *, today: date) -> str:
    if card.content is None:
        return ""
    entry = form.entry(content=card.content, expected=card.middle, today=today)
    return cards.logged_words(
        entry.result, reason=entry.reason, amount=entry.amount, currency=card.currency,
        next_step=card.content.next_step(entry.next_step, _language()) if entry.next_step else "", next_on=entry.next_on,
        quiet_until=entry.quiet_until, language=_language(),
    )  # fmt: skip


def _words_of(logged: Outcome, content: catalogue.Content) -> str:
    return cards.logged_words(
        logged.result, reason=logged.reason, amount=logged.amount, currency=logged.currency,
        next_step=content.next_step(logged.next_step, _language()) if logged.next_step else "", next_on=logged.next_on,
        quiet_until=logged.quiet_until, language=_language(),
    )  # fmt: skip


def _theirs(request: SignedIn, alert: Alert, pk: int | None) -> Outcome | None:
    if pk is None:
        return None
    return Outcome.objects.visible_to(request.user).effective().filter(pk=pk, customer=alert.customer_id).first()


def _position(request: SignedIn, place: Place, alert: Alert, *, now: datetime) -> triage.TriageRow | None:
    """Remember the row before an act, so that the next one can be found after it."""
    return triage.row(request.user, alert.pk, now=now, language=_language(), as_of=None, sort=place.sort)


def _in_view(request: SignedIn, place: Place, pk: int, *, now: datetime) -> list[triage.TriageRow]:
    """Return the row of an alert if the person's view still shows it."""
    found = triage.row(
        request.user, pk, now=now, language=_language(), as_of=None, sort=place.sort, view=place.view, filters=place.filters
    )
    return [found] if found is not None else []


def _by_group(rows: list[triage.TriageRow]) -> dict[str, list[triage.TriageRow]]:
    return {key: found for key in triage.GROUPS if (found := [row for row in rows if row.group == key])}


def _moved_on(
    request: SignedIn,
    place: Place,
    alert: Alert,
    *,
    before: triage.TriageRow | None,
    text: str,
    now: datetime,
    undo_token: str = "",
    stay: bool = False,
) -> HttpResponse:
    """Take the row out of the list (or move it), and show the next card."""
    leads = list(Alert.objects.visible_to(request.user).leading().filter(customer=alert.customer_id).values_list("pk", flat=True))
    back = [row for pk in leads for row in _in_view(request, place, pk, now=now)]
    next_id: int | None = alert.pk
    if request.user.has_auto_advance and not stay:
        next_id = triage.next_after(
            request.user,
            before,
            view=place.view,
            filters=place.filters,
            sort=place.sort,
            now=now,
            language=_language(),
            but=alert.customer_id,
        )
    if not wants_part(request):
        messages.success(request, text)
        return HttpResponseRedirect(place.url(next_id))
    card = None if next_id is None else _card(request, next_id, now=now)
    context = _card_context(request, place, card, now=now) | _figures_context(request, place, now=now) | _toast(text, undo_token)
    gone = list(Alert.objects.visible_to(request.user).filter(customer=alert.customer_id).values_list("pk", flat=True))
    context |= {"gone": gone, "back": _by_group(back)}
    if card is None:
        context |= {"today_logged": triage.logged_today(request.user, now=now), "next_check": triage.next_check(now)}
    return _swapped(request, context, url=place.url(card.alert.pk if card else None), selected=card.alert.pk if card else None)


def _swapped(
    request: SignedIn, context: dict[str, Any], *, selected: int | None, url: str = "", partial: str = "triage/_swap.html"
) -> HttpResponse:
    response = respond(request, "triage/page.html", context, partial=partial)
    if url:
        response["HX-Push-Url"] = url
    if context.get("gone"):
        response["HX-Trigger"] = json.dumps({"triage:gone": {"ids": list(context["gone"])}})
    response["HX-Trigger-After-Settle"] = json.dumps({"triage:moved": {"id": selected}})
    return response


def _refused(request: SignedIn, place: Place, alert: Alert | None, text: str) -> HttpResponse:
    """Tell why an act was not carried out; nothing on the page changes."""
    if not wants_part(request):
        messages.error(request, text)
        return HttpResponseRedirect(place.url(alert.pk if alert else None))
    response = respond(request, "_toast.html", {"text": text, "level": "error"}, partial="_toast.html", status=422)
    response["HX-Reswap"] = "none"
    return response


def _toast(text: str, token: str) -> dict[str, str]:
    return {"text": text, "undo_url": reverse("triage_undo", args=[token]) if token else ""}


def _part(request: SignedIn, pk: int | None, part: str, context: dict[str, Any], *, heading: str) -> HttpResponse:
    """Answer with a part, or without script with a plain page around it."""
    back = reverse("triage_alert", args=[pk]) if pk else reverse("triage")
    return respond(request, "triage/alone.html", {**context, "part": part, "heading": heading, "back_url": back}, partial=part)


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _act_words(act: triage.Act) -> str:
    return _("%(name)s: %(act)s") % {"name": act.by, "act": _act_name(act.change)}


def _change_words(change: Any) -> str:
    return _("%(name)s: %(act)s, %(at)s") % {
        "name": change.by.name if change.by else _("The nightly run"), "act": _act_name(change.change),
        "at": formats.moment(timezone.localtime(change.at), language=_language()),
    }  # fmt: skip


def _act_name(change: str) -> str:
    return {
        "closed": _("logged the outcome"),
        "followed_up": _("logged the outcome"),
        "snoozed": _("snoozed it"),
        "assigned": _("assigned it"),
        "woken": _("brought it back"),
        "restored": _("took an act back"),
        "reopened": _("opened it again"),
        "lead_chosen": _("chose another play"),
        "resolved": _("the condition ended"),
        "acknowledged": _("began to work on it"),
    }.get(change, change)
