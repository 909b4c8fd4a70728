"""The stages that keep a study's outcome and compare it with a reference: what they refuse, and what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from dkn.commands.outcome import main as collect
from dkn.commands.verify import main as verify
from dkn.errors import UserError
from dkn.storage.files import read_json, write_json

SETTINGS = {"seed": 0, "facts": {"most": None}}
TABLE = pd.DataFrame(
    {"model": "m", "neurons": ["D", "N"], "measure": "drop", "experiment": "e", "part": "estimates"}
    | {"value": [0.5, 0.7], "low": [0.4, 0.6], "high": [0.6, 0.8], "p": None, "facts": 9, "subjects": 8}
)
VERDICT = {"claim": "C3", "reading": "primary", "model": "m", "verdict": "supported"}


def outcome(home: Path, name: str, *, value: float = 0.5, verdict: str = "supported", seed: int = 0) -> Path:
    """A folder with the outcome of a study of one table."""
    folder = home / name
    (weights := folder / "m" / "model").mkdir(parents=True)
    (weights / "model.safetensors").write_bytes(b"weights")
    TABLE.assign(value=[value, 0.7]).to_csv(folder / "suppression.csv", index=False)
    write_json(folder / "verdicts.json", {"thresholds": {}, "verdicts": [{**VERDICT, "verdict": verdict}]})
    study = json.dumps({**SETTINGS, "seed": seed})
    collect([folder / "m"], [folder / "suppression.csv"], folder / "verdicts.json", study, folder / "study.json")
    return folder


def test_an_outcome_says_what_made_it(tmp_path: Path) -> None:
    study = read_json(outcome(tmp_path, "own") / "study.json")
    assert study["settings"] == SETTINGS
    assert set(study["weights"]["m"]) == {"model.safetensors"}
    assert {"python", "torch"} <= set(study["versions"])
    assert study["machine"]["cores"]
    numbers = pd.read_csv(tmp_path / "own" / "numbers.csv")
    assert list(numbers["table"]) == ["suppression"] * 2


def test_a_run_reproduces_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, here = outcome(tmp_path, "kept"), outcome(tmp_path, "here")
    verify(here / "study.json", tmp_path / "r.csv", kept)
    said = capsys.readouterr().out
    assert "m: the same weights, bit for bit" in said
    assert said.rstrip().endswith(
        "This run reproduces the reference 'kept': 2 of 2 numbers are equal to six digits, all 1 verdicts are equal."
    )
    assert set(pd.read_csv(tmp_path / "r.csv")["outcome"]) == {"equal"}
    assert "differ" not in (tmp_path / "r.md").read_text()


def test_what_departs_is_named_with_its_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, here = outcome(tmp_path, "kept"), outcome(tmp_path, "here", value=0.9, verdict="inconclusive")
    (here / "m" / "model" / "model.safetensors").write_bytes(b"others")
    write_json(here / "study.json", {**read_json(here / "study.json"), "weights": {"m": {}}})
    verify(here / "study.json", tmp_path / "r.csv", kept)
    assert "does not reproduce the reference 'kept'" in (said := capsys.readouterr().out)
    assert "m: other weights" in said
    text = (tmp_path / "r.md").read_text()
    for part in ("C3", "supported", "inconclusive", "suppression", "0.5", "0.9", "departs"):
        assert part in text


def test_a_study_of_other_settings_is_not_compared(tmp_path: Path) -> None:
    kept, here = outcome(tmp_path, "kept"), outcome(tmp_path, "here", seed=1)
    with pytest.raises(UserError, match="other settings of seed; `reference` names"):
        verify(here / "study.json", tmp_path / "r.csv", kept)
    assert not (tmp_path / "r.csv").exists()


def test_a_reference_that_is_not_there_is_named(tmp_path: Path) -> None:
    kept, here = outcome(tmp_path / "reference", "kept"), outcome(tmp_path, "here")
    with pytest.raises(UserError, match="no outcome is kept as 'other'; kept: kept"):
        verify(here / "study.json", tmp_path / "r.csv", kept.with_name("other"))
    with pytest.raises(UserError, match="names no reference; set `reference`"):
        verify(here / "study.json", tmp_path / "r.csv", None)
