"""The closed-cohort figures between the close of two days."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from expansion.dashboards import kpis, scopes
from expansion.dashboards.spans import Period
from expansion.errors import DomainError


class Command(BaseCommand):
    help = "NRR, GRR and their kin between the closes of two days; January is --from 2024-12-31 --to 2025-01-31."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", dest="from_day", type=date.fromisoformat, required=True, help="YYYY-MM-DD, its close is the start"
        )
        parser.add_argument("--to", dest="to_day", type=date.fromisoformat, required=True, help="YYYY-MM-DD, its close is the end")
        parser.add_argument(
            "--scope", action="append", default=[], metavar="KEY=VALUE",
            help="owner=EMAIL, team=KEY, segment=KEY, plan=CODE or customer=ID; repeated: all of them must hold",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["from_day"] >= options["to_day"]:
            raise CommandError(f"--from {options['from_day']} is not before --to {options['to_day']}.", returncode=2)
        try:
            scope = scopes.parsed(options["scope"])
            figures = kpis.as_json(kpis.retention(Period(options["from_day"], options["to_day"]), scope))
        except DomainError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(figures))
            return
        for name, value in figures.items():
            if isinstance(value, dict):
                for cause, amount in value.items():
                    self.stdout.write(f"{name}.{cause}\t{amount}")
            else:
                self.stdout.write(f"{name}\t{'–' if value is None else value}")
