"""The generator alone: the same arguments give the same rows, and the rows make sense."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd
import pytest

from accounts.sample import behaviours, company, names, tables
from accounts.sample.company import Company
from expansion.periods import is_business_day

AS_OF = date(2026, 11, 20)
SMALL = Company(customers=120, months=14, reps=5, seed=7, as_of=AS_OF)


def digest(given: Company, *, through: date | None = None) -> str:
    """Return one hash over every row that the arguments give."""
    through, sha = through or given.as_of, hashlib.sha256()
    for piece in tables.pieces(given, through=through):
        frames = [
            *piece.frames.values(),
            *tables.usage_of(piece, given, first=given.first_day, last=through),
            *tables.activity_of(piece, given, first=given.first_day, last=through),
        ]
        for frame in frames:
            sha.update(frame.to_csv(index=False).encode())
    return sha.hexdigest()


@pytest.fixture(scope="module")
def piece() -> tables.Piece:
    (only,) = tables.pieces(SMALL, through=AS_OF)
    return only


@pytest.fixture(scope="module")
def usage(piece: tables.Piece) -> pd.DataFrame:
    return pd.concat(tables.usage_of(piece, SMALL, first=SMALL.first_day, last=AS_OF))


def test_same_arguments_give_the_same_rows():
    assert digest(SMALL) == digest(Company(customers=120, months=14, reps=5, seed=7, as_of=AS_OF))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Company(120, 14, 5, 8, AS_OF), id="another seed"),
        pytest.param(Company(121, 14, 5, 7, AS_OF), id="another customer"),
        pytest.param(Company(120, 14, 5, 7, AS_OF + timedelta(days=1)), id="another day"),
    ],
)
def test_other_arguments_give_other_rows(other: Company):
    assert digest(other) != digest(SMALL)


LATER = AS_OF + timedelta(days=64)


def rows_of(piece: tables.Piece, name: str) -> dict[tuple, tuple]:
    """Return the rows of a dataset by what makes a row the same row."""
    frame = piece.frames[name].astype(object).where(piece.frames[name].notna(), None)
    places = [0, *(frame.columns.get_loc(key) for key in tables.KEYS[name])]
    return {tuple(row[place] for place in places): tuple(map(str, row)) for row in frame.itertuples(index=False, name=None)}


def test_rows_added_day_by_day_make_the_later_load(piece: tables.Piece):
    (whole,) = tables.pieces(SMALL, through=LATER)
    rows = {name: rows_of(piece, name) for name in tables.COLUMNS}
    day = AS_OF
    while day < LATER:
        before, day = day, day + timedelta(days=4)
        (step,) = tables.pieces(SMALL, through=day, since=before)
        for name in tables.COLUMNS:
            rows[name] |= rows_of(step, name)
    assert len(rows["customers"]) == 123
    for name in tables.COLUMNS:
        assert rows[name] == rows_of(whole, name)


def test_usage_of_a_day_is_the_same_whenever_it_is_made():
    """Also what customers will do months later must not show on the days before."""
    (whole,) = tables.pieces(SMALL, through=LATER)
    everything = pd.concat(tables.usage_of(whole, SMALL, first=SMALL.first_day, last=LATER))
    day, parts = AS_OF, []
    (then,) = tables.pieces(SMALL, through=day)
    parts += tables.usage_of(then, SMALL, first=SMALL.first_day, last=day)
    for days in (1, 2, 30, LATER.toordinal() - AS_OF.toordinal()):
        first, day = day + timedelta(days=1), AS_OF + timedelta(days=days)
        (then,) = tables.pieces(SMALL, through=day, since=first - timedelta(days=1))
        parts += tables.usage_of(then, SMALL, first=first, last=day)
    key = ["number", "metric", "day"]
    pd.testing.assert_frame_equal(
        pd.concat(parts).sort_values(key).reset_index(drop=True), everything.sort_values(key).reset_index(drop=True)
    )


def test_activity_of_a_day_does_not_depend_on_how_it_is_cut(piece: tables.Piece):
    first = AS_OF - timedelta(days=9)
    whole = pd.concat(tables.activity_of(piece, SMALL, first=SMALL.first_day, last=AS_OF))
    alone = pd.concat(tables.activity_of(piece, SMALL, first=first, last=AS_OF))
    key = ["day", "number", "user"]
    pd.testing.assert_frame_equal(
        whole[whole["day"] >= pd.Timestamp(first)].sort_values(key).reset_index(drop=True),
        alone.sort_values(key).reset_index(drop=True),
    )


def test_a_larger_company_is_made_block_by_block():
    given = Company(customers=1100, months=2, reps=5, seed=7, as_of=AS_OF)
    sizes = [len(piece.frames["customers"]) for piece in tables.pieces(given, through=AS_OF)]
    assert sizes == [500, 500, 100]


# ── who ─────────────────────────────────────────────────────────────────────────────────


def test_planted_sets_of_the_default_company():
    planted = behaviours.planted(400, 1, AS_OF)
    assert {key: len(found) for key, found in planted.items()} == {
        "seat_growth": 9, "quota_pressure": 10, "feature_burst": 6, "health_rise": 4, "trial_started": 4, "wau_over": 4,
        "missing_complement": 5, "usage_falling": 6, "detractor": 3, "renewal_due": 14, "open_escalation": 2, "asked_too_often": 2,
        "recent_refusal": 2, "budget_freeze": 2, "seasonal": 8, "reorganisation": 4, "discount_expiry": 3,
    }  # fmt: skip


@pytest.mark.parametrize("customers", [50, 120, 400, 2000])
def test_every_behaviour_is_planted_and_half_of_the_customers_stay_calm(customers: int):
    parts, _turns = behaviours.cast(customers, 3)
    planted = behaviours.planted(customers, 3, AS_OF)
    assert all(planted.values())
    assert Counter(parts)["calm"] >= customers // 2


def test_only_declared_behaviours_come_together():
    planted = behaviours.planted(400, 1, AS_OF)
    together = {frozenset(found) for _count, found in behaviours.PARTS.values() if len(found) > 1}
    for who in {who for found in planted.values() for who in found}:
        plays = frozenset(key for key, found in planted.items() if who in found)
        assert len(plays) == 1 or plays in together


def test_every_rep_of_the_demo_has_a_morning_of_about_a_dozen_cards():
    rules = {behaviour.rule for behaviour in behaviours.BEHAVIOURS if behaviour.rule}
    carded = {who for rule in rules for who in behaviours.expected(rule, 400, 1, AS_OF)}
    given = Company(400, 24, 5, 1, AS_OF)
    (piece,) = tables.pieces(given, through=AS_OF)
    owners = piece.frames["customers"].set_index("customer_id")["owner_email"]
    mine = Counter(owners[sorted(carded)])
    assert len(carded) == 57
    assert mine.pop("") == 2
    assert len(mine) == 5
    assert all(10 <= count <= 12 for count in mine.values())


# ── names ───────────────────────────────────────────────────────────────────────────────


def test_names_are_different_and_well_formed():
    made = [names.company_name(number, seed=1) for number in range(20_000)]
    assert len({name.name for name in made}) == 20_000
    assert len({name.domain for name in made}) > 19_000
    forms = ("株式会社", "合同会社", "有限会社")
    assert all(name.name.startswith(forms) or name.name.endswith(forms) for name in made)
    assert all(name.domain.endswith(".example") and name.domain.isascii() for name in made)
    katakana = set(map(chr, range(0x30A1, 0x30FD)))
    assert all(set(name.kana) <= katakana for name in made)
    assert {name.industry for name in made} == set(names.INDUSTRIES)


def test_names_never_run_out():
    numbers = range(names.NAMES_WITHOUT_A_PREFIX - 5, names.NAMES_WITHOUT_A_PREFIX + 5)
    assert len({names.company_name(number, seed=1).name for number in numbers}) == 10


def test_check_digit_of_a_corporate_number():
    # The example of the National Tax Agency's rule: 700110005901 has the check digit 8.
    assert names.check_digit("700110005901") == 8
    made = names.corporate_number(41, seed=1)
    assert (len(made), made[1:3]) == (13, "99")
    assert int(made[0]) == names.check_digit(made[1:])


# ── money ───────────────────────────────────────────────────────────────────────────────


def test_contract_lines_are_worth_what_they_say(piece: tables.Piece):
    lines = piece.frames["contract_lines"]
    assert lines.groupby(["line_id", "starts_on"]).size().max() == 1
    assert all((line.mrr > 0) == (line.status != "trial") for line in lines.itertuples())
    assert set(lines["product"]) <= set(company.ITEMS)
    for line in lines.itertuples():
        full = 0 if line.status == "trial" else line.list_price * line.quantity * (100 - line.discount_percent) / 100
        assert abs(line.amount - full) <= Decimal("0.5")
        assert abs(line.mrr - line.amount / line.billing_months) <= Decimal("0.005")
        assert line.ends_before is None or line.ends_before > line.starts_on
    trials = lines[lines["status"] == "trial"]
    assert all(line.ends_before == line.trial_ends_on + timedelta(days=1) for line in trials.itertuples())


def test_nobody_unplanned_renews_within_the_window(piece: tables.Piece):
    lines = piece.frames["contract_lines"]
    ahead = lines[[day is not None and AS_OF < day <= AS_OF + timedelta(days=97) for day in lines["renews_on"]]]
    due = {behaviours.customer_id(number) for number in ahead["number"]}
    assert due == set(behaviours.expected("renewal_90", SMALL.customers, SMALL.seed, AS_OF))


# ── days ────────────────────────────────────────────────────────────────────────────────


def test_offices_rest_at_weekends_and_on_holidays(piece: tables.Piece, usage: pd.DataFrame):
    open_always = {who.number for who, _told in piece.people if who.works_at_weekends}
    resting = usage[~usage["number"].isin(open_always)]
    days = [day.date() for day in resting["day"].unique()]
    assert all(is_business_day(day) and not (day.month == 12 and day.day >= 29) for day in days)
    at_weekends = usage[[not is_business_day(day.date()) for day in usage["day"]]]
    assert set(at_weekends["number"]) <= open_always


def test_nobody_uses_more_than_was_bought(piece: tables.Piece, usage: pd.DataFrame):
    lines = piece.frames["contract_lines"]
    kinds = lines["product"].map(lambda code: company.ITEMS[code].kind)
    bought = lines[kinds.isin(["plan", "seat"])].groupby(["number", "line_id"])["quantity"].max().groupby("number").sum()
    used = usage[usage["metric"] == "seats_used"].groupby("number")["value"].max()
    assert (used <= bought.reindex(used.index)).all()


def test_use_peaks_at_the_closings_of_seasonal_customers():
    given = Company(400, 24, 5, 1, AS_OF)
    (piece,) = tables.pieces(given, through=AS_OF)
    frame = pd.concat(tables.usage_of(piece, given, first=date(2026, 4, 1), last=AS_OF))
    seasonal = {int(who[1:]) - 1 for who in behaviours.planted(400, 1, AS_OF)["seasonal"]}
    frame = frame[frame["metric"] == "feature.search"]
    frame = frame.assign(month=frame["day"].dt.month, is_seasonal=frame["number"].isin(seasonal))
    # Per working day: June has 22, September 19.
    ratio = {
        flag: group.groupby("month")["value"].sum()[9] / 19 / (group.groupby("month")["value"].sum()[6] / 22)
        for flag, group in frame.groupby("is_seasonal")
    }
    assert ratio[True] > 1.15
    assert ratio[False] < 1.12
