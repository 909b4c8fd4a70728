"""Training some neurons equals ordinary training of their rows, and costs memory for these alone."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from dkn.decoder.adapters import Adapter
from dkn.decoder.loading import adapt
from dkn.errors import UserError
from dkn.models.answer_loss import Sentence
from dkn.neurons.sets import NeuronSet
from dkn.neurons.tuning import (
    FullTuning,
    NeuronTuning,
    ReadingAndEmbeddingTuning,
    Tuning,
    TuningSettings,
    train,
)
from dkn.randomness import generator
from tests.unit.neuron_sets import assert_same_bits, random_set, weights_of, whole_layer

SETTINGS = TuningSettings(epochs=3, ask_every=1, batch=3, seed=0)
RATE = 0.01
TOKENS = torch.tensor([[5, 6, 7, 8, 9]])


def made_sentences() -> list[Sentence]:
    draw = np.random.default_rng(0)
    lengths = [(4, 2), (6, 1), (3, 3), (5, 2), (7, 2)]
    return [Sentence(draw.integers(1, 100, prompt + answer).tolist(), prompt) for prompt, answer in lengths]


SENTENCES = made_sentences()


@pytest.fixture
def adapter64(adapter: Adapter) -> Adapter:
    """A copy in float64, in which equal trainings stay equal."""
    return adapt(copy.deepcopy(adapter.model).double())


def run(adapter: Adapter, tuning: Tuning, sentences: Sequence[Sentence] = SENTENCES, steps: int = 1) -> int:
    """The whole training; the optimiser's bytes in the end."""
    settings = replace(SETTINGS, steps=steps)
    return [state for _, state in train(adapter, tuning, sentences, RATE, settings)][-1]


def mlp_weights(model: PreTrainedModel, layer: int) -> tuple[nn.Parameter, nn.Parameter, bool]:
    """The layer's two matrices in Hugging Face's names, and whether the first has its neurons in columns."""
    if model.config.model_type == "gpt2":
        mlp = model.transformer.h[layer].mlp
        return mlp.c_fc.weight, mlp.c_proj.weight, True
    mlp = model.model.layers[layer].mlp
    return mlp.gate_proj.weight, mlp.down_proj.weight, False


def masked(model: PreTrainedModel, masks: Sequence[tuple[nn.Parameter, Tensor]], steps: int) -> None:
    """Training by plain code: one sentence at a time, full matrices, all gradients but the chosen ones masked out."""
    for weight, _ in masks:
        weight.requires_grad_(True)
    optimiser = torch.optim.AdamW([weight for weight, _ in masks], lr=RATE, weight_decay=0.0)
    for epoch in range(SETTINGS.epochs):
        order = generator(0, "fine-tuning/epoch", f"0/{epoch}").permutation(len(SENTENCES))
        for first in range(0, len(order), SETTINGS.batch):
            losses = []
            for sentence in (SENTENCES[place] for place in order[first : first + SETTINGS.batch]):
                logits = model(torch.tensor([sentence.tokens])).logits[0]
                asked = range(sentence.answer_start, len(sentence.tokens))
                losses += [functional.cross_entropy(logits[at - 1], torch.tensor(sentence.tokens[at])) for at in asked]
            optimiser.zero_grad()
            torch.stack(losses).mean().backward()
            for weight, mask in masks:
                assert weight.grad is not None
                weight.grad *= mask
            for _ in range(steps):
                optimiser.step()


def ordinary(model: PreTrainedModel, edit: NeuronSet, steps: int = 1) -> PreTrainedModel:
    """A copy in which the set's reading and writing vectors were trained by plain code."""
    model = copy.deepcopy(model)
    masks = []
    for layer in np.unique(edit.layers):
        chosen = torch.zeros(model.config.vocab_size * 10, dtype=torch.bool)
        chosen[torch.from_numpy(edit.neurons[edit.layers == layer])] = True
        reads, writes, columns = mlp_weights(model, int(layer))
        neurons = reads.shape[1] if columns else reads.shape[0]
        row = chosen[:neurons].to(reads.dtype)
        masks += [(reads, row[None, :] if columns else row[:, None]), (writes, row[:, None] if columns else row[None])]
    masked(model, masks, steps)
    return model


