"""What goes into PostgreSQL by COPY comes back the same, and a merge changes only what differs."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from expansion import copying

pytestmark = pytest.mark.django_db
NASTY = ["tab\tand\\N", "line\nbreak\r", '"quoted"', "㈱ 髙﨑 𠮷", "\\", ""]


def metrics(units: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"key": NASTY[: len(units)], "kind": "counter", "unit": units, "label_ja": "", "label_en": ""})


def stored() -> dict[str, str]:
    frame = copying.copy_to_frame("SELECT key, unit FROM accounts_metric ORDER BY id", dtypes={"key": "str", "unit": "str"})
    return dict(zip(frame["key"], frame["unit"], strict=True))


def test_every_character_survives():
    copying.copy_rows("accounts_metric", metrics(NASTY))
    assert stored() == dict(zip(NASTY, NASTY, strict=True))


def test_a_merge_counts_what_is_new_and_what_differs():
    assert copying.copy_upsert("accounts_metric", metrics(["a", "b"]), keys=["key"]) == (2, 0)
    assert copying.copy_upsert("accounts_metric", metrics(["a", "x", "c"]), keys=["key"]) == (1, 1)
    assert copying.copy_upsert("accounts_metric", metrics(["a", "x", "c"]), keys=["key"]) == (0, 0)
    assert list(stored().values()) == ["a", "x", "c"]


def test_a_merge_into_a_partitioned_table_counts_the_same():
    rows = pd.DataFrame(
        {
            "customer_id": [1, 2],
            "metric_id": 1,
            "day": [date(2026, 1, 1)] * 2,
            "value": [1.5, 2.0],
            "batch_id": pd.array([None, 3], dtype="Int64"),
        }
    )
    keys = ["customer_id", "metric_id", "day"]
    assert copying.copy_upsert("accounts_usagedaily", rows, keys=keys) == (2, 0)
    assert copying.copy_upsert("accounts_usagedaily", rows.assign(value=[1.5, 3.0]), keys=keys) == (0, 1)


def test_null_leaves_as_null_and_comes_back_as_missing():
    rows = pd.DataFrame(
        {"customer_id": [1], "metric_id": 1, "day": [date(2026, 1, 1)], "value": [1.5], "batch_id": pd.array([None], dtype="Int64")}
    )
    copying.copy_rows("accounts_usagedaily", rows)
    back = copying.copy_to_frame("SELECT day, batch_id FROM accounts_usagedaily", dtypes={"day": "date", "batch_id": "Int64"})
    assert back["day"].tolist() == [pd.Timestamp("2026-01-01")]
    assert back["batch_id"].isna().tolist() == [True]
