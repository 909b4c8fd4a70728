"""Where the module of a stage is. Standard library only: the Snakefile uses it too.

A figure or a table is a module of ``dkn.figures`` or ``dkn.tables`` that holds the ``main`` of its stage; every other
stage is a module of ``dkn.commands``.
"""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent
FOLDERS = {"figure-": "figures", "table-": "tables", "": "commands"}  # by what a stage's name begins with


def stage_file(stage: str) -> Path:
    """The module of a stage, whether or not it exists."""
    prefix, folder = next((prefix, folder) for prefix, folder in FOLDERS.items() if stage.startswith(prefix))
    return PACKAGE / folder / f"{stage.removeprefix(prefix).replace('-', '_')}.py"


def stage_module(stage: str) -> str:
    """The name by which a stage's module is imported."""
    return ".".join((PACKAGE.name, *stage_file(stage).relative_to(PACKAGE).with_suffix("").parts))


def stages() -> dict[str, str]:
    """Every stage with the first line of its module's docstring, sorted by name; nothing is imported."""
    found = {}
    for prefix, folder in FOLDERS.items():
        for path in (PACKAGE / folder).glob("*.py"):
            tree = ast.parse(path.read_text())
            if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
                found[prefix + path.stem.replace("_", "-")] = (ast.get_docstring(tree) or "").split("\n")[0]
    return dict(sorted(found.items()))
