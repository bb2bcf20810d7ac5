"""From what the rules found to what an alert says: worth, guardrails, rank, owner, and what cannot be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from django.conf import settings

from accounts.models import Customer
from expansion.copying import copy_to_frame
from expansion.users.models import User
from signals import guardrails
from signals.compute import amounts, priority
from signals.compute import rules as rule_masks
from signals.models import RuleVersion, Run
from signals.raising import Hits
from signals.rules import SEVERITIES
from signals.terms import TERMS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

CARD_TERMS = ("mrr", "seats", "seat_price_year", "nps_latest", "days_to_renewal", "next_plan_product", "offer_product")
# Terms whose absence means that nobody can tell, not that the condition is over.
_FED = frozenset({"usage", "activity", "scores"})
_PRODUCT_TERM = {"next_plan": "next_plan_product", "product": "offer_product"}
_ROLE_EMAIL = {"sales": "sales_owner_email", "product": "product_owner_email", "marketing": "marketing_owner_email"}


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of a run, compiled, with what the assembling of alerts asks about each, by position."""

    compiled: tuple[rule_masks.CompiledRule, ...]
    facts: pd.DataFrame

    @property
    def families(self) -> frozenset[str]:
        return frozenset(self.facts["family"])


def load_rules(ledger: Run) -> RuleSet:
    """Compile the rule versions that the run was started with."""
    versions = list(RuleVersion.objects.filter(pk__in=ledger.definitions["rules"]).select_related("rule"))
    versions.sort(key=lambda version: ledger.definitions["rules"].index(version.pk))
    return compiled(versions)


def compiled(versions: Sequence[RuleVersion]) -> RuleSet:
    """Make the versions ready to evaluate, in their order."""
    facts = pd.DataFrame(
        [
            {
                "rule_id": version.rule_id, "rule_version_id": version.pk, "family": version.rule.family,
                "play_kind": version.body["play_kind"], "playbook_key": version.body["playbook"],
                "owner_role": version.body.get("owner_role", "cs"),
                "amount": (version.body.get("amount") or {}).get("kind", "none"),
                "sla_business_days": int(version.body.get("sla_business_days", 3)),
                "cooldown_days": int(version.body.get("cooldown_days", 0)),
                "severity": SEVERITIES.index(version.body.get("severity", "normal")),
                "auto_resolve": bool(version.body.get("auto_resolve", False)),
            }
            for version in versions
        ],
        columns=[
            "rule_id", "rule_version_id", "family", "play_kind", "playbook_key", "owner_role", "amount", "sla_business_days",
            "cooldown_days", "severity", "auto_resolve",
        ],
    )  # fmt: skip
    return RuleSet(
        tuple(
            rule_masks.compile(version.body, key=version.rule.key, family=version.rule.family, version_id=version.pk)
            for version in versions
        ),
        facts,
    )


