"""Training some neurons equals ordinary training of their rows, and costs memory for these alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from dkn.decoder.adapters import Adapter, LlamaAdapter
from dkn.decoder.loading import adapt
from dkn.models.answer_loss import Sentence
from dkn.neurons.sets import NeuronSet
from dkn.neurons.tuning import FullTuning, NeuronTuning, Tuning, TuningSettings, train
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


def run(adapter: Adapter, tuning: Tuning, sentences: Sequence[Sentence] = SENTENCES) -> int:
    """The whole training; the optimiser's bytes in the end."""
    return [state for _, state in train(adapter, tuning, sentences, RATE, SETTINGS)][-1]


def mlp_weights(model: PreTrainedModel, layer: int) -> tuple[nn.Parameter, nn.Parameter, bool]:
    """The layer's two matrices in Hugging Face's names, and whether the first has its neurons in columns."""
    if model.config.model_type == "gpt2":
        mlp = model.transformer.h[layer].mlp
        return mlp.c_fc.weight, mlp.c_proj.weight, True
    mlp = model.model.layers[layer].mlp
    return mlp.gate_proj.weight, mlp.down_proj.weight, False


def ordinary(model: PreTrainedModel, edit: NeuronSet) -> PreTrainedModel:
    """A copy trained by plain code: one sentence at a time, full matrices, all gradients but the set's masked out."""
    model = copy.deepcopy(model)
    masks = []
    for layer in np.unique(edit.layers):
        chosen = torch.zeros(model.config.vocab_size * 10, dtype=torch.bool)
        chosen[torch.from_numpy(edit.neurons[edit.layers == layer])] = True
        reads, writes, columns = mlp_weights(model, int(layer))
        neurons = reads.shape[1] if columns else reads.shape[0]
        row = chosen[:neurons].to(reads.dtype)
        masks += [(reads, row[None, :] if columns else row[:, None]), (writes, row[:, None] if columns else row[None])]
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
            optimiser.step()
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


@pytest.mark.parametrize("everything", [True, False], ids=["one whole layer", "some of all layers"])
def test_it_equals_ordinary_training_of_the_rows(adapter64: Adapter, everything: bool) -> None:
    edit = whole_layer(adapter64, 1) if everything else random_set(adapter64, 40, 3)
    tuning = NeuronTuning(adapter64, edit)
    with tuning:
        run(adapter64, tuning)
    expected, found = ordinary(adapter64.model, edit).state_dict(), merge(tuning, adapter64).state_dict()
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
    adapter = LlamaAdapter(model.requires_grad_(False))
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
