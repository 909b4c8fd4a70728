"""The study that newcomers run first, whole and as it is: every stage has something to do, and nothing is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dkn.study.registry import of_study
from tests.short_study import ROOT, make_checkout
from tests.workflow_rules import ON_REQUEST, figure_names, table_names

DEFAULT, TINY = (yaml.safe_load((ROOT / name).read_text()) for name in ("config.yaml", "config/tiny.yaml"))
MODELS = [model["name"] for model in TINY["models"]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of ``snakemake --cores 2 --configfile config/tiny.yaml``."""
    checkout = make_checkout(tmp_path_factory.mktemp("tiny"), {})
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "config/tiny.yaml"]
    result = subprocess.run(command, cwd=checkout.path, capture_output=True, text=True, timeout=1800, check=False)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    return checkout.path / TINY["results"]


@pytest.mark.parametrize("model", MODELS)
def test_every_experiment_has_facts_to_run_on(results: Path, model: str) -> None:
    for name in of_study(DEFAULT["groupings"]["methods"]):
        summary = json.loads((results / model / "experiments" / name / "summary.json").read_text())
        assert not summary.get("not_run"), name
        assert summary["estimates"] or name == "degeneracy-amig", name


def test_nothing_is_said_about_the_paper(results: Path) -> None:
    rows = json.loads((results / "verdicts.json").read_text())["verdicts"]
    assert {row["verdict"] for row in rows if row["model"]} == {"too few facts"}
    assert {row["verdict"] for row in rows if not row["model"]} == {"not run"}
    assert all(row["why"] for row in rows)


def test_all_pages_figures_and_tables_are_there(results: Path) -> None:
    files = {f"figures/{name}.pdf" for name in figure_names() if name not in ON_REQUEST}
    files |= {f"tables/{name}.csv" for name in table_names() if name not in ON_REQUEST}
    files |= {"report.html", *(f"{model}/explorer.html" for model in MODELS)}
    assert not {name for name in files if not (results / name).stat().st_size}
