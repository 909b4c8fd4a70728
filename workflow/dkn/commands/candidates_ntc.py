"""Find candidate components with Neurological Topology Clustering (NTC), and compute persistence diagrams."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.progress import progress
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import CANDIDATES, DIAGRAMS, KNOWLEDGE_NEURONS
from dkn.structure.candidates import components_table, diagrams_table, stored_matrices
from dkn.structure.ntc import NTCSettings, ntc
from dkn.structure.persistence_diagrams import persistence_diagrams
from dkn.study.protocol import applied


def main(
    neurons: flags.Neurons,
    distances: flags.Distances,
    output: flags.Output,
    diagrams: Annotated[Path, Option(help="Second table to write: persistence diagrams.")],
    clustering: flags.Clustering,
    dimension: Annotated[int, Option(help="Highest dimension of the diagrams (1 for loops).")],
    released: flags.Released = None,
) -> None:
    """Cluster the knowledge neurons of every fact that has any, and write its persistence diagram."""
    settings = applied("clustering", NTCSettings(**vars(clustering)), released)
    table = read_table(neurons, KNOWLEDGE_NEURONS, ["fact_id"])
    matrices = stored_matrices(table, distances)
    components, diagrams_of = {}, {}
    for fact_id, matrix in progress(matrices, "NTC", total=table["fact_id"].nunique()):
        components[fact_id] = ntc(matrix, settings)
        diagrams_of[fact_id] = persistence_diagrams(matrix, dimension, settings.quantile)
    candidates = components_table(components)
    record = provenance("candidates-ntc", {**vars(settings), "dimension": dimension}, [neurons, distances])
    write_table(output, candidates, CANDIDATES, record)
    write_table(diagrams, diagrams_table(diagrams_of), DIAGRAMS, record)
    print(f"{len(candidates)} candidate components in {candidates['fact_id'].nunique()} of {len(components)} facts")
