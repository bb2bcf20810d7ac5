"""What we do about an alert, and what came of it."""

from __future__ import annotations

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from expansion.users.models import VisibleQuerySet
from signals.models import Alert


class Playbook(models.Model):
    """The steps of a play, in both languages; the content stands in its versions."""

    key = models.SlugField(max_length=60, unique=True)

    def __str__(self) -> str:
        return self.key


class PlaybookVersion(models.Model):
    """One state of a playbook.  ``body``: see ``playbooks.catalogue.Content``."""

    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10)
    body = models.JSONField()
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    published_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["playbook", "number"], name="playbook_version_number_once"),
            models.UniqueConstraint(fields=["playbook"], condition=Q(state="published"), name="playbook_one_published_version"),
            models.CheckConstraint(condition=Q(state__in=["draft", "published", "retired"]), name="playbook_version_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.playbook_id} v{self.number}"


class Play(models.Model):
    """A playbook at work on one alert; at most one unfinished play per alert.

    ``steps``: {step key: {"at": …, "by": user id}} for those done; ``asked``: {SPIN question key: {"at", "by", "answer"}}.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="plays")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="plays")
    playbook_version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    finished_at = models.DateTimeField(null=True, blank=True)
    steps = models.JSONField(default=dict)
    asked = models.JSONField(default=dict)
    offered_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["alert"], condition=Q(finished_at__isnull=True), name="play_one_unfinished_per_alert"),
        ]
        indexes: ClassVar = [models.Index(fields=["customer", "-started_at"], name="play_by_customer")]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.playbook_version_id}"


class Result(models.TextChoices):
    OPENED = "opened", _("Opened")
    WON = "won", _("Won")
    THINKING = "thinking", _("Thinking")
    DECLINED = "declined", _("Declined")
    NO_REPLY = "no_reply", _("No reply")
    NOT_A_FIT = "not_a_fit", _("Not a fit")


class Reason(models.TextChoices):
    BUDGET = "budget", _("Budget")
    TIMING = "timing", _("Timing")
    FEATURE = "feature", _("Feature gap")
    COMPETITOR = "competitor", _("Competitor")
    CONTACT_LEFT = "contact_left", _("Contact left")
    WRONG_SIGNAL = "wrong_signal", _("Wrong signal")
    DATA_WRONG = "data_wrong", _("Data is wrong")
    NO_NEED = "no_need", _("No need")
    OTHER = "other", _("Other")


class OutcomeQuerySet(VisibleQuerySet):
    def effective(self) -> Self:
        """What counts: no side notes, nothing withdrawn, nothing that a newer row replaces (unless that one was withdrawn)."""
        withdrawn = Outcome.objects.filter(corrects=OuterRef("pk"), is_withdrawal=True)
        replacing = Outcome.objects.filter(corrects=OuterRef("pk"), is_withdrawal=False).filter(
            ~Exists(Outcome.objects.filter(corrects=OuterRef("pk"), is_withdrawal=True))
        )
        return self.filter(~Exists(withdrawn), ~Exists(replacing), is_withdrawal=False, is_side_note=False)


class Outcome(models.Model):
    """What came of a card, as a person logged it: rows are added, never changed (a trigger refuses).

    A correction is a newer row that ``corrects`` an older one; an undo is a newer row with ``is_withdrawal``.
    ``closes`` are the alerts that it closed.  ``amount`` is per year in ``currency``, negative for a downsell.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="outcomes")
    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="outcomes")
    play = models.ForeignKey(Play, on_delete=models.PROTECT, related_name="outcomes")
    result = models.CharField(max_length=10, choices=Result)
    reason = models.CharField(max_length=12, choices=Reason, blank=True, default="")
    amount = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    discount_percent = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    next_step = models.CharField(max_length=80, blank=True, default="")
    next_on = models.DateField(null=True, blank=True)
    quiet_until = models.DateField(null=True, blank=True)
    note = models.TextField(blank=True, default="")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    closes = models.JSONField(default=list)
    corrects = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="corrected_by")
    is_withdrawal = models.BooleanField(default=False)
    is_side_note = models.BooleanField(default=False)
    idempotency_key = models.CharField(max_length=80, unique=True)

    objects = OutcomeQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(result__in=Result.values), name="outcome_result_known"),
            models.CheckConstraint(
                condition=Q(is_withdrawal=True) | ~Q(result__in=["declined", "not_a_fit"]) | ~Q(reason=""),
                name="outcome_refusal_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(is_withdrawal=False) | Q(corrects__isnull=False),
                name="outcome_withdrawal_names_what",
            ),
        ]  # fmt: skip
        indexes: ClassVar = [
            models.Index(fields=["customer", "-at"], name="outcome_by_customer"),
            models.Index(fields=["by", "-at"], name="outcome_by_person"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.result}"


class Undo(models.Model):
    """How to take back one act of triage: good once, for a day.

    ``kind`` names the verb (outcome, snooze, assign), ``inverse`` holds what was before.
    """

    token = models.CharField(max_length=40, primary_key=True)
    kind = models.CharField(max_length=12)
    label = models.CharField(max_length=200)
    alerts = models.JSONField(default=list)
    inverse = models.JSONField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["made_by", "-made_at"], name="undo_newest")]

    def __str__(self) -> str:
        return self.label


class DiscountPolicy(models.Model):
    """Up to which discount who may decide, and the gross margin below which no quote is made.

    ``body``: {"zones": [{"up_to": 5.0, "role": "rep"}, …], "margin_floor_percent": 60, "suggested": [2.0, 5.0]}.
    """

    number = models.PositiveIntegerField(unique=True)
    body = models.JSONField()
    is_current = models.BooleanField(default=True)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    published_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "discount policies"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["is_current"], condition=Q(is_current=True), name="discount_policy_one_current"),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"
