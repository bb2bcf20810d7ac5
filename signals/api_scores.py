"""REST: health and RFM of the customers that you may see, as the night stored them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, cast

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from expansion.rest import CursorPage, permitted
from expansion.users.models import User
from signals import health
from signals.models import HealthModelVersion, HealthScore, RfmScore
from signals.models.scores import Band, Segment

_DAY = OpenApiParameter("as_of", OpenApiTypes.DATE, description="business date, default the newest night")
_CUSTOMER = OpenApiParameter("customer_id", str)


class ByCustomer(CursorPage):
    ordering = "customer_id"


class RfmSerializer(serializers.ModelSerializer[RfmScore]):
    """Recency, frequency and value of one customer, scored 1 to 5, and the segment that they make."""

    customer_id = serializers.CharField(source="customer.customer_id")

    class Meta:
        model = RfmScore
        fields = ["customer_id", "business_date", "lens", "recency_days", "frequency", "monetary", "r", "f", "m", "segment"]


class HealthSerializer(serializers.ModelSerializer[HealthScore]):
    """Health of one customer, and the points of each measure (null = the measure was missing)."""

    customer_id = serializers.CharField(source="customer.customer_id")
    points = serializers.SerializerMethodField()
    model_version = serializers.IntegerField(source="version.number")

    class Meta:
        model = HealthScore
        fields = ["customer_id", "business_date", "score", "band", "coverage", "points", "model_version"]

    def get_points(self, score: HealthScore) -> dict[str, float | None]:
        keys = self.context["measures"][score.version_id]
        return {key: None if points is None else round(points, 4) for key, points in zip(keys, score.points, strict=True)}


class RfmList(generics.ListAPIView[RfmScore]):
    """RFM of the customers that you may see, for one lens and business date; who is not scored is not listed."""

    permission_classes = [permitted("customers.read")]
    serializer_class = RfmSerializer
    pagination_class = ByCustomer

    @extend_schema(
        parameters=[
            _DAY,
            _CUSTOMER,
            OpenApiParameter("lens", str, enum=["purchase", "usage"], description="default: purchase"),
            OpenApiParameter("segment", str, enum=Segment.values),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[RfmScore]:
        asked = self.request.query_params
        lens = _one_of(asked.get("lens") or "purchase", "lens", ("purchase", "usage"))
        found = _of_day(RfmScore.objects.visible_to(_person(self.request)).filter(lens=lens), asked)
        if asked.get("segment"):
            found = found.filter(segment=_one_of(asked["segment"], "segment", Segment.values))
        return found


class HealthList(generics.ListAPIView[HealthScore]):
    """Health of the customers that you may see, for one business date."""

    permission_classes = [permitted("customers.read")]
    serializer_class = HealthSerializer
    pagination_class = ByCustomer

    @extend_schema(parameters=[_DAY, _CUSTOMER, OpenApiParameter("band", str, enum=Band.values)])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[HealthScore]:
        asked = self.request.query_params
        found = _of_day(HealthScore.objects.visible_to(_person(self.request)).select_related("version"), asked)
        if asked.get("band"):
            found = found.filter(band=_one_of(asked["band"], "band", Band.values))
        return found

    def get_serializer_context(self) -> dict[str, Any]:
        measures = {version.pk: list(health.measures(version, "en")) for version in HealthModelVersion.objects.all()}
        return {**super().get_serializer_context(), "measures": measures}


def _person(request: Request) -> User:
    """Return who asks: the permission has let nobody pass who is not logged in."""
    return cast("User", request.user)


def _of_day(found: Any, asked: Any) -> Any:
    """Keep one business date, the newest unless the caller asks for another, and one customer where asked."""
    given = asked.get("as_of", "")
    try:
        day = date.fromisoformat(given) if given else None
    except ValueError:
        raise exceptions.ValidationError({"as_of": _("Write the day as YYYY-MM-DD.")}) from None
    if day is None:
        day = found.order_by("-business_date").values_list("business_date", flat=True).first()
    found = found.filter(business_date=day).select_related("customer")
    return found.filter(customer__customer_id=asked["customer_id"]) if asked.get("customer_id") else found


def _one_of(value: str, field: str, known: Sequence[str]) -> str:
    if value not in known:
        raise exceptions.ValidationError({field: _("Choose %(field)s from the list.") % {"field": field}})
    return value
