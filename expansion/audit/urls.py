from __future__ import annotations

from django.urls import path

from expansion.audit import views

urlpatterns = [
    path("definitions/people/", views.people_list, name="people"),
    path("definitions/people/teams/", views.team_add, name="team_add"),
    path("definitions/people/<int:pk>/", views.person, name="person"),
    path("definitions/people/<int:pk>/deactivate/", views.person_deactivate, name="person_deactivate"),
    path("definitions/people/<int:pk>/reactivate/", views.person_reactivate, name="person_reactivate"),
    path("definitions/people/<int:pk>/password/", views.person_password, name="person_password"),
    path("definitions/people/<int:pk>/tokens/", views.token_add, name="token_add"),
    path("definitions/people/<int:pk>/tokens/<int:token>/revoke/", views.token_revoke, name="token_revoke"),
]
