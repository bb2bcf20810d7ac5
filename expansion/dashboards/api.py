"""REST: the same figures as on the page and from the commands, for the customers that the caller may see."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from expansion.dashboards import kpis, scopes
from expansion.dashboards.scopes import Scope
from expansion.dashboards.spans import Period
from expansion.rest import CursorPage, permitted
from expansion.users.models import User

_SCOPE = OpenApiParameter(
    "scope", OpenApiTypes.STR, many=True,
    description="owner=EMAIL, team=KEY, segment=KEY, plan=CODE or customer=ID; repeated: all of them must hold",
)  # fmt: skip
_DAYS = [
    OpenApiParameter("from", OpenApiTypes.DATE, required=True, description="the close of this day is the start"),
    OpenApiParameter("to", OpenApiTypes.DATE, required=True, description="the close of this day is the end"),
    _SCOPE,
]
_MONTHS = [
    OpenApiParameter("from", OpenApiTypes.STR, required=True, description="first month, YYYY-MM"),
    OpenApiParameter("to", OpenApiTypes.STR, required=True, description="last month, YYYY-MM"),
    _SCOPE,
    OpenApiParameter("limit", OpenApiTypes.INT, description="rows of one page, 1 to 1,000"),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="from next of the page before"),
]


class DaysQuery(serializers.Serializer[dict[str, Any]]):
    """From the close of one day to the close of a later one."""

    to = serializers.DateField()
    scope = serializers.ListField(child=serializers.CharField(max_length=200), required=False, default=list)

    def get_fields(self) -> dict[str, serializers.Field]:
        return {"from": serializers.DateField(), **super().get_fields()}  # a keyword cannot be an attribute

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["from"] >= attrs["to"]:
            raise serializers.ValidationError({"to": [_("The end must lie after the start.")]})
        return attrs


class MonthField(serializers.Field):
    """A month as YYYY-MM; its first day."""

    def to_internal_value(self, data: object) -> date:
        try:
            return date.fromisoformat(f"{data}-01")
        except ValueError as error:
            raise serializers.ValidationError([_("Write a month as YYYY-MM.")]) from error

    def to_representation(self, value: date) -> str:
        return f"{value:%Y-%m}"


class MonthsQuery(serializers.Serializer[dict[str, Any]]):
    """From one month to the same or a later one, and which part of the rows."""

    to = MonthField()
    scope = serializers.ListField(child=serializers.CharField(max_length=200), required=False, default=list)
    limit = serializers.IntegerField(min_value=1, max_value=CursorPage.max_page_size, default=CursorPage.page_size)
    cursor = serializers.CharField(required=False, default="", max_length=400)

    def get_fields(self) -> dict[str, serializers.Field]:
        return {"from": MonthField(), **super().get_fields()}

    def validate_cursor(self, value: str) -> tuple[str, str]:
        """Return the customer and month of the last row of the page before."""
        if not value:
            return "", ""
        try:
            customer, month = json.loads(base64.urlsafe_b64decode(value.encode()))
        except (ValueError, TypeError, binascii.Error) as error:
            raise serializers.ValidationError([_("This cursor is none of ours. Leave it out to begin again.")]) from error
        return str(customer), str(month)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["from"] > attrs["to"]:
            raise serializers.ValidationError({"to": [_("The last month must not lie before the first.")]})
        return attrs


def _money(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=18, decimal_places=2, **options)


def _rate() -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=12, decimal_places=6, allow_null=True)


class Figures(serializers.Serializer[dict[str, Any]]):
    """What all figures of a span say about themselves."""

    to = serializers.DateField()
    start_customers = serializers.IntegerField()
    upsell_rate = _rate()
    cross_sell_rate = _rate()
    currency = serializers.CharField()
    definitions_version = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field]:
        return {"from": serializers.DateField(), **super().get_fields()}


class RetentionFigures(Figures):
    """Money with two decimals, rates as fractions with six; null where nobody paid at the start."""

    start_mrr = _money()
    end_mrr = _money()
    retained_mrr = _money()
    nrr = _rate()
    grr = _rate()
    logo_retention = _rate()
    churned_customers = serializers.IntegerField()
    new = _money()
    reactivation = _money()
    expansion = _money()
    contraction = _money()
    churn = _money()
    expansion_by_cause = serializers.DictField(child=_money())
    nrr_with_reactivation = _rate()
    nrr_of_price = _rate()


class UpsellFigures(Figures):
    upsold_customers = serializers.IntegerField()
    cross_sold_customers = serializers.IntegerField()
    expansion_rate = _rate()
    expanded_customers = serializers.IntegerField()
    upsell_events = serializers.IntegerField()
    upsell_mrr = _money()
    upsell_unit_amount = _money(allow_null=True)
    upsells_per_customer = _rate()
    upsells_per_upsold_customer = _rate()
    cross_sell_events = serializers.IntegerField()
    cross_sell_mrr = _money()


class MovementRow(serializers.Serializer[kpis.Movement]):
    customer_id = serializers.CharField()
    month = serializers.CharField()
    mrr_before = _money()
    mrr_after = _money()
    change = _money()
    category = serializers.ChoiceField(["new", "reactivation", "expansion", "contraction", "churn"])


class MovementPage(serializers.Serializer[dict[str, Any]]):
    next = serializers.URLField(allow_null=True)
    results = MovementRow(many=True)


class RetentionView(APIView):
    """NRR, GRR and their kin between the closes of two days."""

    permission_classes = [permitted("metrics.read")]

    @extend_schema(parameters=_DAYS, responses=RetentionFigures)
    def get(self, request: Request) -> Response:
        return Response(kpis.as_json(_retention(request)))


class UpsellView(APIView):
    """Upsell and cross-sell rates, counts and amounts between the closes of two days."""

    permission_classes = [permitted("metrics.read")]

    @extend_schema(parameters=_DAYS, responses=UpsellFigures)
    def get(self, request: Request) -> Response:
        return Response(kpis.upsell_json(_retention(request)))


class MovementsView(APIView):
    """One row per customer and month in which the MRR at the month end changed."""

    permission_classes = [permitted("metrics.read")]

    @extend_schema(parameters=_MONTHS, responses=MovementPage)
    def get(self, request: Request) -> Response:
        query = MonthsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        rows = kpis.movements(asked["from"], asked["to"], _scope(asked["scope"], request))
        start = bisect_right(rows, asked["cursor"], key=_place)
        shown = rows[start : start + asked["limit"]]
        following = None
        if start + len(shown) < len(rows):
            cursor = base64.urlsafe_b64encode(json.dumps(_place(shown[-1])).encode()).decode()
            following = replace_query_param(request.build_absolute_uri(), "cursor", cursor)
        results = [MovementRow(movement).data for movement in shown]
        return Response({"next": following, "results": results})


def _retention(request: Request) -> kpis.Retention:
    query = DaysQuery(data=request.query_params)
    query.is_valid(raise_exception=True)
    asked = query.validated_data
    return kpis.retention(Period(asked["from"], asked["to"]), _scope(asked["scope"], request))


def _scope(terms: list[str], request: Request) -> Scope:
    assert isinstance(request.user, User)  # noqa: S101  (permitted() lets nobody else in)
    return scopes.parsed(terms, user=request.user)


def _place(movement: kpis.Movement) -> tuple[str, str]:
    return movement.customer_id, movement.month