def find_hits(ledger: Run, rules: RuleSet, found: rule_masks.Hits, frame: pd.DataFrame) -> Hits:
    """Put together what the alerts need to know: one hit per customer and family, its worth, its guards and its rank."""
    day = ledger.business_date
    facts = ledger.facts
    table = _one_per_family(found.table(), rules.facts)
    customers = frame.index.to_numpy(np.int64)
    known = _known_alerts(customers)
    table = table.merge(known[["customer_id", "family", "raised_on"]][known["is_open"]], on=["customer_id", "family"], how="left")
    at = frame.index.get_indexer(pd.Index(table["customer_id"]))
    worth = _worth(table, frame, at)
    guards, is_stopped, shown = _guards(table, day)
    is_renewal = (table["play_kind"] == "renewal").to_numpy()
    days_to_renewal = _values(frame, "days_to_renewal", at)
    age = (pd.Timestamp(day) - table["raised_on"]).dt.days.fillna(0).to_numpy(float)
    record = facts.get("records", {})
    similar = [record.get(str(rule_id), (0, 0)) for rule_id in table["rule_id"]]
    ranked = pd.DataFrame(
        {
            "amount": (worth["low_cents"].to_numpy() + worth["high_cents"].to_numpy()) / 200,
            "deals": [deals for deals, _ in similar],
            "similar": [total for _, total in similar],
            "is_renewal": is_renewal,
            "days": np.where(is_renewal, days_to_renewal, age),
            "signals": table.groupby("customer_id")["family"].transform("size").to_numpy(),
            "nps_latest": _values(frame, "nps_latest", at),
            "is_excellent": (frame["band"].to_numpy()[at] == "excellent") if len(table) else np.zeros(0, bool),
            "cautions": [sum(guard.level == guardrails.CAUTION for guard in one) for one in shown],
            "is_stopped": is_stopped,
        }
    )
    points = priority.rank(ranked, amount_p95=float(facts.get("amount_p95", 0.0)))
    ranked = ranked.join(points.add_suffix("_points"))
    rows = table.assign(
        priority=points["priority"].to_numpy(),
        is_stopped=is_stopped,
        guard=pd.Series(guards, dtype=object),
        evidence=pd.Series(
            [found.rules[rule].evidence(hit, day) for rule, hit in zip(table["rule"], table["hit"], strict=True)], dtype=object
        ),
        expected_low_cents=worth["low_cents"].astype("Int64").to_numpy(),
        expected_high_cents=worth["high_cents"].astype("Int64").to_numpy(),
        expected_currency=settings.REPORTING_CURRENCY,
        owner_id=_owners(table),
    )

    def parts(positions: np.ndarray) -> list[Any]:
        chosen = ranked.iloc[positions].to_dict("records")
        return [priority.facts(cast("dict[str, Any]", alert), currency=settings.REPORTING_CURRENCY) for alert in chosen]

    def offers(positions: np.ndarray) -> list[Any]:
        chosen = worth.iloc[positions].assign(kind=table["amount"].iloc[positions])
        return [_offer(row) for row in chosen.itertuples(index=False)]

    return Hits(
        rows=rows, customers=customers, families=rules.families, parts=parts, offers=offers, features=frame,
        unknown=_unknown(rules, found, frame, known),
        resolving=frozenset(rules.facts["rule_id"][rules.facts["auto_resolve"]].tolist()),
    )  # fmt: skip


