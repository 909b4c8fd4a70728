"""Numbers, booleans and null that arrive as text: taken where only one value can be meant, else refused with a hint."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest

from dkn.study.config import parse_config
from tests.unit.study.configurations import DEFAULT, changed, complaint


@pytest.mark.parametrize(
    ("place", "text", "value"),
    [
        ("compute.batch", "4", 4),
        ("seed", "0", 0),
        ("attribution.tolerance", "1e-3", 0.001),
        ("attribution.tolerance", "1E-3", 0.001),
        ("attribution.tolerance", ".5", 0.5),
        ("functional_test.tau2", "-1", -1.0),
        ("clustering.tau1", "0.1", 0.1),
        ("models.1.layers", "8", 8),
        ("models.1.learning_rate", "3e-3", 0.003),
        ("sensitivity.tau2", ["0.1", "0.2"], [0.1, 0.2]),
        ("estimate.known", ["0.1", "1"], [0.1, 1.0]),
        ("distances.fold_norm", "true", True),
        ("distances.fold_norm", "False", False),
        ("knowledge_neurons.cap", "null", None),
        ("knowledge_neurons.cap", "7", 7),
    ],
)
def test_a_text_that_means_one_value_is_taken_for_it(place: str, text: Any, value: object) -> None:
    study = parse_config(changed((place, text)))
    steps = [int(step) if step.isdigit() else step for step in place.split(".")]
    found = reduce(lambda part, step: part[step] if isinstance(step, int) else getattr(part, step), steps, study)
    assert found == value
    assert type(found) is type(value)


def test_a_whole_study_of_texts_is_the_study() -> None:
    """As ``--config`` gives everything within braces."""

    def as_texts(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: as_texts(part) for key, part in value.items()}
        if isinstance(value, list):
            return [as_texts(part) for part in value]
        return str(value) if isinstance(value, int | float) else value

    assert parse_config(as_texts(DEFAULT)) == parse_config(DEFAULT)


@pytest.mark.parametrize(
    ("place", "value", "hint"),
    [
        ("compute.batch", "1e3", "write a whole number in digits alone"),
        ("compute.batch", "4.0", "write a whole number in digits alone"),
        ("compute.batch", "1_000", "write a whole number in digits alone"),
        ("compute.batch", "010", "write a whole number in digits alone"),
        ("compute.batch", "0x10", "write a whole number in digits alone"),
        ("compute.batch", "٤", "write a whole number in digits alone"),
        ("attribution.tolerance", "0,5", "write a number like 0.001 or 1.0e-3"),
        ("attribution.tolerance", "1e-3 ", "write a number like 0.001 or 1.0e-3"),
        ("distances.fold_norm", "yes", "write true or false"),
        ("distances.fold_norm", "1", "write true or false"),
        ("knowledge_neurons.cap", "None", "write null for none"),
        ("results", 2024, "text needs quotes"),
        ("models.1", {"name": "m", "source": "wheel", "package": "p", "version": 0.1, "sha256": "0" * 64}, "quotes"),
    ],
)
def test_any_other_text_is_refused_with_how_it_is_written(place: str, value: Any, hint: str) -> None:
    line = complaint((place, value))
    assert line.startswith(place.replace("models.1", "models.2"))
    assert hint in line


@pytest.mark.parametrize("place", ["reference", "cache", "container", "figures.example_fact"])
def test_null_as_text_is_null_and_no_name(place: str) -> None:
    assert parse_config(changed((place, "null"))) == parse_config(changed((place, None)))
    assert complaint((place, "None")) == f"{place}: must be a name, not a word for null (found 'None')"
    assert complaint(("results", "null")) == "results: must be a name, not a word for null (found 'null')"


def test_a_text_whose_value_is_out_of_range_is_named_with_the_bound() -> None:
    assert complaint(("compute.batch", "0")) == "compute.batch: Input should be greater than or equal to 1 (found 0)"
    assert "finite" in complaint(("attribution.tolerance", "1e999"))
