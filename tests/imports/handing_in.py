"""What the tests of imports share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connection

NOW = datetime(2026, 3, 31, 3, 0, tzinfo=UTC)


def counts(result: Any) -> tuple[int, int, int, int, int]:
    """Return (rows, applied, unchanged, waiting, rejected) of a result or a batch; they must add up."""
    assert result.rows == result.applied + result.unchanged + result.waiting + result.rejected
    return result.rows, result.applied, result.unchanged, result.waiting, result.rejected


def database_url() -> str:
    """Return the address of the database of the test, for a process of its own."""
    database = connection.settings_dict
    host = database["HOST"].replace("/", "%2F")
    user = database["USER"] + (f":{database['PASSWORD']}" if database["PASSWORD"] else "")
    return f"postgres://{user}@{host}{':' + str(database['PORT']) if database['PORT'] else ''}/{database['NAME']}"
