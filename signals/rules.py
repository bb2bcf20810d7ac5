"""Rules as versioned data: their form, what is wrong with one in words, and how a change becomes the rule."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from django.db import transaction
from django.db.models import Max
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from expansion.audit import trail
from expansion.errors import Conflict, DomainError
from signals.models import Rule, RuleVersion
from signals.models.alerts import PlayKind
from signals.models.definitions import VersionState
from signals.models.scores import Band, Segment
from signals.terms import TERMS, format_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from expansion.users.models import User

OPS = (">=", ">", "<=", "<")
OWNER_ROLES = ("cs", "sales", "product", "marketing")
SEVERITIES = ("info", "normal", "high")
AMOUNT_KINDS = ("seats", "next_plan", "capacity", "product", "renewal", "keep", "none")
MOST_CONDITIONS = 10
SHIPPED = "Shipped with the product"
SHIPPED_NEWER = "Shipped with a newer version of the product"

# The least and greatest threshold that can mean anything, by the unit of the term.
_LIMITS = {
    "ratio": (0.0, 2.0), "change": (-1.0, 10.0), "points": (-100.0, 100.0), "flag": (0.0, 1.0), "days": (0.0, 3650.0),
    "count": (0.0, 1e9), "per_week": (0.0, 1e9), "times": (0.0, 1000.0), "minutes": (0.0, 1e9), "score": (0.0, 10.0),
    "money": (0.0, 1e13),
}  # fmt: skip


class NoDraft(DomainError):
    """There is nothing to publish or to discard."""


class DraftOfAnother(Conflict):
    """Somebody else is editing the rule; ``draft`` is theirs."""

    def __init__(self, message: str, *, draft: RuleVersion) -> None:
        super().__init__(message)
        self.draft = draft


class NotPublishable(DomainError):
    """The body has faults; ``problems`` names them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(problems))
        self.problems = list(problems)


class Problem(str):
    """One fault in words; ``place`` is where it is ("name_ja", "when.0.1.threshold", …)."""

    __slots__ = ("place",)
    place: str

    def __new__(cls, place: str, text: str) -> Self:
        problem = super().__new__(cls, text)
        problem.place = place
        return problem


