"""The run ledger: which job was done for which business date, by whom, how far (ADR-0002)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class RunState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Run(models.Model):
    """One job for one business date.  There is exactly one row per (job, business_date), for ever.

    A run is cut into chunks that any worker may claim; ``phase`` says which fan-out is open.
    ``definitions`` keeps the version ids of rules and health model that it computes with,
    fixed at its start; ``facts`` what the global step found (percentiles and the like).
    """

    job = models.CharField(max_length=20, default="nightly")
    business_date = models.DateField()
    state = models.CharField(max_length=8, choices=RunState, default=RunState.QUEUED)
    phase = models.CharField(max_length=12, blank=True, default="")
    is_scheduled = models.BooleanField(default=False)
    is_held = models.BooleanField(default=False)
    definitions = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    customers = models.PositiveIntegerField(default=0)
    scores = models.PositiveIntegerField(default=0)
    alerts_raised = models.PositiveIntegerField(default=0)
    alerts_refreshed = models.PositiveIntegerField(default=0)
    alerts_resolved = models.PositiveIntegerField(default=0)
    alerts_held = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job", "business_date"], name="run_once_per_job_and_date"),
            models.CheckConstraint(
                condition=Q(state="done", finished_at__isnull=False) | ~Q(state="done"), name="run_done_has_an_end"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["job", "state", "-business_date"], name="run_newest")]

    def __str__(self) -> str:
        return f"{self.job} {self.business_date}"


class RunChunk(models.Model):
    """A part of one phase of a run: the customers with slots in [slot_from, slot_until).

    Claimed by one conditional UPDATE that counts the attempt; results and DONE are written together,
    and only by the attempt that still holds the lease.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="chunks")
    phase = models.CharField(max_length=12)
    slot_from = models.PositiveIntegerField()
    slot_until = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=RunState, default=RunState.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=120, blank=True, default="")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    counts = models.JSONField(default=dict)
    error = models.TextField(blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "phase", "slot_from"], name="run_chunk_once"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.phase} {self.slot_from}"


class Tick(models.Model):
    """When the scheduler last looked: one row per job, for the health probe."""

    name = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.at}"


class FeatureBlock(models.Model):
    """One term of one business date for up to 65,536 customer slots: what was known then.

    ``dtype`` is f4 or f8 (money and ratios), little-endian; NaN where the term is missing.
    """

    pk = models.CompositePrimaryKey("business_date", "term", "block")
    business_date = models.DateField()
    term = models.CharField(max_length=80)
    block = models.PositiveIntegerField()
    dtype = models.CharField(max_length=2)
    data = models.BinaryField()
    is_reconstructed = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.business_date} {self.term} {self.block}"
