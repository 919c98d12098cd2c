"""The installed Chromium driven by playwright: pages as a person sees them, their accessibility and their syntax.

No request leaves the machine. Playwright brings no browser of its own: it drives the one of tests/browser.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import html5lib
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import CHROMIUM, OPTIONS, needs_chromium

__all__ = ["chromium", "needs_chromium", "syntax_faults", "violations"]

# playwright has its own ways of hiding the window and of finding the port
ARGUMENTS = [
    word.replace("\t", " ")
    for word in OPTIONS.split(" ")
    if not word.startswith(("--headless", "--remote-debugging-port", "--window-size"))
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; all its pages and processes end with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, headless=True)
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Page) -> list[str]:
    """Return what axe finds on the page, a line for each element: the rule, where, and why."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['target']}: {node['failureSummary']}" for rule in found for node in rule["nodes"]]


def syntax_faults(html: str) -> list[str]:
    """Return the errors of an HTML page's syntax with their lines; empty if a strict parser accepts it."""
    parser = html5lib.HTMLParser()
    parser.parse(html)
    messages = html5lib.constants.E
    return [f"line {line}: {messages[code] % data}" for (line, _), code, data in parser.errors]
