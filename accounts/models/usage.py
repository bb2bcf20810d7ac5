"""How customers use the product: rows are the truth, dense blocks are derived from them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models.customers import Customer
from expansion.users.models import VisibleQuerySet


class MetricKind(models.TextChoices):
    COUNTER = "counter", _("Counter")
    GAUGE = "gauge", _("Gauge")
    DISTINCT = "distinct", _("Distinct count")


class Metric(models.Model):
    """Something counted or measured per customer and day, such as seats_used or feature.csv_export."""

    id = models.SmallAutoField(primary_key=True)
    key = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=8, choices=MetricKind)
    unit = models.CharField(max_length=20, blank=True, default="")
    label_ja = models.CharField(max_length=80, blank=True, default="")
    label_en = models.CharField(max_length=80, blank=True, default="")
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(kind__in=MetricKind.values), name="metric_kind_known")]

    def __str__(self) -> str:
        return self.key


class UsageDaily(models.Model):
    """The value of one metric for one customer on one day.

    Partitioned by month of ``day``; no surrogate id and no foreign keys, so that a
    row stays small and can be moved to another store (ADR-0003).  ``batch_id`` is
    the import batch that last wrote it, ``line`` the line of its file.
    """

    pk = models.CompositePrimaryKey("customer_id", "metric_id", "day")
    customer_id = models.BigIntegerField()
    metric_id = models.SmallIntegerField()
    day = models.DateField()
    value = models.FloatField()
    batch_id = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "accounts_usagedaily"

    def __str__(self) -> str:
        return f"{self.customer_id} {self.metric_id} {self.day}"


class UsageBlock(models.Model):
    """One day of one metric for up to 65,536 customers: little-endian float32 by slot, NaN where there is no row.

    ``data`` is cut at the highest slot in use.  A dirty block is rebuilt from the rows before it is read.
    """

    BLOCK_SLOTS = 65_536

    pk = models.CompositePrimaryKey("day", "metric_id", "block")
    day = models.DateField()
    metric_id = models.SmallIntegerField()
    block = models.PositiveIntegerField()
    data = models.BinaryField(null=True)
    is_dirty = models.BooleanField(default=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["day"], condition=Q(is_dirty=True), name="usage_block_dirty")]

    def __str__(self) -> str:
        return f"{self.day} {self.metric_id} {self.block}"


class FeedDay(models.Model):
    """A day on which a metric's feed delivered at all: on such a day a counter without a row is 0."""

    pk = models.CompositePrimaryKey("metric_id", "day")
    metric_id = models.SmallIntegerField()
    day = models.DateField()

    def __str__(self) -> str:
        return f"{self.metric_id} {self.day}"


class ActivityDaily(models.Model):
    """What one user of a customer did on one day.  ``user_key`` is the source's opaque user id."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="activity")
    user_key = models.CharField(max_length=120)
    day = models.DateField()
    department = models.CharField(max_length=80, blank=True, default="")
    events = models.PositiveIntegerField(default=0)
    minutes = models.FloatField(null=True, blank=True)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer", "day", "user_key"], name="activity_one_row_per_user_and_day"),
        ]

    def __str__(self) -> str:
        return f"{self.user_key} {self.day}"
