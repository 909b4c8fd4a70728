"""The report as people open it: no error, the verdicts first, and figures with numbers in their captions.

The workflow is the real one; what it would compute is replaced by small files, which the report shows as they are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from dkn.summaries.wording import bullets
from dkn.tables.page import page
from tests.browser.conftest import console_errors
from tests.unit.explorer_study import HOSTILE
from tests.workflow_rules import ROOT, figure_names, table_names

PATIENCE = 60


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study whose figures are noise and whose captions say 42."""
    folder = tmp_path_factory.mktemp("study")
    for name in ("Snakefile", "config.yaml"):
        shutil.copy2(ROOT / name, folder / name)
    for name in ("workflow", "resources", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    figures, tables = folder / "results" / "figures", folder / "results" / "tables"
    for place in (figures, tables):
        place.mkdir(parents=True)
    for name in figure_names():
        matplotlib.image.imsave(figures / f"{name}.png", np.random.default_rng(0).random((400, 300)))
        numbers = [
            f"{name}: 42 % (40 … 44), n = 1,234 facts of 56 subjects",
            f"{HOSTILE}\x85\n\n.. raw:: html\n\n   {HOSTILE}",
        ]
        (figures / f"{name}.rst").write_text(bullets(numbers), "utf-8")
    for name in table_names():
        (tables / f"{name}.html").write_text(page("| a | b |\n|---|---|\n| 1 | 2 |\n", f"{name} as a page", "A note."))
    path = folder / "results" / "report.html"
    style = folder / "workflow" / "report" / "style.css"
    command = [sys.executable, "-m", "dkn.run.report", "--cores", "1", "--report", path, "--report-stylesheet", style]
    environment = {**os.environ, "PYTHONPATH": str(folder / "workflow")}
    result = subprocess.run(
        [*command, "make_report"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return path


def link(browser: webdriver.Chrome, text: str) -> WebElement:
    """The entry of the side panel with this text, once it is there."""

    def find(_: object) -> WebElement | None:
        return next((a for a in browser.find_elements(By.CSS_SELECTOR, "#app a") if a.text.strip() == text), None)

    return WebDriverWait(browser, PATIENCE).until(find)


def buttons(browser: webdriver.Chrome, title: str) -> list[WebElement]:
    """The two buttons of a result: show it, and show its caption."""
    row = WebDriverWait(browser, PATIENCE).until(
        lambda _: next((r for r in browser.find_elements(By.CSS_SELECTOR, "#app tr") if title in r.text), None)
    )
    return row.find_elements(By.TAG_NAME, "a")


def shown(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.ID, "app").text


def test_a_reader_finds_the_verdicts_and_their_numbers(browser: webdriver.Chrome, report: Path) -> None:
    browser.get(report.as_uri())
    link(browser, "1. Verdicts")
    categories = [a.text for a in browser.find_elements(By.CSS_SELECTOR, "#app a") if a.text[:1].isdigit()]
    assert categories[0] == "1. Verdicts"
    assert categories == sorted(set(categories))
    for said in ("Degenerate knowledge neurons", "What the study says", "verdicts: 42 % (40 … 44), n = 1,234 facts"):
        assert said in shown(browser)
    top = browser.find_element(By.TAG_NAME, "h1").location["y"]
    assert top >= 0, "the overview starts where a reader can see it"

    link(browser, "1. Verdicts").click()
    eye, caption = buttons(browser, "Figure: every claim against every model")
    eye.click()
    image = WebDriverWait(browser, PATIENCE).until(
        lambda _: browser.find_element(By.CSS_SELECTOR, '#app img[src^="data:image/png"]')
    )
    WebDriverWait(browser, PATIENCE).until(lambda _: image.get_property("naturalWidth") == 300)
    caption.click()
    WebDriverWait(browser, PATIENCE).until(lambda _: "DESCRIPTION" in shown(browser))
    for said in ("Every claim of the paper", "gpt2-nano, llama-nano", "verdicts: 42 % (40 … 44), n = 1,234 facts"):
        assert said in shown(browser)
    assert f"{HOSTILE} .. raw:: html {HOSTILE}" in shown(browser), "the text of a fact is text"
    assert browser.execute_script("return window.broken") is None
    assert console_errors(browser) == []


def test_a_table_opens_as_a_page(browser: webdriver.Chrome, report: Path) -> None:
    browser.get(report.as_uri())
    link(browser, "1. Verdicts").click()
    buttons(browser, "Table: the contrasts behind every verdict")[0].click()
    frame = WebDriverWait(browser, PATIENCE).until(lambda _: browser.find_element(By.CSS_SELECTOR, "#app iframe"))
    browser.switch_to.frame(frame)
    WebDriverWait(browser, PATIENCE).until(lambda _: browser.find_elements(By.TAG_NAME, "td"))
    assert browser.find_element(By.TAG_NAME, "h1").text == "Verdicts as a page"
    assert [cell.text for cell in browser.find_elements(By.TAG_NAME, "td")] == ["1", "2"]
    browser.switch_to.default_content()
    assert console_errors(browser) == []
