"""Alerts: a signal that a person should look at, about one customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from expansion.users.models import User, VisibleQuerySet
from signals.models.definitions import Rule, RuleVersion
from signals.models.runs import Run

if TYPE_CHECKING:
    from datetime import datetime


class AlertState(models.TextChoices):
    OPEN = "open", _("Open")
    WAITING = "waiting", _("Snoozed")
    HELD = "held", _("Held")
    CLOSED = "closed", _("Closed")


class PlayKind(models.TextChoices):
    """What the alert asks for; it decides the precedence on a card and the sign of the amount."""

    HELP = "help", _("Help first")
    RENEWAL = "renewal", _("Renewal")
    UPSELL = "upsell", _("Upsell")
    CROSS_SELL = "cross_sell", _("Cross-sell")
    DOWNSELL = "downsell", _("Downsell")


class AlertQuerySet(VisibleQuerySet):
    @classmethod
    def within_scope(cls, user: User) -> Q:
        """Alerts of visible customers, and those that were given to the person."""
        return super().within_scope(user) | Q(owner=user)

    def open(self) -> Self:
        return self.filter(open_key__isnull=False)

    def leading(self) -> Self:
        """One alert per customer: the one whose play the card shows."""
        return self.open().filter(is_lead=True)

    def awake(self, now: datetime) -> Self:
        """Open, not held back, and not snoozed beyond the instant."""
        return self.filter(Q(state=AlertState.OPEN) | Q(state=AlertState.WAITING, snoozed_until__lte=now))


class Alert(models.Model):
    """One rule family on one customer: at most one is open at a time.

    A second hit refreshes the evidence, it does not add an alert.  All open alerts of a
    customer make one card; exactly one of them is its lead (``is_lead``), whose playbook
    the card shows (``chosen_at``: a person chose it).  ``evidence``, ``priority_parts`` and the expected amounts are as they
    were at the last refresh.  A closed alert keeps its family from firing again until
    ``rearmed_on`` is set: when the condition has stopped, or when ``quiet_until`` is over.
    ``evidence``: [{term, value, threshold, unit, window, on}], ``priority_parts``:
    [{key, points, max, fact_ja, fact_en}], ``guard``: [{key, level, fact_ja, fact_en, until}].
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="alerts")
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="alerts")
    rule_version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="+")
    family = models.CharField(max_length=60)
    open_key = models.CharField(max_length=100, null=True, blank=True, unique=True)
    state = models.CharField(max_length=8, choices=AlertState, default=AlertState.OPEN)
    is_lead = models.BooleanField(default=False)
    play_kind = models.CharField(max_length=10, choices=PlayKind)
    playbook_key = models.CharField(max_length=60)
    priority = models.PositiveSmallIntegerField(default=0)
    priority_parts = models.JSONField(default=list)
    evidence = models.JSONField(default=list)
    guard = models.JSONField(default=list)
    is_stopped = models.BooleanField(default=False)
    expected_low = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    expected_high = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    expected_currency = models.CharField(max_length=3, blank=True, default="")
    offer = models.JSONField(default=dict, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="alerts")
    raised_on = models.DateField()
    raised_by = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="raised")
    refreshed_on = models.DateField()
    condition_ended_on = models.DateField(null=True, blank=True)
    due_on = models.DateField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    chosen_at = models.DateTimeField(null=True, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    snooze_condition = models.JSONField(null=True, blank=True)
    snooze_reason = models.CharField(max_length=200, blank=True, default="")
    returned_at = models.DateTimeField(null=True, blank=True)
    held_reason = models.CharField(max_length=40, blank=True, default="")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    close_reason = models.CharField(max_length=40, blank=True, default="")
    quiet_until = models.DateField(null=True, blank=True)
    rearmed_on = models.DateField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="closed", open_key__isnull=True, closed_at__isnull=False, is_lead=False)
                | ~Q(state="closed") & Q(open_key__isnull=False, closed_at__isnull=True),
                name="alert_closed_or_open_wholly",
            ),
            models.UniqueConstraint(fields=["customer"], condition=Q(is_lead=True), name="alert_one_lead_per_customer"),
            models.CheckConstraint(condition=Q(priority__lte=100), name="alert_priority_0_to_100"),
            models.CheckConstraint(
                condition=~Q(state="waiting") | Q(snoozed_until__isnull=False) | Q(snooze_condition__isnull=False),
                name="alert_waits_for_something",
            ),
            models.CheckConstraint(condition=~Q(state="held") | ~Q(held_reason=""), name="alert_held_for_a_reason"),
        ]  # fmt: skip
        indexes: ClassVar = [
            models.Index(fields=["owner", "-priority", "id"], condition=Q(is_lead=True), name="alert_queue_by_owner"),
            models.Index(fields=["-priority", "id"], condition=Q(is_lead=True), name="alert_queue"),
            models.Index(fields=["customer", "family"], condition=Q(state="closed", rearmed_on__isnull=True), name="alert_quiet"),
            models.Index(fields=["-closed_at"], condition=Q(state="closed"), name="alert_done"),
            models.Index(fields=["snoozed_until"], condition=Q(state="waiting"), name="alert_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.family} {self.state}"


class AlertChange(models.Model):
    """One change of an alert: rows are added, never changed (a trigger refuses).

    The first row of every alert is "raised"; the newest row's ``state`` is the alert's state.
    """

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="changes")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    change = models.CharField(max_length=20)
    state = models.CharField(max_length=8, choices=AlertState)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    reason = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["alert", "id"], name="alert_change_in_order")]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.change}"
