"""What an import says when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from accounts.imports import reasons

SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Reject:
    """One refused row, in words."""

    line: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """The counts of one import: rows = applied + unchanged + waiting + rejected.

    ``is_repeat`` says that the same file had been imported before and nothing was changed;
    ``lines`` counts rows of the file, ``rows`` what the mapping made of them.
    """

    batch_id: int | None
    dataset: str
    source: str
    rows: int
    applied: int
    unchanged: int
    waiting: int
    rejected: int
    rejects: tuple[Reject, ...] = ()
    is_repeat: bool = False
    is_dry_run: bool = False
    notes: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the document that ``import_data --json`` prints."""
        counts = {name: getattr(self, name) for name in ("batch_id", "rows", "applied", "unchanged", "waiting", "rejected")}
        rejects = [{"line": one.line, "column": one.column, "value": one.value, "reason": one.reason} for one in self.rejects]
        return {
            **counts, "rejects": rejects, "dataset": self.dataset, "source": self.source,
            "same_file": self.is_repeat, "dry_run": self.is_dry_run, "notes": dict(self.notes),
        }  # fmt: skip


def rejects(rows: Iterable[tuple[int, str, str, str, Mapping[str, str]]]) -> tuple[Reject, ...]:
    """Put refusals (line, column, value, key, details) into words of the language that is active."""
    return tuple(Reject(line, column, value, reasons.of_row(key, details)) for line, column, value, key, details in rows)
