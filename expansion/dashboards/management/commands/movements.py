"""The month-end movements of every customer."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from expansion import tables
from expansion.dashboards import kpis, scopes
from expansion.errors import DomainError


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


class Command(BaseCommand):
    help = "One row per customer and month in which the MRR at the month end changed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="first", type=_month, required=True, help="first month, YYYY-MM")
        parser.add_argument("--to", dest="last", type=_month, required=True, help="last month, YYYY-MM")
        parser.add_argument("--scope", action="append", default=[], metavar="KEY=VALUE", help="as for kpis")
        parser.add_argument("--csv", action="store_true", help="print CSV")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["first"] > options["last"]:
            raise CommandError(f"--from {options['first']:%Y-%m} lies after --to {options['last']:%Y-%m}.", returncode=2)
        try:
            rows = kpis.movements(options["first"], options["last"], scopes.parsed(options["scope"]))
        except DomainError as error:
            raise CommandError(str(error)) from error
        cells = ((r.customer_id, r.month, r.mrr_before, r.mrr_after, r.change, r.category) for r in rows)
        if options["csv"]:
            for line in tables.csv_lines(kpis.MOVEMENT_COLUMNS, cells):
                self.stdout.write(line, ending="")
            return
        for row in (kpis.MOVEMENT_COLUMNS, *cells):
            self.stdout.write("\t".join(map(str, row)))
