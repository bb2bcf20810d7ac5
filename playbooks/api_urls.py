"""Addresses of the API of this app, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from playbooks import api

urlpatterns = [
    path("alerts/<int:pk>/outcomes/", api.AlertOutcomes.as_view(), name="api_alert_outcomes"),
    path("alerts/<int:pk>/snooze/", api.AlertSnooze.as_view(), name="api_alert_snooze"),
    path("alerts/<int:pk>/assign/", api.AlertAssign.as_view(), name="api_alert_assign"),
    path("playbooks/", api.PlaybookList.as_view(), name="api_playbooks"),
    path("playbooks/<slug:key>/", api.PlaybookDetail.as_view(), name="api_playbook"),
]
