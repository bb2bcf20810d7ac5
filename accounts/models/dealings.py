"""What passed between us and a customer: touches, opportunities, and what selling costs."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models.contracts import Product
from accounts.models.customers import Contact, Customer
from expansion.users.models import VisibleQuerySet

TOUCH_KINDS = ("meeting", "call", "mail", "proposal", "offer", "refusal")


class Touch(models.Model):
    """One contact with a customer.

    ``offer`` and ``refusal`` are written by a logged outcome (source "kizashi", play = its
    playbook key); a refusal holds further offers of that play until ``until``.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="touches")
    source = models.CharField(max_length=40, default="main")
    external_id = models.CharField(max_length=120)
    touched_at = models.DateTimeField()
    kind = models.CharField(max_length=10, blank=True, default="")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    by_email = models.EmailField(blank=True, default="")
    contact = models.ForeignKey(Contact, null=True, blank=True, on_delete=models.SET_NULL, related_name="touches")
    play = models.CharField(max_length=60, blank=True, default="")
    until = models.DateField(null=True, blank=True)
    note = models.TextField(blank=True, default="")
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "external_id"], name="touch_once_per_source"),
            models.CheckConstraint(condition=Q(kind__in=["", *TOUCH_KINDS]), name="touch_kind_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["customer", "-touched_at"], name="touch_by_customer")]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"


class Opportunity(models.Model):
    """A deal with an existing customer, open until it has a result."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="opportunities")
    source = models.CharField(max_length=40, default="main")
    external_id = models.CharField(max_length=120)
    opened_on = models.DateField()
    closed_on = models.DateField(null=True, blank=True)
    stage = models.CharField(max_length=60, blank=True, default="")
    result = models.CharField(max_length=4, blank=True, default="")
    kind = models.CharField(max_length=10, blank=True, default="")
    product = models.ForeignKey(Product, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    amount = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    discount_percent = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    competitor = models.CharField(max_length=120, blank=True, default="")
    reason = models.CharField(max_length=200, blank=True, default="")
    alert_id = models.BigIntegerField(null=True, blank=True)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "external_id"], name="opportunity_once_per_source"),
            models.CheckConstraint(condition=Q(result__in=["", "won", "lost"]), name="opportunity_result_known"),
            models.CheckConstraint(
                condition=Q(kind__in=["", "upsell", "cross_sell", "renewal", "downsell"]),
                name="opportunity_kind_known",
            ),
        ]  # fmt: skip
        indexes: ClassVar = [models.Index(fields=["customer", "-opened_on"], name="opportunity_by_customer")]
        verbose_name_plural = "opportunities"

    def __str__(self) -> str:
        return self.external_id


class Cost(models.Model):
    """What selling and serving cost in a month."""

    month = models.DateField()
    kind = models.CharField(max_length=10)
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    currency = models.CharField(max_length=3)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["month", "kind", "currency"], name="cost_once_per_month_and_kind"),
            models.CheckConstraint(condition=Q(kind__in=["sales", "marketing", "cs", "cogs"]), name="cost_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.kind}"
