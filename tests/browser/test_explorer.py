"""The explorer in a browser, on the small study made by hand: by keyboard, on a phone, and with a hostile fact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from dkn.pages.explorer import explorer_data
from dkn.pages.template import look, page
from dkn.storage.provenance import PACKAGE
from tests.browser.conftest import console_errors
from tests.unit.explorer_study import HOSTILE, SETTINGS, study

PHONE = 360
ALL = (Keys.CONTROL, "a", Keys.NULL)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the small study."""
    html, style, script = ((PACKAGE / "pages" / f"explorer{suffix}").read_text() for suffix in (".html", ".css", ".js"))
    made_by = {
        "settings": {"seed": 0},
        "settings_sha256": "a" * 64,
        "code_sha256": "b" * 64,
        "inputs": {},
        "versions": {},
    }
    model = {"name": "small", "description": "small is a nano model."}
    data = {**explorer_data(study(), SETTINGS), "provenance": made_by, "model": model, "look": look()}
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    path.write_text(page(html, "small", style, get_plotlyjs(), script, data))
    return path


@pytest.fixture
def opened(browser: webdriver.Chrome, made: Path) -> Iterator[webdriver.Chrome]:
    """The page, open; whatever a test does there, the console must stay free of errors."""
    browser.get(made.as_uri())
    WebDriverWait(browser, 30).until(lambda _: browser.find_elements(By.CSS_SELECTOR, "#neurons .point"))
    yield browser
    assert console_errors(browser) == []


def at(browser: webdriver.Chrome, name: str) -> WebElement:
    return browser.find_element(By.ID, name)


def tab_to(browser: webdriver.Chrome, name: str) -> WebElement:
    """Press Tab until an element has the focus."""
    for _ in range(20):
        if browser.switch_to.active_element.get_attribute("id") == name:
            return browser.switch_to.active_element
        browser.switch_to.active_element.send_keys(Keys.TAB)
    raise AssertionError(f"the keyboard does not reach {name}")


def traces(browser: webdriver.Chrome, name: str) -> list[dict[str, Any]]:
    """What a plot draws: name, symbol, colour and number of points of each of its traces."""
    return browser.execute_script(
        "return document.getElementById(arguments[0]).data.map((trace) => ({name: trace.name, x: trace.x,"
        " symbol: trace.marker.symbol, color: trace.marker.color}))",
        name,
    )


def groups(browser: webdriver.Chrome) -> list[tuple[str, int]]:
    return sorted((trace["name"], len(trace["x"])) for trace in traces(browser, "neurons"))


def test_it_opens_on_the_fact_with_the_most_components(opened: webdriver.Chrome) -> None:
    assert "nano model" in at(opened, "model").text
    assert at(opened, "counts").text.startswith("Shown: 3 of the 3 facts")
    assert at(opened, "prompt").text == "The capital of B is …"
    assert at(opened, "answer").text == "Paris"
    assert "0.8" in at(opened, "about").text
    assert groups(opened) == [("BDC 1", 2), ("BDC 2", 2), ("in no tested component", 1)]
    rows = [row.text for row in opened.find_elements(By.CSS_SELECTOR, "#components tbody tr")]
    assert len(rows) == 2
    assert "BDC 1" in rows[0]
    assert "kept: alone it brings back 33.33 %" in rows[0]
    assert "the loss is 75 % of Prob" in at(opened, "components-note").text
    at(opened, "components").find_element(By.TAG_NAME, "summary").click()
    assert "0.8, 1.5" in at(opened, "components").text


def test_every_control_has_a_label(opened: webdriver.Chrome) -> None:
    controls = opened.find_elements(By.CSS_SELECTOR, "input, select, button")
    assert len(controls) == 6
    assert all(control.accessible_name for control in controls)
    plots = opened.find_elements(By.CSS_SELECTOR, ".plot")
    assert all(plot.aria_role in ("img", "image") and plot.accessible_name for plot in plots)


