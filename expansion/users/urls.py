from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from expansion.users import views

urlpatterns = [
    path("", views.home, name="home"),
    path("auth/login/", views.login, name="login"),
    path("auth/logout/", LogoutView.as_view(), name="logout"),
    path("language/", views.set_language, name="set_language"),
    path("me/", views.me, name="me"),
    path("me/keys/", views.set_keys, name="set_keys"),
    path("me/password/", views.change_password, name="change_password"),
]
