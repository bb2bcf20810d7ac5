"""Goals for the figures; everything else on the dashboards is computed from what lies below."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models


class Target(models.Model):
    """The goal for one figure from a day on, as a fraction (1.10 = 110 %)."""

    metric = models.CharField(max_length=20)
    value = models.DecimalField(max_digits=10, decimal_places=6)
    valid_from = models.DateField()
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["metric", "valid_from"], name="target_once_per_day")]

    def __str__(self) -> str:
        return f"{self.metric} {self.value}"
