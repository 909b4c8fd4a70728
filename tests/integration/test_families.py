"""Every supported family as a tiny random model: the adapter is the model, in all that the library asks of it."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import CONFIG_MAPPING, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from dkn.attribution.integrated_gradients import Attribution, AttributionSettings, attribute
from dkn.decoder.adapters import Adapter
from dkn.decoder.branches import Places, attend
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import adapt
from dkn.decoder.prefix import read_prompts
from dkn.errors import UserError
from dkn.families import FAMILIES, OBSTACLES, SUPPORTED
from dkn.neurons.interventions import answer_scores
from dkn.neurons.sets import NeuronSet
from dkn.neurons.tuning import NeuronTuning
from tests.integration.family_models import CONFIGS, PROMPTS, random_model
from tests.unit import plain

TOLERANCE = 1e-5
# Of logits and of scores, relative to the largest. A bfloat16 has 8 bits, a float16 has 11; caps and factors of these
# models are far from one, so that a rounding of the stream shows more than in a trained model.
HALF_TOLERANCE = {torch.bfloat16: (0.06, 0.3), torch.float16: (0.01, 0.06)}
FACT = EncodedFact("fact", [5, 17, 40, 8, 23, 60, 44], [31, 12])
PAIRS = [(layer, neuron) for layer in range(3) for neuron in range(0, 48, 5)]
EDIT = NeuronSet(*np.array(PAIRS).T)
FAMILY_MODELS = "tests/integration/family_models.py"
every_model = pytest.mark.parametrize("name", CONFIGS)


def test_every_supported_family_is_tested_here() -> None:
    assert {family for family, _ in CONFIGS.values()} == set(FAMILIES) == set(SUPPORTED)
    assert not set(FAMILIES) & set(OBSTACLES)


def test_the_page_on_models_shows_the_code() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "models.md").read_text()
    code = "".join((root / name).read_text() for name in ("workflow/dkn/families.py", FAMILY_MODELS))
    blocks = re.findall(r"^ *```python\n(.*?)```", page, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    for line in "".join(blocks).splitlines():
        assert line.strip() in code
    assert all(hasattr(Adapter, name) for name in re.findall(r"`Adapter\.(\w+)`", page))


@torch.no_grad()
@every_model
def test_logits_at_every_position_are_the_models_own(name: str) -> None:
    """Two prompts of different lengths, read together, each compared with Hugging Face's forward pass."""
    adapter = adapt(model := random_model(name))
    length = min(map(len, PROMPTS))
    prefix = read_prompts(adapter, PROMPTS, [range(len(prompt) - length, len(prompt)) for prompt in PROMPTS])
    for row, prompt in enumerate(PROMPTS):
        found = adapter.unembed(adapter.final_norm(prefix.final[row]))
        assert plain.relative_difference(found, plain.logits(model, prompt)[-length:]) < TOLERANCE


def through_the_stack(adapter: Adapter, starts: Tensor, tokens: Tensor) -> Tensor:
    """Logits of branches, (F, R, T, vocabulary), that follow the prompts from ``starts`` (F, R) on."""
    prefix = read_prompts(adapter, PROMPTS, [[0]] * len(PROMPTS))
    positions = starts[..., None] + torch.arange(tokens.shape[-1])
    embedded = [[adapter.embed(own, place) for own, place in zip(tokens, row, strict=True)] for row in positions]
    hidden = torch.stack([torch.stack(row) for row in embedded])
    places = Places.of(adapter, prefix, positions)
    for layer in range(adapter.n_layers):
        hidden = attend(adapter, layer, prefix, hidden, places)
        hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, adapter.neurons(layer, hidden)))
    return adapter.unembed(adapter.final_norm(hidden))


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 3])
@every_model
def test_branches_are_full_forwards(name: str, length: int) -> None:
    """Tokens that follow a prefix of either prompt give what the model makes of prefix and tokens together."""
    adapter = adapt(model := random_model(name))
    starts = torch.tensor([[11, 6, 1], [5, 2, 1]])
    tokens = torch.tensor([[21, 33, 8], [7, 50, 4], [90, 90, 13]])[:, :length]
    found = through_the_stack(adapter, starts, tokens)
    for row, prompt in enumerate(PROMPTS):
        for branch, start in enumerate(starts[row].tolist()):
            whole = plain.logits(model, [*prompt[:start], *tokens[branch].tolist()])
            assert plain.relative_difference(found[row, branch], whole[-length:]) < TOLERANCE


