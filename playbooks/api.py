"""REST: log outcomes, snooze and assign alerts; read the playbooks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from expansion import clock
from expansion.rest import PreconditionFailed, etag, expected_version, permitted
from expansion.users.models import User
from playbooks import acts, outcomes, people, plays
from playbooks.models import Outcome, Playbook, PlaybookVersion, Reason, Result
from signals.models import Alert

_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="8 to 80 letters, digits or .:-_; the same key again logs nothing twice",
)
_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="the alert's ETag, instead of `version` in the body"
)


class OutcomeIn(serializers.Serializer[Any]):
    """What came of a card.  A next step, date or amount that is left out takes the default of the result."""

    result = serializers.ChoiceField(choices=Result.choices)
    reason = serializers.ChoiceField(choices=Reason.choices, required=False, allow_blank=True, default="")
    amount = serializers.DecimalField(max_digits=18, decimal_places=2, required=False, allow_null=True)
    discount_percent = serializers.DecimalField(
        max_digits=5, decimal_places=2, required=False, allow_null=True, min_value=0, max_value=100
    )
    next_step = serializers.CharField(max_length=80, required=False, allow_blank=True)
    next_on = serializers.DateField(required=False, allow_null=True)
    quiet_until = serializers.DateField(required=False, allow_null=True, help_text="9999-12-31 = do not offer again")
    note = serializers.CharField(max_length=4000, required=False, allow_blank=True, default="")
    version = serializers.IntegerField(min_value=1, required=False)


class OutcomeOut(serializers.ModelSerializer[Outcome]):
    alert = serializers.IntegerField(source="alert_id")
    customer_id = serializers.CharField(source="customer.customer_id")
    by = serializers.EmailField(source="by.email")

    class Meta:
        model = Outcome
        fields = [
            "id", "alert", "customer_id", "result", "reason", "amount", "currency", "discount_percent", "next_step", "next_on",
            "quiet_until", "note", "by", "at", "closes",
        ]  # fmt: skip


class SnoozeIn(serializers.Serializer[Any]):
    """Until an instant, or until a measure holds after a nightly run; with both, whichever comes first."""

    until = serializers.DateTimeField(required=False, allow_null=True)
    condition = serializers.JSONField(
        required=False, allow_null=True, help_text='{"term": "seats_used_ratio", "op": ">=", "threshold": 0.95}'
    )
    reason = serializers.CharField(max_length=200)
    version = serializers.IntegerField(min_value=1, required=False)


class AssignIn(serializers.Serializer[Any]):
    """To whom, by e-mail address; null takes the card from everybody."""

    to = serializers.EmailField(allow_null=True)
    note = serializers.CharField(max_length=400, required=False, allow_blank=True, default="")
    version = serializers.IntegerField(min_value=1, required=False)


class AlertOut(serializers.ModelSerializer[Alert]):
    owner = serializers.EmailField(source="owner.email", default=None)

    class Meta:
        model = Alert
        fields = ["id", "state", "owner", "due_on", "snoozed_until", "snooze_condition", "snooze_reason", "version"]


class PlaybookOut(serializers.ModelSerializer[PlaybookVersion]):
    """One published playbook with its steps in both languages."""

    key = serializers.CharField(source="playbook.key")
    version = serializers.IntegerField(source="number")

    class Meta:
        model = PlaybookVersion
        fields = ["key", "version", "published_at", "body"]


class AlertOutcomes(APIView):
    """Log the outcome of an alert's card.  409 tells that somebody else was first; then nothing is logged."""

    permission_classes = [permitted("alerts.read", write="alerts.work")]

    @extend_schema(request=OutcomeIn, responses={201: OutcomeOut}, parameters=[_KEY, _MATCH])
    def post(self, request: Request, pk: int) -> Response:
        alert, now = _alert(request, pk), clock.now()
        key = _idempotency_key(request)
        repeat = outcomes.find_repeat(key, by=_person(request))
        if repeat is not None:
            return Response(OutcomeOut(repeat.outcome).data, status=status.HTTP_200_OK)
        given = OutcomeIn(data=request.data)
        given.is_valid(raise_exception=True)
        entry = _entry(alert, given.validated_data, now=now)
        logged = outcomes.record(alert, entry, version=_version(request, given), idempotency_key=key, by=_person(request), now=now)
        return Response(OutcomeOut(logged.outcome).data, status=status.HTTP_201_CREATED, headers=_tag(alert))


