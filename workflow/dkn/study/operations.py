"""Counts of what a study computes: a model's parameters, and the floating-point operations of every stage.

A multiplication with an addition counts as two operations. The products of queries, keys and values in attention are
left out; they are a thousandth of the rest for prompts as short as those of facts. Tests compare the counts with
PyTorch's own. Lengths of prompts and answers are in tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dkn.families import FAMILIES, UNSTATED_CONTEXT, family_of
from dkn.study.config import Study
from dkn.study.inputs import Shape
from dkn.study.names import ASKED_FACTS, QUERIES

Product = tuple[int, int, int, int]  # m, k, n and a number: so many products (m, k) @ (k, n)
FACT_CHECKING_NODES = 4  # three Gauss nodes and the end of the path, which a Gauss-Lobatto rule of four nodes costs
QUESTION = 6  # tokens of the question whether a statement is true, and of its verdict
BDCS = 3  # of a degenerate fact, about
STEP, STEP_OF_ALL = 2, 3  # the forward passes that a training step costs: with frozen weights, and of all parameters


def _stated(config: dict[str, Any], *names: str) -> int | None:
    """Return the first of several settings that a config states, or None."""
    return next((config[name] for name in names if config.get(name) is not None), None)


def _size_of(config: dict[str, Any], *names: str) -> int:
    """Return the first of several settings that a config states; raise KeyError where it states none."""
    found = _stated(config, *names)
    if found is None:
        raise KeyError(names[0])
    return found


def shape_of(config: dict[str, Any]) -> Shape:
    """Return the sizes that a model's ``config.json`` states, under the names that its family has for them.

    Raises:
        KeyError: the file lacks a size, or is of a family without an adapter.
    """
    config = {**config, **(config.get("text_config") or {})}
    name = family_of(config["model_type"])
    family = FAMILIES[name]
    width, heads = (
        _size_of(config, "hidden_size", "n_embd"),
        _size_of(config, "num_attention_heads", "n_head", "num_heads"),
    )
    head_size = config.get("head_dim")
    grouped = config.get("new_decoder_architecture")  # Falcon's keys say what they mean only together with this one
    kv_heads = _stated(config, "num_kv_heads" if grouped else "num_key_value_heads")
    return Shape(
        architecture=name,
        layers=_size_of(config, "num_hidden_layers", "n_layer", "num_layers"),
        width=width,
        heads=heads,
        kv_heads=kv_heads or (1 if config.get("multi_query") and not grouped else heads),
        head_size=None if head_size == width // heads else head_size,
        neurons=_stated(config, "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size") or 4 * width,
        vocabulary=config["vocab_size"],
        context=_stated(config, "max_position_embeddings", "n_positions") or UNSTATED_CONTEXT,
        tied=config.get("tie_word_embeddings", family.tied),
    )


def _mlp(shape: Shape) -> list[tuple[int, int]]:
    """Return the shapes of the MLP's weight matrices, (inputs, outputs)."""
    reading = 2 if FAMILIES[shape.architecture].gated else 1
    return [(shape.width, shape.neurons)] * reading + [(shape.neurons, shape.width)]


def _block(shape: Shape) -> list[tuple[int, int]]:
    """Return the shapes of a decoder layer's weight matrices, (inputs, outputs).

    The first is that of queries, keys and values together, the second that of attention's output; the MLP's follow.
    """
    size = shape.head_size or shape.width // shape.heads
    attention = (shape.heads + 2 * shape.kv_heads) * size
    return [(shape.width, attention), (shape.heads * size, shape.width), *_mlp(shape)]


def parameters(shape: Shape) -> int:
    """Return the number of the model's parameters: exact for GPT-2, LLaMA and Pythia, within a thousandth for others.

    They are the embeddings, the layers' matrices with two norms, and an unembedding where it is not tied. Families
    whose MLPs have no gate are taken to have biases everywhere.
    """
    family = FAMILIES[shape.architecture]
    block = _size(_block(shape)) + 2 * shape.width
    total = shape.vocabulary * shape.width * (1 if shape.tied else 2) + shape.width
    if not family.gated:
        block += sum(n for _, n in _block(shape)) + 2 * shape.width
        total += shape.width
    if family.positions:
        total += shape.context * shape.width
    return total + shape.layers * block


def mlp_vectors(shape: Shape) -> int:
    """Return the number of entries of all neurons' reading and writing vectors, without those of gates."""
    return 2 * shape.layers * shape.neurons * shape.width