def weight_rows(module: torch.nn.Module) -> Tensor:
    """(outputs, inputs), whichever way a module stores them."""
    return module.weight.T if isinstance(module, Conv1D) else module.weight


@torch.no_grad()
@every_model
def test_vectors_say_what_the_modules_do(name: str) -> None:
    """One neuron's value moves the MLP's output along its writing vector, its input is read by its reading vector."""
    adapter = adapt(model := random_model(name))
    layer, neuron = 1, 7
    seen = plain.inputs_of(model, [plain.reading_projections(model)[layer]], PROMPTS[0])[0]
    neurons = plain.inputs_of(model, [plain.down_projections(model)[layer]], PROMPTS[0])[0]
    prefix = read_prompts(adapter, PROMPTS[:1], [range(len(PROMPTS[0]))])
    assert plain.relative_difference(prefix.neurons[layer][0], neurons) < TOLERANCE
    bias = adapter.reading_bias(layer)
    products = seen @ adapter.reading(layer).T + (0 if bias is None else bias)
    assert plain.relative_difference(adapter.preactivation(layer, prefix.middle[layer][0]), products) < TOLERANCE
    moved = neurons.clone()
    moved[:, neuron] += 1
    written = adapter.mlp_output(layer, moved) - adapter.mlp_output(layer, neurons)
    assert plain.relative_difference(written, adapter.writing(layer)[neuron].expand_as(written)) < 1e-3


@torch.no_grad()
@every_model
def test_gains_are_those_of_the_norm_in_front_of_the_mlp(name: str) -> None:
    """What the MLP reads is a direction of unit size times the gain, and perhaps a bias."""
    adapter = adapt(random_model(name))
    gain, norm = adapter.mlp_norm_gain(1), adapter._layers[1].before_mlp
    assert gain.shape == (adapter.width,)
    if norm is None:
        assert torch.equal(gain, torch.ones(adapter.width))
        return
    stream = torch.randn(adapter.width)
    shift = norm(torch.zeros(adapter.width))
    centres = torch.allclose(norm(stream + 1), norm(stream), atol=1e-4)  # LayerNorm does, RMSNorm does not
    centred = stream - stream.mean() if centres else stream
    direction = centred / centred.square().mean().sqrt()
    assert plain.relative_difference(norm(stream) - shift, direction * gain) < 1e-3


def attributed(adapter: Adapter) -> Attribution:
    """Scores of the fact by three nodes."""
    return attribute(adapter, [FACT], 1, AttributionSettings("amig", "gauss-legendre", 3))[0]


@every_model
def test_attribution_equals_the_plain_implementation(name: str) -> None:
    """Scores by hooks on the Hugging Face model, one full pass per node."""
    model = random_model(name)
    found = attributed(adapt(model))
    nodes = [0.5 - 0.15**0.5, 0.5, 0.5 + 0.15**0.5]
    expected = plain.attribution(model, FACT.prompt, FACT.answer, 0, "amig", 1, nodes, [5 / 18, 8 / 18, 5 / 18])
    assert plain.relative_difference(found.scores, expected.scores) < TOLERANCE
    assert plain.relative_difference(found.prob, expected.prob) < TOLERANCE


@every_model
def test_attribution_is_complete(name: str) -> None:
    """Adaptive quadrature reaches its tolerance, which no wrong gradient would."""
    found = attribute(adapt(random_model(name)), [FACT], 1, AttributionSettings())[0]
    assert float(found.error.max()) <= 1e-3


@every_model
def test_values_are_multiplied_as_by_hooks(name: str) -> None:
    adapter = adapt(model := random_model(name))
    for factor in (0.0, 2.0):
        found = answer_scores(adapter, [FACT], [[EDIT]], factor)[0].log_probs[0]
        expected = plain.answer_log_probs(model, FACT.prompt, FACT.answer, PAIRS, factor)
        assert np.abs(found - expected).max() < 1e-4


