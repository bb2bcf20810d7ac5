"""Check what must hold of the stored rows; exit 1 when something does not, naming the rows."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from signals import invariants
from signals.invariants import Check


class Command(BaseCommand):
    help = "Check the integrity rules of docs/invariants.md; exit 1 when one is broken, naming the rows."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--only", action="append", metavar="KEY", help="check only this one, such as C3; may be repeated")

    def handle(self, *args: Any, **options: Any) -> None:
        checks = [check for check in (*invariants.CHECKS, *CHECKS) if not options["only"] or check.key in options["only"]]
        if not checks:
            raise CommandError(f"--only {' '.join(options['only'])} names no check.", returncode=2)
        findings = invariants.check_all(checks)
        broken = [finding for finding in findings if finding.broken]
        if options["json"]:
            told = [{"key": f.key, "says": f.says, "holds": not f.broken, "broken": f.broken} for f in findings]
            self.stdout.write(json.dumps({"holds": not broken, "invariants": told}, ensure_ascii=False))
        else:
            for finding in findings:
                self.stdout.write(f"{'broken' if finding.broken else 'holds '} {finding.key}: {finding.says}")
                for row in finding.broken:
                    self.stdout.write(f"         {row}")
        if broken:
            raise CommandError(f"{len(broken)} of {len(findings)} invariants are broken: {', '.join(f.key for f in broken)}.")


def _playbook_gaps() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.key, count(*), max(v.number) FROM playbooks_playbookversion v "
            "JOIN playbooks_playbook p ON p.id = v.playbook_id GROUP BY p.key "
            "HAVING count(*) <> max(v.number) OR min(v.number) <> 1"
        )
        return [f"playbook {key}: {count} versions up to number {number}" for key, count, number in cursor.fetchall()]


def _outcomes_append_only() -> list[str]:
    return invariants.unguarded(("playbooks_outcome",))


CHECKS = (
    Check("C7p", "The versions of playbooks have no gap.", _playbook_gaps),
    Check("C8p", "Outcomes can only be added to.", _outcomes_append_only),
)
