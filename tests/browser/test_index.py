"""The front page in a browser, on results made by hand: at three widths, by keyboard, for a screen reader, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from tests.browser.axe import axe_script, violations
from tests.browser.conftest import console_errors
from tests.unit.explorer_study import HOSTILE
from tests.unit.index_study import ROWS, write_page, write_study

WIDTHS = (1440, 900, 390)
TABLE = "table-numbers"
OUTSIDE = """
return [...document.querySelectorAll('body *')].filter((part) => !part.closest('.scroll, .skip, .unseen') &&
  part.getBoundingClientRect().right > innerWidth + 1).map((part) => part.outerHTML.slice(0, 80));
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_study(folder)
    write_page(folder)
    return folder / "index.html"


@pytest.fixture(scope="module")
def axe(request: pytest.FixtureRequest) -> str:
    assert request.config.cache
    return axe_script(request.config.cache.mkdir("axe"))


@pytest.fixture
def opened(browser: webdriver.Chrome, made: Path) -> Iterator[webdriver.Chrome]:
    """The page, open; whatever a test does there, the console must stay free of errors."""
    browser.get(made.as_uri())
    yield browser
    assert console_errors(browser) == []


def show(browser: webdriver.Chrome, width: int, **media: str) -> None:
    """Set the width of the window, and what the reader prefers, and open all that is folded."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.execute_script("document.querySelectorAll('details').forEach((part) => { part.open = true; })")


def table(browser: webdriver.Chrome) -> WebElement:
    browser.execute_script(f"document.getElementById('{TABLE}').open = true")
    return browser.find_element(By.ID, TABLE)


def column(browser: webdriver.Chrome, number: int) -> list[str]:
    """The cells of a column in the rows that are shown."""
    rows = table(browser).find_elements(By.CSS_SELECTOR, "tbody tr:not([hidden])")
    return [row.find_elements(By.CSS_SELECTOR, "th, td")[number].text for row in rows]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_everyone_can_use_it(opened: webdriver.Chrome, axe: str, width: int, scheme: str) -> None:
    """Contrast, names, roles and order, as axe-core judges them; and nothing lies beside the window."""
    show(opened, width, prefers_color_scheme=scheme)
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    assert opened.execute_script(OUTSIDE) == []
    assert violations(opened, axe) == []
    dark = opened.execute_script("return getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


def test_the_checker_finds_what_is_wrong(opened: webdriver.Chrome, axe: str) -> None:
    opened.execute_script(
        "document.querySelector('img').removeAttribute('alt'); document.querySelector('.headline').style.color = '#bbb'"
    )
    assert {found.partition(":")[0] for found in violations(opened, axe)} >= {"image-alt", "color-contrast"}


def test_the_findings_come_first_and_texts_are_text(opened: webdriver.Chrome) -> None:
    headline = opened.find_element(By.CLASS_NAME, "headline")
    assert headline.text.startswith("Of the paper's five claims, one is supported in both models (C1)")
    assert headline.location["y"] < 500
    assert opened.execute_script("return window.broken") is None
    assert HOSTILE in table(opened).text
    image = opened.find_element(By.TAG_NAME, "img")
    assert image.get_property("naturalWidth") == 80, "it is in the page"
    assert image.accessible_name.startswith("Figure groupings. ")


def test_a_table_is_sorted_by_keyboard_and_says_so(opened: webdriver.Chrome) -> None:
    before = column(opened, 2)
    head = table(opened).find_elements(By.CSS_SELECTOR, "thead th")[2]
    button = head.find_element(By.TAG_NAME, "button")
    assert head.get_attribute("aria-sort") is None
    button.send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(opened, 2)[0] == "-4,350.5 [0.1, 0.2]", "numbers are compared as numbers"
    assert column(opened, 2)[-1] == "–", "what is missing comes last"
    button.send_keys(Keys.SPACE)
    assert head.get_attribute("aria-sort") == "descending"
    assert column(opened, 2)[0] == "4,200.5 [0.1, 0.2]"
    assert column(opened, 2)[-1] == "–"
    table(opened).find_elements(By.CSS_SELECTOR, "thead button")[0].click()
    assert head.get_attribute("aria-sort") is None
    assert column(opened, 0) == ["one"] * (ROWS // 2) + ["two"] * (ROWS // 2)
    button.send_keys(Keys.ENTER, Keys.ENTER, Keys.ENTER)
    assert column(opened, 2) == before


def test_a_table_is_filtered_by_words_and_by_columns(opened: webdriver.Chrome) -> None:
    controls = table(opened).find_elements(By.CSS_SELECTOR, ".tools input, .tools select")
    assert [control.accessible_name for control in controls] == ["Rows with the words", "model", "fact"]
    status = table(opened).find_element(By.CSS_SELECTOR, "[role=status]")
    assert status.text == f"{ROWS} of {ROWS} rows"
    controls[0].send_keys("PARIS $x_1$")
    assert status.text == f"{ROWS // 3} of {ROWS} rows"
    assert set(column(opened, 1)) == {"Paris $x_1$"}
    Select(controls[1]).select_by_visible_text("two")
    assert set(column(opened, 0)) == {"two"}
    assert status.text == f"{ROWS // 6} of {ROWS} rows"
    controls[0].send_keys(" nowhere")
    assert status.text == f"0 of {ROWS} rows"


def test_the_keyboard_reaches_what_there_is(opened: webdriver.Chrome) -> None:
    """The first stop skips the list of parts; a link to a folded table opens it."""
    body = opened.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    assert opened.switch_to.active_element.text == "Skip to what was found"
    assert opened.switch_to.active_element.location["x"] >= 0, "with the focus it can be seen"
    opened.execute_script(f"location.hash = '{TABLE}'")
    assert table(opened).get_attribute("open")
    regions = opened.find_elements(By.CSS_SELECTOR, ".scroll")
    assert regions
    assert all(region.aria_role == "region" and region.accessible_name for region in regions)
    assert all(region.get_attribute("tabindex") == "0" for region in regions)


def test_on_paper_folded_parts_are_open_and_controls_are_gone(opened: webdriver.Chrome) -> None:
    opened.execute_script("dispatchEvent(new Event('beforeprint'))")
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert all(part.get_attribute("open") for part in opened.find_elements(By.TAG_NAME, "details"))
    assert not opened.find_element(By.TAG_NAME, "nav").is_displayed()
    assert not opened.find_element(By.CLASS_NAME, "tools").is_displayed()
    opened.execute_script("dispatchEvent(new Event('afterprint'))")
    assert not any(part.get_attribute("open") for part in opened.find_elements(By.TAG_NAME, "details"))
