"""How much a study computes, by counting: parameters and floating-point operations of every stage with a model.

A multiplication and an addition are two operations. Attention's own products, a thousandth of the rest at the lengths
of facts, are left out. Tests hold the counts to PyTorch's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dkn.study.config import Study
from dkn.study.inputs import Shape
from dkn.study.names import QUERIES

Product = tuple[int, int, int, int]  # (m, k) @ (k, n), and how often
FACT_CHECKING_NODES = 4  # three Gauss nodes beside the path's end, in the terms of Gauss-Lobatto
STEP, STEP_OF_ALL = 2, 3  # a training step in forward passes: with frozen weights, and with gradients of all of them


def shape_of(config: dict[str, Any]) -> Shape:
    """The shape that a model's ``config.json`` states."""
    if config["model_type"] == "gpt2":
        width = config["n_embd"]
        return Shape(
            architecture="gpt2",
            layers=config["n_layer"],
            width=width,
            heads=config["n_head"],
            kv_heads=config["n_head"],
            neurons=config.get("n_inner") or 4 * width,
            vocabulary=config["vocab_size"],
            context=config["n_positions"],
            tied=True,
        )
    return Shape(
        architecture="llama",
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        heads=config["num_attention_heads"],
        kv_heads=config.get("num_key_value_heads") or config["num_attention_heads"],
        neurons=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        context=config["max_position_embeddings"],
        tied=config.get("tie_word_embeddings", False),
    )


def _mlp(shape: Shape) -> list[tuple[int, int]]:
    """The MLP's weight matrices, (inputs, outputs)."""
    reading = 1 if shape.architecture == "gpt2" else 2
    return [(shape.width, shape.neurons)] * reading + [(shape.neurons, shape.width)]


def _block(shape: Shape) -> list[tuple[int, int]]:
    """A decoder layer's weight matrices: queries, keys and values in one, then attention's output, then the MLP."""
    attention = (shape.heads + 2 * shape.kv_heads) * shape.width // shape.heads
    return [(shape.width, attention), (shape.width, shape.width), *_mlp(shape)]


def parameters(shape: Shape) -> int:
    """The model's parameters: embeddings, matrices, norms, GPT-2's biases; an unembedding where it is not tied."""
    block = _size(_block(shape)) + 2 * shape.width
    total = shape.vocabulary * shape.width * (1 if shape.tied else 2) + shape.width
    if shape.architecture == "gpt2":
        block += sum(n for _, n in _block(shape)) + 2 * shape.width
        total += shape.context * shape.width + shape.width
    return total + shape.layers * block


def matrix_products(shape: Shape, prompt: int, answer: int, nodes: int, baseline: str) -> list[Product]:
    """Matrix products of one fact's attribution with Gauss-Lobatto nodes: the triangular schedule, counted.

    Of every path the upper end is one branch per answer token for all layers, which enters at layer 0's MLP; the other
    nodes are branches of their own, and layer j sees those of the j layers below it.
    """
    width, wide, vocabulary, layers = shape.width, shape.neurons, shape.vocabulary, shape.layers
    mlp, block = _mlp(shape), _block(shape)
    copies = prompt if baseline == "amig" else 0  # from their masked token on
    context = prompt + answer - 1 + sum(prompt + answer - 1 - masked for masked in range(copies))
    rows, queried = answer * (nodes - 1), answer * (1 + copies)
    found = [(context, k, n, layers - 1) for k, n in block]  # reading the prompt
    found += [(context, *block[0], 1), *((queried, k, n, 1) for k, n in block[1:])]  # its last layer
    found += [(answer, wide, width, layers), (answer, width, wide, layers)]  # paths' starts; writing
    found += [(answer, k, n, 1) for k, n in mlp]  # of layer 0, for the upper ends
    for layer in range(1, layers):
        for k, n in block:
            found += [(rows * layer + answer, k, n, 1), (rows * layer + answer, n, k, 1)]
    every = rows * layers + answer
    chunks = [min(512, every - first) for first in range(0, every, 512)]
    for chunk in chunks:
        found += [(chunk, width, vocabulary, 1), (chunk, vocabulary, width, 1)]
    return [*found, (answer, width, vocabulary, 1)]


def attribution_flops(shape: Shape, prompt: int, answer: int, nodes: int, baseline: str) -> int:
    """Operations of one fact's attribution."""
    return sum(2 * m * k * n * often for m, k, n, often in matrix_products(shape, prompt, answer, nodes, baseline))


def _size(matrices: list[tuple[int, int]]) -> int:
    return sum(k * n for k, n in matrices)


