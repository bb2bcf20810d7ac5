"""A rule as a sentence with fields in it, and the difference of two versions in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from signals import rules, terms
from signals.models.alerts import PlayKind
from signals.models.scores import Band, Segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from signals.rules import Condition, RuleBody

_SLOT = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence: words, or the name of the field that stands there."""

    words: str = ""
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two versions say differently; an empty side means "was not there"."""

    label: str
    before: str
    after: str


def parts(message: str) -> list[Part]:
    """Cut one translated message at its slots, so that word order stays the translator's."""
    cut = []
    for index, piece in enumerate(_SLOT.split(message)):
        if piece:
            cut.append(Part(slot=piece) if index % 2 else Part(words=piece))
    return cut


def condition_parts(*, is_sustained: bool, is_flag: bool) -> list[Part]:
    if is_flag:
        return parts(pgettext("a condition that is yes or no", "%(term)s applies"))
    if is_sustained:
        return parts(_("%(term)s is %(op)s %(threshold)s for %(days)s days in a row"))
    return parts(_("%(term)s is %(op)s %(threshold)s"))


def rule_parts() -> list[Part]:
    return parts(
        _("When %(conditions)s, raise an alert with %(playbook)s for %(owner)s and ask them to start within %(sla)s business days.")
    )


def exception_parts() -> list[Part]:
    return parts(_("except when %(conditions)s"))


def cooldown_parts() -> list[Part]:
    return parts(_("After it was closed, it stays quiet for the same account for %(cooldown)s days at least."))


def op_name(op: str) -> str:
    return {
        ">=": pgettext("comparison", "at least"),
        ">": pgettext("comparison", "more than"),
        "<=": pgettext("comparison", "at most"),
        "<": pgettext("comparison", "less than"),
    }[op]


def unit_name(term: terms.Term) -> str:
    """Return what stands behind the number of a threshold."""
    return {
        "ratio": "%", "change": "%", "days": pgettext("unit", "days"), "per_week": pgettext("unit", "a week"),
        "points": pgettext("unit", "points"), "score": "", "times": pgettext("unit", "times as much"),
        "minutes": pgettext("unit", "minutes"),
        "money": pgettext("unit", "yen"), "count": "",
    }.get(term.unit, "")  # fmt: skip


def shown_threshold(term: terms.Term, threshold: float) -> str:
    """Return the number as it is typed: a ratio of 0.9 is written 90."""
    value = threshold * 100 if term.unit in {"ratio", "change"} else threshold
    return f"{round(value, 4):g}" if abs(value) < 1e6 else f"{value:.0f}"


def typed_threshold(term: terms.Term | None, text: str) -> float:
    """Read a typed number back; full-width digits, commas and % are understood.  Raise ValueError otherwise."""
    plain = text.translate(str.maketrans("０１２３４５６７８９．－，％", "0123456789.-,%")).replace(",", "").strip().rstrip("%")
    value = float(plain)
    return round(value / 100, 8) if term is not None and term.unit in {"ratio", "change"} else value


def differences(before: RuleBody | None, after: RuleBody, *, language: str, playbooks: Mapping[str, str]) -> list[Difference]:
    """Say what changed from one version to the next; an empty list where nothing did."""
    if before is None:
        return []
    found = _condition_differences(before, after, language=language)
    plain = (
        (_("Playbook"), playbooks.get(before.playbook, before.playbook), playbooks.get(after.playbook, after.playbook)),
        (_("Owner"), rules.role_name(before.owner_role), rules.role_name(after.owner_role)),
        (_("Start within"), _business_days(before.sla_business_days), _business_days(after.sla_business_days)),
        (_("Quiet for"), _days(before.cooldown_days), _days(after.cooldown_days)),
        (_("Kind of play"), str(PlayKind(before.play_kind).label), str(PlayKind(after.play_kind).label)),
        (_("Expected amount"), amount_name(before.amount), amount_name(after.amount)),
        (_("Severity"), severity_name(before.severity), severity_name(after.severity)),
        (_("Closes by itself"), _yes_no(before.auto_resolve), _yes_no(after.auto_resolve)),
        (_("Only plans"), _listed(before.scope.plans), _listed(after.scope.plans)),
        (_("Only bands"), _listed(Band(b).label for b in before.scope.bands), _listed(Band(b).label for b in after.scope.bands)),
        (
            _("Only segments"),
            _listed(Segment(s).label for s in before.scope.segments),
            _listed(Segment(s).label for s in after.scope.segments),
        ),
        (_("Name (Japanese)"), before.name_ja, after.name_ja),
        (_("Name (English)"), before.name_en, after.name_en),
        (_("Definition (Japanese)"), before.definition_ja, after.definition_ja),
        (_("Definition (English)"), before.definition_en, after.definition_en),
    )
    return found + [Difference(label=label, before=old, after=new) for label, old, new in plain if old != new]


def amount_name(kind: str) -> str:
    return {
        "seats": _("More seats"), "next_plan": _("The next plan"), "capacity": _("More capacity"),
        "product": _("A related product"),
        "renewal": _("The renewal"), "keep": _("What is to be kept"), "none": _("None"),
    }.get(kind, kind)  # fmt: skip


def severity_name(severity: str) -> str:
    return {
        "info": pgettext("severity", "For information"), "normal": pgettext("severity", "Normal"),
        "high": pgettext("severity", "High"),
    }.get(severity, severity)  # fmt: skip


def _condition_differences(before: RuleBody, after: RuleBody, *, language: str) -> list[Difference]:
    found = []
    for old_list, new_list, label in (
        (_flat(before.when), _flat(after.when), pgettext("part of a rule", "Condition")),
        (before.unless, after.unless, pgettext("part of a rule", "Exception")),
    ):
        old, new = {c.key: c for c in old_list}, {c.key: c for c in new_list}
        for key in dict.fromkeys([*old, *new]):
            was, now = _in_words(old.get(key), language), _in_words(new.get(key), language)
            if was != now:
                found.append(Difference(label=label, before=was, after=now))
    if [[c.key for c in group] for group in before.when] != [[c.key for c in group] for group in after.when] and not found:
        found.append(Difference(label=_("Grouping"), before=str(len(before.when)), after=str(len(after.when))))
    return found


def _flat(groups: Iterable[Iterable[Condition]]) -> list[Condition]:
    return [condition for group in groups for condition in group]


def _in_words(condition: Condition | None, language: str) -> str:
    return "" if condition is None else rules.condition_words(condition, language)


def _business_days(days: int) -> str:
    return ngettext("%(days)d business day", "%(days)d business days", days) % {"days": days}


def _days(days: int) -> str:
    return ngettext("%(days)d day", "%(days)d days", days) % {"days": days}


def _yes_no(value: bool) -> str:  # noqa: FBT001
    return _("Yes") if value else _("No")


def _listed(values: Iterable[object]) -> str:
    return pgettext("between items of a list", ", ").join(str(value) for value in values) or _("All")
