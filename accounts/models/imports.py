"""What was handed in, what became of each row, and which source ID is which customer."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models.customers import Customer


class BatchState(models.TextChoices):
    RECEIVED = "received"
    CHECKED = "checked"
    APPLYING = "applying"
    DONE = "done"
    FAILED = "failed"


class ImportBatch(models.Model):
    """One file or API call.  Every row of it is applied, unchanged, waiting or rejected: the counts add up.

    ``lines_done`` is the last line of the file whose rows have been dealt with; a batch that was
    killed goes on after it.  ``notes`` holds what else is to be told: columns that were not read,
    rows of a key that stands more than once.
    """

    dataset = models.CharField(max_length=20)
    source = models.CharField(max_length=40, default="main")
    filename = models.CharField(max_length=255, blank=True, default="")
    sha256 = models.CharField(max_length=64, blank=True, default="")
    encoding = models.CharField(max_length=20, blank=True, default="")
    mapping = models.JSONField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=BatchState, default=BatchState.RECEIVED)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    received_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    lines_done = models.PositiveIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    applied = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    notes = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name_plural = "import batches"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(state=BatchState.DONE) | Q(rows=F("applied") + F("unchanged") + F("waiting") + F("rejected")),
                name="import_batch_counts_add_up",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["dataset", "source", "-id"], name="import_batch_newest")]

    def __str__(self) -> str:
        return f"{self.dataset} {self.filename}"


class RejectedRow(models.Model):
    """A row that was refused, as it came, with the place and the reason.

    ``reason`` is a key of accounts.imports.reasons, ``details`` completes its sentence: so the
    reader gets it in their own language.
    """

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="rejects")
    line = models.PositiveIntegerField()
    column = models.CharField(max_length=120, blank=True, default="")
    value = models.TextField(blank=True, default="")
    reason = models.TextField()
    details = models.JSONField(default=dict, blank=True)
    row = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["batch", "line"], name="rejected_row_by_line")]

    def __str__(self) -> str:
        return f"{self.line}: {self.reason}"


class WaitsFor(models.TextChoices):
    CUSTOMER = "customer"
    LINE = "line"
    PARENT = "parent"


class WaitingRow(models.Model):
    """A good row whose customer is not known yet; it is applied once its source ID is matched.

    ``external_customer_id`` is what it waits for: the customer's ID in the source, the contract line
    whose customer it belongs to, or the customer's parent (then only that link waits).
    """

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="waiting_rows")
    dataset = models.CharField(max_length=20)
    source = models.CharField(max_length=40)
    external_customer_id = models.CharField(max_length=120)
    waits_for = models.CharField(max_length=8, choices=WaitsFor, default=WaitsFor.CUSTOMER)
    line = models.PositiveIntegerField()
    row = models.JSONField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["source", "external_customer_id"], condition=Q(resolved_at__isnull=True), name="waiting_row_by_identity"
            ),
            models.Index(fields=["external_customer_id"], condition=Q(resolved_at__isnull=True), name="waiting_row_by_id_alone"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(waits_for__in=WaitsFor.values), name="waiting_row_waits_for_something_known")
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.external_customer_id}"


class Identity(models.Model):
    """The customer that an ID of a source system stands for, as a person or an exact match confirmed."""

    source = models.CharField(max_length=40)
    external_id = models.CharField(max_length=120)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="identities")
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    confirmed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "identities"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "external_id"], name="identity_one_customer_per_source_id")
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.external_id}"
