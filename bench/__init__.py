"""Measurements against peers and limits; ``python -m bench`` runs them all."""

MODULES = ("alerts", "movements", "nightly")
