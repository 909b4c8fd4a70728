"""The captions of figures and tables as HTML: words of workflow/report, and the numbers that a stage wrote beside them.

Both are reStructuredText. The words are a template that ``snakemake --report`` fills in; it is filled in here alike.
Whatever they hold, they include no file and no HTML of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from docutils import nodes
from docutils.core import publish_doctree, publish_parts
from markupsafe import Markup

SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,  # what docutils has to say of a text stands in no page
    "_disable_config": True,
    "doctitle_xform": False,
    "smart_quotes": False,
}


def words(template: str, study: Mapping[str, Any], **given: Mapping[str, Any]) -> str:
    """Return the words of a caption, without its numbers, in reStructuredText.

    Args:
        template: the template, as ``snakemake --report`` takes it.
        study: the parts of the configuration that captions name.
        given: the parameters (``params``) and ``wildcards`` of the rule, where the caption names them.
    Raises:
        jinja2.UndefinedError: the caption names something else.
    """
    # Snakemake fills in the same template so; what comes out is no HTML, hence nothing to escape.
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701
    return environment.from_string(template).render(snakemake={"config": study, **given}, files=[])


def rendered(text: str) -> Markup:
    """Return a text in reStructuredText as HTML."""
    return Markup(publish_parts(text, writer="html5", settings_overrides=SETTINGS)["body"])  # noqa: S704 docutils escapes


def lead(text: str) -> str:
    """Return the first words of a caption, up to the end of those in bold type, as plain text."""
    tree = publish_doctree(text, settings_overrides=SETTINGS)
    strong = next(iter(tree.findall(nodes.strong)), None)
    return strong.astext() if strong is not None else ""


def numbers(path: Path) -> Markup:
    """Return the numbers of a figure's caption as HTML."""
    return rendered(path.read_text(encoding="utf-8"))
