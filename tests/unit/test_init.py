"""``import dkn``: the library by name, at no cost to those who want a part of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dkn
from dkn.stages import PACKAGE


def test_an_import_of_the_package_imports_nothing_else() -> None:
    """The Snakefile and every stage import it, in environments without a model's libraries."""
    code = (
        "import sys, typing; before = set(sys.modules); import dkn; dir(dkn);"
        "print(sorted(set(sys.modules) - before)); import dkn.errors; print(dkn.UserError is dkn.errors.UserError)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == ["['dkn']", "True"]


@pytest.mark.parametrize("name", dkn.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    assert name in dir(dkn)
    assert (getattr(dkn, name).__doc__ or "").endswith((".", "\n    "))


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'dkn' has no attribute 'neurons_of'"):
        _ = dkn.neurons_of
