"""Say what a rule would do today, as it is or with other thresholds."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from expansion.errors import DomainError
from signals import preview, rules
from signals.models import Rule


class Command(BaseCommand):
    help = "Try a rule on the snapshot of the newest run: who fires, who starts and who stops against the published version."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("rule", help="key of the rule")
        parser.add_argument(
            "--set", action="append", default=[], metavar="CONDITION.threshold=VALUE", help="try another threshold; may be repeated"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        rule = Rule.objects.filter(key=options["rule"]).first()
        if rule is None:
            known = ", ".join(Rule.objects.order_by("position").values_list("key", flat=True))
            raise CommandError(f"There is no rule {options['rule']!r}. There are: {known or 'none; run load_defaults'}.")
        version = rules.find_published(rule)
        if version is None:
            raise CommandError(f"No version of {rule.key} is published.")
        try:
            body = version.body
            for setting in options["set"]:
                body = preview.with_setting(body, setting)
            found = preview.preview(body, rule=rule, user=None)
        except preview.WrongSetting as error:
            raise CommandError(str(error), returncode=2) from error
        except DomainError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(preview.as_json(found), ensure_ascii=False))
            return
        self.stdout.write(
            f"{found.business_date}: fires {len(found.fires)} (published {found.before}), "
            f"starts {len(found.starts)}, stops {len(found.stops)}"
        )
