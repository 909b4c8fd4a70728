"""Distances and NTC of one fact: growth with the number of neurons, and a plain enumeration of paths.

    python benchmarks/structure.py

Random vectors on one thread; every time is the best of many runs. `gathering` copies the neurons' vectors out of
weights of LLaMA2-7b's shape (one layer's, read as every layer's: they exceed the cache); distances and NTC start from
the vectors. `diagrams` is ripser in dimensions 0 and 1, which the figures show and NTC does not need. The plain code
walks every path that visits one neuron in each layer between two neurons; both must give the same distances.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy reads it

import argparse
import sys
import time
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow"))

import numpy as np
import torch

from dkn.neurons.sets import NeuronSet
from dkn.structure.distances import connection_vectors, distance_matrix
from dkn.structure.ntc import NTCSettings, ntc
from dkn.structure.persistence_diagrams import persistence_diagrams

SETTINGS = NTCSettings("difference", 0.05, 0.2, 2)  # the default study's
DIAGRAMS_UP_TO = 2000  # neurons
LLAMA_NEURONS = 11008  # of a layer of LLaMA2-7b
PLAIN_LAYERS = 4  # few, so that the plain code ends: it walks (neurons / layers) ** layers paths


def random_fact(neurons: int, layers: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layers, evenly filled, and random reading and writing vectors of one fact's neurons."""
    reading, writing = np.random.default_rng(neurons).standard_normal((2, neurons, width), dtype=np.float32)
    return np.sort(np.arange(neurons) % layers), reading, writing


class OneLayerManyTimes:
    """What gathering asks of a model: a gated MLP's weights, the same ones for every layer."""

    device = torch.device("cpu")

    def __init__(self, neurons: int, width: int):
        self.width = width
        self.gate, self.down = torch.randn(neurons, width), torch.randn(width, neurons)

    def reading(self, layer: int) -> torch.Tensor:
        """Rows of ``gate_proj``."""
        return self.gate

    def writing(self, layer: int) -> torch.Tensor:
        """Columns of ``down_proj``."""
        return self.down.T


def best_time(work: Callable[[], Any], seconds: float = 1.0) -> float:
    """Seconds of the fastest run, of at least two and of as many as fit into a second."""
    times: list[float] = []
    while len(times) < 2 or sum(times) < seconds:
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def plain_distances(layers: np.ndarray, reading: np.ndarray, writing: np.ndarray) -> np.ndarray:
    """The same distances by walking every path, one at a time."""
    steps = 1 / np.abs(writing.astype(float) @ reading.astype(float).T)
    at = {int(layer): np.flatnonzero(layers == layer).tolist() for layer in np.unique(layers)}
    length = steps.tolist()
    matrix = np.full(steps.shape, np.inf)
    for low, high in product(at, repeat=2):
        if low < high:
            for path in product(*(at[layer] for layer in range(low, high + 1))):
                total = sum(length[lower][upper] for lower, upper in pairwise(path))
                if total < matrix[path[0], path[-1]]:
                    matrix[path[0], path[-1]] = matrix[path[-1], path[0]] = total
    np.fill_diagonal(matrix, 0)
    return matrix


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The power of growth, by least squares in logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def growth(counts: list[int], layers: int, width: int) -> None:
    """One row per number of neurons."""
    print(f"## One fact, {layers} layers, vectors of width {width} (milliseconds)\n")
    print("| neurons | gathering vectors | distances | NTC | distances + NTC | ripser's diagrams |")
    print("|---|---|---|---|---|---|")
    model: Any = OneLayerManyTimes(LLAMA_NEURONS, width)
    totals = {}
    for count in counts:
        fact = random_fact(count, layers, width)
        places = np.random.default_rng(1).choice(LLAMA_NEURONS, count, replace=False)
        neurons = NeuronSet(fact[0], places)
        matrix = distance_matrix(*fact)
        times = [
            best_time(lambda members=neurons: connection_vectors(model, members, fold_norm=False)),
            best_time(lambda given=fact: distance_matrix(*given)),
            best_time(lambda distances=matrix: ntc(distances, SETTINGS)),
        ]
        totals[count] = times[1] + times[2]
        times.append(totals[count])
        if count <= DIAGRAMS_UP_TO:
            times.append(best_time(lambda distances=matrix: persistence_diagrams(distances, 1, SETTINGS.quantile)))
        cells = [f"{1e3 * seconds:.3g}" for seconds in times]
        print(f"| {count:,} | {' | '.join(cells)} |{'' if count <= DIAGRAMS_UP_TO else ' not run |'}", flush=True)
    large = [count for count in counts if count >= 300]
    print(f"\nGrowth from 300 neurons on: exponent {exponent(large, [totals[count] for count in large]):.2f}.\n")


def against_plain(counts: list[int], width: int) -> None:
    """The plain code at sizes it can finish, its growth, and where that leads."""
    print(f"## Beside a plain enumeration of paths, {PLAIN_LAYERS} layers (milliseconds)\n")
    print("| neurons | plain | distances | times faster |")
    print("|---|---|---|---|")
    plain = []
    for count in counts:
        fact = random_fact(count, PLAIN_LAYERS, width)
        np.testing.assert_allclose(distance_matrix(*fact), plain_distances(*fact), rtol=1e-4)
        plain.append(best_time(lambda given=fact: plain_distances(*given)))
        ours = best_time(lambda given=fact: distance_matrix(*given))
        print(f"| {count} | {1e3 * plain[-1]:.3g} | {1e3 * ours:.3g} | {plain[-1] / ours:.1f} |", flush=True)
    last = plain[-1] * (300 / counts[-1]) ** 4
    fact = random_fact(300, PLAIN_LAYERS, width)
    ours = best_time(lambda: distance_matrix(*fact))
    print(f"| 300 | {1e3 * last:.3g} (extrapolated) | {1e3 * ours:.3g} | {last / ours:.0f} |")
    print(f"\nGrowth of the plain code: exponent {exponent(counts, plain):.2f}.\n")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", default="30,100,300,1000,2000,4000")
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--plain-neurons", default="32,48,64,96,128", help="sizes of the plain code")
    options = parser.parse_args()
    torch.set_num_threads(1)
    growth([int(count) for count in options.neurons.split(",")], options.layers, options.width)
    against_plain([int(count) for count in options.plain_neurons.split(",")], options.width)


if __name__ == "__main__":
    main()
