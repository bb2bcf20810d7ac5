"""The definitions pages: rules as sentences that an admin edits, previews and publishes; everybody may read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Customer, Product
from accounts.models.contracts import ProductKind
from expansion import clock
from expansion.dashboards import rule_form, rule_wording
from expansion.errors import DomainError
from expansion.htmx import may, page, respond, wants_part
from playbooks import catalogue
from playbooks.models import PlaybookVersion
from signals import alerts, preview, rules, terms
from signals.models import Rule, RuleVersion
from signals.models.alerts import PlayKind
from signals.models.definitions import VersionState
from signals.models.scores import Band, Segment
from signals.rules import RuleBody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from expansion.htmx import SignedIn

_SHOWN_AT_MOST = 50
_GROUPS = ("depth", "spread", "timing")


@dataclass(frozen=True, slots=True)
class ListedRule:
    """One line of the list on the left."""

    rule: Rule
    name: str
    icon: str
    has_draft: bool
    open_now: int
    raised: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One condition as the sentence shows it."""

    place: str
    key: str
    term: str
    op: str
    threshold: str
    unit: str
    days: int | None
    is_flag: bool
    was_threshold: str
    was_days: str
    joiner: str
    can_be_removed: bool
    parts: list[rule_wording.Part]
    problem: str
    definition: str


@dataclass(frozen=True, slots=True)
class Historic:
    """One version in the history."""

    version: RuleVersion
    changes: list[rule_wording.Difference]
    can_be_restored: bool


@require_safe
@page(permission="definitions.read")
def definitions(request: SignedIn) -> HttpResponse:
    first = Rule.objects.order_by("position", "pk").first()
    if first is None:
        return respond(request, "definitions/none.html")
    return redirect("rule", key=first.key)


@require_safe
@page(permission="definitions.read")
def rule(request: SignedIn, key: str) -> HttpResponse:
    return _shown(request, _rule(key))


@require_POST
@page(permission="definitions.write")
def rule_draft(request: SignedIn, key: str) -> HttpResponse:
    """Keep what the form says as the draft; a structural button changes the form itself."""
    edited = _rule(key)
    base = rules.find_draft(edited) or rules.find_published(edited)
    if base is None:
        raise Http404
    body, refused = rule_form.read(request.POST, base.body)
    action = request.POST.get("action", "")
    conflict = ""
    try:
        if action:
            body = rule_form.rebuild(body, action)
        _keep(request, edited, body)
    except rules.DraftOfAnother as error:
        conflict = str(error)
    except (ValueError, IndexError, KeyError):
        raise Http404 from None
    # What is being typed stays where it is; only a button that changes the sentence itself draws it anew.
    redrawn = [f"definitions/_{part}.html" for part in ("state", "publish", "charts", "side")]
    partial = ["definitions/_editor.html", *redrawn] if action else redrawn
    return _shown(request, edited, partial=partial, refused=refused, conflict=conflict, body=body, status=409 if conflict else 200)


@require_POST
@page(permission="definitions.write")
def rule_discard(request: SignedIn, key: str) -> HttpResponse:
    edited = _rule(key)
    return _acted(
        request, edited, lambda: rules.discard_draft(edited, by=request.user, now=clock.now()), _("The draft was thrown away.")
    )


@require_POST
@page(permission="definitions.write")
def rule_publish(request: SignedIn, key: str) -> HttpResponse:
    edited = _rule(key)

    def publish() -> None:
        rules.publish(edited, reason=request.POST.get("reason", ""), by=request.user, now=clock.now())

    return _acted(request, edited, publish, _("Published. It counts from the next nightly run on."))


@require_POST
@page(permission="definitions.write")
def rule_restore(request: SignedIn, key: str, number: int) -> HttpResponse:
    edited = _rule(key)

    def restore() -> None:
        rules.restore(edited, number, reason=request.POST.get("reason", ""), by=request.user, now=clock.now())

    return _acted(request, edited, restore, _("Version %(number)d is in force again, as a new version.") % {"number": number})


@require_POST
@page(permission="definitions.write")
def rule_switch(request: SignedIn, key: str) -> HttpResponse:
    edited = _rule(key)
    is_on = request.POST.get("on") == "1"

    def switch() -> None:
        rules.set_on(edited, is_on, reason=request.POST.get("reason", ""), by=request.user, now=clock.now())

    return _acted(
        request,
        edited,
        switch,
        _("The rule is on from the next nightly run.") if is_on else _("The rule is off from the next nightly run."),
    )


