"""Completeness error against nodes: every rule, both baselines, any prepared models.

    python benchmarks/quadrature.py --results results --models gpt2-nano,llama-nano --facts 48
    python benchmarks/quadrature.py --results results/smollm2 --models smollm2-135m --facts 24

Needs a finished study (its facts, models and known facts). Per (fact, token, layer) the error is |sum of scores -
change of P|, relative to the fact's largest layer change. Beside it: the Jaccard index of the fact's knowledge
neurons with those of 96 Gauss nodes, since completeness does not bound single neurons.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow"))

import numpy as np
import torch

from dkn.attribution.integrated_gradients import Attribution, AttributionSettings, attribute
from dkn.decoder.encoded_facts import EncodedFact, batches, encode_all
from dkn.decoder.loading import LanguageModel, load
from dkn.facts.stored import study_facts

RULES = [(rule, nodes) for rule in ("left-riemann", "midpoint", "gauss-legendre") for nodes in (1, 3, 5, 10, 20)]
RULES += [("gauss-lobatto", 3), ("gauss-lobatto", 5), ("adaptive", 3), ("adaptive", 5)]
REFERENCE = ("gauss-legendre", 96)


def attributions(
    model: LanguageModel, facts: list[EncodedFact], baseline: str, rule: str, nodes: int
) -> list[Attribution]:
    """Attributions of all facts with one rule, in an order that does not depend on it."""
    settings = AttributionSettings(baseline, rule, nodes)
    return [r for group in batches(facts, 8) for r in attribute(model.adapter, group, model.mask_token, settings)]


def chosen(found: Attribution) -> torch.Tensor:
    """Which neurons are knowledge neurons: above 0.2 of the largest score."""
    return found.scores > 0.2 * found.scores.max()


def compare(model: LanguageModel, facts: list[EncodedFact], baseline: str) -> None:
    """Print one row per rule."""
    reference = [chosen(found) for found in attributions(model, facts, baseline, *REFERENCE)]
    for rule, nodes in RULES:
        found = attributions(model, facts, baseline, rule, nodes)
        errors = np.concatenate([result.error.ravel() for result in found])
        spent = np.concatenate([result.nodes.ravel() for result in found])
        overlap = [
            float((chosen(result) & best).sum() / (chosen(result) | best).sum())
            for result, best in zip(found, reference, strict=True)
        ]
        median, high, most = np.quantile(errors, [0.5, 0.95, 1])
        print(
            f"| {baseline} | {rule} | {spent.mean():.1f} | {median:.1e} | {high:.1e} | {most:.1e} "
            f"| {np.mean(overlap):.4f} |",
            flush=True,
        )


def main() -> None:
    """One table per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--models", default="gpt2-nano,llama-nano")
    parser.add_argument("--facts", type=int, default=48, help="known facts, spread evenly")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.models.split(","):
        folder = options.results / name
        model = load(folder / "model", "cpu")
        known = study_facts(options.results / "facts" / "facts.parquet", folder / "known.parquet").sort_index()
        facts = list(encode_all(model, known.iloc[:: max(1, len(known) // options.facts)]).values())
        print(f"## {name}: {len(facts)} facts\n")
        print("| baseline | rule | nodes (mean) | error, median | 95 % | largest | KN Jaccard with 96 Gauss nodes |")
        print("|---|---|---|---|---|---|---|")
        for baseline in ("amig", "zero"):
            compare(model, facts, baseline)
        print()


if __name__ == "__main__":
    main()
