from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from expansion import translations


class Command(BaseCommand):
    help = "Compile the Japanese catalogues that changed."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        for path in translations.compile_all():
            self.stdout.write(str(path.relative_to(settings.BASE_DIR)))