@require_safe
@page(permission="definitions.read")
def rule_test(request: SignedIn, key: str) -> HttpResponse:
    """Try the rule, as it stands in the form, on one customer."""
    edited = _rule(key)
    version = rules.find_draft(edited) or rules.find_published(edited)
    if version is None:
        raise Http404
    return respond(request, "definitions/tested.html", _tested(request, edited, version.body), partial="definitions/_tested.html")


def _keep(request: SignedIn, edited: Rule, body: dict[str, Any]) -> None:
    """Save the draft; one that says again what is published is no draft."""
    published, draft = rules.find_published(edited), rules.find_draft(edited)
    if published is None or RuleBody.from_json(body).to_json() != published.body:
        rules.save_draft(edited, body, by=request.user, now=clock.now(), take_over="take_over" in request.POST)
    elif draft is not None and draft.edited_by_id == request.user.pk:
        rules.discard_draft(edited, by=request.user, now=clock.now())


def _shown(
    request: SignedIn, edited: Rule, *, partial: Sequence[str] | None = None, refused: dict[str, str] | None = None,
    conflict: str = "", body: dict[str, Any] | None = None, status: int = 200,
) -> HttpResponse:  # fmt: skip
    language = get_language() or "ja"
    draft, published = rules.find_draft(edited), rules.find_published(edited)
    version = draft or published
    if version is None:
        raise Http404
    shown = body or version.body
    rule_body = RuleBody.from_json(shown)
    problems = {problem.place: str(problem) for problem in rules.validate(shown)} | (refused or {})
    live = RuleBody.from_json(published.body) if published else None
    playbooks = _playbooks(language)
    is_writer = may(request.user, "definitions.write")
    context = {
        "rule": edited,
        "groups": _list(request, edited, language=language),
        "body": rule_body,
        "name": rule_body.name(language),
        "definition": rule_body.definition(language),
        "draft": draft,
        "published": published,
        "is_writer": is_writer,
        "fields": _fields(rule_body, live, problems=problems, language=language),
        "exceptions": _exceptions(rule_body, live, problems=problems, language=language),
        "rule_parts": rule_wording.rule_parts(),
        "exception_parts": rule_wording.exception_parts(),
        "cooldown_parts": rule_wording.cooldown_parts(),
        "live": live,
        "terms": _term_choices(language),
        "ops": [(op, rule_wording.op_name(op)) for op in rules.OPS],
        "playbooks": playbooks,
        "playbook_name": playbooks.get(rule_body.playbook, rule_body.playbook),
        "roles": [(role, rules.role_name(role)) for role in rules.OWNER_ROLES],
        "amounts": [(kind, rule_wording.amount_name(kind)) for kind in rules.AMOUNT_KINDS],
        "severities": [(severity, rule_wording.severity_name(severity)) for severity in rules.SEVERITIES],
        "play_kinds": PlayKind.choices,
        "bands": [(band, label) for band, label in Band.choices if band != Band.INSUFFICIENT],
        "segments": Segment.choices,
        "plans": list(Product.objects.filter(kind=ProductKind.PLAN).order_by("tier", "code").values_list("code", "name")),
        "problems": problems,
        "conflict": conflict,
        "sentence": rules.sentence(shown, language),
        "changes": rule_wording.differences(live, rule_body, language=language, playbooks=playbooks) if draft else [],
        "history": _history(edited, language=language, playbooks=playbooks),
        "is_swap": partial is not None and wants_part(request),
    }
    context |= _preview(request, edited, rule_body, live, language=language)
    context |= _tested(request, edited, shown)
    return respond(request, "definitions/rule.html", context, partial=partial, status=status)


def _acted(request: SignedIn, edited: Rule, act: Any, told: str) -> HttpResponse:
    """Carry the act out; say what was done, or why not, on the page it came from."""
    try:
        act()
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, told)
    if wants_part(request):
        response = HttpResponse(status=204)
        response["HX-Redirect"] = reverse("rule", args=[edited.key])
        return response
    return redirect("rule", key=edited.key)


def _rule(key: str) -> Rule:
    return get_object_or_404(Rule, key=key)


