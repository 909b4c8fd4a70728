"""Captions as people read them, and an interval for them to state."""

from __future__ import annotations

import html
import re

from docutils.core import publish_parts

NUMBERS = {"low": 0.1, "high": 0.3, "facts": 1234, "subjects": 56}


def rendered(text: str) -> str:
    """The text of reStructuredText, without marks; any error ends the test."""
    body = publish_parts(text, writer="html", settings_overrides={"halt_level": 2})["body"]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body)).strip())
