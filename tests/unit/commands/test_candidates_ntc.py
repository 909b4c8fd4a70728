"""Stage ``candidates-ntc`` on facts at the edges of the method: no neuron, one, none at a finite distance."""

from pathlib import Path

import numpy as np
import pandas as pd

from dkn.commands.candidates_ntc import main
from dkn.flags import Clustering
from dkn.storage.files import read_table, write_table
from dkn.storage.schemas import CANDIDATES, DIAGRAMS, DISTANCES, KNOWLEDGE_NEURONS

CLUSTERING = Clustering("difference", tau1=0.05, quantile=1.0, min_size=2)


def run(folder: Path, neurons: dict[str, int], pairs: list[tuple[str, int, int, float]]) -> tuple[pd.DataFrame, ...]:
    """Candidates and diagrams of facts with so many neurons and these finite distances."""
    rows = [(fact, place, place, 0, 1.0) for fact, count in neurons.items() for place in range(count)]
    write_table(folder / "n", pd.DataFrame(rows, columns=KNOWLEDGE_NEURONS.names), KNOWLEDGE_NEURONS, {})
    write_table(folder / "d", pd.DataFrame(pairs, columns=DISTANCES.names), DISTANCES, {})
    main(folder / "n", folder / "d", folder / "c", folder / "p", CLUSTERING, 1)
    return read_table(folder / "c", CANDIDATES), read_table(folder / "p", DIAGRAMS)


def test_facts_without_finite_distances_have_points_and_no_candidates(tmp_path: Path) -> None:
    pairs = [("found", 0, 1, 1.0), ("found", 1, 2, 3.0)]
    candidates, diagrams = run(tmp_path, {"alone": 1, "apart": 4, "found": 3}, pairs)
    assert [(row.fact_id, list(row.places)) for row in candidates.itertuples()] == [("found", [0, 1])]
    never = diagrams[np.isinf(diagrams["death"])].groupby("fact_id").size()
    assert never.to_dict() == {"alone": 1, "apart": 4, "found": 1}


def test_a_model_without_any_knowledge_neuron_gives_empty_tables(tmp_path: Path) -> None:
    candidates, diagrams = run(tmp_path, {}, [])
    assert candidates.empty
    assert diagrams.empty