def _one_per_family(table: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """Keep one hit per customer and family: the graver rule, then the one that stands first."""
    joined = table.merge(facts, left_on="rule", right_index=True, how="left")
    joined = joined.sort_values(["customer_id", "severity", "rule"], ascending=[True, False, True], kind="stable")
    return joined.drop_duplicates(["customer_id", "family"]).reset_index(drop=True)


def _known_alerts(customers: np.ndarray) -> pd.DataFrame:
    """Return the alerts that are open or not re-armed yet."""
    return copy_to_frame(
        "SELECT customer_id, family, rule_id, raised_on, open_key IS NOT NULL FROM signals_alert "
        "WHERE customer_id = ANY(%s) AND (open_key IS NOT NULL OR state = 'closed' AND rearmed_on IS NULL)",
        [customers.tolist()],
        dtypes={"customer_id": "int64", "family": "str", "rule_id": "int64", "raised_on": "date", "is_open": "bool"},
    )


def _worth(table: pd.DataFrame, frame: pd.DataFrame, at: np.ndarray) -> pd.DataFrame:
    worth = pd.DataFrame(np.nan, index=table.index, columns=["low_cents", "high_cents", "quantity", "product_id"])
    worth["seats"], worth["seat_price_year"] = _values(frame, "seats", at), _values(frame, "seat_price_year", at)
    for kind in table["amount"].unique().tolist():
        rows = np.flatnonzero(table["amount"] == kind)
        places = at[rows]
        expected = amounts.expected(kind, frame.iloc[places])
        worth.loc[rows, ["low_cents", "high_cents", "quantity"]] = expected[["low_cents", "high_cents", "quantity"]].to_numpy()
        if kind in _PRODUCT_TERM:
            worth.loc[rows, "product_id"] = _values(frame, _PRODUCT_TERM[kind], places)
    return worth


def _guards(table: pd.DataFrame, day: date) -> tuple[list[list[dict[str, Any]]], np.ndarray, list[Sequence[guardrails.Guard]]]:
    """Return per hit the guards as stored, whether one stops it, and the guards themselves."""
    found = guardrails.check(table["customer_id"].unique().tolist(), day)
    stored: list[list[dict[str, Any]]] = []
    shown: list[Sequence[guardrails.Guard]] = []
    stopped = np.zeros(len(table), dtype=bool)
    for i, (customer_id, play_kind, playbook) in enumerate(
        zip(table["customer_id"], table["play_kind"], table["playbook_key"], strict=True)
    ):
        guards = found.get(customer_id)
        if guards is None:
            shown.append(())
            stored.append([])
            continue
        visible, stopped[i] = guardrails.for_play(guards, play_kind=play_kind, playbook=playbook)
        shown.append(visible)
        stored.append([guard.to_json() for guard in visible])
    return stored, stopped, shown


def _owners(table: pd.DataFrame) -> Any:
    """Return who gets each alert: the person of the rule's role at the customer, else the customer's owner."""
    fields = ("id", "owner_id", *_ROLE_EMAIL.values())
    people = {row["id"]: row for row in Customer.objects.filter(pk__in=table["customer_id"].unique().tolist()).values(*fields)}
    active = dict(User.objects.filter(is_active=True).values_list("email", "pk"))
    owners = []
    for customer_id, role in zip(table["customer_id"], table["owner_role"], strict=True):
        customer = people[customer_id]
        email = customer[_ROLE_EMAIL[role]].lower() if role in _ROLE_EMAIL else ""
        owners.append(active.get(email) or customer["owner_id"])
    return pd.array(owners, dtype="Int64")


def _unknown(rules: RuleSet, found: rule_masks.Hits, frame: pd.DataFrame, known: pd.DataFrame) -> frozenset[tuple[int, str]]:
    """Return the alerts whose condition cannot be judged: a measure that a feed brings is missing.

    A customer who pays nothing any more has no condition left to judge.
    """
    if known.empty:
        return frozenset()
    paying = _values(frame, "mrr", frame.index.get_indexer(pd.Index(known["customer_id"]))) > 0
    unknown = set()
    for position, rule in enumerate(rules.compiled):
        mine = known[(known["rule_id"] == rules.facts["rule_id"].iloc[position]) & paying]
        fed = [c.term for group in rule.groups for c in (rule.conditions[i] for i in group) if TERMS[c.term].dataset in _FED]
        if len(mine) and fed:
            at = frame.index.get_indexer(pd.Index(mine["customer_id"]))
            missing = np.any([np.isnan(_values(frame, term, at)) for term in fed], axis=0)
            hit = mine["customer_id"].isin(found.rules[position].customer_ids).to_numpy()
            unknown |= set(zip(mine["customer_id"][missing & ~hit], mine["family"][missing & ~hit], strict=True))
    return frozenset(unknown)


def _values(frame: pd.DataFrame, term: str, at: np.ndarray) -> np.ndarray:
    return frame[term].to_numpy(float)[at] if term in frame and len(frame) else np.full(len(at), np.nan)


def _offer(row: Any) -> dict[str, Any]:
    """Return what is offered as plain JSON: numbers as they are, money as text; what is not known is left out."""
    offer: dict[str, Any] = {"kind": row.kind}
    for name, value in (("product_id", row.product_id), ("quantity_now", row.seats), ("quantity_after", row.quantity)):
        if np.isfinite(value):
            offer[name] = int(value)
    if row.kind == "seats" and np.isfinite(row.seat_price_year):
        offer["unit_year"] = f"{row.seat_price_year:.2f}"
    return offer
