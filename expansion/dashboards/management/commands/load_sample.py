"""Load the sample company."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from accounts.sample import loading
from accounts.sample.company import Company
from expansion import clock
from expansion.errors import DomainError
from signals import runs


class Command(BaseCommand):
    help = "Loads an invented Japanese software vendor with its customers.  The same arguments give the same rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=_at_least(1), default=400)
        parser.add_argument("--months", type=_at_least(1), default=24)
        parser.add_argument("--reps", type=_at_least(1), default=5)
        parser.add_argument("--seed", type=_at_least(0), default=1)
        parser.add_argument("--as-of", type=_day, help="YYYY-MM-DD, yesterday by default")
        parser.add_argument("--force", action="store_true", help="delete customers that are not of the sample")

    def handle(self, **options: Any) -> None:
        now = clock.now()
        as_of = options["as_of"] or clock.last_closed_day(now)
        given = Company(options["customers"], options["months"], options["reps"], options["seed"], as_of)
        if loading.is_loaded(given):
            loading.keep_logins(settings.DATA_DIR)
            self.stdout.write(f"The sample of {as_of} is there already: nothing was changed.")
            return
        try:
            with transaction.atomic():
                loaded = loading.load(given, now=now, force=options["force"], say=self._say(given))
                runs.forget_all()
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        loading.keep_logins(settings.DATA_DIR)
        counts = ", ".join(f"{dataset} {count:,}" for dataset, count in loaded.rows.items())
        self.stdout.write(f"Loaded the sample company up to {as_of}: {counts}.")

    def _say(self, given: Company) -> loading.Say | None:
        """Only a large sample takes so long that somebody wants to know how far it is."""
        return self.stdout.write if given.customers > 2_000 else None


def _at_least(least: int) -> Any:
    def number(text: str) -> int:
        if not re.fullmatch(r"\d+", text) or int(text) < least:
            raise ArgumentTypeError(f"must be a whole number, {least} or more")
        return int(text)

    return number


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("must be a day, like 2026-11-20") from None
