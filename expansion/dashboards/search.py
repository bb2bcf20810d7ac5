"""The palette's search: customers with their open cards, in kanji, kana or romaji, and the signals by name."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import jaconv
from django.db.models import Q
from django.views.decorators.http import require_safe

from accounts.models import Customer
from expansion.htmx import SignedIn, may, page, respond
from signals.models import Alert, RuleVersion
from signals.models.definitions import VersionState

if TYPE_CHECKING:
    from django.http import HttpResponse

    from expansion.users.models import User

SHORTEST = 2
MOST = 8


@dataclass(frozen=True, slots=True)
class Found:
    """A customer that matches, with the alert that leads its open card."""

    customer: Customer
    lead_alert: int | None

    @property
    def address(self) -> str:
        return f"/accounts/{quote(self.customer.customer_id, safe='')}/"

    @property
    def card_address(self) -> str:
        return f"/triage/{self.lead_alert}/" if self.lead_alert else ""


@page(permission="customers.read")
@require_safe
def search(request: SignedIn) -> HttpResponse:
    """Answer what the palette shows under its field; two signs are the least."""
    words = unicodedata.normalize("NFKC", request.GET.get("q", "")).strip()[:80]
    is_long_enough = len(words) >= SHORTEST
    context = {
        "words": words,
        "found": find(words, user=request.user) if is_long_enough else [],
        "rules": find_rules(words) if is_long_enough and may(request.user, "definitions.read") else [],
        "is_long_enough": is_long_enough,
    }
    return respond(request, "search.html", context, partial="_found.html")


def find(words: str, *, user: User) -> list[Found]:
    """Return the visible customers whose name, reading, domain or ID holds the words; names that begin so come first."""
    visible = Customer.objects.visible_to(user).filter(merged_into__isnull=True)
    customers = list(visible.filter(matching(words)).select_related("owner").order_by("name_kana", "name", "pk")[: MOST * 5])
    customers.sort(key=lambda customer: not customer.name.lower().startswith(words.lower()))
    customers = customers[:MOST]
    leads: dict[int, int] = {}
    if may(user, "alerts.read"):
        alerts = Alert.objects.visible_to(user).leading().filter(customer__in=customers)
        leads = dict(alerts.values_list("customer_id", "pk"))
    return [Found(customer=customer, lead_alert=leads.get(customer.pk)) for customer in customers]


def matching(words: str) -> Q:
    """Tell a customer whose name or reading holds the words, or whose domain or ID begins with them."""
    wanted = Q(domain__istartswith=words) | Q(customer_id__istartswith=words)
    for reading in _readings(words):
        wanted |= Q(name__icontains=reading) | Q(name_kana__icontains=reading) | Q(name_key__icontains=reading)
    return wanted


def find_rules(words: str) -> list[tuple[RuleVersion, str]]:
    """Return the published rules whose name, in either language, holds the words, each with its address."""
    published = RuleVersion.objects.filter(state=VersionState.PUBLISHED).select_related("rule").order_by("rule__position", "pk")
    wanted = words.casefold()
    return [
        (version, f"/definitions/signals/{version.rule.key}/")
        for version in published
        if any(wanted in str(version.body.get(name, "")).casefold() for name in ("name_ja", "name_en"))
    ][:MOST]


def _readings(words: str) -> set[str]:
    """Return the words as typed and in both kana, whatever they were typed in."""
    hiragana = jaconv.kata2hira(words)
    if words.isascii() and words.replace(" ", "").replace("-", "").isalpha():
        hiragana = jaconv.alphabet2kana(words.lower().replace(" ", ""))
    return {words, hiragana, jaconv.hira2kata(hiragana)}
