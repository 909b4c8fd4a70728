"""Attribution of every family of decoders at one size, beside GPT-2's.

    python benchmarks/families.py                    # about 20 minutes on one core
    python benchmarks/families.py gpt_neox falcon    # some of them

Models have random weights: 12 layers of width 768, 12 heads, 3,072 neurons, 50,304 tokens, everything else as the
family's configuration has it. GPT-2 and the family run in turn, and of each the run that took the least processor time
counts. *Work* is the ratio of the floating-point operations of the matrices; *over* is how much longer a family takes
than GPT-2, divided by work.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "workflow")]

import numpy as np
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM
from transformers.utils import logging

from dkn.attribution.integrated_gradients import AttributionSettings, attribute
from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import adapt
from dkn.families import FAMILIES
from dkn.study.operations import attribution_flops, shape_of

PROMPT, ANSWER, NODES, VOCABULARY = 10, 2, 3, 50304
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 512,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
}
OWN_NAMES = {  # of families whose configurations are not written with the names above
    "gpt2": {"n_inner": 3072},
    "gptj": {"n_inner": 3072, "rotary_dim": 64},
    "gpt_neo": {"attention_types": [[["global", "local"], 6]]},
    "opt": {"ffn_dim": 3072, "word_embed_proj_dim": 768},
    "falcon": {"ffn_hidden_size": 3072},
    "gemma2": {"layer_types": ["sliding_attention", "full_attention"] * 6},
    "gemma3_text": {"layer_types": ["sliding_attention", "full_attention"] * 6},
    "ministral": {"layer_types": ["sliding_attention", "full_attention"] * 6},
}
KEY_VALUE_HEADS = {"num_key_value_heads": 12, "head_dim": 64}


def random_model(family: str) -> Adapter:
    """A model of a family with random weights at the size of the comparison."""
    torch.manual_seed(0)
    config_class = CONFIG_MAPPING[family]
    known = config_class().to_dict()
    wanted = {"intermediate_size": 3072, **KEY_VALUE_HEADS}
    sizes = {**SIZES, **{key: value for key, value in wanted.items() if key in known}, **OWN_NAMES.get(family, {})}
    if family in ("gemma2", "gemma3_text", "ministral"):
        sizes |= KEY_VALUE_HEADS
    config = config_class(**sizes)
    return adapt(AutoModelForCausalLM.from_config(config, attn_implementation=FAMILIES[family].implementation))


def seconds(adapters: tuple[Adapter, ...], facts: list[EncodedFact], runs: int) -> list[float]:
    """The processor time of the fastest attribution by each of several models, which take turns."""
    settings = AttributionSettings(quadrature="gauss-lobatto", nodes=NODES)
    times: list[list[float]] = [[] for _ in adapters]
    for _ in range(runs):
        for adapter, own in zip(adapters, times, strict=True):
            begin = time.process_time()
            attribute(adapter, facts, 1, settings)
            own.append(time.process_time() - begin)
    return [min(own) for own in times]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", default=list(FAMILIES), metavar="FAMILY")
    parser.add_argument("--facts", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    draw = np.random.default_rng(0)
    facts = [
        EncodedFact(
            str(fact), draw.integers(2, VOCABULARY, PROMPT).tolist(), draw.integers(2, VOCABULARY, ANSWER).tolist()
        )
        for fact in range(arguments.facts)
    ]
    gpt2 = random_model("gpt2")
    base = attribution_flops(shape_of(gpt2.model.config.to_dict()), PROMPT, ANSWER, NODES, "amig")
    print(f"{PROMPT} prompt and {ANSWER} answer tokens, {NODES} nodes, one thread\n")
    print("| family | facts/s | GPT-2 facts/s | time | work | over |\n|---|---|---|---|---|---|")
    for family in arguments.families:
        adapter = random_model(family)
        work = attribution_flops(shape_of(adapter.model.config.to_dict()), PROMPT, ANSWER, NODES, "amig") / base
        plain, own = seconds((gpt2, adapter), facts, arguments.runs)
        rates = f"{len(facts) / own:.2f} | {len(facts) / plain:.2f}"
        print(f"| {family} | {rates} | {own / plain:.2f} | {work:.2f} | {own / plain / work:.2f} |", flush=True)


if __name__ == "__main__":
    main()
