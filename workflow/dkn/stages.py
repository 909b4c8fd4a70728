"""The modules of the stages. A stage is one command of the workflow, and its module has a function ``main``.

The stages ``figure-NAME`` and ``table-NAME`` are modules of ``dkn.figures`` and ``dkn.tables``; every other stage is a
module of ``dkn.commands``. This module imports the standard library only, because the Snakefile uses it too.
"""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent
FOLDERS = {"figure-": "figures", "table-": "tables", "": "commands"}  # by the prefix of a stage's name


def stage_file(stage: str) -> Path:
    """Return the file of a stage's module, whether or not it exists."""
    prefix, folder = next((prefix, folder) for prefix, folder in FOLDERS.items() if stage.startswith(prefix))
    return PACKAGE / folder / f"{stage.removeprefix(prefix).replace('-', '_')}.py"


def stage_module(stage: str) -> str:
    """Return the name by which a stage's module is imported."""
    return ".".join((PACKAGE.name, *stage_file(stage).relative_to(PACKAGE).with_suffix("").parts))


def _summary(path: Path) -> str | None:
    """Return the first line of a module's docstring, or None where the module is no stage's."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
        return None
    return (ast.get_docstring(tree) or "").split("\n")[0]


def _modules() -> dict[str, Path]:
    """Return the file of every module that could be a stage's, by the name that the stage would have."""
    return {
        prefix + path.stem.replace("_", "-"): path
        for prefix, folder in FOLDERS.items()
        for path in sorted((PACKAGE / folder).glob("*.py"))
    }


def summary_of(stage: str) -> str | None:
    """Return the first line of the module's docstring of one stage, or None where there is no such stage."""
    path = _modules().get(stage)
    return None if path is None else _summary(path)


def stages() -> dict[str, str]:
    """Return the first line of the module's docstring for every stage, sorted by the stages' names.

    The modules are parsed and not imported.
    """
    found = {stage: _summary(path) for stage, path in sorted(_modules().items())}
    return {stage: summary for stage, summary in found.items() if summary is not None}
