"""The change log: who changed which definition, right or record, from what to what, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from expansion import clock, tables
from expansion.audit.models import AuditEntry
from expansion.htmx import page, respond
from expansion.users.models import User
from signals.models import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet
    from django.http.response import HttpResponseBase

    from expansion.htmx import SignedIn

_PAGE_ROWS = 50
_CSV_ROWS = 50_000
_LONGEST_VALUE = 160
ACTS = {
    "rule.published": gettext_lazy("Rule published"),
    "rule.restored": gettext_lazy("Earlier rule restored"),
    "rule.draft_discarded": gettext_lazy("Draft of a rule thrown away"),
    "rule.switched_on": gettext_lazy("Rule switched on"),
    "rule.switched_off": gettext_lazy("Rule switched off"),
    "target.set": gettext_lazy("Target set"),
    "outcome.replaced": gettext_lazy("Outcome of a colleague replaced"),
    "user.added": gettext_lazy("Person added"),
    "user.changed": gettext_lazy("Person changed"),
    "user.deactivated": gettext_lazy("Person deactivated"),
    "user.reactivated": gettext_lazy("Person reactivated"),
    "user.password_set": gettext_lazy("Password set"),
    "team.added": gettext_lazy("Team added"),
    "token.made": gettext_lazy("Token made"),
    "token.revoked": gettext_lazy("Token revoked"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One entry as people read it: ``changes`` are (what, before, after)."""

    entry: AuditEntry
    act: str
    subject: str
    changes: list[tuple[str, str, str]]


@require_safe
@page(permission="audit.read")
def change_log(request: SignedIn) -> HttpResponseBase:
    """Show the newest entries first; ``?csv`` hands them out as a file."""
    rows = _filtered(request)
    if "csv" in request.GET:
        return tables.csv_response(f"kizashi-changes-{clock.today():%Y%m%d}.csv", _header(), _lines(rows[:_CSV_ROWS]))
    before = request.GET.get("before", "")
    shown = list((rows.filter(pk__lt=int(before)) if before.isdigit() else rows)[: _PAGE_ROWS + 1])
    context = {
        "told": _told(shown[:_PAGE_ROWS]),
        "older": shown[_PAGE_ROWS - 1].pk if len(shown) > _PAGE_ROWS else None,
        "acts": [(verb, str(label)) for verb, label in ACTS.items()],
        "people": User.objects.order_by("name"),
        "act": request.GET.get("act", ""),
        "by": request.GET.get("by", ""),
    }
    return respond(request, "definitions/log.html", context)


def _filtered(request: SignedIn) -> QuerySet[AuditEntry]:
    rows = AuditEntry.objects.select_related("by").order_by("-pk")
    if request.GET.get("act"):
        rows = rows.filter(verb=request.GET["act"])
    if request.GET.get("by", "").isdigit():
        rows = rows.filter(by=int(request.GET["by"]))
    return rows


def _told(entries: list[AuditEntry]) -> list[Told]:
    rule_keys = dict(Rule.objects.values_list("pk", "key"))
    user_names = dict(User.objects.values_list("pk", "name"))
    told = []
    for entry in entries:
        subject = entry.subject_key
        if entry.subject_kind == "signals.rule" and subject.isdigit():
            subject = rule_keys.get(int(subject), subject)
        elif entry.subject_kind == "users.user" and subject.isdigit():
            subject = user_names.get(int(subject), subject)
        told.append(
            Told(
                entry=entry,
                act=str(ACTS.get(entry.verb, entry.verb)),
                subject=subject,
                changes=list(_changes("", entry.before, entry.after)),
            )
        )
    return told


def _changes(name: str, before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    """Walk two values side by side; yield the leaves that differ."""
    if before == after:
        return
    if isinstance(before, dict | None) and isinstance(after, dict | None) and (before or after):
        for key in dict.fromkeys([*(before or {}), *(after or {})]):
            yield from _changes(f"{name}.{key}" if name else key, (before or {}).get(key), (after or {}).get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changes(f"{name}[{index + 1}]", old, new)
    else:
        yield name, _short(before), _short(after)


def _short(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _header() -> list[str]:
    return [_("When"), _("Who"), _("Act"), _("Subject"), _("What"), _("Before"), _("After"), _("Reason")]


def _lines(rows: QuerySet[AuditEntry]) -> Iterator[list[Any]]:
    for one in _told(list(rows)):
        for what, before, after in one.changes or [("", "", "")]:
            by = one.entry.by.name if one.entry.by else "Kizashi"
            yield [one.entry.at, by, one.act, one.subject, what, before, after, one.entry.reason]
