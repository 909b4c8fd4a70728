"""What the tests of one fact share: a loaded model, and a fact that has components."""

from __future__ import annotations

from pathlib import Path

import pytest

import dkn
from dkn.study.config import Study
from dkn.study.defaults import study_with

PROMPT, ANSWER = "the capital of France is", "Paris"
LENIENT = """
seed: 1
knowledge_neurons: {fraction: 0.05}
clustering: {tau1: 0.0, quantile: 0.1}
functional_test: {test: absolute, tau2: 0.0}
"""


@pytest.fixture(scope="session")
def model(saved: Path) -> dkn.Model:
    """The tiny GPT-2."""
    return dkn.load(saved, device="cpu")


@pytest.fixture(scope="session")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Settings by which any component passes."""
    path = tmp_path_factory.mktemp("config") / "lenient.yaml"
    path.write_text(LENIENT)
    return study_with(path)


@pytest.fixture(scope="session")
def fact(model: dkn.Model, lenient: Study) -> dkn.OneFact:
    """A fact with base degenerate components. Read only."""
    found = dkn.attribute(model, PROMPT, ANSWER, config=lenient)
    assert found.components["kept"].sum() >= 2
    return found
