"""The accessibility checker axe-core in the browser: what a page breaks of WCAG 2 and of good practice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from selenium import webdriver

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
PATIENCE = 120
RUN = """
const done = arguments[arguments.length - 1];
axe.run({resultTypes: ["violations"]}).then(
  (found) => done(found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html}`))),
  (error) => done([String(error)]));
"""


def axe_script(folder: Path) -> str:
    """The checker's JavaScript, which is installed into a folder if it is not there.

    Without network the test is skipped; ``DKN_NEED_BROWSER=1`` makes that a failure.
    """
    script = folder / "axe_playwright_python" / "axe.min.js"
    if not script.is_file():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--upgrade", "--target", str(folder), "--requirement", str(REQUIREMENTS)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            message = f"axe-core cannot be installed: {result.stderr[-500:]}"
            if os.environ.get("DKN_NEED_BROWSER"):
                pytest.fail(message)
            pytest.skip(message)
    return script.read_text("utf-8")


def violations(browser: webdriver.Chrome, script: str) -> list[str]:
    """What the checker finds in the page as it is now: the rule, and the element."""
    browser.set_script_timeout(PATIENCE)
    browser.execute_script(script)
    return list(browser.execute_async_script(RUN))
