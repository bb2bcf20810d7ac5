"""The book of tests/metrics/books.py as fixtures."""

from __future__ import annotations

import pytest


@pytest.fixture
def people(db):
    from tests.metrics import books

    return books.make_people()


@pytest.fixture
def fill(people):
    from tests.metrics import books

    return lambda text: books.fill(text, people)


@pytest.fixture
def book(fill):
    from tests.metrics import books

    return fill(books.BOOK)


@pytest.fixture
def standing(db):
    from tests.metrics import books

    return books.stand