def test_a_fact_is_chosen_by_keyboard(opened: webdriver.Chrome) -> None:
    search = tab_to(opened, "filter")
    search.send_keys("oslo")
    assert at(opened, "answer").text == "Oslo"
    assert at(opened, "matches").text == "1 of 3 facts match"
    assert not at(opened, "radius").is_enabled()
    assert "nothing to merge" in at(opened, "barcode-caption").text
    assert not at(opened, "suppression-figure").is_displayed()
    search.send_keys(" nowhere")
    assert at(opened, "matches").text == "0 of 3 facts match"
    assert at(opened, "answer").text == "Oslo"
    search.send_keys(*ALL, "capital")
    assert at(opened, "answer").text == "Paris"
    search.send_keys(*ALL, Keys.DELETE)
    assert at(opened, "matches").text == ""
    tab_to(opened, "fact").send_keys(Keys.ARROW_DOWN)
    assert at(opened, "answer").text == "Rome"
    assert [row.text for row in opened.find_elements(By.CSS_SELECTOR, "#components th[scope=row]")] == [
        "● BDC 1",
        "✖ failed 1",
    ]
    assert groups(opened) == [("BDC 1", 2), ("failed 1", 2), ("in no tested component", 1)]
    labels = [label.text for label in opened.find_elements(By.CSS_SELECTOR, "#barcode .textpoint")]
    assert sorted(filter(None, labels)) == ["BDC 1", "failed 1", "tau1"]
    assert at(opened, "radius").is_enabled()
    assert at(opened, "suppression-figure").is_displayed()


def test_components_merge_with_the_radius_until_there_is_one(opened: webdriver.Chrome) -> None:
    count = at(opened, "count")
    assert count.get_attribute("aria-live") == "polite"
    assert count.text == "2 components at radius 3 (the last merge within NTC’s limit), 2 of two or more neurons"
    slider = tab_to(opened, "radius")
    slider.send_keys(Keys.HOME)
    assert count.text.startswith("5 components at radius 0,")
    assert groups(opened) == [("alone", 5)]
    seen = []
    for _ in range(4):
        slider.send_keys(Keys.ARROW_RIGHT)
        seen.append((count.text.split()[0], groups(opened)))
        assert slider.get_attribute("aria-valuetext") == count.text
    assert seen == [
        ("4", [("BDC 1", 2), ("alone", 3)]),
        ("3", [("BDC 1", 2), ("BDC 2", 2), ("alone", 1)]),
        ("2", [("BDC 2", 2), ("component", 3)]),
        ("1", [("component", 5)]),
    ]
    assert "beyond NTC’s limit" in count.text
    radius = "return document.getElementById('barcode').layout.annotations[1].text"
    assert opened.execute_script(radius) == "<b>radius 5 →</b>"
    slider.send_keys(Keys.TAB)
    opened.switch_to.active_element.send_keys(Keys.ENTER)
    assert count.text.startswith("2 components")
    assert "radius 3" in opened.execute_script(radius)


def test_components_differ_by_shape_too(opened: webdriver.Chrome) -> None:
    shown = traces(opened, "neurons")
    assert len({trace["symbol"] for trace in shown}) == len({trace["color"] for trace in shown}) == len(shown) == 3
    bars = traces(opened, "suppression")[0]
    assert bars["color"][:2] == [trace["color"] for trace in shown[:2]]


def test_suppression_has_a_bar_for_each_set_and_points_for_random_ones(opened: webdriver.Chrome) -> None:
    assert len(opened.find_elements(By.CSS_SELECTOR, "#suppression .bars .point path")) == 4
    assert len(opened.find_elements(By.CSS_SELECTOR, "#suppression .scatterlayer .point")) == 6
    bars, points = traces(opened, "suppression")
    assert bars["x"] == pytest.approx([10, 5, 50, 75])
    assert sorted(points["x"]) == pytest.approx([1.25, 2.5, 3.75, 12.5, 25, 37.5])
    opened.find_element(By.CSS_SELECTOR, "#suppression-figure summary").click()
    assert len(opened.find_elements(By.CSS_SELECTOR, "#numbers tbody tr")) == 4
    assert "2 draws each" in at(opened, "suppression-note").text


def test_a_phone_needs_no_sideways_scrolling(opened: webdriver.Chrome) -> None:
    metrics = {"width": PHONE, "height": 780, "deviceScaleFactor": 1, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    opened.refresh()
    wide = (
        "return [...document.querySelectorAll('body *')].filter((part) => !part.closest('svg') && "
        "part.getBoundingClientRect().right > innerWidth + 1).map((part) => part.outerHTML.slice(0, 80))"
    )
    for fact in ("clear", "plain", "alone"):
        Select(at(opened, "fact")).select_by_value(fact)
        opened.execute_script("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert opened.execute_script("return window.innerWidth") == PHONE
        assert opened.execute_script("return document.documentElement.scrollWidth") <= PHONE
        assert opened.execute_script(wide) == []


def test_a_facts_text_is_text(opened: webdriver.Chrome) -> None:
    Select(at(opened, "fact")).select_by_value("plain")
    assert at(opened, "prompt").text == f"A {HOSTILE} …"
    assert opened.execute_script("return window.broken") is None
    assert not opened.find_elements(By.CSS_SELECTOR, "img, #prompt *, option *")
