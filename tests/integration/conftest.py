"""A small study that tests of whole stages share."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkn.facts.sources import FactsSource, read_facts, read_templates
from dkn.models.nano import TrainingSettings, train
from dkn.models.sources import finish
from tests.integration.stage_runs import run_stage

BUNDLE = Path(__file__).parents[2] / "resources" / "facts"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with facts, a barely trained model and known facts."""
    folder = tmp_path_factory.mktemp("shard")
    lines = (BUNDLE / "static.jsonl").read_text().splitlines()[::20]
    (folder / "facts.jsonl").write_text("\n".join(lines) + "\n")
    templates = BUNDLE / "templates.yaml"
    facts, _ = read_facts([FactsSource(str(folder / "facts.jsonl"))], read_templates([templates]), 0)
    model, tokenizer, _ = train(
        facts, TrainingSettings("llama", 3, 32, 4, 2, 64, 500, 0.0, 2, 8, 0.01, 0.01, 0.0, 0.0), 0
    )
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    finish(folder / "model", "model-trained", {})
    run_stage(
        "facts",
        source=folder / "facts.jsonl",
        templates=templates,
        seed=0,
        output=folder / "facts.parquet",
        downloads=folder / "d.json",
    )
    run_stage(
        "known",
        model=folder / "model",
        facts=folder / "facts.parquet",
        wording="seen",
        minimum=0,
        output=folder / "known.parquet",
    )
    return folder
