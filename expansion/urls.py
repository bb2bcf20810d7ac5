"""All addresses.  Each app brings its own; nobody imports this module."""

from __future__ import annotations

from django.urls import include, path

from expansion import probes

handler500 = "expansion.pages.failed"

urlpatterns = [
    path("livez", probes.livez, name="livez"),
    path("readyz", probes.readyz, name="readyz"),
]
