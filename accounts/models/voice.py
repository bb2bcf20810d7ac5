"""What customers say: tickets, NPS, surveys, and dated events about them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models.customers import Contact, Customer
from expansion.users.models import VisibleQuerySet


class Severity(models.TextChoices):
    P1 = "p1", "P1"
    P2 = "p2", "P2"
    P3 = "p3", "P3"
    P4 = "p4", "P4"


class Ticket(models.Model):
    """A support case."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="tickets")
    source = models.CharField(max_length=40, default="main")
    external_id = models.CharField(max_length=120)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    severity = models.CharField(max_length=2, choices=Severity, blank=True, default="")
    status = models.CharField(max_length=8, default="open")
    satisfaction = models.DecimalField(max_digits=3, decimal_places=2, null=True, blank=True)
    theme = models.CharField(max_length=200, blank=True, default="")
    is_escalated = models.BooleanField(default=False)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "external_id"], name="ticket_once_per_source"),
            models.CheckConstraint(condition=Q(status__in=["open", "pending", "solved", "closed"]), name="ticket_status_known"),
            models.CheckConstraint(
                condition=Q(satisfaction__isnull=True) | Q(satisfaction__gte=1, satisfaction__lte=5),
                name="ticket_satisfaction_1_to_5",
            ),
        ]  # fmt: skip
        indexes: ClassVar = [models.Index(fields=["customer", "-opened_at"], name="ticket_by_customer")]

    def __str__(self) -> str:
        return self.external_id


class NpsResponse(models.Model):
    """One answer, 0 to 10, to how likely a person would recommend us."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="nps_responses")
    source = models.CharField(max_length=40, default="main")
    external_id = models.CharField(max_length=120)
    contact = models.ForeignKey(Contact, null=True, blank=True, on_delete=models.SET_NULL, related_name="nps_responses")
    respondent = models.CharField(max_length=200, blank=True, default="")
    responded_on = models.DateField()
    score = models.PositiveSmallIntegerField()
    comment = models.TextField(blank=True, default="")
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "external_id"], name="nps_once_per_source"),
            models.CheckConstraint(condition=Q(score__lte=10), name="nps_score_0_to_10"),
        ]
        indexes: ClassVar = [models.Index(fields=["customer", "-responded_on"], name="nps_by_customer")]

    def __str__(self) -> str:
        return f"{self.external_id} {self.score}"


class SurveyAnswer(models.Model):
    """One answer to one question of a satisfaction survey."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="survey_answers")
    source = models.CharField(max_length=40, default="main")
    external_id = models.CharField(max_length=120)
    responded_on = models.DateField()
    question = models.CharField(max_length=200)
    score = models.DecimalField(max_digits=8, decimal_places=2)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source", "external_id", "question"], name="survey_answer_once")]

    def __str__(self) -> str:
        return f"{self.external_id} {self.question}"


EVENT_KINDS = (
    "trial_started", "trial_applied", "trial_ended", "webinar_registered", "webinar_attended", "event_attended",
    "feature_requested", "feature_released", "feature_viewed", "feature_tried", "life_event.new_business",
    "life_event.merger", "life_event.reorganisation", "life_event.overseas", "life_event.headcount", "adjacent_problem",
    "competitor_mentioned", "contract_review_asked", "cancellation_considered", "over_budget", "budget_freeze",
    "document_downloaded", "demo_requested", "problem_solved", "referral_made", "security_need", "churn_reported",
)  # fmt: skip


class Event(models.Model):
    """Something that happened at or with a customer; ``detail`` keeps what the source said besides."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="events")
    source = models.CharField(max_length=40, default="main")
    external_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=40)
    occurred_at = models.DateTimeField()
    detail = models.JSONField(default=dict, blank=True)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "external_id"], name="event_once_per_source"),
            models.CheckConstraint(condition=Q(kind__in=EVENT_KINDS), name="event_kind_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["customer", "-occurred_at"], name="event_by_customer"),
            models.Index(fields=["kind", "occurred_at"], name="event_by_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"