def as_released(model: PreTrainedModel, edit: NeuronSet, steps: int) -> PreTrainedModel:
    """A copy of a GPT-2 of which every parameter is given to the optimiser, and all gradients but these are zero:

    those of the set's columns and biases of c_fc, of both embeddings, and of the last norm.
    """
    model = copy.deepcopy(model)
    kept = ("transformer.wte.weight", "transformer.wpe.weight", "transformer.ln_f.weight", "transformer.ln_f.bias")
    masks = []
    for name, weight in model.named_parameters():
        mask = torch.ones_like(weight) if name in kept else torch.zeros_like(weight)
        for layer, neuron in zip(edit.layers, edit.neurons, strict=True):
            if name in (f"transformer.h.{layer}.mlp.c_fc.weight", f"transformer.h.{layer}.mlp.c_fc.bias"):
                mask[..., neuron] = 1
        masks.append((weight, mask))
    masked(model, masks, steps)
    return model


def merge(tuning: NeuronTuning, adapter: Adapter) -> PreTrainedModel:
    """A copy of the model with the corrections added to its weights by hand."""
    merged = copy.deepcopy(adapter.model)
    for part in tuning.corrections:
        reads, writes, columns = mlp_weights(merged, part.layer)
        for place, neuron in enumerate(part.neurons.tolist()):
            (reads[:, neuron] if columns else reads[neuron]).add_(part.reading[place].detach())
            (writes[neuron] if columns else writes[:, neuron]).add_(part.writing[place].detach())
    return merged


@pytest.mark.parametrize(("everything", "steps"), [(True, 1), (False, 1), (False, 2)])
def test_it_equals_ordinary_training_of_the_rows(adapter64: Adapter, everything: bool, steps: int) -> None:
    """Of one whole layer, or of some neurons of all layers; the second step of two takes the same gradient again."""
    edit = whole_layer(adapter64, 1) if everything else random_set(adapter64, 40, 3)
    tuning = NeuronTuning(adapter64, edit)
    with tuning:
        run(adapter64, tuning, steps=steps)
    expected, found = ordinary(adapter64.model, edit, steps).state_dict(), merge(tuning, adapter64).state_dict()
    start, moved = adapter64.model.state_dict(), 0
    for name, value in expected.items():
        assert torch.allclose(found[name], value, rtol=0, atol=1e-7), name
        moved += int((value - start[name]).abs().max() > RATE)
    assert moved == 2 * len(np.unique(edit.layers))


def test_merging_equals_hooks_and_leaves_the_own_model_untouched(adapter: Adapter) -> None:
    before, intact = weights_of(adapter.model), adapter.model(TOKENS).logits
    tuning = NeuronTuning(adapter, random_set(adapter, 40, 3))
    with tuning:
        run(adapter, tuning)
        hooked = adapter.model(TOKENS).logits.detach()
    assert torch.equal(adapter.model(TOKENS).logits, intact)
    assert_same_bits(adapter.model, before)
    assert (hooked - intact).abs().max() > 0.1
    assert torch.allclose(merge(tuning, adapter)(TOKENS).logits, hooked, rtol=1e-4, atol=1e-4)


def test_hooks_are_gone_after_an_error(adapter: Adapter) -> None:
    intact = adapter.model(TOKENS).logits
    tuning = NeuronTuning(adapter, random_set(adapter, 40, 3))
    with torch.no_grad():
        for parameter in tuning.parameters:
            parameter.add_(1.0)
    with pytest.raises(IndexError), tuning:
        run(adapter, tuning, [Sentence([10**6, 1], 1)])
    assert torch.equal(adapter.model(TOKENS).logits, intact)


class Sizes(TorchDispatchMode):
    """Notes the largest tensor that any operation makes anew."""

    VIEWS = ("aten::t", "aten::transpose", "aten::detach", "aten::view", "aten::alias", "aten::_unsafe_view")

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[int, ...]] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        if function.name().split(".")[0] not in self.VIEWS and isinstance(made, Tensor):
            self.shapes.add(tuple(made.shape))
        return made


@contextmanager
def noting() -> Iterator[Sizes]:
    with Sizes() as sizes:
        yield sizes


