"""How tests are kept: names and bodies that are read at a glance, and a test file for a module, in its package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dkn.stages import PACKAGE

TESTS = Path(__file__).parents[1]
UNIT = TESTS / "unit"
FILES = sorted(TESTS.rglob("test_*.py"))
MOST_LETTERS = 70  # of a test's name
MOST_LINES = 45  # of a test, from its ``def`` on
# Tests of what is no module of the library, and why they have a file of their own.
WITHOUT_MODULE = {
    "study/test_mutations.py": "it draws configurations with mistakes in any key, for all modules of study together",
    "facts/test_mutations.py": "it reads broken files through all modules of facts together",
    "facts/test_common.py": "it reads the bundled common facts, beside the other bundled ones",
    "attribution/test_schedule.py": "it counts operations over all modules of attribution together",
}


def functions_of(path: Path) -> Iterator[ast.FunctionDef]:
    """The tests of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def imported(path: Path) -> Iterator[str]:
    """The last part of every module that a file may import: in ``from a.b import c`` both b and c."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[-1] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[-1]
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_a_tests_name_and_body_are_short(path: Path) -> None:
    tests = list(functions_of(path))
    assert tests, "no test in it"
    assert not [test.name for test in tests if len(test.name) > MOST_LETTERS]
    assert not [test.name for test in tests if test.end_lineno - test.lineno >= MOST_LINES]  # type: ignore[operator]
    assert len({test.name for test in tests}) == len(tests), "of two tests of one name only the second runs"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_no_test_file_imports_from_another(path: Path) -> None:
    """What several share stands in a module that is no test file, so that each file can be read and run alone."""
    assert not {name for name in imported(path) if name in {file.stem for file in FILES}}


def test_unit_tests_lie_where_their_module_does() -> None:
    files = {path.relative_to(UNIT) for path in UNIT.glob("*/test_*.py")}
    unknown = {
        path.as_posix() for path in files if not (PACKAGE / path.parent / path.name.removeprefix("test_")).is_file()
    }
    assert unknown == set(WITHOUT_MODULE)


def test_every_package_has_its_folder_of_unit_tests() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {path.parent.name for path in UNIT.glob("*/__init__.py")} == packages
