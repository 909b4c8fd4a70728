"""A model whose context is shorter than what it is to be asked: the rest is asked, and what is left out is counted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from dkn.models.sources import finish
from dkn.storage.files import METADATA_KEY, read_table
from dkn.storage.schemas import COMPONENTS, FACT_CHECKING, KNOWLEDGE_NEURONS, KNOWN
from tests.integration.scenarios import stage, write


def with_context(study: Path, folder: Path, context: int) -> dict[str, object]:
    """Copy a study's model with another context and ask it; return the flags that the experiments share."""
    shutil.copytree(study / "model", folder / "model")
    config = json.loads((folder / "model" / "config.json").read_text())
    (folder / "model" / "config.json").write_text(json.dumps({**config, "max_position_embeddings": context}))
    finish(folder / "model", "model-trained", {})
    on_facts = {"model": folder / "model", "device": "cpu", "facts": study / "facts.parquet"}
    stage("known", **on_facts, wording="seen", minimum=0, output=folder / "known.parquet")
    return {**on_facts, "known": folder / "known.parquet", "neurons": folder / "neurons.parquet", "seed": 0}


def write_neurons(folder: Path) -> None:
    """Write two knowledge neurons of every fact that can be asked, and no component."""
    facts = read_table(folder / "known.parquet", KNOWN)["fact_id"].repeat(2)
    members = {"fact_id": facts, "place": np.arange(len(facts)) % 2, "layer": 0, "neuron": np.arange(len(facts)) % 2}
    write(folder / "neurons.parquet", pd.DataFrame({**members, "score": 1.0}), KNOWLEDGE_NEURONS, "knowledge-neurons")
    write(folder / "components.parquet", pd.DataFrame(), COMPONENTS, "components")


def stated_settings(path: Path) -> dict[str, Any]:
    """The settings that a stored table states."""
    settings: dict[str, Any] = json.loads(pq.read_metadata(path).metadata[METADATA_KEY])["settings"]
    return settings


@pytest.mark.parametrize("context", [28, 48])
def test_statements_that_do_not_fit_are_left_out_and_counted(
    context: int, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The question whether a statement is true is longer than the statement; 28 tokens hold it in one wording only."""
    shared = with_context(study, tmp_path, context)
    write_neurons(tmp_path)
    capsys.readouterr()
    stage("experiment-fact-checking-plm", **shared, shots=4, output=tmp_path / "plm.parquet")
    records = read_table(tmp_path / "plm.parquet", FACT_CHECKING)
    assert (records.groupby(["detector", "wording", "fact_id"])["truth"].agg(set) == {True, False}).all()
    scored = records.groupby("detector")["truth"].size() // 2
    left_out = stated_settings(tmp_path / "plm.parquet")["wordings_left_out"]
    assert left_out == {"plm": scored["answer-prob"] - scored["plm"], "answer-prob": 0}
    assert 0 < left_out["plm"] < scored["answer-prob"]
    said = f"{left_out['plm']} wordings of facts are left out, since the model cannot be asked whether the statements"
    assert capsys.readouterr().out.startswith(said)


def test_statements_that_all_fit_are_all_attributed(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = with_context(study, tmp_path, 28)
    write_neurons(tmp_path)
    files = {"output": tmp_path / "dkn.parquet", "kn_output": tmp_path / "kn.parquet"}
    components = tmp_path / "components.parquet"
    stage("experiment-fact-checking", **shared, components=components, relation_neurons=2, random_sets=2, **files)
    assert stated_settings(files["kn_output"])["wordings_left_out"] == 0
    assert "left out, since the model cannot be asked the" not in capsys.readouterr().out
