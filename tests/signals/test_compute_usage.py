"""The usage store: rows in, dense day blocks out."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from django.db import connection, transaction

from accounts import usage
from accounts.models import Customer, FeedDay, Metric, UsageBlock, UsageDaily

pytestmark = pytest.mark.django_db

D = date(2026, 6, 30)


@pytest.fixture
def customers():
    """Three customers whose slots lie apart, one of them in the second block."""
    return [Customer.objects.create(customer_id=f"C{slot}", slot=slot, name=f"C{slot}").pk for slot in (0, 3, 65_537)]


@pytest.fixture
def metrics():
    return [Metric.objects.create(key=key, kind=kind).pk for key, kind in (("feature.report", "counter"), ("seats_used", "gauge"))]


def rows(*lines):
    frame = pd.DataFrame(lines, columns=["customer_id", "metric_id", "day", "value"])
    return frame.astype({"customer_id": "int64", "metric_id": "int16", "value": "float64"})


def blocks():
    return {
        (b.day, b.metric_id, b.block): None if b.data is None else np.frombuffer(b.data, "<f4").tolist()
        for b in UsageBlock.objects.all()
    }


def test_rows_become_blocks_cut_at_the_highest_slot_with_a_row(customers, metrics):
    a, b, far = customers
    report, seats = metrics
    assert usage.append(rows((b, report, D, 5), (far, report, D, 7), (a, seats, D, 2)), batch_id=None) == (3, 0)
    assert usage.rebuild_dirty_blocks(through=D) == 3
    nan = pytest.approx(np.nan, nan_ok=True)
    assert blocks() == {
        (D, report, 0): [nan, nan, nan, 5.0],
        (D, report, 1): [nan, 7.0],
        (D, seats, 0): [2.0],
    }
    assert set(FeedDay.objects.values_list("metric_id", "day")) == {(report, D), (seats, D)}


def test_reading_pads_with_nan_and_takes_any_range_of_slots(customers, metrics):
    a, b, far = customers
    report, seats = metrics
    before = date(2026, 6, 29)
    usage.append(rows((a, report, before, 1), (b, report, D, 5), (far, report, D, 7)), batch_id=None)
    usage.rebuild_dirty_blocks(through=D)
    everything = usage.read_days([seats, report], before, D)
    assert everything.shape == (2, 2, 65_538)
    assert everything[0, 1, 0] == 1
    assert everything[1, 1, 3] == 5
    assert everything[1, 1, 65_537] == 7
    assert np.isnan(everything).sum() == everything.size - 3
    part = usage.read_days([report], before, D, slot_from=3, slot_until=65_538)
    np.testing.assert_array_equal(part, everything[:, [1], 3:])
    few = usage.read_customers([b, far, a], [seats, report], before, D)
    np.testing.assert_array_equal(few, everything[:, :, [3, 65_537, 0]])


def test_the_same_rows_again_change_nothing_and_dirty_nothing(customers, metrics):
    a, b, _ = customers
    report, _ = metrics
    frame = rows((a, report, D, 1), (b, report, D, 2))
    usage.append(frame, batch_id=1)
    usage.rebuild_dirty_blocks(through=D)
    assert usage.append(frame, batch_id=2) == (0, 0)
    assert not UsageBlock.objects.filter(is_dirty=True).exists()
    assert set(UsageDaily.objects.values_list("batch_id", flat=True)) == {1}


def test_a_correction_changes_one_row_and_dirties_its_block_only(customers, metrics):
    a, b, _ = customers
    report, seats = metrics
    usage.append(rows((a, report, D, 1), (b, report, D, 2), (a, seats, D, 9)), batch_id=1)
    usage.rebuild_dirty_blocks(through=D)
    assert usage.append(rows((a, report, D, 1), (b, report, D, 3), (b, seats, D, 4)), batch_id=2) == (1, 1)
    assert set(UsageBlock.objects.filter(is_dirty=True).values_list("metric_id", flat=True)) == {report, seats}
    assert usage.rebuild_dirty_blocks(through=D) == 2
    assert usage.customer_rows(b, D, D)[["metric_id", "value"]].to_numpy().tolist() == [[report, 3.0], [seats, 4.0]]


def test_a_full_rebuild_gives_identical_bytes(customers, metrics):
    rng = np.random.default_rng(7)
    lines = [
        (c, m, date(2026, 5, 20 + d), float(rng.normal(1e3, 1e5)))
        for c in customers
        for m in metrics
        for d in range(8)
        if rng.random() < 0.6
    ]
    for start in range(0, len(lines), 5):
        usage.append(rows(*lines[start : start + 5]), batch_id=None)
        if start % 3 == 0:
            usage.rebuild_dirty_blocks(through=D)
    usage.append(rows(*[(c, m, d, v + 1) for c, m, d, v in lines[::4]]), batch_id=None)
    usage.rebuild_dirty_blocks(through=D)
    before = {b.pk: bytes(b.data) for b in UsageBlock.objects.all()}
    assert usage.find_wrong_blocks(date(2026, 5, 20), date(2026, 5, 27)) == []
    assert usage.rebuild_everything() == len(before)
    assert {b.pk: bytes(b.data) for b in UsageBlock.objects.all()} == before


def test_a_spoiled_block_is_found(customers, metrics):
    a, *_ = customers
    report, _ = metrics
    usage.append(rows((a, report, D, 1)), batch_id=None)
    usage.rebuild_dirty_blocks(through=D)
    UsageBlock.objects.update(data=np.array([2], "<f4").tobytes())
    assert usage.find_wrong_blocks(D, D) == [(D, report, 0)]


def test_only_days_up_to_the_asked_one_are_rebuilt(customers, metrics):
    a, *_ = customers
    report, _ = metrics
    usage.append(rows((a, report, D, 1), (a, report, date(2026, 7, 1), 1)), batch_id=None)
    assert usage.rebuild_dirty_blocks(through=D) == 1
    assert UsageBlock.objects.get(is_dirty=True).day == date(2026, 7, 1)


def test_a_feed_day_counts_once_its_blocks_are_built(customers, metrics):
    a, *_ = customers
    report, seats = metrics
    usage.append(rows((a, report, D, 1)), batch_id=None)
    assert usage.feed_days([report, seats], D, D).tolist() == [[False, False]]
    usage.rebuild_dirty_blocks(through=D)
    assert usage.feed_days([report, seats], D, D).tolist() == [[True, False]]


def test_months_get_partitions_and_early_rows_move_into_theirs(customers, metrics):
    a, *_ = customers
    report, _ = metrics
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO accounts_usagedaily VALUES (%s, %s, '1999-12-31', 4, NULL)", [a, report])
    usage.append(rows((a, report, date(1999, 12, 30), 1), (a, report, date(2000, 1, 1), 1)), batch_id=None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, day FROM accounts_usagedaily ORDER BY day")
        assert cursor.fetchall() == [
            ("accounts_usagedaily_1999_12", date(1999, 12, 30)),
            ("accounts_usagedaily_1999_12", date(1999, 12, 31)),
            ("accounts_usagedaily_2000_01", date(2000, 1, 1)),
        ]


def test_a_batch_can_be_taken_back(customers, metrics):
    a, b, _ = customers
    report, _ = metrics
    usage.append(rows((a, report, D, 1)), batch_id=1)
    usage.append(rows((b, report, D, 2)), batch_id=2)
    usage.rebuild_dirty_blocks(through=D)
    assert usage.remove_batch(2) == 1
    usage.rebuild_dirty_blocks(through=D)
    assert blocks() == {(D, report, 0): [1.0]}


def test_a_refused_write_leaves_nothing(customers, metrics):
    a, *_ = customers
    report, _ = metrics
    with pytest.raises(ValueError, match="not a finite number"), transaction.atomic():
        usage.append(rows((a, report, D, np.inf)), batch_id=None)
    assert not UsageDaily.objects.exists()
    assert not UsageBlock.objects.exists()


def test_last_use_is_found_however_long_ago(customers, metrics):
    a, b, far = customers
    report, seats = metrics
    usage.append(
        rows((a, report, date(2024, 1, 5), 3), (a, report, date(2024, 3, 1), 0), (a, seats, date(2024, 2, 1), 1), (b, seats, D, 1)),
        batch_id=None,
    )
    found = usage.last_days_of_use([a, b, far], [report, seats], before=D)
    assert found.to_dict() == {a: pd.Timestamp("2024-02-01")}
