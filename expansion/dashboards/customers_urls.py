"""Addresses of the customer list and of each customer."""

from __future__ import annotations

from django.urls import path

from expansion.dashboards import customer_pages

urlpatterns = [
    path("accounts/", customer_pages.accounts, name="accounts"),
    path("accounts.csv", customer_pages.accounts_csv, name="accounts_csv"),
    path("accounts.xlsx", customer_pages.accounts_xlsx, name="accounts_xlsx"),
    path("timelines/<int:pk>/", customer_pages.history, name="account_timeline"),
    # An ID is whatever the other system calls its customer, a slash included.
    path("accounts/<path:customer_id>/", customer_pages.show, name="account"),
]