@dataclass(frozen=True, slots=True)
class Condition:
    """``term op threshold``, on the business date or on each of the last ``sustained_days``."""

    key: str
    term: str
    op: str
    threshold: float
    sustained_days: int | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        threshold = float(data["threshold"])
        if not math.isfinite(threshold):
            raise ValueError(threshold)
        return cls(
            key=str(data["key"]), term=str(data["term"]), op=str(data["op"]), threshold=threshold,
            sustained_days=None if data.get("sustained_days") is None else int(data["sustained_days"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleScope:
    """Which customers the rule looks at; an empty list means all."""

    plans: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleBody:
    """A rule as a sentence with slots: what RuleVersion.body holds.

    It fires when all conditions of any group in ``when`` hold and none in ``unless`` does.
    """

    name_ja: str
    name_en: str
    definition_ja: str
    definition_en: str
    icon: str
    when: tuple[tuple[Condition, ...], ...]
    play_kind: str
    playbook: str
    unless: tuple[Condition, ...] = ()
    scope: RuleScope = field(default_factory=RuleScope)
    owner_role: str = "cs"
    sla_business_days: int = 3
    cooldown_days: int = 30
    severity: str = "normal"
    amount: str = "none"
    auto_resolve: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a stored body; raise KeyError, TypeError or ValueError where it is no body at all."""
        scope = data.get("scope") or {}
        return cls(
            name_ja=str(data["name_ja"]), name_en=str(data["name_en"]),
            definition_ja=str(data["definition_ja"]), definition_en=str(data["definition_en"]),
            icon=str(data.get("icon", "")),
            when=tuple(tuple(Condition.from_json(c) for c in group) for group in data["when"]),
            unless=tuple(Condition.from_json(c) for c in data.get("unless") or ()),
            scope=RuleScope(**{name: tuple(str(v) for v in scope.get(name) or ()) for name in ("plans", "segments", "bands")}),
            play_kind=str(data["play_kind"]), playbook=str(data["playbook"]),
            owner_role=str(data.get("owner_role", "cs")), sla_business_days=int(data.get("sla_business_days", 3)),
            cooldown_days=int(data.get("cooldown_days", 30)), severity=str(data.get("severity", "normal")),
            amount=str((data.get("amount") or {}).get("kind", "none")), auto_resolve=bool(data.get("auto_resolve", False)),
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return the body as stored: the same body gives the same JSON."""
        data = asdict(self)
        data["when"] = [[asdict(c) for c in group] for group in self.when]
        data["unless"] = [asdict(c) for c in self.unless]
        data["scope"] = {name: list(values) for name, values in data["scope"].items()}
        data["amount"] = {"kind": self.amount}
        return data

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All conditions, those of ``when`` first."""
        return (*(c for group in self.when for c in group), *self.unless)

    def name(self, language: str) -> str:
        return self.name_ja if language.startswith("ja") else self.name_en

    def definition(self, language: str) -> str:
        return self.definition_ja if language.startswith("ja") else self.definition_en


def published() -> list[RuleVersion]:
    """Return the version of every rule that is switched on and has one, in the order of the rules."""
    return list(
        RuleVersion.objects.filter(state=VersionState.PUBLISHED, rule__is_on=True)
        .select_related("rule").order_by("rule__position", "rule_id")
    )  # fmt: skip


def find_published(rule: Rule) -> RuleVersion | None:
    return rule.versions.filter(state=VersionState.PUBLISHED).first()


def find_draft(rule: Rule) -> RuleVersion | None:
    return rule.versions.filter(state=VersionState.DRAFT).select_related("edited_by").first()


@transaction.atomic
def save_draft(rule: Rule, body: Mapping[str, Any], *, by: User, now: datetime, take_over: bool = False) -> RuleVersion:
    """Keep the body as the rule's one draft.  A draft may have faults (``validate``); publishing refuses them.

    Raise DraftOfAnother when somebody else's draft is there, unless it is taken over.
    """
    rule = _locked(rule)
    draft = find_draft(rule)
    if draft is not None and draft.edited_by_id != by.pk and not take_over:
        whose = draft.edited_by.name if draft.edited_by else "–"
        raise DraftOfAnother(
            _("%(name)s has a draft of this rule. Take it over, or ask them to publish it.") % {"name": whose}, draft=draft
        )
    if draft is None:
        draft = RuleVersion(rule=rule, number=_next_number(rule), state=VersionState.DRAFT)
    draft.body = _as_stored(body)
    draft.edited_by, draft.edited_at = by, now
    draft.save()
    return draft


@transaction.atomic
def discard_draft(rule: Rule, *, by: User, now: datetime) -> None:
    """Throw the draft away; raise NoDraft when there is none."""
    rule = _locked(rule)
    draft = find_draft(rule)
    if draft is None:
        raise NoDraft(_("There is no draft of this rule."))
    trail.record(by, "rule.draft_discarded", rule, before=draft.body, now=now)
    draft.delete()


@transaction.atomic
def publish(rule: Rule, *, reason: str, by: User, now: datetime) -> RuleVersion:
    """Make the draft the rule from the next nightly run on; open alerts stay as they are."""
    rule = _locked(rule)
    draft, current = find_draft(rule), find_published(rule)
    if draft is None:
        raise NoDraft(_("There is no draft to publish. Change the rule first."))
    if current is not None and current.body == draft.body:
        raise DomainError(_("The draft does not differ from the published version."))
    reason = _given(reason)
    problems = validate(draft.body)
    if problems:
        raise NotPublishable(problems)
    _retire(current)
    draft.state, draft.reason = VersionState.PUBLISHED, reason
    draft.published_by, draft.published_at = by, now
    draft.save()
    trail.record(by, "rule.published", rule, before=current.body if current else None, after=draft.body, reason=reason, now=now)
    return draft


@transaction.atomic
def restore(rule: Rule, number: int, *, reason: str, by: User, now: datetime) -> RuleVersion:
    """Publish the body of an older version again, as a new version.  A draft stays, behind it."""
    rule = _locked(rule)
    reason = _given(reason)
    old = rule.versions.filter(number=number, state=VersionState.RETIRED).first()
    if old is None:
        raise DomainError(_("Version %(number)d is not an earlier version of this rule.") % {"number": number})
    problems = validate(old.body)
    if problems:
        raise NotPublishable(problems)
    current, draft = find_published(rule), find_draft(rule)
    _retire(current)
    next_number = _next_number(rule)
    if draft is not None:
        # The draft makes room, so that published numbers have no gap whatever becomes of it.
        draft.number, next_number = next_number, draft.number
        draft.save(update_fields=["number"])
    version = RuleVersion.objects.create(
        rule=rule, number=next_number, state=VersionState.PUBLISHED, body=old.body, reason=reason,
        edited_by=by, edited_at=now, published_by=by, published_at=now, restores=number,
    )  # fmt: skip
    trail.record(by, "rule.restored", rule, before=current.body if current else None, after=old.body, reason=reason, now=now)
    return version


@transaction.atomic
def set_on(rule: Rule, is_on: bool, *, reason: str, by: User, now: datetime) -> Rule:  # noqa: FBT001
    """Switch the rule on or off from the next nightly run on."""
    rule = _locked(rule)
    reason = _given(reason)
    if rule.is_on == is_on:
        raise DomainError(_("The rule is already on.") if is_on else _("The rule is already off."))
    rule.is_on = is_on
    rule.save(update_fields=["is_on"])
    trail.record(
        by, "rule.switched_on" if is_on else "rule.switched_off", rule, before=not is_on, after=is_on, reason=reason, now=now
    )
    return rule


@transaction.atomic
def ship(key: str, *, family: str, group: str, position: int, body: Mapping[str, Any], now: datetime) -> bool:
    """Make the shipped rule, or bring it up to date unless somebody has changed it.  Tell whether anything changed."""
    stored = _as_stored(body)
    rule = Rule.objects.select_for_update().filter(key=key).first()
    if rule is None:
        rule = Rule.objects.create(key=key, family=family, group=group, position=position)
    current = find_published(rule)
    if current is not None and (current.published_by_id is not None or current.body == stored):
        return False
    if current is None and rule.versions.exists():
        return False
    _retire(current)
    next_number, draft = _next_number(rule), find_draft(rule)
    if draft is not None:
        draft.number, next_number = next_number, draft.number
        draft.save(update_fields=["number"])
    RuleVersion.objects.create(
        rule=rule, number=next_number, state=VersionState.PUBLISHED, body=stored,
        reason=SHIPPED if current is None else SHIPPED_NEWER,
        edited_at=now, published_at=now,
    )  # fmt: skip
    return True


def limits(term: str) -> tuple[float, float]:
    """Return the least and greatest threshold that can mean anything for the term."""
    return _LIMITS[TERMS[term].unit]


def validate(body: Mapping[str, Any]) -> list[Problem]:
    """Return what keeps the body from being published, in the reader's language; an empty list when nothing does."""
    try:
        rule = RuleBody.from_json(body)
    except (KeyError, TypeError, ValueError, AttributeError):
        return [Problem("", _("The rule is incomplete: a part is missing or has the wrong form."))]
    problems: list[Problem] = []

    def refuse(place: str, text: str) -> None:
        problems.append(Problem(place, text))

    for place, text, label in (
        ("name_ja", rule.name_ja, _("the Japanese name")), ("name_en", rule.name_en, _("the English name")),
        ("definition_ja", rule.definition_ja, _("the Japanese definition")),
        ("definition_en", rule.definition_en, _("the English definition")),
        ("playbook", rule.playbook, _("the playbook")),
    ):  # fmt: skip
        if not text.strip():
            refuse(place, _("Fill in %(field)s.") % {"field": label})
    if not rule.when or not all(rule.when):
        refuse("when", _("Give at least one condition."))
    if len(rule.conditions) > MOST_CONDITIONS:
        refuse("when", _("Use at most %(most)d conditions; split the rule in two.") % {"most": MOST_CONDITIONS})
    keys = [c.key for c in rule.conditions]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        refuse("when", _("Two conditions are called “%(key)s”; give each its own name.") % {"key": key})
    for index, group in enumerate(rule.when):
        for position, condition in enumerate(group):
            problems += _condition_problems(condition, place=f"when.{index}.{position}")
        problems += _contradictions(group, place=f"when.{index}")
    for position, condition in enumerate(rule.unless):
        problems += _condition_problems(condition, place=f"unless.{position}")
    for place, value, known, label in (
        ("play_kind", rule.play_kind, PlayKind.values, _("the kind of play")),
        ("owner_role", rule.owner_role, OWNER_ROLES, _("the role that works the alert")),
        ("severity", rule.severity, SEVERITIES, _("the severity")),
        ("amount", rule.amount, AMOUNT_KINDS, _("the expected amount")),
    ):  # fmt: skip
        if value not in known:
            refuse(place, _("Choose %(field)s from the list.") % {"field": label})
    for name, known in (("segments", Segment.values), ("bands", Band.values)):
        for value in getattr(rule.scope, name):
            if value not in known:
                refuse(f"scope.{name}", _("“%(value)s” is not known here; choose from the list.") % {"value": value})
    if not 1 <= rule.sla_business_days <= 60:
        refuse("sla_business_days", _("Give 1 to 60 business days to start."))
    if not 0 <= rule.cooldown_days <= 730:
        refuse("cooldown_days", _("Give 0 to 730 days between two alerts."))
    return problems


def _condition_problems(condition: Condition, *, place: str) -> list[Problem]:
    term = TERMS.get(condition.term)
    if term is None or term.is_internal:
        return [
            Problem(
                f"{place}.term",
                _("“%(term)s” is no measure that is known here; choose one from the list.") % {"term": condition.term},
            )
        ]
    problems = []
    if not condition.key:
        problems.append(Problem(f"{place}.key", _("Every condition needs a name.")))
    if condition.op not in OPS:
        problems.append(Problem(f"{place}.op", _("Choose how to compare: at least, more than, at most or less than.")))
    least, most = limits(condition.term)
    if not least <= condition.threshold <= most:
        language = translation.get_language() or "en"
        problems.append(
            Problem(
                f"{place}.threshold",
                _("%(term)s goes from %(least)s to %(most)s; %(value)s can never be right.")
                % {
                    "term": _term_name(condition.term, language),
                    "least": format_value(condition.term, least, language),
                    "most": format_value(condition.term, most, language),
                    "value": format_value(condition.term, condition.threshold, language),
                },
            )
        )
    if condition.sustained_days is not None and not 2 <= condition.sustained_days <= 90:
        problems.append(Problem(f"{place}.sustained_days", _("Give 2 to 90 days in a row, or leave it empty.")))
    return problems


def _contradictions(group: Sequence[Condition], *, place: str) -> list[Problem]:
    """Find terms that would have to be above and below at once."""
    problems = []
    for term in dict.fromkeys(c.term for c in group):
        least = max((c.threshold for c in group if c.term == term and c.op in {">=", ">"}), default=float("-inf"))
        most = min((c.threshold for c in group if c.term == term and c.op in {"<=", "<"}), default=float("inf"))
        is_strict = any(c.op in {">", "<"} for c in group if c.term == term and c.threshold in {least, most})
        if least > most or (least == most and is_strict):
            language = translation.get_language() or "en"
            text = _("No customer can ever meet the conditions on %(term)s: they exclude each other.") % {
                "term": _term_name(term, language)
            }
            problems.append(Problem(place, text))
    return problems


def sentence(body: Mapping[str, Any], language: str) -> str:
    """Say the rule in words, in the language: when it fires, what it asks for, when not."""
    rule = RuleBody.from_json(body)
    with translation.override(language):
        parts = [
            _("When %(conditions)s, raise an alert (%(play)s) for %(owner)s and ask them to start within %(within)s.")
            % {
                "conditions": _groups_in_words(rule.when, language),
                "play": str(PlayKind(rule.play_kind).label) if rule.play_kind in PlayKind.values else rule.play_kind,
                "owner": role_name(rule.owner_role),
                "within": ngettext("%(days)d business day", "%(days)d business days", rule.sla_business_days)
                % {"days": rule.sla_business_days},
            }
        ]
        if rule.unless:
            either = pgettext("between exceptions", " or ").join(condition_words(c, language) for c in rule.unless)
            parts.append(_("Except when %(conditions)s.") % {"conditions": either})
        if rule.cooldown_days:
            parts.append(
                ngettext("At most once per account a day.", "At most once per account every %(days)d days.", rule.cooldown_days)
                % {"days": rule.cooldown_days}
            )
        return ("" if language.startswith("ja") else " ").join(parts)


def condition_words(condition: Condition, language: str) -> str:
    """Say one condition in words: “seats used is at least 90%”."""
    with translation.override(language):
        if condition.term in TERMS and TERMS[condition.term].unit == "flag":
            words = _("%(term)s applies") if condition.op in {">=", ">"} else _("%(term)s does not apply")
            return words % {"term": _inside_a_sentence(_term_name(condition.term, language))}
        words = {
            ">=": _("%(term)s is at least %(value)s"),
            ">": _("%(term)s is more than %(value)s"),
            "<=": _("%(term)s is at most %(value)s"),
            "<": _("%(term)s is less than %(value)s"),
        }.get(condition.op, "%(term)s %(value)s")
        text = words % {
            "term": _inside_a_sentence(_term_name(condition.term, language)),
            "value": format_value(condition.term, condition.threshold, language)
            if condition.term in TERMS
            else str(condition.threshold),
        }
        if condition.sustained_days:
            text = _("%(condition)s for %(days)d days in a row") % {"condition": text, "days": condition.sustained_days}
        return text


def role_name(role: str) -> str:
    """Return the name of the role that works an alert, in the reader's language."""
    return {
        "cs": pgettext("role that works an alert", "the CS owner"),
        "sales": pgettext("role that works an alert", "the sales owner"),
        "product": pgettext("role that works an alert", "the product owner"),
        "marketing": pgettext("role that works an alert", "the marketing owner"),
    }.get(role, role)


def _groups_in_words(groups: Sequence[Sequence[Condition]], language: str) -> str:
    joined = [
        pgettext("between conditions that must all hold", " and ").join(condition_words(c, language) for c in group)
        for group in groups
    ]
    if len(joined) > 1:
        joined = [pgettext("one of several groups of conditions", "(%(group)s)") % {"group": group} for group in joined]
    return pgettext("between groups of conditions", " or ").join(joined)


def _term_name(key: str, language: str) -> str:
    term = TERMS.get(key)
    return key if term is None else term.name(language)


def _inside_a_sentence(name: str) -> str:
    """Lower the first letter, unless the word is an abbreviation."""
    return name[:1].lower() + name[1:] if name[1:2].islower() else name


def _as_stored(body: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return RuleBody.from_json(body).to_json()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DomainError(_("The rule is incomplete: a part is missing or has the wrong form.")) from error


def _locked(rule: Rule) -> Rule:
    return Rule.objects.select_for_update().get(pk=rule.pk)


def _given(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise DomainError(_("Say why: the reason is kept in the history."))
    return reason


def _next_number(rule: Rule) -> int:
    return (rule.versions.aggregate(Max("number"))["number__max"] or 0) + 1


def _retire(version: RuleVersion | None) -> None:
    if version is not None:
        version.state = VersionState.RETIRED
        version.save(update_fields=["state"])
