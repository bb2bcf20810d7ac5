"""Refusals: what a person can mend, told in one sentence."""

from __future__ import annotations


class DomainError(Exception):
    """A request that cannot be carried out; the text says why and what to do, in the reader's language."""


class Conflict(DomainError):
    """Somebody else changed the row since it was read."""
