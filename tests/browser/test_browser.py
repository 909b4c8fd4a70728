"""The browser tests' own check: an error and a request to the network are seen, and a sound page gives none."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium import webdriver

from tests.browser.conftest import console_errors


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ("<p>sound</p>", 0),
        ("<script>undefinedFunction()</script>", 1),
        ('<script src="https://cdn.example.org/a.js"></script>', 1),
    ],
)
def test_console_errors_are_seen(browser: webdriver.Chrome, tmp_path: Path, body: str, errors: int) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><title>page</title>{body}")
    browser.get(page.as_uri())
    assert browser.title == "page"
    assert len(console_errors(browser)) == errors
