"""Customers and the people and departments inside them."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from expansion.users.models import VisibleQuerySet


class Phase(models.TextChoices):
    CONSIDERING = "considering", _("Considering")
    ONBOARDING = "onboarding", _("Onboarding")
    ONGOING = "ongoing", _("Ongoing")
    PERIODIC = "periodic", _("Periodic follow-up")


class CustomerQuerySet(VisibleQuerySet):
    to_customer = ""


class Customer(models.Model):
    """A company that we know: one row whatever number of systems speak of it.

    ``customer_id`` is the ID people use; ``slot`` is its place in the dense usage
    and feature blocks and never changes; a merged customer points to the one that stays.
    """

    customer_id = models.CharField(max_length=80, unique=True)
    slot = models.PositiveIntegerField(unique=True)
    name = models.CharField(max_length=200)
    name_kana = models.CharField(max_length=200, blank=True, default="")
    name_key = models.CharField(max_length=200, blank=True, default="", db_index=True)
    domain = models.CharField(max_length=200, blank=True, default="", db_index=True)
    corporate_number = models.CharField(max_length=13, blank=True, default="", db_index=True)
    industry = models.CharField(max_length=80, blank=True, default="")
    employees = models.PositiveIntegerField(null=True, blank=True)
    country = models.CharField(max_length=80, blank=True, default="")
    region = models.CharField(max_length=80, blank=True, default="")
    currency = models.CharField(max_length=3, blank=True, default="")
    phase = models.CharField(max_length=12, choices=Phase, blank=True, default="")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="customers")
    owner_email = models.EmailField(blank=True, default="")
    sales_owner_email = models.EmailField(blank=True, default="")
    product_owner_email = models.EmailField(blank=True, default="")
    marketing_owner_email = models.EmailField(blank=True, default="")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged_from")
    acquired_on = models.DateField(null=True, blank=True)
    acquisition_cost = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = CustomerQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["owner", "id"], name="customer_by_owner")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(customer_id=""), name="customer_id_not_empty"),
            models.CheckConstraint(condition=Q(phase__in=["", *Phase.values]), name="customer_phase_known"),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=models.F("id")),
                name="customer_not_its_own_parent",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ContactRole(models.TextChoices):
    DECISION_MAKER = "decision_maker", _("Decides")
    EXECUTIVE = "executive", _("Executive")
    CHAMPION = "champion", _("Champion")
    USER = "user", _("User")
    BILLING = "billing", _("Billing")


class Contact(models.Model):
    """A person at a customer.  History refers to people by this row's id, never by name."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="contacts")
    source = models.CharField(max_length=40, default="main")
    external_id = models.CharField(max_length=120)
    name = models.CharField(max_length=120)
    email = models.EmailField(blank=True, default="")
    title = models.CharField(max_length=80, blank=True, default="")
    department = models.CharField(max_length=80, blank=True, default="")
    role = models.CharField(max_length=16, choices=ContactRole, blank=True, default="")
    has_opted_out = models.BooleanField(default=False)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source", "external_id"], name="contact_once_per_source")]

    def __str__(self) -> str:
        return self.name


class Department(models.Model):
    """How many people a customer's department has on a day, and whether they may use the product."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="departments")
    name = models.CharField(max_length=80)
    headcount = models.PositiveIntegerField(null=True, blank=True)
    may_use = models.BooleanField(default=True)
    as_of = models.DateField()
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["customer", "name", "as_of"], name="department_once_per_day")]

    def __str__(self) -> str:
        return self.name


class Project(models.Model):
    """How far a customer's project had come on a day."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="projects")
    source = models.CharField(max_length=40, default="main")
    external_id = models.CharField(max_length=120)
    progress_percent = models.DecimalField(max_digits=5, decimal_places=2)
    as_of = models.DateField()
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "external_id", "as_of"], name="project_once_per_day"),
            models.CheckConstraint(
                condition=Q(progress_percent__gte=0, progress_percent__lte=100),
                name="project_progress_is_a_percentage",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id
