"""Addresses of the triage screen."""

from __future__ import annotations

from django.urls import path

from playbooks import views

urlpatterns = [
    path("triage/", views.show, name="triage"),
    path("triage/rows/", views.rows, name="triage_rows"),
    path("triage/delta/", views.delta, name="triage_delta"),
    path("triage/bulk/", views.many, name="triage_bulk"),
    path("triage/workers/", views.workers, name="triage_workers"),
    path("triage/discounts/", views.discounts, name="triage_discounts"),
    path("triage/undo/<str:token>/", views.take_back, name="triage_undo"),
    path("triage/<int:pk>/", views.show, name="triage_alert"),
    path("triage/<int:pk>/rank/", views.rank, name="triage_rank"),
    path("triage/<int:pk>/doubt/", views.doubt, name="triage_doubt"),
    path("triage/<int:pk>/near/", views.near, name="triage_near"),
    path("triage/<int:pk>/quote/", views.quote, name="triage_quote"),
    path("triage/<int:pk>/timeline/", views.history, name="triage_timeline"),
    path("triage/<int:pk>/outcome/", views.outcome, name="triage_outcome"),
    path("triage/<int:pk>/snooze/", views.snooze, name="triage_snooze"),
    path("triage/<int:pk>/wake/", views.wake, name="triage_wake"),
    path("triage/<int:pk>/assign/", views.assign, name="triage_assign"),
    path("triage/<int:pk>/choose/", views.choose, name="triage_choose"),
    path("triage/<int:pk>/steps/", views.step, name="triage_step"),
    path("triage/<int:pk>/questions/", views.question, name="triage_question"),
]
