from __future__ import annotations

from django.urls import path

from expansion.dashboards import api

urlpatterns = [
    path("kpis/retention/", api.RetentionView.as_view(), name="api_kpis_retention"),
    path("kpis/movements/", api.MovementsView.as_view(), name="api_kpis_movements"),
    path("kpis/upsell/", api.UpsellView.as_view(), name="api_kpis_upsell"),
]
