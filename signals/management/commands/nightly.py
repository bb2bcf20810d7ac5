"""Run the nightly job for a business date, or for each date of a span."""

from __future__ import annotations

import json
import time
from datetime import date, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from expansion import clock
from expansion.errors import DomainError
from signals import nightly


class Command(BaseCommand):
    help = "Run the nightly job for a business date (default: yesterday).  A date that is finished is left as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", type=date.fromisoformat, help="business date, YYYY-MM-DD")
        parser.add_argument("--through", type=date.fromisoformat, help="run every date from --date to this one")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        first = options["date"] or clock.last_closed_day(now)
        last = options["through"] or first
        if last < first:
            raise CommandError(f"--through {last} lies before --date {first}.", returncode=2)
        if last > clock.day_of(now):
            raise CommandError(f"{last} lies in the future: choose a day that is over.")
        days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
        results = [self._run(day, now=now, as_json=options["json"], verbosity=options["verbosity"]) for day in days]
        if options["json"]:
            self.stdout.write(json.dumps(results if options["through"] else results[0]))

    def _run(self, day: date, *, now: datetime, as_json: bool, verbosity: int) -> dict[str, Any]:
        started = time.monotonic()
        is_watched = self.stderr.isatty() or verbosity > 1

        def on_progress(what: str, done: int, total: int) -> None:
            if is_watched:
                self.stderr.write(f"\r{what} {done}/{total}   ", ending="")

        try:
            run = nightly.run(day, now=now, on_progress=on_progress)
        except (DomainError, nightly.RunFailed) as error:
            raise CommandError(f"{day}: {error}") from error
        if is_watched:
            self.stderr.write("")
        result = {
            "run_id": run.pk, "date": day.isoformat(), "customers": run.customers, "scores": run.scores,
            "alerts_raised": run.alerts_raised, "alerts_refreshed": run.alerts_refreshed, "alerts_resolved": run.alerts_resolved,
            "alerts_held": run.alerts_held, "seconds": round(time.monotonic() - started, 3),
        }  # fmt: skip
        if not as_json:
            self.stdout.write(
                f"{day}: {run.customers} customers, alerts {run.alerts_raised} raised, {run.alerts_refreshed} refreshed, "
                f"{run.alerts_resolved} resolved, {run.alerts_held} held ({result['seconds']:.1f} s)"
            )
        return result
