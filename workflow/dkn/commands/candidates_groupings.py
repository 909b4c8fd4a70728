"""Find candidate components with clustering algorithms other than NTC, from the same distances."""

from typing import Annotated

import numpy as np
from typer import Option

from dkn import flags
from dkn.progress import progress
from dkn.randomness import generator
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import CANDIDATES, KNOWLEDGE_NEURONS
from dkn.structure.candidates import candidates_table, stored_matrices
from dkn.structure.other_clusterings import GroupingSettings, grouped
from dkn.study.protocol import applied


def main(
    neurons: flags.Neurons,
    distances: flags.Distances,
    method: Annotated[
        list[str], Option(help="Clustering algorithm: dbscan, hierarchical, kmeans or hdbscan; repeatable.")
    ],
    output: flags.Outputs,
    min_size: flags.MinSize,
    dbscan_min_samples: Annotated[int, Option(help="Neurons within eps, itself included, that make a neuron a core.")],
    hdbscan_min_samples: Annotated[int, Option(help="Neurons within a neuron's core distance, itself included.")],
    max_groups: Annotated[
        int, Option(help="The most groups that hierarchical and kmeans try in one linked part of a fact's neurons.")
    ],
    variance: Annotated[float, Option(help="Share of the variance of the distance rows that kmeans keeps.")],
    restarts: Annotated[int, Option(help="Random starts of kmeans.")],
    seed: flags.Seed,
    released: flags.Released = None,
) -> None:
    """Group the knowledge neurons of every fact that has any, with every method."""
    flags.one_output_each(output, method=method)
    stated = GroupingSettings(min_size, dbscan_min_samples, hdbscan_min_samples, max_groups, variance, restarts)
    settings = applied("groupings", stated, released)
    table = read_table(neurons, KNOWLEDGE_NEURONS, ["fact_id"])
    facts = table["fact_id"].nunique()
    found: dict[str, dict[str, list[list[np.ndarray]]]] = {name: {} for name in method}
    for fact_id, matrix in progress(stored_matrices(table, distances), "groupings", total=facts):
        for name, groups in found.items():
            groups[fact_id] = [grouped(name, matrix, settings, generator(seed, name, fact_id))]
    for name, path in zip(method, output, strict=True):
        candidates = candidates_table(found.pop(name))
        record = provenance(
            "candidates-groupings", {"method": name, "seed": seed, **vars(settings)}, [neurons, distances]
        )
        write_table(path, candidates, CANDIDATES, record)
        print(f"{name}: {len(candidates)} groups in {candidates['fact_id'].nunique()} of {facts} facts")
