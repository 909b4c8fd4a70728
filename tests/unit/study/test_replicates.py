"""Entries with several seeds: the models that they make, and names that collide."""

from __future__ import annotations

import pytest

from dkn.errors import UserError
from dkn.study.config import check_scatter, parse_config
from dkn.study.replicates import replicates
from tests.unit.study.configurations import MODELS, changed, complaint


def test_an_entry_makes_as_many_models_as_it_has_seeds() -> None:
    """The first has the entry's name and the study's seed."""
    study = parse_config(changed(("models.0.seeds", 3)))
    found = replicates(study.models)
    assert [(model.name, model.number) for model in found] == [
        ("gpt2-nano", 0),
        ("gpt2-nano-s1", 1),
        ("gpt2-nano-s2", 2),
        ("llama-nano", 0),
    ]
    assert [model.entry for model in found] == [*[study.models[0]] * 3, study.models[1]]


def test_models_of_other_sources_have_no_seeds() -> None:
    models = [{**model, "name": source} for source, model in MODELS.items()]
    assert [model.name for model in replicates(parse_config(changed(("models", models))).models)] == list(MODELS)
    assert complaint(("models.0", {**MODELS["folder"], "seeds": 2})).startswith("models.1.seeds: unknown key")


@pytest.mark.parametrize("seeds", [0, 101, 2.5, "two"])
def test_seeds_are_a_number_of_models(seeds: object) -> None:
    assert complaint(("models.0.seeds", seeds)).startswith("models.1.seeds: ")


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ("gpt2-nano-s1", "models: 'gpt2-nano-s1' is the name of an entry, and of a model that another entry makes"),
        ("GPT2-nano-S1", "models: the names of two models, 'gpt2-nano-s1', differ only in capital letters"),
    ],
)
def test_a_name_that_another_entry_makes_is_refused(other: str, line: str) -> None:
    assert complaint(("models.0.seeds", 2), ("models.1.name", other)).startswith(line)
    assert parse_config(changed(("models.1.name", other)))


def test_all_models_of_a_study_are_counted() -> None:
    assert complaint(("models.0.seeds", 100)) == "models: all `seeds` together make 101 models, more than 100"
    line = "attribution.shards: 100 jobs for each of 51 models are more than 4000"
    assert complaint(("models.0.seeds", 50), ("attribution.shards", 100)) == line
    with pytest.raises(UserError, match=r"^--set-scatter facts=100: must be from 1 to 78$"):
        check_scatter(parse_config(changed(("models.0.seeds", 50))), {"facts": 100})


def test_a_cache_does_not_lie_in_the_folder_of_a_replicate() -> None:
    line = complaint(("models.0.seeds", 2), ("cache", "results/gpt2-nano-s1/cache"))
    assert line.startswith("cache: must not be a folder that the study writes")
