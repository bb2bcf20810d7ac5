"""All addresses.  Each app brings its own; nobody imports this module."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from expansion import pages, probes
from expansion.dashboards.search import search
from signals import api

handler500 = "expansion.pages.failed"

urlpatterns = [
    path("livez", probes.livez, name="livez"),
    path("readyz", probes.readyz, name="readyz"),
    path("healthz", api.healthz, name="healthz"),
    path("", include("expansion.users.urls")),
    path("", include("expansion.audit.urls")),
    path("", include("expansion.dashboards.urls")),
    path("", include("expansion.dashboards.definitions_urls")),
    path("", include("expansion.dashboards.customers_urls")),
    path("", include("playbooks.urls")),
    path("search/", search, name="search"),
    path("api/v1/", include("signals.api_urls")),
    path("api/v1/", include("playbooks.api_urls")),
    path("api/v1/", include("expansion.dashboards.api_urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", pages.api_docs, name="api_docs"),
]