@pytest.mark.parametrize("full", [False, True], ids=["neurons", "all"])
def test_no_tensor_of_a_frozen_weights_size_is_made(own_adapter: Adapter, full: bool) -> None:
    """Neither gradients nor optimiser state exist for frozen weights; the same check sees those of full training."""
    size = 7
    neurons = random_set(own_adapter, size, 1)
    tuning: Tuning = FullTuning(own_adapter) if full else NeuronTuning(own_adapter, neurons)
    matrices = {tuple(weight.shape) for layer in range(2) for weight in mlp_weights(own_adapter.model, layer)[:2]}
    matrices |= {shape[::-1] for shape in matrices}
    with tuning:
        trained = train(own_adapter, tuning, SENTENCES, RATE, SETTINGS)
        with noting() as sizes:
            _, state = next(trained)
        frozen = [part for part in own_adapter.model.parameters() if not part.requires_grad]
        assert all(part.grad is None for part in frozen)
        trained.close()
    assert bool(sizes.shapes & matrices) is full
    assert len(frozen) == (0 if full else len(list(own_adapter.model.parameters())))
    if not full:
        assert sum(part.numel() for part in tuning.parameters) == 2 * size * own_adapter.width
        steps = 4 * len(tuning.parameters)  # one float32 count per tensor
        assert state == 2 * 4 * 2 * size * own_adapter.width + steps


