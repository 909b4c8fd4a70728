"""The stage that groups neurons by other clustering algorithms: its tables."""

from pathlib import Path

from dkn.commands.candidates_groupings import main as make_groupings
from dkn.storage.files import read_table
from dkn.storage.schemas import CANDIDATES


def test_groupings_are_stored_without_births(stored_neurons: Path) -> None:
    methods = ["hierarchical", "kmeans", "hdbscan"]
    outputs = [stored_neurons / f"{method}.parquet" for method in methods]
    make_groupings(
        stored_neurons / "neurons.parquet",
        stored_neurons / "distances.parquet",
        methods,
        outputs,
        2,
        2,
        2,
        8,
        0.9,
        2,
        seed=0,
    )
    for path in outputs:
        found = read_table(path, CANDIDATES)
        assert [places.tolist() for places in found["places"]] == [[0, 1], [2, 3]]
        assert list(found["component"]) == [0, 1]
        assert set(found["repeat"]) == {0}
        assert found[["birth", "death", "persistence"]].isna().all(axis=None)
