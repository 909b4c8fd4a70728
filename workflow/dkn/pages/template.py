"""Make one self-contained HTML file from a template, its style and its script.

``page`` is for pages that a script draws from data, with a drawing library; ``filled`` for those that are plain HTML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.colors import to_hex

from dkn.figures.style import COLOURS, GREY, MARKERS
from dkn.plain_text import html, one_line

# The drawing library's names of matplotlib's markers.
SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross"}


def look() -> dict[str, Any]:
    """Return the colours and markers of the figures under the names that the drawing library has for them."""
    return {"colours": COLOURS, "symbols": [SYMBOLS[marker] for marker in MARKERS], "grey": to_hex(GREY)}


def script_data(data: dict[str, Any]) -> str:
    """Return data as JSON that cannot end the script element in which it stands, whatever text it holds.

    Half of a surrogate pair, as in the name of a file that is no Unicode, is written as an escape.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("<", "\\u003c")


def whole(name: str, text: str) -> str:
    """Return the text of a style or a script.

    Raises:
        ValueError: it would end the element in which it stands.
    """
    if re.search(r"</(script|style)|<!--", text, flags=re.IGNORECASE):
        raise ValueError(f"the page's {name} would end its element")
    return text


def filled(template: str, style: str, script: str, shown: Mapping[str, Any]) -> str:
    """Return a template of Jinja with what it shows: every text as plain text in one line, markup as it is.

    Args:
        template: the HTML of the page.
        style: its CSS, which the template has as ``style``.
        script: its JavaScript, which the template has as ``script``.
        shown: what the template shows, by name.
    Raises:
        ValueError: the style or the script would end its element.
        jinja2.UndefinedError: the template names what is not there.
    """

    def plain(value: object) -> object:
        return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = jinja2.Environment(
        autoescape=True, finalize=plain, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    parts = {"style": Markup(whole("style", style)), "script": Markup(whole("script", script))}  # noqa: S704 our own
    return environment.from_string(template).render(**shown, **parts)


def page(template: str, title: str, style: str, library: str, script: str, data: dict[str, Any]) -> str:
    """Return the template with its placeholders filled in.

    The placeholders ``{{title}}``, ``{{style}}``, ``{{library}}``, ``{{script}}`` and ``{{data}}`` are filled in one
    pass, so that no inserted text is read as a template.

    Args:
        template: the HTML of the page.
        title: its title, as plain text.
        style: its CSS.
        library: the JavaScript of the drawing library.
        script: the JavaScript of the page.
        data: what the script shows.
    Raises:
        ValueError: the style or a script would end its element, or a number in the data is not finite.
    """
    for name, text in (("style", style), ("library", library), ("script", script)):
        whole(name, text)
    contents = {"title": html(title), "style": style, "library": library, "script": script}
    contents["data"] = script_data(data)
    return re.sub(r"\{\{(\w+)\}\}", lambda match: contents[match[1]], template)
