"""How a command prints a table of scores: CSV, JSON, or how many customers fall where."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from expansion import tables
from expansion.errors import DomainError
from signals.scores import Table


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--as-of", type=date.fromisoformat, required=True, help="the day, YYYY-MM-DD; its rows count")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print one line per customer")
    form.add_argument("--json", action="store_true", help="print one JSON document")


def print_table(command: BaseCommand, options: Mapping[str, Any], make: Callable[[], Table], *, count_by: str) -> None:
    """Print what ``make`` returns in the form that was asked for; without one, the counts of a column."""
    try:
        table = make()
    except DomainError as error:
        raise CommandError(str(error)) from error
    if options["csv"]:
        for line in tables.csv_lines(table.columns, table.rows):
            command.stdout.write(line.removesuffix("\r\n"))
    elif options["json"]:
        command.stdout.write(json.dumps(list(table.as_dicts()), ensure_ascii=False, default=_plain))
    else:
        place = table.columns.index(count_by)
        for name, count in Counter(row[place] for row in table.rows).most_common():
            command.stdout.write(f"{name or '–'}\t{count}")


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{value!r} has no place in JSON.")
