"""Snakemake for the report alone (``python -m dkn.run.report``): what the report shows cannot become part of it.

Snakemake writes paths, parameters and captions as JSON into scripts, where ``</script>`` would end the script. It reads
captions as reStructuredText, which can include files and raw HTML.
"""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Callable
from pathlib import Path

DOCUTILS = Path(__file__).parents[2] / "report" / "docutils.conf"


def without_tags(dumps: Callable[..., str]) -> Callable[..., str]:
    """Return a function that writes the same JSON without ``<``, which only its texts hold, and hold as an escape."""

    def written(*arguments: object, **settings: object) -> str:
        return dumps(*arguments, **settings).replace("<", "\\u003c")

    return written


def main() -> None:
    """Run Snakemake with the arguments of the command line."""
    json.dumps = without_tags(json.dumps)
    os.environ["DOCUTILSCONFIG"] = str(DOCUTILS)
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
