"""What happened with a customer, newest first: usage, contact, contract; the same on the card and page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast, JSONObject
from django.utils.translation import gettext as _

from accounts.models import ContractLine, Customer, Event, NpsResponse, Order, Ticket, Touch
from expansion import clock, formats
from expansion.users.models import User
from playbooks import catalogue
from playbooks.models import Outcome, Reason, Result
from signals.models import Alert, AlertChange
from signals.terms import TERMS, format_value

KINDS = ("usage", "contact", "contract")
PAGE = 20
_ABOUT_USAGE = Q(kind__startswith="feature_") | Q(kind__startswith="trial_") | Q(kind="demo_requested")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happened.  ``at`` sorts; ``on`` is the business day shown."""

    at: datetime
    on: date
    kind: str
    icon: str
    label: str
    text: str
    is_signal: bool = False


def sources(customer: Any, *, kind: str = "", before: datetime | None = None, limit: int = PAGE + 1) -> dict[str, ArraySubquery]:
    """Return one sub-select per table, each with its newest rows as JSON.  ``customer`` is an id or an OuterRef."""
    until = None if before is None else clock.day_of(before)
    chosen: dict[str, QuerySet[Any]] = {}
    if kind in {"", "usage"}:
        chosen["signals"] = _newest(Alert.objects.filter(customer=customer), "raised_on", until).values(
            json=JSONObject(
                on="raised_on", ja="rule_version__body__name_ja", en="rule_version__body__name_en", icon="rule_version__body__icon",
                evidence="evidence",
            )
        )  # fmt: skip
        about_usage = Event.objects.filter(_ABOUT_USAGE, customer=customer)
        chosen["usage_events"] = _newest(about_usage, "occurred_at", before).values(json=_event())
    if kind in {"", "contact"}:
        touched = Touch.objects.filter(customer=customer, withdrawn_at__isnull=True).exclude(source="kizashi")
        chosen["touches"] = _newest(touched, "touched_at", before).values(
            json=JSONObject(at="touched_at", kind="kind", note="note", person="contact__name", by="by__name")
        )
        chosen["tickets"] = _newest(Ticket.objects.filter(customer=customer), "opened_at", before).values(
            json=JSONObject(
                at="opened_at", severity="severity", status="status", theme="theme", closed="closed_at", escalated="is_escalated"
            )
        )  # fmt: skip
        chosen["answers"] = _newest(NpsResponse.objects.filter(customer=customer), "responded_on", until).values(
            json=JSONObject(on="responded_on", score="score", comment="comment", person="contact__name")
        )
        told = Event.objects.filter(~_ABOUT_USAGE, customer=customer)
        chosen["events"] = _newest(told, "occurred_at", before).values(json=_event())
        withdrawn = Outcome.objects.filter(corrects=OuterRef("pk"), is_withdrawal=True)
        logged = Outcome.objects.filter(~Exists(withdrawn), customer=customer, is_withdrawal=False)
        chosen["outcomes"] = _newest(logged, "at", before).values(
            json=JSONObject(
                at="at",
                result="result",
                reason="reason",
                amount=Cast("amount", TextField()),
                currency="currency",
                next_step="next_step",
                next_on="next_on",
                note="note",
                by="by__name",
                side="is_side_note",
                body=F("play__playbook_version__body__next_steps"),
            )
        )
        handed = AlertChange.objects.filter(alert__customer=customer, change__in=("assigned", "snoozed"), by__isnull=False)
        chosen["acts"] = _newest(handed, "at", before).values(
            json=JSONObject(at="at", change="change", reason="reason", by="by__name", after="after")
        )
    if kind in {"", "contract"}:
        lines = ContractLine.objects.filter(customer=customer)
        chosen["lines"] = _newest(lines, "starts_on", until).values(
            json=JSONObject(
                on="starts_on",
                product="product__name",
                product_en="product__name_en",
                quantity=Cast("quantity", TextField()),
                amount=Cast("arr", TextField()),
                currency="currency",
                discount=Cast("discount_percent", TextField()),
                status="status",
                cancelled="cancelled_on",
            )
        )
        chosen["orders"] = _newest(Order.objects.filter(customer=customer), "ordered_on", until).values(
            json=JSONObject(
                on="ordered_on",
                product="product__name",
                product_en="product__name_en",
                amount=Cast("amount", TextField()),
                currency="currency",
            )
        )
    return {name: ArraySubquery(rows[:limit]) for name, rows in chosen.items()}


