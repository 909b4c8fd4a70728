"""The synthetic study of ``benchmarks/scale.py``: its tables, its list of stages, and its exponents."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

import scale  # noqa: E402
import scale_study  # noqa: E402

from dkn.stages import stages  # noqa: E402
from dkn.storage.files import read_table  # noqa: E402
from dkn.storage.schemas import DISTANCES, KNOWN, PERTURBATION  # noqa: E402
from tests.integration.last_stages import FIGURES, TABLES  # noqa: E402


def test_a_tiny_study_has_its_facts_and_its_stages_run(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    scale_study.make(folder, 200, 1)
    home = folder / "model-0"
    known = read_table(home / "known.parquet", KNOWN)
    assert known["fact_id"].nunique() == len(known) == 200
    for path, schema in (("distances", DISTANCES), ("experiments/suppression-values/records", PERTURBATION)):
        base, again = (
            frame.groupby("fact_id").size().to_numpy()
            for number in range(2)
            for frame in [read_table(home / f"{path}.parquet", schema)]
            for frame in [frame[frame["fact_id"].str.startswith(f"{number:06d}~")]]
        )
        assert base.tolist() == again.tolist() != [], path
    [used] = [used for name, used in scale.run_stages(tmp_path, 200, 1, ["summary-ablation"])]
    assert 0 < used.seconds < 60
    assert 10 < used.megabytes < 2000
    assert pq.read_metadata(home / "experiments" / "ablation" / "records.parquet").num_rows


def test_every_stage_without_a_model_is_measured() -> None:
    names = Counter(name for name, *_ in scale_study.commands(Path("results"), 2))
    assert set(names) <= set(stages())
    figures = {f"figure-{name.replace('_', '-')}" for name in FIGURES}
    assert figures | {f"table-{name.replace('_', '-')}" for name in TABLES} <= set(names)
    assert names["explorer"] == names["summary-degeneracy"] == 2


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_leaves_out_what_does_not_grow(power: float) -> None:
    sizes = [100, 400, 1600]
    assert scale.exponent(sizes, [3 + size**power for size in sizes], 1) == pytest.approx(power)
    assert scale.exponent(sizes, [3.0, 3.1, 3.2], 1) is None