def test_a_quarter_of_llama2_7bs_neurons_fits_a_card_and_all_do_not() -> None:
    """Counted on a model of its shape without storage: weights, corrections, their gradients and two moments."""
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(intermediate_size=11008)).to(torch.bfloat16)
    adapter = Adapter(model.requires_grad_(False))
    weights = sum(part.numel() * part.element_size() for part in model.parameters())
    assert weights == 2 * 6_738_415_616
    layers = np.repeat(np.arange(32), 11008 // 4)
    tuning = NeuronTuning(adapter, NeuronSet(layers, np.tile(np.arange(11008 // 4), 32)))
    trained = sum(part.numel() * part.element_size() for part in tuning.parameters)
    assert trained == 2 * 4096 * 11008 // 4 * 32 * 4
    assert weights + 4 * trained < 30e9 < 80e9 < 4 * 4 * weights / 2


def test_full_training_restores_every_bit_and_reports_its_changes(own_adapter: Adapter) -> None:
    before = weights_of(own_adapter.model)
    tuning = FullTuning(own_adapter)
    with tuning:
        run(own_adapter, tuning)
        changes = tuning.relative_changes().set_index(["layer", "neuron"])
        after = weights_of(own_adapter.model)
    assert_same_bits(own_adapter.model, before)
    assert not any(part.requires_grad or part.grad is not None for part in own_adapter.model.parameters())
    assert all(not torch.equal(after[name], before[name]) for name in before if "bias" not in name)
    assert len(changes) == own_adapter.n_layers * own_adapter.n_neurons
    names = (
        ("transformer.h.1.mlp.c_fc.weight", "transformer.h.1.mlp.c_proj.weight")
        if own_adapter.model.config.model_type == "gpt2"
        else ("model.layers.1.mlp.gate_proj.weight", "model.layers.1.mlp.down_proj.weight")
    )
    (read, read_before), (write, write_before) = ((after[name], before[name]) for name in names)
    if own_adapter.model.config.model_type == "gpt2":
        read, read_before = read.T, read_before.T
    else:
        write, write_before = write.T, write_before.T
    row = changes.loc[(1, 5)]
    assert row["reading"] == pytest.approx(float((read[5] - read_before[5]).norm() / read_before[5].norm()), rel=1e-4)
    assert row["writing"] == pytest.approx(
        float((write[5] - write_before[5]).norm() / write_before[5].norm()), rel=1e-4
    )
    both = torch.cat((read[5] - read_before[5], write[5] - write_before[5])).norm()
    assert row["both"] == pytest.approx(float(both / torch.cat((read_before[5], write_before[5])).norm()), rel=1e-4)


def test_changes_of_a_set_are_those_of_its_neurons(adapter64: Adapter) -> None:
    edit = NeuronSet(np.array([2, 0, 2]), np.array([9, 4, 3]))
    tuning = NeuronTuning(adapter64, edit)
    with tuning:
        run(adapter64, tuning)
    changes = tuning.relative_changes()
    assert list(zip(changes["layer"], changes["neuron"], strict=True)) == [(0, 4), (2, 3), (2, 9)]
    merged = adapt(merge(tuning, adapter64))
    for row in changes.itertuples():
        for part in ("reading", "writing"):
            before = getattr(adapter64, part)(row.layer)[row.neuron]
            after = getattr(merged, part)(row.layer)[row.neuron]
            assert getattr(row, part) == pytest.approx(float((after - before).norm() / before.norm()))


def test_the_same_seed_trains_the_same(adapter: Adapter) -> None:
    found = []
    for _ in range(2):
        tuning = NeuronTuning(adapter, random_set(adapter, 20, 3))
        with tuning:
            run(adapter, tuning)
        found.append(tuning.relative_changes())
    assert found[0].equals(found[1])


@pytest.mark.parametrize("adapter", ["gpt2"], indirect=True)
@pytest.mark.parametrize(("steps", "tied"), [(1, True), (2, True), (2, False)])
def test_it_trains_what_the_release_trains(adapter64: Adapter, steps: int, tied: bool) -> None:
    if not tied:
        head = adapter64.model.lm_head
        head.weight = nn.Parameter(head.weight.detach().flip(0), requires_grad=False)
    start = weights_of(adapter64.model)
    edit = random_set(adapter64, 40, 3)
    tuning = ReadingAndEmbeddingTuning(adapter64, edit)
    with tuning:
        run(adapter64, tuning, steps=steps)
        found = weights_of(adapter64.model)
        changes = tuning.relative_changes().set_index(["layer", "neuron"])
    for part in tuning.corrections:
        for place, neuron in enumerate(part.neurons.tolist()):
            found[f"transformer.h.{part.layer}.mlp.c_fc.weight"][:, neuron] += part.reading[place].detach()
            found[f"transformer.h.{part.layer}.mlp.c_fc.bias"][neuron] += part.bias[place].detach()
    expected = as_released(adapter64.model, edit, steps).state_dict()
    moved = {name for name, value in expected.items() if (value - start[name]).abs().max() > RATE}
    layers = {f"transformer.h.{layer}.mlp.c_fc.{part}" for layer in edit.layers for part in ("weight", "bias")}
    outside = {f"transformer.{part}" for part in ("wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias")}
    assert moved == layers | outside | ({"lm_head.weight"} if tied else set())
    for name, value in expected.items():
        assert torch.allclose(found[name], value, rtol=0, atol=1e-7), name
    assert len(changes) == len(edit)
    for (layer, neuron), row in changes.iterrows():
        after, before = (of[f"transformer.h.{layer}.mlp.c_fc.weight"][:, neuron] for of in (expected, start))
        writing, change = start[f"transformer.h.{layer}.mlp.c_proj.weight"][neuron], float((after - before).norm())
        assert row["reading"] == pytest.approx(change / float(before.norm()))
        assert row["both"] == pytest.approx(change / float(torch.cat((before, writing)).norm()))
        assert (row["writing"], row["absolute"]) == (0, pytest.approx(change))


@pytest.mark.parametrize("adapter", ["gpt2"], indirect=True)
@pytest.mark.parametrize("broken", [False, True])
def test_embeddings_and_norm_are_restored_to_the_bit(own_adapter: Adapter, broken: bool) -> None:
    """After an error as well, and the model then answers as it did."""
    before, intact = weights_of(own_adapter.model), own_adapter.model(TOKENS).logits
    tuning = ReadingAndEmbeddingTuning(own_adapter, random_set(own_adapter, 40, 3))
    with contextlib.suppress(KeyboardInterrupt), tuning:
        run(own_adapter, tuning)
        assert (own_adapter.model(TOKENS).logits - intact).abs().max() > 0.1
        if broken:
            raise KeyboardInterrupt
    assert_same_bits(own_adapter.model, before)
    assert torch.equal(own_adapter.model(TOKENS).logits, intact)
    assert not any(part.requires_grad or part.grad is not None for part in own_adapter.model.parameters())


def test_settings_choose_the_training(own_adapter: Adapter) -> None:
    """All parameters are trained as they are, whatever is trained of some neurons."""
    edit = random_set(own_adapter, 5, 0)
    released = replace(SETTINGS, trained="reading-and-embeddings")
    assert isinstance(SETTINGS.tuning(own_adapter, edit), NeuronTuning)
    assert isinstance(released.tuning(own_adapter, None), FullTuning)
    family = own_adapter.model.config.model_type
    if family == "gpt2":
        assert isinstance(released.tuning(own_adapter, edit), ReadingAndEmbeddingTuning)
    else:
        with pytest.raises(UserError, match=f"reading-and-embeddings trains .* gpt2 only, not of {family}"):
            released.tuning(own_adapter, edit)
    for changed in ({"trained": "biases"}, {"steps": 3}):
        with pytest.raises(UserError, match=r"unknown .* (vectors, reading-and-embeddings|1, 2)$"):
            replace(SETTINGS, **changed)
