"""Who can take a card and how much each has open, and what past discounts brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import sqrt

from django.db.models import Case, Count, IntegerField, Q, Value, When

from accounts.models import Opportunity
from expansion import clock
from expansion.users.models import Role, User
from signals.models.alerts import AlertState

MONTHS_OF_DISCOUNTS = 18
_BUCKETS = tuple((Decimal(low), Decimal(low + 2)) for low in range(0, 10, 2))
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Worker:
    """Somebody who works alerts, with the number of cards that are open and awake."""

    id: int
    name: str
    initial: str
    open: int
    is_me: bool
    team: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """Offers with a discount of at least ``low`` and less than ``high`` percent, and the 95 % range of their win rate."""

    low: Decimal
    high: Decimal | None
    offers: int
    wins: int
    rate: float | None
    least: float | None
    most: float | None


def workers(user: User) -> list[Worker]:
    """Return who could take a card: the person first, then the team, then the others, each with the present load."""
    awake = Q(alerts__is_lead=True, alerts__state=AlertState.OPEN)
    found = (
        User.objects.filter(is_active=True)
        .exclude(role=Role.VIEWER)
        .annotate(
            load=Count("alerts", filter=awake),
            near=Case(
                When(pk=user.pk, then=Value(0)), When(team__isnull=False, team=user.team_id, then=Value(1)), default=Value(2),
                output_field=IntegerField(),
            ),
        )
        .select_related("team")
        .order_by("near", "team__name", "name", "pk")
    )  # fmt: skip
    return [
        Worker(
            id=one.pk,
            name=one.name,
            initial=one.initial,
            open=one.load,
            is_me=one.pk == user.pk,
            team=one.team.name if one.team else "",
        )
        for one in found
    ]


def find_worker(user: User, pk: int) -> User | None:
    """Return the person if cards can be given to them."""
    return User.objects.filter(pk=pk, is_active=True).exclude(role=Role.VIEWER).first()


def find_by_email(email: str) -> User | None:
    return User.objects.filter(email__iexact=email, is_active=True).exclude(role=Role.VIEWER).first()


def names(ids: Sequence[int]) -> list[str]:
    return list(User.objects.filter(pk__in=ids).order_by("name").values_list("name", flat=True))


def discount_record(user: User, *, now: datetime) -> list[Bucket]:
    """Return decided offers of the last 18 months by discount, of the customers that the person may see."""
    since = clock.day_of(now) - timedelta(days=round(MONTHS_OF_DISCOUNTS * 30.4375))
    decided = (
        Opportunity.objects.visible_to(user)
        .filter(closed_on__gte=since, result__in=("won", "lost"), discount_percent__isnull=False)
        .exclude(kind="renewal")
        .values_list("discount_percent", "result")
    )
    return buckets([(discount, result == "won") for discount, result in decided if discount is not None])


def buckets(decided: Sequence[tuple[Decimal, bool]]) -> list[Bucket]:
    """Count offers and wins in steps of two percent, ten and more together."""
    edges = [*_BUCKETS, (Decimal(10), None)]
    made = []
    for low, high in edges:
        within = [won for discount, won in decided if low <= discount and (high is None or discount < high)]
        wins = sum(within)
        least, most = wilson(wins, len(within))
        made.append(Bucket(low, high, len(within), wins, wins / len(within) if within else None, least, most))
    return made


def wilson(wins: int, offers: int) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a rate (Wilson's score interval); nothing for no offers."""
    if offers == 0:
        return None, None
    share, square = wins / offers, _Z * _Z
    middle = (share + square / (2 * offers)) / (1 + square / offers)
    half = _Z / (1 + square / offers) * sqrt(share * (1 - share) / offers + square / (4 * offers * offers))
    return max(middle - half, 0.0), min(middle + half, 1.0)
