"""Whose figures: the filters of the page, the command and the API, and what the reader may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Customer, Product
from expansion.errors import DomainError
from expansion.users.models import Scope as Sight
from expansion.users.models import Team, User
from signals.models import RfmScore
from signals.models.scores import Segment

Key = Literal["owner", "team", "segment", "plan", "customer"]
KEYS: tuple[Key, ...] = ("owner", "team", "segment", "plan", "customer")
# What a customer is on a day changes; who owns it is known for today only.
_DATED: frozenset[Key] = frozenset({"segment", "plan"})
# For subscription customers the usage lens is the one shown (definitions §9).
_LENS = "usage"

_ON_PLAN = """
    WITH held AS (
        SELECT l.customer_id, l.product_id, coalesce(l.service_until, 'infinity') AS until
        FROM accounts_contractline l JOIN accounts_product p ON p.id = l.product_id
        WHERE p.kind = (SELECT kind FROM accounts_product WHERE code = %(code)s)
            AND l.starts_on <= %(day)s AND (l.service_until IS NULL OR l.service_until > l.starts_on)
    ), newest AS (SELECT customer_id, least(max(until), %(day)s::date + 1) AS until FROM held GROUP BY customer_id)
    SELECT DISTINCT held.customer_id FROM held JOIN newest USING (customer_id)
    WHERE held.until >= newest.until AND held.product_id = (SELECT id FROM accounts_product WHERE code = %(code)s)
"""


class UnknownScope(DomainError):
    """A filter names something that does not exist, or that the reader may not see."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The customers that figures are about: those that meet every term and that the reader may see.

    ``user`` None is the organisation itself (a command on the server): it sees all.
    """

    terms: tuple[tuple[Key, str], ...] = ()
    user: User | None = None


def parsed(given: Iterable[str], *, user: User | None = None) -> Scope:
    """Read terms written KEY=VALUE; refuse in words what is no term."""
    terms: list[tuple[Key, str]] = []
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in KEYS or not value.strip():
            raise UnknownScope(
                _("“%(term)s” is no scope. Write one of %(keys)s, an equals sign and a value, for example team=east.")
                % {"term": text, "keys": ", ".join(KEYS)}
            )
        terms.append((key, value.strip()))
    return Scope(terms=tuple(terms), user=user)


def steady(scope: Scope) -> list[int] | None:
    """Return the customers that meet the terms which do not change with the day, ascending; None for all."""
    sees_all = scope.user is None or (scope.user.is_active and scope.user.scope == Sight.ALL)
    if sees_all and all(key in _DATED for key, _value in scope.terms):
        return None
    return list(_customers(scope).order_by("pk").values_list("pk", flat=True))


def on_day(scope: Scope, day: date) -> set[int] | None:
    """Return the customers that meet the terms which change with the day, as of its close; None for all.

    plan     those with a line of that product in service, or, having none of its kind any more, whose last it was
    segment  those whose newest RFM segment by that day it is
    """
    found: set[int] | None = None
    for key, value in scope.terms:
        if key in _DATED:
            members = _on_plan(value, day) if key == "plan" else _in_segment(value, day)
            found = members if found is None else found & members
    return found


def _customers(scope: Scope) -> QuerySet[Customer]:
    visible = Customer.objects.all() if scope.user is None else Customer.objects.visible_to(scope.user)
    customers = visible
    for key, value in scope.terms:
        if key == "owner":
            owned = Q(owner__email__iexact=value) | Q(owner__isnull=True, owner_email__iexact=value)
            if not User.objects.filter(email__iexact=value).exists() and not Customer.objects.filter(owned).exists():
                raise UnknownScope(_("Nobody with the address “%(value)s” owns customers.") % {"value": value})
            customers = customers.filter(owned)
        elif key == "team":
            if not Team.objects.filter(key=value).exists():
                raise UnknownScope(_("There is no team with the key “%(value)s”.") % {"value": value})
            customers = customers.filter(owner__team__key=value)
        elif key == "customer":
            customers = customers.filter(customer_id=value)
            if not visible.filter(customer_id=value).exists():
                raise UnknownScope(_("There is no customer with the ID “%(value)s”.") % {"value": value})
    return customers


def _on_plan(code: str, day: date) -> set[int]:
    if not Product.objects.filter(code=code).exists():
        raise UnknownScope(_("There is no plan with the code “%(value)s”.") % {"value": code})
    with connection.cursor() as cursor:
        cursor.execute(_ON_PLAN, {"code": code, "day": day})
        return {row[0] for row in cursor.fetchall()}


def _in_segment(key: str, day: date) -> set[int]:
    if key not in Segment.values:
        raise UnknownScope(
            _("There is no segment “%(value)s”. The segments are: %(known)s.") % {"value": key, "known": ", ".join(Segment.values)}
        )
    scores = RfmScore.objects.filter(lens=_LENS)
    newest = scores.filter(business_date__lte=day).order_by("-business_date").values_list("business_date", flat=True).first()
    if newest is None:
        return set()
    return set(scores.filter(business_date=newest, segment=key).values_list("customer_id", flat=True))
