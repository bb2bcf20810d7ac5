"""法人番号: thirteen digits, the first of which checks the other twelve."""

from __future__ import annotations

LENGTH = 13


def check_digit(base: str) -> int:
    """Return the digit that stands before the twelve others (Ordinance on corporate numbers, article 2)."""
    weighted = sum(int(digit) * (1 if place % 2 == 0 else 2) for place, digit in enumerate(reversed(base)))
    return 9 - weighted % 9


def is_valid(number: str) -> bool:
    """Tell whether the number has thirteen digits and the right check digit."""
    return len(number) == LENGTH and number.isascii() and number.isdigit() and int(number[0]) == check_digit(number[1:])
