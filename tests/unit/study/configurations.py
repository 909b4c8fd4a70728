"""The shipped configurations, and configurations with mistakes in them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from dkn.errors import UserError
from dkn.study.config import parse_config

ROOT = Path(__file__).parents[3]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
DEPLOYED = ROOT / "config" / "config.yaml"  # where tools that deploy workflows look; it repeats a default
OVERLAYS = sorted(set((ROOT / "config").glob("*.yaml")) - {DEPLOYED})

MODELS: dict[str, dict[str, Any]] = {
    "hub": {"name": "m", "source": "hub", "repo": "org/name", "revision": "main"},
    "folder": {"name": "m", "source": "folder", "path": "models/m"},
    "gguf": {"name": "m", "source": "gguf", "path": "models/m.gguf"},
    "wheel": {"name": "m", "source": "wheel", "package": "p", "version": "1.0", "sha256": "0" * 64},
    "trained": {**DEFAULT["models"][1], "name": "m"},
}
PARTS = [{"package": f"p{number}", "version": "1.0", "sha256": "0" * 64} for number in (1, 2)]
SECTIONS = [key for key, value in DEFAULT.items() if isinstance(value, dict)]


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """Return the default configuration with some keys set, or taken out where the value is ``...``."""
    tree = copy.deepcopy(DEFAULT)
    for place, value in changes:
        *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
        part: Any = tree
        for key in path:
            part = part[key]
        if value is ...:
            del part[last]
        else:
            part[last] = value
    return tree


def complaints(*changes: tuple[str, Any]) -> list[str]:
    """Return the lines that these mistakes end in; every one of them says that it is about the configuration."""
    with pytest.raises(UserError) as caught:
        parse_config(changed(*changes))
    lines = str(caught.value).split("\n")
    assert all(line.startswith("config: ") for line in lines)
    return [line.removeprefix("config: ") for line in lines]


def complaint(*changes: tuple[str, Any]) -> str:
    """Return the one line that one mistake ends in."""
    lines = complaints(*changes)
    assert len(lines) == 1, lines
    return lines[0]
