from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "expansion.audit"
    label = "audit"