def matrix_products(shape: Shape, prompt: int, answer: int, nodes: int, baseline: str) -> list[Product]:
    """Return the matrix products of one fact's attribution with Gauss-Lobatto nodes (``dkn.attribution``).

    The upper ends of the paths of all layers are one branch per answer token, which enters at layer 0's MLP. Every
    other node is a branch of its own, and layer j computes the branches of the j layers below it.

    Args:
        prompt, answer: the numbers of tokens of the prompt and the answer.
        nodes: the number of nodes of every path.
        baseline: ``amig``, which reads the prompt once more per masked token, or ``zero``.
    """
    width, neurons, vocabulary, layers = shape.width, shape.neurons, shape.vocabulary, shape.layers
    mlp, block = _mlp(shape), _block(shape)
    copies = prompt if baseline == "amig" else 0  # a copy is computed from its masked token on
    tokens = prompt + answer - 1 + sum(prompt + answer - 1 - masked for masked in range(copies))
    branches, queried = answer * (nodes - 1), answer * (1 + copies)
    products = [(tokens, k, n, layers - 1) for k, n in block]  # the prompt and its copies, all layers but the last
    products += [(tokens, *block[0], 1), *((queried, k, n, 1) for k, n in block[1:])]  # the last layer
    if baseline != "zero":  # where paths start
        products += [(answer, neurons, width, layers)]
    products += [(answer, width, neurons, layers)]  # writing vectors
    products += [(answer, k, n, 1) for k, n in mlp]  # the MLP of layer 0, for the upper ends
    for layer in range(1, layers):
        for k, n in block:
            products += [(branches * layer + answer, k, n, 1), (branches * layer + answer, n, k, 1)]
    full_chunks, rest = divmod(branches * layers + answer, 512)
    for chunk, number in ((512, full_chunks), (rest, 1)):
        products += [(chunk, width, vocabulary, number), (chunk, vocabulary, width, number)]
    return [*products, (answer, width, vocabulary, 1)]


def attribution_flops(shape: Shape, prompt: int, answer: int, nodes: float, baseline: str) -> float:
    """Return the operations of one fact's attribution.

    Args:
        nodes: the mean number of nodes of a path, in which the operations are linear.
        shape, prompt, answer, baseline: as ``matrix_products`` takes them.
    """
    least, most = (
        sum(2 * m * k * n * number for m, k, n, number in matrix_products(shape, prompt, answer, whole, baseline))
        for whole in (int(nodes), int(nodes) + 1)
    )
    return least + (nodes - int(nodes)) * (most - least)


def _size(matrices: list[tuple[int, int]]) -> int:
    """Return the number of entries of all matrices together."""
    return sum(k * n for k, n in matrices)


def pass_flops(shape: Shape, tokens: float, logits: float) -> float:
    """Return the operations of a forward pass.

    Args:
        tokens: the number of tokens that run through all layers.
        logits: the number of positions whose logits are computed.
    """
    return 2 * tokens * shape.layers * _size(_block(shape)) + 2 * logits * shape.width * shape.vocabulary


def _variant_flops(shape: Shape, tokens: float, logits: float) -> float:
    """Return the operations of a forward pass of an intervention, whose tokens enter after layer 0's attention.

    Up to there the residual stream is the model's own, and it is taken from the pass without intervention.

    Args:
        tokens: the number of tokens that run through the layers.
        logits: the number of positions whose logits are computed.
    """
    return pass_flops(shape, tokens, logits) - 2 * tokens * _size(_block(shape)[:2])


def value_flops(shape: Shape, prompt: int, answer: int, sets: float) -> float:
    """Return the operations of suppressing the values of neuron sets of one fact, each from layer 0 on.

    The prompt is read first; the last layer computes the answer-predicting positions only.

    Args:
        prompt, answer: the numbers of tokens of the prompt and the answer.
        sets: the number of neuron sets.
    """
    context = prompt + answer - 1
    reading = pass_flops(shape, context, 0) - 2 * (context - answer) * _size(_block(shape)[1:])
    return reading + sets * _variant_flops(shape, answer, answer)


def weight_flops(shape: Shape, prompt: int, answer: int, sets: float) -> float:
    """Return the operations of suppressing the weights of neuron sets of one fact, which act at all positions.

    The last layer computes the answer-predicting positions only, but for queries, keys and values.

    Args:
        prompt, answer: the numbers of tokens of the prompt and the answer.
        sets: the number of neuron sets.
    """
    context = prompt + answer - 1
    spared = 2 * (context - answer) * _size(_block(shape)[1:] if shape.layers > 1 else _mlp(shape))
    return pass_flops(shape, context, 0) + sets * (_variant_flops(shape, context, answer) - spared)


@dataclass(frozen=True)
class Workload:
    """The numbers that decide how much a study computes for a model and that no configuration fixes.

    Attributes:
        facts: the number of all facts.
        known: the number of facts that the model knows.
        answers: the mean number of accepted answers of a fact.
        prompt: the tokens of a prompt.
        answer: the tokens of an answer.
        candidates: the components of a known fact that are tested, over all groupings.
        subsets: the subsets of a known fact's components that are suppressed, with those of controls.
        with_dkn: the share of known facts that have a DKN, from 0 to 1.
        nodes: the mean number of nodes of a path of an attribution.
    """

    facts: int
    known: int
    answers: float
    prompt: int
    answer: int
    candidates: float
    subsets: float
    with_dkn: float
    nodes: float = 3.0


