"""A real browser on a real server; where there is no Chromium these tests are skipped with a sentence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

    from expansion.users.models import User

_AXE = Path(__file__).with_name("axe.min.js").read_text()
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_INSTALL = "apt-get install chromium fonts-noto-cjk, then ./run test"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium for the session."""
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    missing = (
        f"no Chromium is on the PATH: {_INSTALL}"
        if program is None
        else f"playwright is not installed: {_INSTALL}"
        if util.find_spec("playwright") is None
        else ""
    )
    if missing:
        if os.environ.get("REQUIRE_E2E") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    # Playwright keeps an event loop in this thread, where Django refuses its synchronous database calls by default.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@dataclass
class Visit:
    """One page of a browser, with everything that went wrong on it."""

    page: Page
    server: str
    complaints: list[str] = field(default_factory=list)

    def sign_in(self, user: User) -> None:
        """Give the browser a session of the user without the login page."""
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        cookie = client.cookies["sessionid"].value
        self.page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": self.server}])

    def axe(self) -> list[str]:
        """Return what axe-core finds on the page as it is now, one sentence each."""
        self.page.evaluate(_AXE)
        found: list[dict[str, Any]] = self.page.evaluate("async () => (await axe.run()).violations")
        return [f"{one['id']}: {one['help']}: {node['target']}" for one in found for node in one["nodes"]]

    def allow(self, text: str) -> None:
        """Forget complaints with this text: what the test provoked on purpose."""
        self.complaints = [complaint for complaint in self.complaints if text not in complaint]

    def listen(self) -> None:
        """Note script errors, what the content security policy blocked, answers from 500 on and calls to strangers."""
        self.page.on("console", lambda said: self._note(said.text) if said.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.on("request", lambda asked: self._note_stranger(asked.url))
        self.page.on("response", lambda got: self._note(f"{got.status} {got.url}") if got.status >= 500 else None)

    def _note(self, complaint: str) -> None:
        self.complaints.append(complaint)

    def _note_stranger(self, url: str) -> None:
        if not url.startswith((self.server, "data:", "blob:", "about:")):
            self._note(f"asked a stranger: {url}")


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens a browser page: language, width, height, colours, reduced_motion.

    The test fails when a page complained, unless it said that it may (``Visit.allow``).
    """
    visits: list[Visit] = []

    def open_page(
        language: str = "ja-JP",
        *,
        width: int = 1440,
        height: int = 900,
        colours: str = "light",
        zone: str = "Asia/Tokyo",
    ) -> Visit:
        context = browser.new_context(
            base_url=live_server.url,
            locale=language,
            viewport={"width": width, "height": height},
            color_scheme=colours,  # type: ignore[arg-type]
            reduced_motion="reduce",
            timezone_id=zone,
        )
        context.set_default_timeout(15_000)
        one = Visit(context.new_page(), live_server.url)
        one.listen()
        visits.append(one)
        return one

    yield open_page
    for one in visits:
        one.page.context.close()
    assert [complaint for one in visits for complaint in one.complaints] == []