def _list(request: SignedIn, current: Rule, *, language: str) -> list[tuple[str, list[ListedRule]]]:
    counts = alerts.counts_by_rule(request.user, today=clock.today())
    versions: dict[int, dict[str, RuleVersion]] = {}
    for version in RuleVersion.objects.filter(state__in=[VersionState.DRAFT, VersionState.PUBLISHED]):
        versions.setdefault(version.rule_id, {})[version.state] = version
    listed: dict[str, list[ListedRule]] = {group: [] for group in _GROUPS}
    for row in Rule.objects.order_by("position", "pk"):
        known = versions.get(row.pk, {})
        newest = known.get(VersionState.PUBLISHED) or known.get(VersionState.DRAFT)
        if newest is None:
            continue
        body = RuleBody.from_json(newest.body)
        open_now, raised = counts.get(row.pk, (0, 0))
        listed[row.group].append(
            ListedRule(
                rule=row,
                name=body.name(language),
                icon=body.icon,
                has_draft=VersionState.DRAFT in known,
                open_now=open_now,
                raised=raised,
                is_current=row.pk == current.pk,
            )
        )
    names = {"depth": _("Depth of use"), "spread": _("Spread"), "timing": _("Timing and loyalty")}
    return [(names[group], rows) for group, rows in listed.items() if rows]


def _fields(body: RuleBody, live: RuleBody | None, *, problems: dict[str, str], language: str) -> list[list[Field]]:
    known = {c.key: c for c in live.conditions} if live else {}
    is_only = len(body.conditions) - len(body.unless) == 1
    return [
        [
            _field(condition, known.get(condition.key), place=f"when.{index}.{position}", language=language, problems=problems,
                   joiner=_("and") if position else "", can_be_removed=not is_only)
            for position, condition in enumerate(group)
        ]
        for index, group in enumerate(body.when)
    ]  # fmt: skip


def _exceptions(body: RuleBody, live: RuleBody | None, *, problems: dict[str, str], language: str) -> list[Field]:
    known = {c.key: c for c in live.conditions} if live else {}
    return [
        _field(condition, known.get(condition.key), place=f"unless.{position}", language=language, problems=problems,
               joiner=_("or") if position else "", can_be_removed=True)
        for position, condition in enumerate(body.unless)
    ]  # fmt: skip


def _field(
    condition: rules.Condition, live: rules.Condition | None, *, place: str, language: str, problems: dict[str, str], joiner: str,
    can_be_removed: bool,
) -> Field:  # fmt: skip
    term = terms.TERMS.get(condition.term) or terms.TERMS["usage_change_28"]
    shown = rule_wording.shown_threshold(term, condition.threshold)
    was = rule_wording.shown_threshold(term, live.threshold) if live is not None and live.term == condition.term else shown
    days, was_days = condition.sustained_days, live.sustained_days if live is not None else condition.sustained_days
    is_flag = term.unit == "flag"
    return Field(
        place=place, key=condition.key, term=condition.term, op=condition.op, threshold=shown,
        unit=rule_wording.unit_name(term), days=days,
        is_flag=is_flag, was_threshold=was if was != shown else "", was_days=str(was_days or 1) if was_days != days else "",
        joiner=joiner,
        can_be_removed=can_be_removed, parts=rule_wording.condition_parts(is_sustained=bool(days), is_flag=is_flag),
        problem=next((text for where, text in problems.items() if where.startswith(place)), ""),
        definition=term.definition(language),
    )  # fmt: skip


def _term_choices(language: str) -> list[tuple[str, str]]:
    return [(key, terms.TERMS[key].name(language)) for key in terms.EDITABLE]


def _playbooks(language: str) -> dict[str, str]:
    published = PlaybookVersion.objects.filter(state="published").select_related("playbook").order_by("playbook_id")
    return {version.playbook.key: catalogue.read(version.body).name.said(language) for version in published}


def _history(edited: Rule, *, language: str, playbooks: dict[str, str]) -> list[Historic]:
    versions = list(edited.versions.exclude(state=VersionState.DRAFT).select_related("published_by").order_by("number"))
    found, before = [], None
    for version in versions:
        body = RuleBody.from_json(version.body)
        found.append(
            Historic(
                version=version,
                changes=rule_wording.differences(before, body, language=language, playbooks=playbooks),
                can_be_restored=version.state == VersionState.RETIRED,
            )
        )
        before = body
    return found[::-1]


