"""List alerts as data: what they say, why, and how they rank."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from signals import listing


class Command(BaseCommand):
    help = "List alerts with their evidence and the parts of their rank."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--open", action="store_true", help="only those that are not closed")
        parser.add_argument("--as-of", type=date.fromisoformat, help="as they stood at the close of the day, YYYY-MM-DD")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = listing.alerts(is_open=options["open"] or None, as_of=options["as_of"])
        if options["json"]:
            self.stdout.write(json.dumps(rows, ensure_ascii=False))
            return
        for row in rows:
            self.stdout.write(
                f"{row['id']}\t{row['raised_on']}\t{row['state']}\t{row['priority']}\t{row['customer_id']}\t{row['rule']}"
            )
