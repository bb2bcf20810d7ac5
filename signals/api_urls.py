"""Addresses under /api/v1/."""

from __future__ import annotations

from django.urls import path

from signals import api

urlpatterns = [
    path("alerts/", api.AlertList.as_view(), name="api_alerts"),
    path("alerts/<int:pk>/", api.AlertDetail.as_view(), name="api_alert"),
    path("rules/", api.RuleList.as_view(), name="api_rules"),
    path("rules/<slug:key>/preview/", api.RulePreview.as_view(), name="api_rule_preview"),
    path("runs/", api.RunList.as_view(), name="api_runs"),
]
