"""Addresses under /api/v1/."""

from __future__ import annotations

from django.urls import path

from signals import api, api_scores

urlpatterns = [
    path("alerts/", api.AlertList.as_view(), name="api_alerts"),
    path("alerts/<int:pk>/", api.AlertDetail.as_view(), name="api_alert"),
    path("rules/", api.RuleList.as_view(), name="api_rules"),
    path("rules/<slug:key>/preview/", api.RulePreview.as_view(), name="api_rule_preview"),
    path("health/", api_scores.HealthList.as_view(), name="api_health"),
    path("rfm/", api_scores.RfmList.as_view(), name="api_rfm"),
    path("runs/", api.RunList.as_view(), name="api_runs"),
    path("runs/<int:pk>/release/", api.RunRelease.as_view(), name="api_run_release"),
]