def read(user: User, customer_id: int, *, kind: str, before: datetime | None, language: str) -> tuple[list[Item], str]:
    """Return the next page of a visible customer's timeline and where the one after it begins ("" = nothing is left)."""
    names = {f"timeline_{name}": rows for name, rows in sources(customer_id, kind=kind, before=before).items()}
    found = Customer.objects.visible_to(user).filter(pk=customer_id).annotate(**names).values(*names).first() or {}
    return page({name.removeprefix("timeline_"): rows for name, rows in found.items()}, before=before, language=language)


def page(found: Mapping[str, Any], *, before: datetime | None, language: str) -> tuple[list[Item], str]:
    """Return the newest items of the sub-selects, and the instant before which the next page begins."""
    made = [_ITEM[name](row, language) for name in _ITEM for row in found.get(name) or ()]
    made = sorted((item for item in made if before is None or item.at < before), key=lambda item: item.at, reverse=True)
    if len(made) <= PAGE:
        return made, ""
    # Things of the same instant are not torn apart: the next page begins before the last one shown.
    last = made[PAGE - 1].at
    shown = [item for item in made if item.at >= last]
    return shown, last.isoformat() if len(made) > len(shown) else ""


def _newest(rows: QuerySet[Any], field: str, before: Any) -> QuerySet[Any]:
    if before is not None:
        # Dates are taken whole: the exact instant is compared after reading.
        rows = rows.filter(**{f"{field}__lte": before})
    return rows.order_by(f"-{field}", "-pk")


def _event() -> JSONObject:
    return JSONObject(at="occurred_at", kind="kind", detail="detail")


def _item(row: Mapping[str, Any], kind: str, icon: str, label: str, text: str, *, is_signal: bool = False) -> Item:
    if row.get("at"):
        at = datetime.fromisoformat(row["at"])
        on = clock.day_of(at)
    else:
        on = date.fromisoformat(row["on"])
        at = clock.start_of(on)
    return Item(at=at, on=on, kind=kind, icon=icon, label=label, text=text, is_signal=is_signal)


def _signal(row: Mapping[str, Any], language: str) -> Item:
    name = row[language] or row["ja"] or ""
    facts = evidence_words(row["evidence"] or (), language)
    return _item(row, "usage", row["icon"] or "flag", _("Signal"), _joined(name, facts), is_signal=True)


def touch_name(kind: str) -> tuple[str, str]:
    """Return what a contact is called, and its icon."""
    return {
        "meeting": (_("Meeting"), "users"), "call": (_("Call"), "user"), "mail": (_("E-mail"), "mail"),
        "proposal": (_("Offer"), "doc"), "offer": (_("Offer"), "doc"), "refusal": (_("Declined"), "x"),
    }.get(kind, (_("Contact"), "user"))  # fmt: skip


def _touch(row: Mapping[str, Any], language: str) -> Item:
    label, icon = touch_name(row["kind"])
    return _item(row, "contact", icon, label, _joined(row["person"] or row["by"], row["note"]))


def _ticket(row: Mapping[str, Any], language: str) -> Item:
    state = _("solved") if row["closed"] or row["status"] in {"solved", "closed"} else _("open")
    about = _joined(row["severity"].upper(), row["theme"], state, _("escalated") if row["escalated"] else "")
    return _item(row, "contact", "mail", _("Support"), about)


def _answer(row: Mapping[str, Any], language: str) -> Item:
    score = _("%(score)d of 10") % {"score": row["score"]}
    return _item(row, "contact", "flag", _("NPS"), _joined(score, row["person"], _quoted(row["comment"], language)))


def _event_item(row: Mapping[str, Any], language: str) -> Item:
    detail = row["detail"] or {}
    told = next((str(detail[name]) for name in ("note", "text", "name", "feature", "topic") if detail.get(name)), "")
    kind = "usage" if row["kind"].startswith(("feature_", "trial_")) or row["kind"] == "demo_requested" else "contact"
    return _item(row, kind, "feat" if kind == "usage" else "info", event_name(row["kind"]), told)


def _outcome(row: Mapping[str, Any], language: str) -> Item:
    parts = [str(Result(row["result"]).label)]
    if row["reason"]:
        parts.append(str(Reason(row["reason"]).label))
    if row["amount"]:
        parts.append(formats.money_short(Decimal(row["amount"]), currency=row["currency"], language=language))
    if row["next_step"]:
        parts.append(next_step_words(row["body"] or {}, row["next_step"], language))
    if row["next_on"]:
        parts.append(formats.day(date.fromisoformat(row["next_on"]), language=language))
    text = _joined(" · ".join(parts), row["by"], _quoted(row["note"], language))
    return _item(row, "contact", "pencil" if row["side"] else "check", _("Note beside") if row["side"] else _("Outcome"), text)


