"""Candidate components by Neurological Topology Clustering, and the persistence diagrams behind them."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from typer import Option

from dkn.clustering import NTCSettings, ntc
from dkn.commands._flags import OutputFlag
from dkn.dendrogram import matrix_of_pairs
from dkn.io import read_table, write_table
from dkn.progress import progress
from dkn.provenance import provenance
from dkn.tables import CANDIDATES, DIAGRAMS, DISTANCES, KNOWLEDGE_NEURONS
from dkn.topology import persistence_diagrams


def _diagram(fact_id: str, matrix: np.ndarray, dimension: int, quantile: float) -> pd.DataFrame:
    points = persistence_diagrams(matrix, dimension, quantile)
    frames = [pd.DataFrame(part, columns=["birth", "death"]).assign(dimension=d) for d, part in enumerate(points)]
    return pd.concat(frames, ignore_index=True).assign(fact_id=fact_id)


def main(
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet")],
    distances: Annotated[Path, Option(help="distances.parquet")],
    output: OutputFlag,
    diagrams: Annotated[Path, Option(help="Second table to write: persistence diagrams.")],
    persistence: Annotated[str, Option(help="difference or ratio.")],
    tau1: Annotated[float, Option(help="Components need more persistence than this.")],
    quantile: Annotated[float, Option(help="Where the filtration stops, of the finite distances.")],
    min_size: Annotated[int, Option(help="The fewest neurons of a component.")],
    dimension: Annotated[int, Option(help="Highest dimension of the diagrams (1 for loops).")],
    tau1_is_quantile: Annotated[bool, Option(help="Take tau1 as a quantile of each fact's own persistences.")] = False,
) -> None:
    """Cluster the knowledge neurons of every fact that has any."""
    settings = NTCSettings(persistence, tau1, quantile, min_size, tau1_is_quantile)
    sizes = read_table(neurons, KNOWLEDGE_NEURONS).groupby("fact_id").size()
    pairs = dict(list(read_table(distances, DISTANCES).groupby("fact_id")))
    none = pd.DataFrame({"first": [], "second": [], "distance": []}, dtype=int)
    rows, points = [], []
    for fact_id, size in progress(sizes.items(), "NTC", total=len(sizes)):
        found = pairs.get(fact_id, none)
        matrix = matrix_of_pairs(int(size), *(found[name].to_numpy() for name in ("first", "second", "distance")))
        points.append(_diagram(str(fact_id), matrix, dimension, quantile))
        for number, component in enumerate(ntc(matrix, settings)):
            rows.append(
                {
                    "fact_id": fact_id,
                    "repeat": 0,
                    "component": number,
                    "places": component.members,
                    "birth": component.birth,
                    "death": component.death,
                    "persistence": component.persistence,
                }
            )
    record = provenance("candidates", {**vars(settings), "dimension": dimension}, [neurons, distances])
    write_table(output, pd.DataFrame(rows, columns=CANDIDATES.names), CANDIDATES, record)
    diagram = pd.concat(points, ignore_index=True) if points else pd.DataFrame(columns=DIAGRAMS.names)
    write_table(diagrams, diagram, DIAGRAMS, record)
    print(f"{len(rows)} candidate components in {len({row['fact_id'] for row in rows})} of {len(sizes)} facts")