def _tuning_flops(shape: Shape, study: Study, load: Workload) -> tuple[float, float]:
    """Return the operations of training neuron sets, and those of training all parameters.

    A set is trained at every learning rate and at one beyond them, and then again at the best one.
    """
    settings = study.experiments.fine_tuning
    share = min(1.0, load.known / (settings.new_facts + settings.old_facts))  # below 1 where too few facts are known
    new, old = share * settings.new_facts, share * settings.old_facts
    learning = settings.epochs * new * pass_flops(shape, load.prompt + load.answer, load.answer)
    rounds = 1 + settings.epochs / settings.ask_every
    asking = rounds * (2 * new + old) * pass_flops(shape, load.prompt + load.answer, load.answer + 1)
    first = len(settings.learning_rates) + min(1, settings.extensions)
    fixed, drawn = (first + repeats - 1 for repeats in (settings.trainings, settings.draws))
    return 2 * (fixed + drawn) * (STEP * learning + asking), fixed * (STEP_OF_ALL * learning + asking)


def _checking_flops(shape: Shape, study: Study, load: Workload) -> float:
    """Return the operations of fact-checking.

    Every fact is attributed with its true answer and with a false one, in its plain wording, and some facts are in a
    complex wording too, which is about twice as long. Then the model is asked about all statements: for the stated
    answer, and in words after some examples, which are read once.
    """
    settings = study.experiments.fact_checking
    facts = min(load.known, settings.facts or load.known)
    in_complex = min(facts, settings.complex_facts or facts)
    total = 0.0
    for count, length in ((facts, load.prompt), (in_complex, 2 * load.prompt)):
        attributing = attribution_flops(shape, length, load.answer, FACT_CHECKING_NODES, "amig")
        stating = pass_flops(shape, length + load.answer, load.answer)
        asking = pass_flops(shape, length + load.answer + QUESTION, 2)
        total += 2 * count * (attributing + stating + asking)
    return total


def _ablation_flops(shape: Shape, study: Study, load: Workload) -> float:
    """Return the operations of the ablation experiment.

    In every order of the neurons the first ones, as many as each power of two and as the fact's KNs, are suppressed and
    kept. At none and at all neurons suppressing and keeping are the same.
    """
    settings = study.experiments.ablation
    sets = 2 + 2 * (1 + (shape.layers * shape.neurons - 1).bit_length())
    orders = 2 + settings.draws
    reading = pass_flops(shape, load.prompt + load.answer - 1, 0)  # for the magnitudes
    one_fact = reading + orders * value_flops(shape, load.prompt, load.answer, sets)
    return min(load.known, settings.facts or load.known) * one_fact


def _sharing_flops(shape: Shape, study: Study, load: Workload) -> float:
    """Return the operations of suppressing BDCs of degenerate facts and asking for other facts.

    A degenerate fact has about three BDCs. Each is suppressed, and so are its random sets, while the fact itself and
    some facts of each other kind are asked.
    """
    settings = study.experiments.sharing
    degenerate = load.with_dkn * load.known
    facts = min(degenerate, settings.facts or degenerate)
    asked = 1 + settings.others * (len(ASKED_FACTS) - 1)
    suppressed = facts * BDCS * asked * (1 + settings.draws)
    read = min(load.known, facts * BDCS * asked)
    return read * value_flops(shape, load.prompt, load.answer, 1 + suppressed / max(read, 1))


def flops_of_stages(shape: Shape, study: Study, load: Workload) -> dict[str, float]:
    """Return the operations of every stage that loads a model, by the names of ``dkn.study.estimates.STAGES``."""
    prompt, answer, known = load.prompt, load.answer, load.known
    tried = study.groupings.amig.neurons
    pairs = 1 + tried + tried * (tried - 1) // 2 if "amig" in study.groupings.methods else 0
    queries = load.with_dkn * known * len(QUERIES)

    def perturbed(random_sets: int) -> float:
        """Return the operations of an intervention at both sites, on all queries."""
        # No neurons, D and N, and so many draws of two random sets and of the D of two other facts.
        sets = 3 + 4 * random_sets
        return queries * (value_flops(shape, prompt, answer, sets) + weight_flops(shape, prompt, answer, sets))

    tuned, tuned_in_full = _tuning_flops(shape, study, load)
    return {
        "known": (load.facts * load.answers + known)
        * pass_flops(shape, prompt + answer, answer + 1),  # unseen wordings
        "attribution": known * attribution_flops(shape, prompt, answer, load.nodes, study.attribution.baseline),
        "components": known
        * (value_flops(shape, prompt, answer, pairs) + value_flops(shape, prompt, answer, 2 + 2 * load.candidates)),
        "degeneracy": known * value_flops(shape, prompt, answer, 1 + load.subsets),
        "sharing": _sharing_flops(shape, study, load),
        "suppression": perturbed(study.experiments.suppression.random_sets),
        "enhancement": perturbed(study.experiments.enhancement.random_sets),
        "ablation": _ablation_flops(shape, study, load),
        "fact-checking": _checking_flops(shape, study, load),
        "fine-tuning": tuned,
        "fine-tuning-all": tuned_in_full,
    }
