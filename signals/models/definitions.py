"""Rules and health models as versioned data."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class VersionState(models.TextChoices):
    DRAFT = "draft"
    PUBLISHED = "published"
    RETIRED = "retired"


class Version(models.Model):
    """One state of a definition.  A published or retired version is never edited.

    Exactly one draft and one published version at most; numbers have no gaps.
    """

    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=VersionState)
    body = models.JSONField()
    reason = models.TextField(blank=True, default="")
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    edited_at = models.DateTimeField()
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    published_at = models.DateTimeField(null=True, blank=True)
    restores = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"v{self.number} ({self.state})"


class Rule(models.Model):
    """One signal: a sentence with numbers in it that says when to raise an alert.

    ``family`` groups rules about the same fact: one open alert per customer and family.
    The sentence itself stands in the versions (its form: ``signals.rules.RuleBody``).
    """

    key = models.SlugField(max_length=60, unique=True)
    family = models.SlugField(max_length=60)
    group = models.CharField(max_length=20, default="depth")
    position = models.PositiveSmallIntegerField(default=0)
    is_on = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(group__in=["depth", "spread", "timing"]), name="rule_group_known"),
        ]

    def __str__(self) -> str:
        return self.key


class RuleVersion(Version):
    """One version of a rule; every alert keeps the version that raised it."""

    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="versions")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rule", "number"], name="rule_version_number_once"),
            models.UniqueConstraint(fields=["rule"], condition=Q(state="published"), name="rule_one_published_version"),
            models.UniqueConstraint(fields=["rule"], condition=Q(state="draft"), name="rule_one_draft_version"),
        ]


class HealthModel(models.Model):
    """A way to weigh measures into a score of 0 to 100."""

    key = models.SlugField(max_length=60, unique=True)
    is_default = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="health_model_one_default"),
        ]

    def __str__(self) -> str:
        return self.key


class HealthModelVersion(Version):
    """One version of a health model; every score keeps the version that made it."""

    model = models.ForeignKey(HealthModel, on_delete=models.PROTECT, related_name="versions")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "number"], name="health_version_number_once"),
            models.UniqueConstraint(fields=["model"], condition=Q(state="published"), name="health_one_published_version"),
            models.UniqueConstraint(fields=["model"], condition=Q(state="draft"), name="health_one_draft_version"),
        ]
