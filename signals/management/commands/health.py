"""Print the health of every customer at the close of a day."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from signals import printing, scores


class Command(BaseCommand):
    help = "Health of every customer at the close of a day: score, band, coverage and the points of each measure."

    def add_arguments(self, parser: CommandParser) -> None:
        printing.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        printing.print_table(self, options, lambda: scores.health(options["as_of"]), count_by="band")
