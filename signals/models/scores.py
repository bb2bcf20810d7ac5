"""What the nightly run computed about each customer."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Customer
from expansion.users.models import VisibleQuerySet
from signals.models.definitions import HealthModelVersion


class Band(models.TextChoices):
    EXCELLENT = "excellent", _("Excellent")
    HEALTHY = "healthy", _("Healthy")
    WATCH = "watch", _("Watch")
    ACT_NOW = "act_now", _("Act now")
    INSUFFICIENT = "insufficient", _("Not enough data")


class Segment(models.TextChoices):
    CHAMPION = "champion", pgettext_lazy("rfm", "Champion")
    LOYAL = "loyal", pgettext_lazy("rfm", "Loyal")
    POTENTIAL = "potential", pgettext_lazy("rfm", "Potential loyal")
    NEW = "new", pgettext_lazy("rfm", "New")
    PROMISING = "promising", pgettext_lazy("rfm", "Promising")
    NEED_ATTENTION = "need_attention", pgettext_lazy("rfm", "Need attention")
    ABOUT_TO_SLEEP = "about_to_sleep", pgettext_lazy("rfm", "About to sleep")
    AT_RISK = "at_risk", pgettext_lazy("rfm", "At risk")
    CANT_LOSE = "cant_lose", pgettext_lazy("rfm", "Can't lose")
    HIBERNATING = "hibernating", pgettext_lazy("rfm", "Hibernating")
    LOST = "lost", pgettext_lazy("rfm", "Lost")


class HealthScore(models.Model):
    """The health of one customer at the close of one day, with the points of each measure.

    ``points`` follows the order of the measures in ``version``; null = the measure was missing.
    ``score`` is null when too little is known (band "insufficient").
    """

    pk = models.CompositePrimaryKey("customer_id", "business_date")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="health_scores", db_index=False)
    business_date = models.DateField()
    score = models.PositiveSmallIntegerField(null=True, blank=True)
    band = models.CharField(max_length=12, choices=Band)
    coverage = models.FloatField()
    points = ArrayField(models.FloatField(null=True))
    version = models.ForeignKey(HealthModelVersion, on_delete=models.PROTECT, related_name="+", db_index=False)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["business_date"], name="health_score_by_date")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(score__isnull=True) | Q(score__lte=100), name="health_score_0_to_100"),
            models.CheckConstraint(
                condition=Q(score__isnull=True, band="insufficient") | Q(score__isnull=False) & ~Q(band="insufficient"),
                name="health_score_withheld_when_insufficient",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.customer_id} {self.business_date} {self.score}"


class RfmScore(models.Model):
    """Recency, frequency, monetary value and their scores 1 to 5, for one lens at the close of one day."""

    pk = models.CompositePrimaryKey("customer_id", "lens", "business_date")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="rfm_scores", db_index=False)
    lens = models.CharField(max_length=8)
    business_date = models.DateField()
    recency_days = models.PositiveIntegerField(null=True)
    frequency = models.PositiveIntegerField(null=True)
    monetary = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    r = models.PositiveSmallIntegerField(null=True)
    f = models.PositiveSmallIntegerField(null=True)
    m = models.PositiveSmallIntegerField(null=True)
    segment = models.CharField(max_length=16, choices=Segment, blank=True, default="")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(lens__in=["purchase", "usage"]), name="rfm_lens_known")]
        indexes: ClassVar = [models.Index(fields=["business_date", "lens"], name="rfm_by_date")]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.lens} {self.r}{self.f}{self.m}"


class Standing(models.Model):
    """Where one customer stands after the newest finished run: what lists and cards show at a glance.

    Written whole by each run; can be rebuilt from scores and contract lines.
    """

    customer = models.OneToOneField(Customer, primary_key=True, on_delete=models.CASCADE, related_name="standing")
    as_of = models.DateField()
    score = models.PositiveSmallIntegerField(null=True, blank=True)
    band = models.CharField(max_length=12, choices=Band)
    coverage = models.FloatField()
    score_change_30 = models.SmallIntegerField(null=True, blank=True)
    rfm_r = models.PositiveSmallIntegerField(null=True, blank=True)
    rfm_f = models.PositiveSmallIntegerField(null=True, blank=True)
    rfm_m = models.PositiveSmallIntegerField(null=True, blank=True)
    segment = models.CharField(max_length=16, choices=Segment, blank=True, default="")
    nps = models.SmallIntegerField(null=True, blank=True)
    nps_answers = models.PositiveIntegerField(default=0)
    mrr = models.DecimalField(max_digits=18, decimal_places=2)
    arr = models.DecimalField(max_digits=18, decimal_places=2)
    currency = models.CharField(max_length=3)
    plan_code = models.CharField(max_length=60, blank=True, default="")
    seats = models.FloatField(null=True, blank=True)
    seats_used = models.FloatField(null=True, blank=True)
    renews_on = models.DateField(null=True, blank=True)
    notice_on = models.DateField(null=True, blank=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["renews_on"], name="standing_by_renewal"),
            models.Index(fields=["band"], name="standing_by_band"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.band}"
