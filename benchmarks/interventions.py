"""How many neuron sets a second are evaluated, against one full forward pass per set.

    python benchmarks/interventions.py               # about two minutes on 2 cores

Both sides evaluate sets of the same facts in turns, and the log-probabilities are compared. The plain side runs the
Hugging Face model once per set, logits at the answer positions only: for values with hooks that suppress neurons where
answer tokens are predicted, for weights with the model's weights edited and restored. The *limit* is the speed at which
this machine multiplies the matrices that no exact method can do without. Random weights.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "workflow")]

import numpy as np
import torch
from products import taking_turns
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import adapt
from dkn.neurons.interventions import SITES, SUPPRESS, answer_scores, edited_weights
from dkn.neurons.sets import NeuronSet

PROMPT, ANSWER, NEURONS, ROWS = 12, 2, 20, 2048
SHAPES = {  # layers, width, heads, vocabulary; facts; sets per fact
    "gpt2-nano": ((8, 96, 4, 4000), 16, 40),
    "GPT-2 124M": ((12, 768, 12, 50257), 4, 40),
}


def random_model(layers: int, width: int, heads: int, vocabulary: int) -> Adapter:
    """A GPT-2 of this shape with random weights."""
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=vocabulary, n_layer=layers, n_embd=width, n_head=heads, n_positions=64)
    return adapt(GPT2LMHeadModel(config))


def answer_log_probs(adapter: Adapter, fact: EncodedFact) -> np.ndarray:
    """(T,) log-probabilities of one full forward pass."""
    logits = adapter.model(torch.tensor([fact.context]), use_cache=False, logits_to_keep=ANSWER).logits[0]
    return logits.double().log_softmax(-1)[range(ANSWER), fact.answer].numpy()


@torch.no_grad()
def one_by_one(adapter: Adapter, fact: EncodedFact, edit: NeuronSet, site: str) -> np.ndarray:
    """The same under one intervention."""
    if site == "weights":
        with edited_weights(adapter, edit, SUPPRESS):
            return answer_log_probs(adapter, fact)
    with ExitStack() as stack:
        for layer in np.unique(edit.layers):
            chosen = torch.from_numpy(edit.neurons[edit.layers == layer])

            def suppress(_: object, inputs: tuple[Tensor], chosen: Tensor = chosen) -> tuple[Tensor]:
                neurons = inputs[0].clone()
                neurons[:, -ANSWER:, chosen] = 0
                return (neurons,)

            handle = adapter.layers[layer].mlp.c_proj.register_forward_pre_hook(suppress)
            stack.callback(handle.remove)
        return answer_log_probs(adapter, fact)


def least_operations(adapter: Adapter, variants: list[list[NeuronSet]], site: str) -> int:
    """Return the operations of matrices that any exact evaluation of the sets needs, with a GPT-2's shape.

    Changed weights act at every token, so all of them pass the layers above the first one that a set edits; in the last
    layer all but keys and values is needed where answer tokens are predicted only. Changed values act there alone. What
    a few neurons add in the first edited layer costs nothing here, and neither does the model without intervention.
    """
    width, neurons = adapter.width, adapter.n_neurons
    keys_and_values, rest = 2 * width**2, 2 * width**2 + 2 * width * neurons
    tokens = PROMPT + ANSWER - 1 if site == "weights" else ANSWER
    firsts = np.array([edit.layers.min() for edits in variants for edit in edits])
    through = (np.maximum(adapter.n_layers - 2 - firsts, 0) * tokens * (keys_and_values + rest)).sum()
    last = (firsts < adapter.n_layers - 1).sum() * (tokens * keys_and_values + ANSWER * rest)
    return int(2 * (through + last + len(firsts) * ANSWER * adapter.unembedding.numel()))


def large_product(adapter: Adapter) -> Callable[[], object]:
    """Return a product of as many rows as there are in a chunk with a matrix of the model's MLP."""
    rows, weight = torch.randn(ROWS, adapter.width), torch.randn(adapter.width, adapter.n_neurons)
    out = torch.empty(ROWS, adapter.n_neurons)
    return lambda: torch.mm(rows, weight, out=out)


def row_of(adapter: Adapter, facts: list[EncodedFact], variants: list[list[NeuronSet]], site: str) -> list[str]:
    """Measure one model and site; the plain side takes the first quarter of every fact's sets."""
    quarter = [edits[: len(edits) // 4] for edits in variants]
    found: dict[str, list[np.ndarray]] = {}

    def batched() -> None:
        found["batched"] = [scores.log_probs for scores in answer_scores(adapter, facts, variants, SUPPRESS, site)]

    def plain() -> None:
        found["plain"] = [
            np.array([one_by_one(adapter, fact, edit, site) for edit in edits])
            for fact, edits in zip(facts, quarter, strict=True)
        ]

    product = large_product(adapter)
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    fast, slow, one_product = taking_turns([batched, plain, product], 3, clock)
    total, tried = sum(map(len, variants)), sum(map(len, quarter))
    rate = 2 * ROWS * adapter.width * adapter.n_neurons / one_product
    limit = total / (least_operations(adapter, variants, site) / rate)
    pairs = zip(found["batched"], found["plain"], strict=True)
    difference = max(np.abs(many[: len(few)] - few).max() for many, few in pairs)
    ratio, best = total / fast / (tried / slow), limit / (tried / slow)
    speeds = [f"{value:.0f}" for value in (tried / slow, total / fast, limit)]
    return [*speeds, f"{ratio:.1f}", f"{best:.1f}", f"{ratio / best:.2f}", f"{difference:.1g}"]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="with one thread, processor time is measured")
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    logging.set_verbosity_error()
    draw = np.random.default_rng(0)
    print(f"{PROMPT} prompt tokens, {ANSWER} answer tokens, sets of {NEURONS} neurons, {threads} threads\n")
    names = ("model", "site", "one by one", "batched", "limit", "ratio", "its limit", "share", "largest difference")
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for name, (shape, count, sets) in SHAPES.items():
        adapter = random_model(*shape)
        tokens = draw.integers(1, shape[3], (count, PROMPT + ANSWER)).tolist()
        facts = [EncodedFact(str(row), part[:PROMPT], part[PROMPT:]) for row, part in enumerate(tokens)]
        flat = draw.integers(0, adapter.n_layers * adapter.n_neurons, (count, sets, NEURONS))
        variants = [[NeuronSet(*np.divmod(one, adapter.n_neurons)) for one in edits] for edits in flat]
        for site in SITES:
            print(f"| {' | '.join((name, site, *row_of(adapter, facts, variants, site)))} |", flush=True)


if __name__ == "__main__":
    main()
