from django.apps import AppConfig


class DashboardsConfig(AppConfig):
    name = "expansion.dashboards"
    label = "dashboards"
