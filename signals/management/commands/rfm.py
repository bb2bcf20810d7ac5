"""Print recency, frequency and monetary value of every customer at the close of a day."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from signals import printing, scores


class Command(BaseCommand):
    help = "RFM of every customer at the close of a day: days, times, amount, scores 1 to 5 and segment."

    def add_arguments(self, parser: CommandParser) -> None:
        printing.add_arguments(parser)
        parser.add_argument("--lens", choices=["purchase", "usage"], default="purchase", help="by purchases or by use")

    def handle(self, *args: Any, **options: Any) -> None:
        printing.print_table(self, options, lambda: scores.rfm(options["as_of"], lens=options["lens"]), count_by="segment")