def _act(row: Mapping[str, Any], language: str) -> Item:
    if row["change"] == "assigned":
        return _item(row, "contact", "useradd", _("Assigned"), _joined(row["by"], _quoted(row["reason"], language)))
    return _item(row, "contact", "clock", _("Snoozed"), _joined(row["by"], row["reason"]))


def _line(row: Mapping[str, Any], language: str) -> Item:
    quantity = f"× {formats.number(float(row['quantity']))}" if row["quantity"] else ""
    discount = (
        _("%(percent)s%% discount") % {"percent": formats.number(float(row["discount"]))}
        if row["discount"] and float(row["discount"])
        else ""
    )
    amount = formats.money_short(Decimal(row["amount"]), currency=row["currency"], language=language)
    text = _joined(f"{_product(row, language)} {quantity}".strip(), amount, discount)
    return _item(row, "contract", "doc", _("Trial") if row["status"] == "trial" else _("Contract"), text)


def _order(row: Mapping[str, Any], language: str) -> Item:
    amount = formats.money_short(Decimal(row["amount"]), currency=row["currency"], language=language)
    return _item(row, "contract", "doc", _("Order"), _joined(_product(row, language), amount))


_ITEM = {
    "signals": _signal,
    "usage_events": _event_item,
    "touches": _touch,
    "tickets": _ticket,
    "answers": _answer,
    "events": _event_item,
    "outcomes": _outcome,
    "acts": _act,
    "lines": _line,
    "orders": _order,
}


def evidence_words(evidence: Sequence[Mapping[str, Any]], language: str) -> str:
    """Say what was measured against what: 席の使用率 95%(しきい値 90%)."""
    told = []
    for item in evidence[:2]:
        term = TERMS.get(item.get("term", ""))
        if term is not None and item.get("value") is not None:
            value, limit = format_value(term, item["value"], language), format_value(term, item.get("threshold"), language)
            told.append(
                f"{term.name(language)} {value}(しきい値 {limit})"
                if language == "ja"
                else f"{term.name(language)} {value} (threshold {limit})"
            )
    return ("、" if language == "ja" else ", ").join(told)


def next_step_words(next_steps: Mapping[str, Sequence[Mapping[str, str]]], key: str, language: str) -> str:
    """Return the words of a next step by the lists of its playbook; a person's own words stay as they are."""
    for choices in next_steps.values():
        for choice in choices:
            if choice["key"] == key:
                return catalogue.Text(choice["ja"], choice["en"]).said(language)
    return key


def event_name(kind: str) -> str:
    """Return what an event is called."""
    return {
        "trial_started": _("Trial started"),
        "trial_applied": _("Trial requested"),
        "trial_ended": _("Trial ended"),
        "webinar_registered": _("Registered for a webinar"),
        "webinar_attended": _("Attended a webinar"),
        "event_attended": _("Attended an event"),
        "feature_requested": _("Feature requested"),
        "feature_released": _("Feature released"),
        "feature_viewed": _("Feature viewed"),
        "feature_tried": _("Feature tried"),
        "life_event.new_business": _("New business"),
        "life_event.merger": _("Merger"),
        "life_event.reorganisation": _("Reorganisation"),
        "life_event.overseas": _("New site abroad"),
        "life_event.headcount": _("Change in headcount"),
        "adjacent_problem": _("Related problem"),
        "competitor_mentioned": _("Competitor mentioned"),
        "contract_review_asked": _("Contract review asked for"),
        "cancellation_considered": _("Thinking of cancelling"),
        "over_budget": _("Over budget"),
        "budget_freeze": _("Budget freeze"),
        "document_downloaded": _("Document downloaded"),
        "demo_requested": _("Demo requested"),
        "problem_solved": _("Problem solved"),
        "referral_made": _("Referral"),
        "security_need": _("Security need"),
        "churn_reported": _("Cancellation announced"),
    }.get(kind, kind)


def _product(row: Mapping[str, Any], language: str) -> str:
    return (row["product_en"] if language == "en" else "") or row["product"] or ""


def _quoted(text: str | None, language: str) -> str:
    if not text:
        return ""
    return f"「{text}」" if language == "ja" else f"“{text}”"


def _joined(*parts: str | None) -> str:
    return " — ".join(part for part in parts if part)