def pass_flops(shape: Shape, tokens: float, logits: float) -> float:
    """Operations of reading some tokens through all layers, and of some positions' logits."""
    return 2 * tokens * shape.layers * _size(_block(shape)) + 2 * logits * shape.width * shape.vocabulary


def _variant_flops(shape: Shape, tokens: float, logits: float) -> float:
    """The same for tokens that enter after layer 0's attention, where the untouched model's are taken over."""
    return pass_flops(shape, tokens, logits) - 2 * tokens * _size(_block(shape)[:2])


def value_flops(shape: Shape, prompt: int, answer: int, sets: float) -> float:
    """Operations of suppressing the values of so many neuron sets of one fact, each from layer 0 on.

    The prompt is read first; of its last layer only what is asked for.
    """
    context = prompt + answer - 1
    read = pass_flops(shape, context, 0) - 2 * (context - answer) * _size(_block(shape)[1:])
    return read + sets * _variant_flops(shape, answer, answer)


def weight_flops(shape: Shape, prompt: int, answer: int, sets: float) -> float:
    """The same for their weights, which act at all positions."""
    context = prompt + answer - 1
    return pass_flops(shape, context, 0) + sets * _variant_flops(shape, context, answer)


@dataclass(frozen=True)
class Workload:
    """How many facts a study has, and what they look like; numbers that no configuration fixes.

    Attributes:
        facts: all facts.
        known: those that the model knows.
        answers: accepted answers of a fact.
        prompt: tokens of a prompt.
        answer: tokens of an answer.
        candidates: components of a known fact that are tested, all groupings together.
        subsets: subsets of components of a known fact that are suppressed, controls included.
        with_dkn: share of known facts that have a DKN.
    """

    facts: int
    known: int
    answers: float
    prompt: int
    answer: int
    candidates: float
    subsets: float
    with_dkn: float


def _tuning_flops(shape: Shape, study: Study, load: Workload) -> tuple[float, float]:
    """Training runs of neuron sets, and of all parameters: every rate, but one for a random set's further draws."""
    settings = study.experiments.fine_tuning
    enough = min(1.0, load.known / (settings.new_facts + settings.old_facts))
    new, old = enough * settings.new_facts, enough * settings.old_facts
    learnt = settings.epochs * new * pass_flops(shape, load.prompt + load.answer, load.answer)
    asked = 1 + settings.epochs / settings.ask_every
    examined = asked * (2 * new + old) * pass_flops(shape, load.prompt + load.answer, load.answer + 1)
    rates = len(settings.learning_rates)
    runs = 2 * rates + 2 * (rates + settings.draws - 1)
    return runs * (STEP * learnt + examined), rates * (STEP_OF_ALL * learnt + examined)


def _checking_flops(shape: Shape, study: Study, load: Workload) -> float:
    """True and false statements, plain and in a complex wording about twice as long; then in words, after examples."""
    settings = study.experiments.fact_checking
    facts = min(load.known, settings.facts or load.known)
    attributed = sum(
        2 * attribution_flops(shape, length, load.answer, FACT_CHECKING_NODES, "amig")
        for length in (load.prompt, 2 * load.prompt)
    )
    asked = 4 * pass_flops(shape, (1 + settings.shots) * (1.5 * load.prompt + load.answer + 2), 2)
    return facts * (attributed + asked)


def flops_of_stages(shape: Shape, study: Study, load: Workload) -> dict[str, float]:
    """Operations of every stage with a model, by the names of ``estimates.STAGES``."""
    prompt, answer, known = load.prompt, load.answer, load.known
    tried = study.groupings.amig.neurons
    pairs = 1 + tried + tried * (tried - 1) // 2 if "amig" in study.groupings.methods else 0
    queries = load.with_dkn * known * len(QUERIES)

    def perturbed(random_sets: int) -> float:
        sets = 3 + 2 * random_sets
        return queries * (value_flops(shape, prompt, answer, sets) + weight_flops(shape, prompt, answer, sets))

    nodes, baseline = study.attribution.nodes, study.attribution.baseline
    tuned, tuned_in_full = _tuning_flops(shape, study, load)
    return {
        "known": load.facts * load.answers * pass_flops(shape, prompt + answer, answer + 1),
        "attribution": known * attribution_flops(shape, prompt, answer, nodes, baseline),
        "components": known
        * (value_flops(shape, prompt, answer, pairs) + value_flops(shape, prompt, answer, 2 + 2 * load.candidates)),
        "degeneracy": known * value_flops(shape, prompt, answer, 1 + load.subsets),
        "suppression": perturbed(study.experiments.suppression.random_sets),
        "enhancement": perturbed(study.experiments.enhancement.random_sets),
        "fact-checking": _checking_flops(shape, study, load),
        "fine-tuning": tuned,
        "fine-tuning-all": tuned_in_full,
    }
