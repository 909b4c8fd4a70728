"""The default study: config.yaml, which holds the one set of defaults, with an overlay laid over it.

A clone has the file at its root, and an installation has a copy of it inside the package.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dkn.errors import UserError
from dkn.stages import PACKAGE
from dkn.study.config import Study, parse_config
from dkn.study.overlays import check_overlays

NAME = "config.yaml"


def default_file() -> Path:
    """Return the file of the defaults: the one in the package where it is installed, else that of the clone.

    Raises:
        UserError: neither is there.
    """
    places = [PACKAGE / NAME, PACKAGE.parents[1] / NAME]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise UserError(f"{NAME}: the defaults are missing; they belong to {' or '.join(map(str, places))}")
    return found


def laid_over(tree: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with an overlay over it, as Snakemake lays one over the other; neither is changed.

    Sections are joined key by key; every other value, a list too, is replaced whole.
    """
    joined = copy.deepcopy(dict(tree))
    for key, value in overlay.items():
        below = joined.get(key)
        if isinstance(value, Mapping) and isinstance(below, dict):
            joined[key] = laid_over(below, value)
        else:
            joined[key] = copy.deepcopy(value)
    return joined


def study_with(overlay: Path | None = None) -> Study:
    """Return the default study, or what an overlay makes of it.

    Args:
        overlay: a file of YAML or JSON with what differs from the defaults; None for nothing.
    Raises:
        UserError: the file cannot be read, or what it says is no configuration; one line per mistake.
    """
    tree = yaml.safe_load(default_file().read_text(encoding="utf-8"))
    if overlay is None:
        return parse_config(tree)
    check_overlays([overlay], {}, tree)  # reads the file, and says what keeps it from being read
    differing = yaml.safe_load(overlay.read_text(encoding="utf-8"))
    if not isinstance(differing, Mapping):
        raise UserError(f"{overlay}: must be a section, keys with their values")
    joined = laid_over(tree, differing)
    check_overlays([overlay], {}, joined)
    return parse_config(joined)
