"""One self-contained HTML file from a template, its style, its script, a drawing library and data."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from matplotlib.colors import to_hex

from dkn.figures.style import COLOURS, GREY, MARKERS

SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross"}


def look() -> dict[str, Any]:
    """The figures' colours and markers in the drawing library's words."""
    return {"colours": COLOURS, "symbols": [SYMBOLS[marker] for marker in MARKERS], "grey": to_hex(GREY)}


def script_data(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in, whatever text it holds."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def page(template: str, title: str, style: str, library: str, script: str, data: dict[str, Any]) -> str:
    """The template with its places ``{{title}}``, ``{{style}}``, … filled in one pass, so that no text is read twice.

    Raises:
        ValueError: style or script would end its element.
    """
    for name, text in (("style", style), ("library", library), ("script", script)):
        if re.search(r"</(script|style)|<!--", text, flags=re.IGNORECASE):
            raise ValueError(f"the page's {name} would end its element")
    parts = {"title": html.escape(title), "style": style, "library": library, "script": script}
    parts["data"] = script_data(data)
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template)
