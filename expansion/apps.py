from __future__ import annotations

from django.apps import AppConfig


class KernelConfig(AppConfig):
    """The kernel as an app, so that Django finds its commands and template tags; it has no models."""

    name = "expansion"
    label = "kernel"
