"""Open the alerts that the storm guard held back."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from expansion import clock
from expansion.users.models import Role, User
from signals import alerts, runs
from signals.models import Run


class Command(BaseCommand):
    help = "Open the alerts of a run that were held back because there were far more than usual."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", type=date.fromisoformat, required=True, help="business date of the run, YYYY-MM-DD")
        parser.add_argument("--by", required=True, metavar="EMAIL", help="the administrator who has looked at them")

    def handle(self, *args: Any, **options: Any) -> None:
        run = Run.objects.filter(job=runs.NIGHTLY, business_date=options["date"]).first()
        admin = User.objects.filter(email__iexact=options["by"], role=Role.ADMIN, is_active=True).first()
        if run is None:
            raise CommandError(f"There is no run of {options['date']}.")
        if admin is None:
            raise CommandError(f"{options['by']} is no administrator who can log in.")
        self.stdout.write(f"{alerts.release(run, by=admin, now=clock.now())} alerts opened.")
