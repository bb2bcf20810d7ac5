"""Filters and marks as templates use them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils.translation import override


def render(source: str, language: str = "ja", **context: object) -> str:
    with override(language):
        return Template(source).render(Context(context))


def test_money_takes_the_currency_of_the_row():
    assert render("{{ a|money }} {{ a|money:'USD' }}", a=Decimal("1562000.00")) == "156万円 156万ドル"
    assert render("{{ a|money_change }}", "en", a=Decimal("-1420000")) == "−¥1.42M"
    assert render("{{ a|money_exact }} {{ a|money_change_exact }}", a=Decimal(1562000)) == "¥1,562,000 +¥1,562,000"


def test_instants_are_shown_in_the_time_of_the_organisation():
    night = datetime(2026, 11, 19, 21, 10, tzinfo=UTC)
    assert render("{{ at|moment }} {{ at|day }}", at=night) == "11/20 06:10 11/20(金)"
    assert render("{{ at|day_full }}", "en", at=night) == "20 Nov 2026"


def test_days_and_counts():
    assert render("{{ d|day }} {{ d|day_short }} {{ n|counted:'alerts' }}", d=date(2026, 11, 26), n=12) == "11/26(木) 11/26 12件"
    assert render("{{ n|counted:'customers' }}", "en", n=1) == "1 account"
    assert render("{% rate_of 38 412 'customers' %}") == "9.2%(38/412社)"


def test_data_is_read_in_the_language_of_the_reader():
    row = {"name_ja": "データ容量", "name_en": "Storage"}
    assert render("{{ row|in_language:'name' }}", row=row) == "データ容量"
    assert render("{{ row|in_language:'name' }}", "en", row=row) == "Storage"
    assert render("{{ row|in_language:'name' }}", "en", row={"name_ja": "容量", "name_en": ""}) == "容量"


def test_a_band_says_its_name_beside_its_shape():
    shown = render("{% band 'excellent' 88 6 %}")
    assert shown.startswith('<span class="band b1"><svg viewBox="0 0 16 16" aria-hidden="true"')
    assert shown.endswith('</svg>極めて良好 <span class="num">88</span> <span class="d num">▲6</span></span>')
    assert '<span class="vh">Act now </span>' in render("{% band 'act_now' short=True %}", "en")
    assert "データ不足" in render("{% band 'insufficient' %}")


def test_what_a_rule_or_name_says_is_escaped():
    assert "&lt;b&gt;" in render("{% sparkline values 80 label=label %}", values=[1, 2], label="<b>")


def test_bars_need_no_style_attribute():
    assert '<rect width="42%" height="100%"/>' in render("{% bar 0.42 %}")
    assert '<rect width="100%"' in render("{% bar 1.7 %}")
    assert '<rect width="0%"' in render("{% bar nothing %}", nothing=None)
    shown = render("{% interval 0.1 0.3 0.2 0.25 most=0.5 %}")
    assert 'x1="20%" x2="60%"' in shown
    assert 'cx="40%"' in shown
    assert 'x1="50%" x2="50%"' in shown


@pytest.mark.parametrize(
    ("values", "above", "past"),
    [
        pytest.param([70, 80, 90], True, ["50,14 100,2.71"], id="from the threshold on"),
        pytest.param([90, 80, 70], False, ["50,14 100,25.29"], id="at or below"),
        pytest.param([70, 90, 70], True, ["25,14 50,2.71 75,14"], id="cut where the line crosses"),
        pytest.param([70, 75, 70], True, [], id="never past it"),
        pytest.param([70, None, 90], True, ["50,14 100,2.71"], id="a gap is crossed in a straight line"),
    ],
)
def test_the_part_past_the_threshold_is_drawn_again(values, above, past):
    shown = render("{% sparkline values 80 label='x' above=above %}", values=values, above=above)
    lines = [part.split('"')[0] for part in shown.split('class="o" points="')[1:]]
    assert lines == past


def test_no_known_value_draws_nothing():
    assert render("{% sparkline values label='x' %}", values=[None, None]) == ""


def test_same_page_changes_only_what_is_named():
    request = RequestFactory().get("/metrics/", {"period": "year", "page": "3"})
    assert render("{% same_page page=None team='east' %}", request=request) == "/metrics/?period=year&amp;team=east"
