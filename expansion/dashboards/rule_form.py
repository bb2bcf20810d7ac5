"""Read the sentence form of a rule back into a body, with its structural buttons."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from expansion.dashboards import rule_wording
from signals import terms

if TYPE_CHECKING:
    from django.http import QueryDict

_PLACE = re.compile(r"^(when\.(\d+)\.(\d+)|unless\.(\d+))\.term$")
_TEXTS = ("name_ja", "name_en", "definition_ja", "definition_en", "playbook", "owner_role", "severity", "play_kind")


def read(data: QueryDict, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the body that the form says, and what could not be read by place.

    A number that cannot be read keeps the value of ``body``, the version being edited.
    """
    refused: dict[str, str] = {}
    groups: dict[int, dict[int, dict[str, Any]]] = {}
    exceptions: dict[int, dict[str, Any]] = {}
    for name in data:
        found = _PLACE.match(name)
        if found is None:
            continue
        condition = _condition(data, place=found[1], refused=refused)
        if found[4] is None:
            groups.setdefault(int(found[2]), {})[int(found[3])] = condition
        else:
            exceptions[int(found[4])] = condition
    read_body = dict(body)
    if groups:
        read_body["when"] = [[group[i] for i in sorted(group)] for _index, group in sorted(groups.items())]
    read_body["unless"] = [exceptions[i] for i in sorted(exceptions)]
    for name in _TEXTS:
        if name in data:
            read_body[name] = str(data[name]).strip()
    for name in ("sla_business_days", "cooldown_days"):
        read_body[name] = _whole(data.get(name, ""), place=name, otherwise=body[name], refused=refused)
    if "amount" in data:
        read_body["amount"] = {"kind": data["amount"]}
    if "details" in data:
        read_body["auto_resolve"] = "auto_resolve" in data
        read_body["scope"] = {name: data.getlist(f"scope.{name}") for name in ("plans", "segments", "bands")}
    return _with_distinct_keys(read_body), refused


def rebuild(body: dict[str, Any], action: str) -> dict[str, Any]:
    """Carry out a structural button: ``and:0``, ``or``, ``unless``, ``remove:when.0.1``, ``sustain:when.0.0`` or
    ``move:when.0.0:0.85``.
    """
    verb, _colon, rest = action.partition(":")
    body = {**body, "when": [list(group) for group in body["when"]], "unless": list(body["unless"])}
    if verb == "and":
        body["when"][int(rest)].append(_fresh())
    elif verb == "or":
        body["when"].append([_fresh()])
    elif verb == "unless":
        body["unless"].append({**_fresh(), "term": "open_p1_tickets", "threshold": 1.0})
    elif verb == "remove":
        _take_out(body, rest)
    elif verb == "sustain":
        condition = _at(body, rest)
        condition["sustained_days"] = None if condition.get("sustained_days") else 3
    elif verb == "move":
        place, _colon, value = rest.partition(":")
        _at(body, place)["threshold"] = float(value)
    return _with_distinct_keys(body)


def _condition(data: QueryDict, *, place: str, refused: dict[str, str]) -> dict[str, Any]:
    term = terms.TERMS.get(data.get(f"{place}.term", ""))
    text = data.get(f"{place}.threshold", "")
    try:
        threshold = rule_wording.typed_threshold(term, text)
    except ValueError:
        threshold = float(data.get(f"{place}.was", "0") or 0)
        refused[f"{place}.threshold"] = _("“%(text)s” is no number. Write digits, such as 80.") % {"text": text}
    days = None
    if f"{place}.days" in data:
        days = _whole(str(data[f"{place}.days"]), place=f"{place}.days", otherwise=3, refused=refused)
    return {
        "key": data.get(f"{place}.key", ""), "term": data.get(f"{place}.term", ""), "op": data.get(f"{place}.op", ">="),
        "threshold": threshold, "sustained_days": days,
    }  # fmt: skip


def _whole(text: str, *, place: str, otherwise: int, refused: dict[str, str]) -> int:
    try:
        return int(rule_wording.typed_threshold(None, text))
    except (ValueError, OverflowError):
        refused[place] = _("“%(text)s” is no whole number. Write digits, such as 3.") % {"text": text}
        return otherwise


def _fresh() -> dict[str, Any]:
    return {"key": "", "term": "usage_change_28", "op": ">=", "threshold": 0.1, "sustained_days": None}


def _with_distinct_keys(body: dict[str, Any]) -> dict[str, Any]:
    """Name new conditions after their term; a name that is there stays, so that history can follow it."""
    taken: set[str] = set()

    def named(condition: dict[str, Any]) -> dict[str, Any]:
        stem = condition["key"] or condition["term"]
        key, count = stem, 2
        while key in taken:
            key, count = f"{stem}_{count}", count + 1
        taken.add(key)
        return {**condition, "key": key}

    when = [[named(c) for c in group] for group in body["when"]]
    return {**body, "when": when, "unless": [named(c) for c in body["unless"]]}


def _at(body: dict[str, Any], place: str) -> dict[str, Any]:
    """Return a copy of the condition at the place, put where it was, to be changed."""
    side, *indexes = place.split(".")
    row = body[side] if side == "unless" else body[side][int(indexes[0])]
    position = int(indexes[-1])
    row[position] = dict(row[position])
    return row[position]


def _take_out(body: dict[str, Any], place: str) -> None:
    side, *indexes = place.split(".")
    if side == "unless":
        del body["unless"][int(indexes[0])]
        return
    group = body["when"][int(indexes[0])]
    if len(group) == 1 and len(body["when"]) == 1:
        return
    del group[int(indexes[1])]
    if not group:
        del body["when"][int(indexes[0])]
