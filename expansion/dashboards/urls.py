from __future__ import annotations

from django.urls import path

from expansion.dashboards import views

urlpatterns = [
    path("metrics/", views.metrics, name="metrics"),
    path("metrics/figures.csv", views.metrics_csv, name="metrics_csv"),
    path("metrics/tables/<slug:table>.csv", views.metrics_table_csv, name="metrics_table_csv"),
    path("metrics/targets/", views.metrics_target, name="metrics_target"),
    path("metrics/drill/<slug:metric>/", views.metrics_drill, name="metrics_drill"),
    path("metrics/drill/<slug:metric>.csv", views.metrics_drill_csv, name="metrics_drill_csv"),
]
