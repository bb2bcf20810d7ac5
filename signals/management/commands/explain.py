"""Say for one customer and every rule: value, threshold, distance to fire, and why not."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Customer
from expansion import clock
from expansion.errors import DomainError
from signals import explain, snapshots
from signals.models import Rule


class Command(BaseCommand):
    help = "Explain every published rule, or one, for a customer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer_id", metavar="CUSTOMER_ID")
        parser.add_argument("--date", type=date.fromisoformat, help="business date, YYYY-MM-DD (default: the newest snapshot)")
        parser.add_argument("--rule", metavar="KEY", help="only this rule")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = Customer.objects.filter(customer_id=options["customer_id"], merged_into__isnull=True).first()
        if customer is None:
            raise CommandError(f"There is no customer {options['customer_id']!r}.")
        if options["rule"] and not Rule.objects.filter(key=options["rule"]).exists():
            raise CommandError(f"There is no rule {options['rule']!r}.")
        day = options["date"] or snapshots.newest_date() or clock.last_closed_day(clock.now())
        try:
            found = explain.explain(customer, business_date=day, rule_key=options["rule"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            told = {"customer_id": customer.customer_id, "date": day.isoformat(), "rules": [one.to_json() for one in found]}
            self.stdout.write(json.dumps(told, ensure_ascii=False))
            return
        for one in found:
            self.stdout.write(f"{one.rule}\t{'fires' if one.fires else one.why_not_en}")
