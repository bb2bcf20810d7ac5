"""Measurements against peers and limits; ``python -m bench`` runs them all."""

MODULES = ("alerts", "import_usage", "movements", "nightly", "rfm", "rules", "windows", "triage_page")