def _preview(request: SignedIn, edited: Rule, body: RuleBody, live: RuleBody | None, *, language: str) -> dict[str, Any]:
    """Compute what the rule as shown would do today; a rule with faults, or a day without a run, says so instead."""
    stored = body.to_json()
    if rules.validate(stored):
        return {"preview": None, "preview_problem": _("Mend the rule first; then you see here what it would do.")}
    try:
        found = preview.preview(stored, rule=edited, user=request.user)
    except DomainError as error:
        return {"preview": None, "preview_problem": str(error)}
    show = (
        request.GET.get("show")
        or request.POST.get("show")
        or ("starts" if found.starts and not found.stops else "stops" if found.stops else "stays")
    )
    rows = {"starts": found.starts, "stops": found.stops, "stays": found.stays}.get(show, found.stays)
    first = body.when[0][0]
    term = terms.TERMS[first.term]
    thresholds = preview.candidates(stored, place="when.0.0")
    counts = preview.sweep(stored, place="when.0.0", thresholds=thresholds, user=request.user)
    live_first = next((c for c in live.conditions if c.key == first.key and c.term == first.term), None) if live else None
    return {
        "preview": found,
        "preview_problem": "",
        "difference": len(found.fires) - found.before,
        "show": show,
        "rows": [(row, terms.format_value(term, row.value, language)) for row in rows[:_SHOWN_AT_MOST]],
        "rows_hidden": max(0, len(rows) - _SHOWN_AT_MOST),
        "histogram": _histogram(
            preview.distribution(first.term, user=request.user), first, live_first, term=term, language=language
        ),
        "sweep": [
            {
                "value": threshold, "shown": terms.format_value(term, threshold, language), "fires": count,
                "is_live": live_first is not None and abs(live_first.threshold - threshold) < 1e-9,
                "is_draft": abs(first.threshold - threshold) < 1e-9, "share": count / max([*counts, 1]),
            }
            for threshold, count in zip(thresholds, counts, strict=True)
        ],
        "first_term": term.name(language),
    }  # fmt: skip


def _histogram(
    found: Any, condition: rules.Condition, live: rules.Condition | None, *, term: terms.Term, language: str
) -> dict[str, Any] | None:
    """Lay the bars out in an SVG of 100 × 40 units; the firing part is drawn filled."""
    if not found.counts or found.high <= found.low:
        return None
    highest, width = max([*found.counts, 1]), 100 / len(found.counts)
    span = found.high - found.low

    def at(value: float) -> float:
        return round(min(max((value - found.low) / span * 100, 0), 100), 2)

    line = at(condition.threshold)
    above = condition.op in {">=", ">"}
    bars = []
    for index, count in enumerate(found.counts):
        left, right = index * width, (index + 1) * width
        height = round(count / highest * 38, 2)
        firing = (max(left, line), right) if above else (left, min(right, line))
        quiet = (left, min(right, line)) if above else (max(left, line), right)
        for (start, end), is_firing in ((quiet, False), (firing, True)):
            if end - start > 0.01 and height:
                bars.append(
                    {
                        "x": round(start + 0.15, 2),
                        "y": round(40 - height, 2),
                        "w": round(end - start - 0.3, 2),
                        "h": height,
                        "on": is_firing,
                    }
                )
    steps = [found.low + span * i / 5 for i in range(6)]
    return {
        "bars": [bar for bar in bars if bar["w"] > 0], "line": line,
        "live": at(live.threshold) if live is not None and live.threshold != condition.threshold else None,
        "ticks": [terms.format_value(term, step, language) for step in steps],
        "customers": found.customers, "missing": found.missing,
        "threshold": terms.format_value(term, condition.threshold, language),
    }  # fmt: skip


def _tested(request: SignedIn, edited: Rule, body: dict[str, Any]) -> dict[str, Any]:
    wanted = (request.GET.get("customer") or request.POST.get("customer") or "").strip()
    context: dict[str, Any] = {"rule": edited, "wanted": wanted, "tested": None, "tested_customer": None, "test_problem": ""}
    if not wanted:
        return context
    visible = Customer.objects.visible_to(request.user).filter(merged_into__isnull=True)
    customer = (
        visible.filter(customer_id=wanted).first()
        or visible.filter(Q(name__icontains=wanted) | Q(name_kana__icontains=wanted)).order_by("name", "pk").first()
    )
    if customer is None:
        return context | {"test_problem": _("No account of that name or ID.")}
    try:
        return context | {"tested": preview.test_one(body, customer=customer), "tested_customer": customer}
    except DomainError as error:
        return context | {"test_problem": str(error), "tested_customer": customer}
