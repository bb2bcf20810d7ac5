from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "expansion.users"
    label = "users"
