"""The plan of the library: which package may import which, and how large its rooms are (docs/development.md)."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import pytest

from dkn.stages import PACKAGE

ROOT = PACKAGE.parents[1]
GROUND = "the package root"
# From the ground up: a package imports from levels below its own, and from itself. ``__main__`` stands on top.
LEVELS = [
    (GROUND,),
    ("statistics", "storage", "study"),
    ("facts",),
    ("models",),
    ("decoder",),
    ("attribution", "neurons"),
    ("structure",),
    ("experiments",),
    ("summaries",),
    ("paper",),
    ("audit",),
    ("figures", "tables"),
    ("pages",),
    ("one_fact",),
    ("run",),
    ("commands",),
]
LEVEL = {package: level for level, packages in enumerate(LEVELS) for package in packages}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
MOST_LINES = 400
MOST_IN_THE_ROOT = 10


def package_of(path: Path) -> str:
    """The package that a module lies in."""
    return GROUND if path.parent == PACKAGE else path.relative_to(PACKAGE).parts[0]


def imported(path: Path) -> set[Path]:
    """The modules of the library that a module imports, inside functions too."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    files = [PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py") for name in names]
    return {file for file in files if file.is_relative_to(PACKAGE) and file.is_file()}


def test_every_package_has_its_level() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert folders | {GROUND} == set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_downwards(path: Path) -> None:
    if path.name == "__main__.py":
        return
    home = package_of(path)
    above = {
        f"{other.relative_to(PACKAGE)}"
        for other in imported(path)
        if package_of(other) != home and LEVEL[package_of(other)] >= LEVEL[home]
    }
    assert not above, f"{path.relative_to(PACKAGE)} imports from its own level or above: {sorted(above)}"


def test_no_two_modules_import_each_other() -> None:
    graph = {path: imported(path) - {path} for path in MODULES}
    while leaves := [path for path, needed in graph.items() if not needed & graph.keys()]:
        for path in leaves:
            del graph[path]
    assert not graph, f"a circle of imports: {sorted(str(path.relative_to(PACKAGE)) for path in graph)}"


def test_the_package_root_holds_few_modules() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_IN_THE_ROOT


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=lambda path: path.parent.name)
def test_a_package_says_what_it_holds_and_no_more(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1 or path.parent == PACKAGE  # which names the library, see test_init.py


def test_no_module_is_too_long() -> None:
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "benchmarks").glob("*.py"), *(ROOT / "tests").rglob("*.py")]
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert not {path: lines for path, lines in long.items() if lines > MOST_LINES}


def development(heading: str) -> str:
    """A section of docs/development.md."""
    return (ROOT / "docs" / "development.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]


def test_the_documentation_lists_the_packages_in_order() -> None:
    listed = [
        tuple(name.strip("` ") for name in line.split("|")[1].split(","))
        for line in development("The packages").splitlines()
        if line.startswith("| `")
    ]
    assert listed == [packages for packages in reversed(LEVELS) if packages != (GROUND,)]


def below(graph: dict[str, set[str]], package: str) -> set[str]:
    """All packages that a package imports, itself or through others."""
    reached: set[str] = set()
    todo = list(graph[package])
    while todo:
        other = todo.pop()
        if other not in reached:
            reached.add(other)
            todo += graph[other]
    return reached


def test_the_documentation_draws_the_arrows_between_packages() -> None:
    graph: dict[str, set[str]] = {package: set() for package in LEVEL if package != GROUND}
    for path in MODULES:
        home = package_of(path)
        if home != GROUND:
            graph[home] |= {package_of(other) for other in imported(path)} - {home, GROUND}
    needed = {
        (package, other)
        for package, others in graph.items()
        for other in others
        if not any(other in below(graph, between) for between in others - {other})
    }
    drawing = development("The packages").partition("```mermaid")[2].partition("```")[0]
    drawn = {pair for line in drawing.splitlines() for pair in pairwise(part.strip() for part in line.split("-->"))}
    assert drawn == needed
