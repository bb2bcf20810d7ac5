"""What customers bought: products, contract lines, orders, invoices, and the revenue ledger made from the lines."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models.customers import Customer
from expansion.users.models import VisibleQuerySet


class ProductKind(models.TextChoices):
    PLAN = "plan", _("Plan")
    SEAT = "seat", _("Seats")
    CAPACITY = "capacity", _("Capacity")
    ADDON = "addon", _("Add-on")
    PRODUCT = "product", _("Product")
    SERVICE = "service", _("Service")


class Product(models.Model):
    """Something that we sell.  Plans have a tier: a higher one is an upgrade within the family.

    ``list_price`` is per unit (seat) and billing period; ``included_quota`` maps a usage
    metric to what is included; ``complements`` are codes that go well with it.
    A product that only turned up in a contract line is marked ``is_guessed``.
    """

    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120, blank=True, default="")
    family = models.CharField(max_length=60, blank=True, default="")
    kind = models.CharField(max_length=10, choices=ProductKind)
    tier = models.PositiveSmallIntegerField(null=True, blank=True)
    list_price = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    billing_months = models.PositiveSmallIntegerField(default=1)
    currency = models.CharField(max_length=3, blank=True, default="")
    gross_margin_percent = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    included_seats = models.PositiveIntegerField(null=True, blank=True)
    included_quota = models.JSONField(default=dict, blank=True)
    complements = models.JSONField(default=list, blank=True)
    is_guessed = models.BooleanField(default=False)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=ProductKind.values), name="product_kind_known"),
            models.CheckConstraint(condition=Q(billing_months__gte=1), name="product_bills_for_a_month_or_more"),
        ]

    def __str__(self) -> str:
        return self.name


class LineStatus(models.TextChoices):
    TRIAL = "trial", _("Trial")
    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    PAST_DUE = "past_due", _("Past due")
    CANCELLED = "cancelled", _("Cancelled")


class ContractLine(models.Model):
    """One period of one contract line: from ``starts_on`` until, not including, ``ends_before``.

    The key is (source, line_id, starts_on): the same key again is a correction, a later
    ``starts_on`` an amendment that ends the period before.  ``ends_before`` is as given
    (null = open); ``service_until`` is what counts: the earliest of the given end, the
    next amendment and the effect of a cancellation (null = open-ended).  It is set by
    ``accounts.ledger`` whenever a line of the customer changes.  ``mrr`` is rounded per line.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="lines")
    source = models.CharField(max_length=40, default="main")
    line_id = models.CharField(max_length=120)
    contract_id = models.CharField(max_length=120, blank=True, default="")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="lines")
    starts_on = models.DateField()
    ends_before = models.DateField(null=True, blank=True)
    service_until = models.DateField(null=True, blank=True)
    renews_on = models.DateField(null=True, blank=True)
    quantity = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    amount = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    billing_months = models.PositiveSmallIntegerField(default=1)
    mrr = models.DecimalField(max_digits=18, decimal_places=2)
    arr = models.DecimalField(max_digits=18, decimal_places=2)
    currency = models.CharField(max_length=3)
    list_price = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    discount_percent = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    auto_renew = models.BooleanField(null=True, blank=True)
    notice_days = models.PositiveSmallIntegerField(null=True, blank=True)
    trial_ends_on = models.DateField(null=True, blank=True)
    paused_from = models.DateField(null=True, blank=True)
    paused_before = models.DateField(null=True, blank=True)
    past_due_since = models.DateField(null=True, blank=True)
    is_co_term = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=LineStatus, blank=True, default="")
    cancelled_on = models.DateField(null=True, blank=True)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    source_line = models.PositiveIntegerField(null=True, blank=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "line_id", "starts_on"], name="contract_line_one_period_per_start"),
            models.CheckConstraint(
                condition=Q(ends_before__isnull=True) | Q(ends_before__gt=F("starts_on")),
                name="contract_line_ends_after_it_starts",
            ),
            models.CheckConstraint(condition=Q(billing_months__gte=1), name="contract_line_bills_for_a_month_or_more"),
            models.CheckConstraint(condition=~Q(currency=""), name="contract_line_has_a_currency"),
        ]  # fmt: skip
        indexes: ClassVar = [models.Index(fields=["customer", "starts_on"], name="contract_line_by_customer")]

    def __str__(self) -> str:
        return f"{self.line_id} {self.starts_on}"


class Cause(models.TextChoices):
    START = "start", _("Start")
    END = "end", _("End")
    PLAN = "plan", _("Plan")
    SEATS = "seats", _("Seats")
    CAPACITY = "capacity", _("Capacity")
    ADDON = "addon", _("Add-on")
    PRODUCT = "product", _("Other product")
    PRICE = "price", _("Price")
    DISCOUNT = "discount", _("Discount")
    TERM = "term", _("Term")
    RENEWAL_DOWN = "renewal_down", _("Renewed lower")
    PAUSE = "pause", _("Pause")


class MrrEvent(models.Model):
    """One dated change of one customer's MRR on one line, with its cause.

    Derived from contract lines by ``accounts.ledger`` and rebuilt at will: the sum of
    ``change`` up to a day is the customer's MRR at the close of that day, per currency.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="mrr_events")
    on = models.DateField()
    change = models.DecimalField(max_digits=18, decimal_places=2)
    currency = models.CharField(max_length=3)
    cause = models.CharField(max_length=12, choices=Cause)
    line = models.ForeignKey(ContractLine, on_delete=models.CASCADE, related_name="+")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["customer", "on"], name="mrr_event_by_customer"),
            models.Index(fields=["on"], name="mrr_event_by_day"),
        ]
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(change=0), name="mrr_event_changes_something")]

    def __str__(self) -> str:
        return f"{self.on} {self.change} {self.cause}"


class Order(models.Model):
    """A purchase on a day.  Feeds RFM and average order value, never MRR."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="orders")
    source = models.CharField(max_length=40, default="main")
    external_id = models.CharField(max_length=120)
    ordered_on = models.DateField()
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    currency = models.CharField(max_length=3)
    product = models.ForeignKey(Product, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    kind = models.CharField(max_length=10, blank=True, default="one_off")
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "external_id"], name="order_once_per_source"),
            models.CheckConstraint(condition=Q(kind__in=["one_off", "renewal", "upgrade", "addon"]), name="order_kind_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["customer", "ordered_on"], name="order_by_customer")]

    def __str__(self) -> str:
        return self.external_id


class Invoice(models.Model):
    """What was billed: feeds overdue flags and reconciliation, never MRR."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="invoices")
    source = models.CharField(max_length=40, default="main")
    external_id = models.CharField(max_length=120)
    invoiced_on = models.DateField()
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    currency = models.CharField(max_length=3)
    due_on = models.DateField(null=True, blank=True)
    paid_on = models.DateField(null=True, blank=True)
    status = models.CharField(max_length=20, blank=True, default="")
    line_id = models.CharField(max_length=120, blank=True, default="")
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source", "external_id"], name="invoice_once_per_source")]
        indexes: ClassVar = [models.Index(fields=["customer", "invoiced_on"], name="invoice_by_customer")]

    def __str__(self) -> str:
        return self.external_id


class FxRate(models.Model):
    """How much of the reporting currency one unit of a currency is worth, from a day on."""

    valid_from = models.DateField()
    currency = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=18, decimal_places=8)
    batch = models.ForeignKey("accounts.ImportBatch", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["currency", "valid_from"], name="fx_rate_one_per_day"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="fx_rate_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.valid_from}"
