from __future__ import annotations

import pytest

from accounts.customers import domain_of
from accounts.matching.corporate_numbers import is_valid
from accounts.matching.names import KEY_LENGTH, name_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("㈱　ＯＣＳ", "株式会社　ＯＣＳ"),
        ("㈱ ＯＣＳ", "ＯＣＳ株式会社"),
        ("（株）山田商店", "山田商店㈱"),
        ("(有)たなか", "有限会社 たなか"),
        ("Example, Inc.", "EXAMPLE"),
        ("Example Co., Ltd.", "ｅｘａｍｐｌｅ　ｃｏ．，ｌｔｄ．"),
        ("医療法人社団 あおば会", "あおば会"),
        ("アイ・ティー", "アイティー"),
    ],
)
def test_two_spellings_of_one_name_share_a_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("株式会社東京", "株式会社京都"),
        ("山田商店 大阪支店", "山田商店"),
        ("Incline", "Cline"),
        ("Agrar", "Rar"),
    ],
)
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@pytest.mark.parametrize("name", ["株式会社", "㈱", "...", "Inc.", "・"])
def test_a_name_of_nothing_but_form_keeps_a_key(name: str) -> None:
    assert name_key(name)


def test_a_sign_that_grows_in_normalisation_still_fits() -> None:
    assert len(name_key("\ufdfa" * 200)) == KEY_LENGTH


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("example.co.jp", "example.co.jp"), ("https://www.Example.co.jp/about?x=1", "example.co.jp"),
        ("info@example.jp", "example.jp"),
        ("www.example.jp.", "example.jp"), ("example.jp:8080", "example.jp"), ("", ""),
    ],
)  # fmt: skip
def test_bare_domain(text: str, domain: str) -> None:
    assert domain_of(text) == domain


def test_corporate_number_needs_thirteen_plain_digits() -> None:
    assert is_valid("7000012050002")
    assert not is_valid("７００００１２０５０００２")
    assert not is_valid("6000012050002")
