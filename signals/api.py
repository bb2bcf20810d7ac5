"""REST: alerts, rules and runs, read; and the health probe of the nightly job."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

from django.db.models import Prefetch
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from expansion import clock
from expansion.rest import CursorPage, etag, permitted
from expansion.users.models import User
from signals import alerts, preview, rules, runs
from signals.models import Alert, AlertChange, Rule, RuleVersion, Run, Tick
from signals.models.alerts import AlertQuerySet, AlertState
from signals.models.definitions import VersionState
from signals.models.runs import RunState

TICK_LATE_SECONDS = 300


class NewestFirst(CursorPage):
    ordering = "-id"


class NewestDateFirst(CursorPage):
    ordering = "-business_date"


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """One alert: what fired, why, how it ranks."""

    rule = serializers.CharField(source="rule.key")
    customer_id = serializers.CharField(source="customer.customer_id")
    customer_name = serializers.CharField(source="customer.name")
    playbook = serializers.CharField(source="playbook_key")
    owner = serializers.EmailField(source="owner.email", default=None)
    currency = serializers.CharField(source="expected_currency")
    state = serializers.CharField()
    play_kind = serializers.CharField()

    class Meta:
        model = Alert
        fields = [
            "id", "rule", "family", "customer_id", "customer_name", "raised_on", "state", "priority", "priority_parts", "evidence",
            "is_lead", "is_stopped", "guard", "play_kind", "playbook", "expected_low", "expected_high", "currency", "due_on",
            "owner", "refreshed_on", "condition_ended_on", "snoozed_until", "closed_at", "close_reason", "quiet_until", "version",
        ]  # fmt: skip


class ChangeSerializer(serializers.ModelSerializer[AlertChange]):
    by = serializers.EmailField(source="by.email", default=None)
    state = serializers.CharField()

    class Meta:
        model = AlertChange
        fields = ["at", "by", "change", "state", "before", "after", "reason"]


class AlertDetailSerializer(AlertSerializer):
    """One alert with its history, oldest change first."""

    changes = ChangeSerializer(many=True)

    class Meta(AlertSerializer.Meta):
        fields = [*AlertSerializer.Meta.fields, "changes"]


class RuleSerializer(serializers.ModelSerializer[Rule]):
    """One rule as published: its sentence and its definition in both languages."""

    version = serializers.SerializerMethodField()
    body = serializers.SerializerMethodField()
    sentence_ja = serializers.SerializerMethodField()
    sentence_en = serializers.SerializerMethodField()

    class Meta:
        model = Rule
        fields = ["key", "family", "group", "position", "is_on", "version", "body", "sentence_ja", "sentence_en"]

    def get_version(self, rule: Rule) -> int | None:
        return self._published(rule).number if rule.versions.all() else None

    def get_body(self, rule: Rule) -> dict[str, Any] | None:
        return self._published(rule).body if rule.versions.all() else None

    def get_sentence_ja(self, rule: Rule) -> str:
        return self._sentence(rule, "ja")

    def get_sentence_en(self, rule: Rule) -> str:
        return self._sentence(rule, "en")

    def _sentence(self, rule: Rule, language: str) -> str:
        return rules.sentence(self._published(rule).body, language) if rule.versions.all() else ""

    @staticmethod
    def _published(rule: Rule) -> RuleVersion:
        return rule.versions.all()[0]


class RunSerializer(serializers.ModelSerializer[Run]):
    """One run of the nightly job."""

    state = serializers.CharField()

    class Meta:
        model = Run
        fields = [
            "id", "job", "business_date", "state", "phase", "is_scheduled", "is_held", "queued_at", "started_at", "finished_at",
            "attempt", "customers", "scores", "alerts_raised", "alerts_refreshed", "alerts_resolved", "alerts_held", "error",
        ]  # fmt: skip


class AlertList(generics.ListAPIView[Alert]):
    """Alerts of the customers that you may see, newest first."""

    permission_classes = [permitted("alerts.read")]
    serializer_class = AlertSerializer
    pagination_class = NewestFirst

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "state", str, enum=["open", "waiting", "held", "closed", "any"], description="default: all but closed"
            ),
            OpenApiParameter("rule", str, description="key of a rule"),
            OpenApiParameter("customer_id", str),
            OpenApiParameter("owner", str, description="e-mail address"),
            OpenApiParameter("lead", bool, description="only the alerts that lead their customer's card"),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> AlertQuerySet:
        asked = self.request.query_params
        found = Alert.objects.visible_to(reader(self.request)).select_related("rule", "customer", "owner")
        state = asked.get("state", "")
        if state not in {"", "any", *AlertState.values}:
            raise exceptions.ValidationError({"state": _("Choose %(field)s from the list.") % {"field": "state"}})
        if state != "any":
            found = found.filter(state=state) if state else found.open()
        if asked.get("rule"):
            found = found.filter(rule__key=asked["rule"])
        if asked.get("customer_id"):
            found = found.filter(customer__customer_id=asked["customer_id"])
        if asked.get("owner"):
            found = found.filter(owner__email__iexact=asked["owner"])
        if asked.get("lead", "").lower() in {"1", "true", "yes"}:
            found = found.filter(is_lead=True)
        return found


class AlertDetail(APIView):
    """One alert with its history; the ETag is its version."""

    permission_classes = [permitted("alerts.read")]

    @extend_schema(responses=AlertDetailSerializer)
    def get(self, request: Request, pk: int) -> Response:
        rows = Alert.objects.visible_to(reader(request)).select_related("rule", "customer", "owner").prefetch_related("changes__by")
        alert = get_object_or_404(rows, pk=pk)
        return Response(AlertDetailSerializer(alert).data, headers={"ETag": etag(alert.version)})


class RuleList(generics.ListAPIView[Rule]):
    """The rules in their order, each as published."""

    permission_classes = [permitted("definitions.read")]
    serializer_class = RuleSerializer
    pagination_class = None

    def get_queryset(self) -> Any:
        return Rule.objects.order_by("position", "id").prefetch_related(
            Prefetch("versions", RuleVersion.objects.filter(state=VersionState.PUBLISHED))
        )


class RulePreview(APIView):
    """What the rule would do today with other thresholds, among the customers that you may see."""

    permission_classes = [permitted("definitions.read")]

    @extend_schema(
        parameters=[
            OpenApiParameter("set", str, many=True, description="CONDITION.threshold=NUMBER; may be repeated"),
            OpenApiParameter("date", OpenApiTypes.DATE, description="business date, default the newest finished run"),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, key: str) -> Response:
        rule = get_object_or_404(Rule, key=key)
        version = rules.find_published(rule)
        if version is None:
            raise exceptions.NotFound
        body = version.body
        for setting in request.query_params.getlist("set"):
            body = preview.with_setting(body, setting)
        found = preview.preview(body, rule=rule, user=reader(request), business_date=_day(request.query_params.get("date", "")))
        return Response(preview.as_json(found))


class RunList(generics.ListAPIView[Run]):
    """The runs of the nightly job, newest business date first."""

    permission_classes = [permitted("definitions.read")]
    serializer_class = RunSerializer
    pagination_class = NewestDateFirst
    queryset = Run.objects.all()


class RunRelease(APIView):
    """Open the alerts of a run that the storm guard held back, once an administrator has looked at them."""

    permission_classes = [permitted("definitions.read", write="runs.work")]

    @extend_schema(request=None, responses=RunSerializer)
    def post(self, request: Request, pk: int) -> Response:
        run = get_object_or_404(Run, pk=pk)
        alerts.release(run, by=reader(request), now=clock.now())
        return Response(RunSerializer(run).data)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Say how the nightly job is: 200 while the scheduler ticks and no run has failed, else 503."""
    now = clock.now()
    last, behind = runs.last_finished(), runs.oldest_unfinished()
    ticked = Tick.objects.filter(name=runs.NIGHTLY).values_list("at", flat=True).first()
    age = None if ticked is None else (now - ticked).total_seconds()
    is_well = (age is None or age < TICK_LATE_SECONDS) and (behind is None or behind.state != RunState.FAILED)
    told = {
        "ok": is_well,
        "tick_age_seconds": None if age is None else round(age, 1),
        "jobs": {
            runs.NIGHTLY: {
                "last_finished": last and last.business_date.isoformat(),
                "finished_at": last and last.finished_at and last.finished_at.isoformat(),
                "due": clock.nightly_due(now).isoformat(),
                "unfinished": behind and behind.business_date.isoformat(),
                "state": behind.state if behind else "done" if last else "never",
            }
        },
    }
    return JsonResponse(told, status=200 if is_well else 503)


def reader(request: Request) -> User:
    """Return who asks; the permission has seen to it that somebody is logged in."""
    return cast("User", request.user)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise exceptions.ValidationError({"date": _("Write the day as YYYY-MM-DD.")}) from None