class AlertSnooze(APIView):
    """Put an alert's card off."""

    permission_classes = [permitted("alerts.read", write="alerts.work")]

    @extend_schema(request=SnoozeIn, responses=AlertOut, parameters=[_MATCH])
    def post(self, request: Request, pk: int) -> Response:
        alert, now = _alert(request, pk), clock.now()
        given = SnoozeIn(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        acts.snooze(
            [alert],
            until=data.get("until"),
            condition=data.get("condition"),
            reason=data["reason"],
            version=_version(request, given),
            by=_person(request),
            now=now,
        )
        return _fresh(alert)


class AlertAssign(APIView):
    """Give an alert's card to somebody."""

    permission_classes = [permitted("alerts.read", write="alerts.work")]

    @extend_schema(request=AssignIn, responses=AlertOut, parameters=[_MATCH])
    def post(self, request: Request, pk: int) -> Response:
        alert, now = _alert(request, pk), clock.now()
        given = AssignIn(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        to = people.find_by_email(data["to"]) if data["to"] else None
        if to is None and data["to"]:
            raise exceptions.ValidationError({"to": [_("Nobody who works alerts has this e-mail address.")]})
        acts.assign([alert], to=to, reason=data["note"], version=_version(request, given), by=_person(request), now=now)
        return _fresh(alert)


class PlaybookList(generics.ListAPIView[PlaybookVersion]):
    """The published playbooks."""

    permission_classes = [permitted("definitions.read")]
    serializer_class = PlaybookOut
    pagination_class = None
    queryset = PlaybookVersion.objects.filter(state="published").select_related("playbook").order_by("playbook__key")


class PlaybookDetail(generics.RetrieveAPIView[PlaybookVersion]):
    """One published playbook."""

    permission_classes = [permitted("definitions.read")]
    serializer_class = PlaybookOut

    def get_object(self) -> PlaybookVersion:
        playbook = get_object_or_404(Playbook, key=self.kwargs["key"])
        return plays.published_version(playbook.key)


def _person(request: Request) -> User:
    """Return who asks; the permissions let nobody through who is not logged in."""
    if isinstance(request.user, AnonymousUser):
        raise exceptions.NotAuthenticated
    return request.user


def _alert(request: Request, pk: int) -> Alert:
    return get_object_or_404(Alert.objects.visible_to(_person(request)).select_related("customer"), pk=pk)


def _version(request: Request, given: serializers.Serializer[Any]) -> int:
    """Return the version that the caller read: from the body, or else from If-Match."""
    version = given.validated_data.get("version")
    return expected_version(request) if version is None else int(version)


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not 8 <= len(key) <= 80 or not key.replace("-", "").replace("_", "").replace(".", "").replace(":", "").isalnum():
        raise PreconditionFailed(_("Send an Idempotency-Key of 8 to 80 letters, digits or .:-_, so that nothing is logged twice."))
    return key


def _entry(alert: Alert, data: dict[str, Any], *, now: datetime) -> outcomes.Entry:
    result = data["result"]
    fill = outcomes.suggest(result, content=plays.content_of(alert), expected=outcomes.expected(alert), today=clock.day_of(now))
    return outcomes.Entry(
        result=result, reason=data["reason"], amount=data.get("amount", fill.amount), discount_percent=data.get("discount_percent"),
        next_step=data.get("next_step", fill.next_step), next_on=data.get("next_on", fill.next_on),
        quiet_until=data.get("quiet_until", fill.quiet_until), note=data["note"],
    )  # fmt: skip


def _tag(alert: Alert) -> dict[str, str]:
    alert.refresh_from_db()
    return {"ETag": etag(alert.version)}


def _fresh(alert: Alert) -> Response:
    """Answer with the alert as the act left it, though it may have been given to somebody out of sight."""
    headers = _tag(alert)
    return Response(AlertOut(alert).data, headers=headers)
