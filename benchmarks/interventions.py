"""How many neuron sets a second are evaluated, against one full forward pass per set.

    python benchmarks/interventions.py               # about two minutes on 2 cores

Both sides evaluate the same sets of the same facts in this one run, and the log-probabilities are compared. The plain
side runs the Hugging Face model once per set, logits at the answer positions only: for values with hooks that suppress
neurons where answer tokens are predicted, for weights with the model's weights edited and restored. Random weights.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "workflow")]

import numpy as np
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import adapt
from dkn.neurons.interventions import SITES, SUPPRESS, answer_scores, edited_weights
from dkn.neurons.sets import NeuronSet

PROMPT, ANSWER, NEURONS = 12, 2, 20
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


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    logging.set_verbosity_error()
    draw = np.random.default_rng(0)
    print(f"{PROMPT} prompt tokens, {ANSWER} answer tokens, sets of {NEURONS} neurons, {threads} threads\n")
    print("| model | site | sets | sets/s, one by one | sets/s, batched | ratio | largest difference |")
    print("|---|---|---|---|---|---|---|")
    for name, (shape, count, sets) in SHAPES.items():
        adapter = random_model(*shape)
        tokens = draw.integers(1, shape[3], (count, PROMPT + ANSWER)).tolist()
        facts = [EncodedFact(str(row), part[:PROMPT], part[PROMPT:]) for row, part in enumerate(tokens)]
        flat = draw.integers(0, adapter.n_layers * adapter.n_neurons, (count, sets, NEURONS))
        variants = [[NeuronSet(*np.divmod(one, adapter.n_neurons)) for one in edits] for edits in flat]
        for site in SITES:
            answer_scores(adapter, facts, [edits[:2] for edits in variants], SUPPRESS, site)
            start = time.perf_counter()
            batched = [scores.log_probs for scores in answer_scores(adapter, facts, variants, SUPPRESS, site)]
            middle = time.perf_counter()
            plain = [
                [one_by_one(adapter, fact, edit, site) for edit in edits]
                for fact, edits in zip(facts, variants, strict=True)
            ]
            slow, fast = time.perf_counter() - middle, middle - start
            total, difference = count * sets, np.abs(np.array(batched) - np.array(plain)).max()
            print(
                f"| {name} | {site} | {total} | {total / slow:.0f} | {total / fast:.0f} | {slow / fast:.1f} "
                f"| {difference:.1g} |"
            )


if __name__ == "__main__":
    main()
