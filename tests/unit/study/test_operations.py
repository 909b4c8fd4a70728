"""Counted parameters and operations, beside PyTorch's own counts and the numbers that the models' authors state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    CONFIG_MAPPING,
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.families import FAMILIES
from dkn.neurons.interventions import SUPPRESS, answer_scores
from dkn.neurons.sets import NeuronSet
from dkn.study.config import Study, parse_config
from dkn.study.inputs import Shape
from dkn.study.operations import (
    Workload,
    attribution_flops,
    flops_of_stages,
    parameters,
    pass_flops,
    shape_of,
    value_flops,
    weight_flops,
)

ROOT = Path(__file__).parents[3]
PAPER = {entry["name"]: entry for entry in yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())["models"]}
LOAD = Workload(facts=100, known=40, answers=1.5, prompt=9, answer=2, candidates=10, subsets=30, with_dkn=0.5)


def shape(adapter: Adapter) -> Shape:
    return shape_of(adapter.model.config.to_dict())


@pytest.fixture
def study() -> Study:
    """The default study."""
    return parse_config(yaml.safe_load((ROOT / "config.yaml").read_text()))


def products(counter: FlopCounterMode) -> int:
    """Operations of weight matrices, without attention's own products."""
    kinds = counter.get_flop_counts()["Global"]
    return sum(count for kind, count in kinds.items() if str(kind) in ("aten.mm", "aten.addmm"))


@pytest.mark.parametrize(("name", "expected"), [("gpt2", 124_439_808), ("llama2-7b", 6_738_415_616)])
def test_the_papers_models_have_their_published_numbers_of_parameters(name: str, expected: int) -> None:
    assert parameters(Shape(**PAPER[name]["shape"])) == expected


def test_the_papers_shapes_are_those_of_the_families_own_defaults() -> None:
    """GPT-2's configuration class defaults to GPT-2, LLaMA's to LLaMA2-7b but for its context."""
    assert shape_of(GPT2Config().to_dict()) == Shape(**PAPER["gpt2"]["shape"])
    llama = shape_of(LlamaConfig(max_position_embeddings=4096).to_dict())
    assert llama == Shape(**PAPER["llama2-7b"]["shape"])


@pytest.mark.parametrize(
    "model",
    [
        (GPT2LMHeadModel, GPT2Config(n_embd=48, n_layer=3, n_head=4, n_inner=100, vocab_size=300, n_positions=40)),
        *(
            (
                LlamaForCausalLM,
                LlamaConfig(
                    hidden_size=48,
                    num_hidden_layers=3,
                    num_attention_heads=4,
                    num_key_value_heads=2,
                    intermediate_size=80,
                    vocab_size=300,
                    tie_word_embeddings=tied,
                ),
            )
            for tied in (False, True)
        ),
    ],
    ids=["gpt2", "llama", "llama-tied"],
)
def test_parameters_are_counted_exactly(model: tuple) -> None:
    make, config = model
    with torch.device("meta"):
        expected = sum(parameter.numel() for parameter in make(config).parameters())
    assert parameters(shape_of(config.to_dict())) == expected


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"ministral", "nemotron"}))  # whose defaults make no model
def test_parameters_of_every_family_are_counted_to_a_thousandth(family: str) -> None:
    """Of the models that the families' configurations default to."""
    config = CONFIG_MAPPING[family]()
    with torch.device("meta"):
        expected = sum(parameter.numel() for parameter in AutoModelForCausalLM.from_config(config).parameters())
    assert parameters(shape_of(config.to_dict())) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_tied_is_what_the_family_ties(family: str) -> None:
    """Where a config does not say it, transformers' default holds."""
    config = CONFIG_MAPPING[family]()
    assert FAMILIES[family].tied is config.tie_word_embeddings
    stated = {key: value for key, value in config.to_dict().items() if key != "tie_word_embeddings"}
    assert shape_of(stated).tied is config.tie_word_embeddings


def test_the_text_part_of_a_model_is_counted() -> None:
    text = CONFIG_MAPPING["gemma3_text"]().to_dict()
    assert shape_of({"model_type": "gemma3", "text_config": text}) == shape_of(text)


@pytest.mark.parametrize("missing", ["num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size"])
def test_a_config_without_a_size_is_a_key_error(missing: str) -> None:
    config = {key: value for key, value in LlamaConfig().to_dict().items() if key != missing}
    with pytest.raises(KeyError, match=missing):
        shape_of(config)


def test_a_forward_pass_is_counted_exactly(adapter: Adapter) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        adapter.model(torch.arange(3, 12)[None])
    assert products(counter) == pass_flops(shape(adapter), 9, 9)


@pytest.mark.parametrize(("site", "count"), [("values", value_flops), ("weights", weight_flops)])
def test_interventions_cost_what_is_counted(
    adapter: Adapter, random_fact: Callable[..., EncodedFact], site: str, count: Callable[..., float]
) -> None:
    """Sets from layer 0 on, the most there can be."""
    fact = random_fact(9, 2)
    sets = [NeuronSet(*(torch.tensor([place]).numpy() for place in (0, neuron))) for neuron in range(20)]
    with FlopCounterMode(display=False) as counter:
        answer_scores(adapter, [fact], [sets], SUPPRESS, site)
    assert products(counter) == count(shape(adapter), 9, 2, len(sets))


def test_the_work_of_a_study_grows_as_its_facts_do(study: Study) -> None:
    gpt2 = Shape(**PAPER["gpt2"]["shape"])
    once, twice = (flops_of_stages(gpt2, study, replace(LOAD, facts=100 * n, known=40 * n)) for n in (1, 2))
    for stage in ("known", "attribution", "components", "degeneracy", "suppression", "enhancement"):
        assert twice[stage] == pytest.approx(2 * once[stage])
    many = [replace(LOAD, known=known) for known in (1000, 2000)]
    for stage in ("fine-tuning", "fine-tuning-all"):  # samples of fixed size
        first, second = (flops_of_stages(gpt2, study, load)[stage] for load in many)
        assert first == second
    first, second = (flops_of_stages(gpt2, study, load)["fact-checking"] for load in many)
    assert first < second < 2 * first, "all facts are stated, and a sample of fixed size in complex wording too"
    assert once["attribution"] == 40 * attribution_flops(gpt2, 9, 2, 3, "amig")


def test_full_tuning_is_the_work_of_its_rates_and_epochs(study: Study) -> None:
    """By hand: 60 new facts, 12 epochs, 4 rates and 2 more trainings, three passes a step; 240 questions at 7 times."""
    gpt2 = Shape(**PAPER["gpt2"]["shape"])
    found = flops_of_stages(gpt2, study, replace(LOAD, known=10_000))["fine-tuning-all"]
    learnt, asked = pass_flops(gpt2, 11, 2), pass_flops(gpt2, 11, 3)
    assert found == pytest.approx(6 * (3 * 12 * 60 * learnt + 7 * 240 * asked))