@torch.no_grad()
@every_model
def test_weights_are_multiplied_as_by_hand(name: str) -> None:
    model = random_model(name)
    edited = copy.deepcopy(model)
    for layer, neuron in PAIRS:
        weight_rows(plain.reading_projections(edited)[layer])[neuron] *= 2
        weight_rows(plain.down_projections(edited)[layer])[:, neuron] *= 2
    expected = plain.answer_log_probs(edited, FACT.prompt, FACT.answer)
    found = answer_scores(adapt(model), [FACT], [[EDIT]], 2.0, "weights")[0].log_probs[0]
    assert np.abs(found - expected).max() < 1e-4


@every_model
def test_chosen_neurons_are_trained_in_their_own_rows(name: str) -> None:
    """The loss's gradient by a neuron's corrections is that by its rows of the model's own matrices."""
    adapter = adapt(model := random_model(name))
    tokens, tuning = torch.tensor([FACT.prompt + FACT.answer]), NeuronTuning(adapter, EDIT)
    with tuning:
        model(tokens, labels=tokens).loss.backward()
    trained = {part.layer: part for part in tuning.corrections}
    assert {layer: len(part.neurons) for layer, part in trained.items()} == {0: 10, 1: 10, 2: 10}
    reads, writes = plain.reading_projections(model), plain.down_projections(model)
    for module in (*reads, *writes):
        module.weight.requires_grad_(True)
    model(tokens, labels=tokens).loss.backward()
    for layer, part in trained.items():
        for modules, vectors in ((reads, part.reading), (writes, part.writing)):
            gradient = modules[layer].weight.grad
            by_row = gradient.T if isinstance(modules[layer], Conv1D) else gradient
            by_neuron = by_row[part.neurons] if modules is reads else by_row[:, part.neurons].T
            assert vectors.grad is not None
            assert plain.relative_difference(vectors.grad, by_neuron) < 1e-4


@pytest.mark.parametrize("dtype", HALF_TOLERANCE, ids=str)
@every_model
def test_16_bits_give_what_the_model_gives_in_16_bits(name: str, dtype: torch.dtype) -> None:
    """Logits like Hugging Face's own in the same type; scores like those of the same rounded weights in float32."""
    model = random_model(name, dtype)
    adapter = adapt(model)
    logits, scores = HALF_TOLERANCE[dtype]
    with torch.no_grad():
        prefix = read_prompts(adapter, PROMPTS[:1], [[len(PROMPTS[0]) - 1]])
        found = adapter.unembed(adapter.final_norm(prefix.final[0]))
        assert plain.relative_difference(found, plain.logits(model, PROMPTS[0])[-1:].float()) < logits
    expected = attributed(adapt(copy.deepcopy(model).float()))
    assert plain.relative_difference(attributed(adapter).scores, expected.scores) < scores


def test_a_prompt_that_changes_all_rotations_is_refused() -> None:
    """LongRoPE turns all positions otherwise as soon as a text is longer than its first limit."""
    adapter = adapt(random_model("phi3-long"))
    with pytest.raises(UserError, match="17 tokens exceeds the model's context of 16"):
        read_prompts(adapter, [[5] * 17], [[0]])


def test_a_family_without_an_adapter_is_one_clear_error() -> None:
    config = CONFIG_MAPPING["bert"](hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    config.is_decoder = True
    expected = r"'bert' has no adapter \(it is no decoder.*; supported families: gpt2, llama, .*gemma"
    with pytest.raises(UserError, match=expected):
        adapt(AutoModelForCausalLM.from_config(config))


@pytest.mark.parametrize("name", ["llama", "pythia"])
def test_an_adapter_that_does_not_fit_is_found_when_the_model_is_loaded(name: str) -> None:
    """A model whose MLP does something that its family's description does not say."""
    model: Any = random_model(name)
    mlp = model.base_model.layers[1].mlp
    original = mlp.forward
    mlp.forward = lambda hidden: 1.5 * original(hidden)
    with pytest.raises(UserError, match="does not reproduce this model's logits"):
        adapt(model)
