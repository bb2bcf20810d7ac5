"""Publish the shipped rules, health model, guardrails, playbooks and policies."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from expansion import clock
from playbooks import defaults as playbook_defaults
from signals import defaults as signal_defaults


class Command(BaseCommand):
    help = "Publish the definitions that the product brings along; what a person changed stays as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        changed = signal_defaults.load(now) + playbook_defaults.load(now)
        self.stdout.write(f"{changed} definitions published." if changed else "Every shipped definition is in place.")
