"""The audit of the released code in a whole study: it is made on request, once, and reruns for its own settings."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from matplotlib.image import imread

from dkn.study.protocol import SWITCHES
from tests.short_study import Checkout, jobs_in, short_config

AUDIT = {"facts": 12, "complex_facts": 4, "draws": 1, "resamples": 100}
FIGURES = ("audit", "audit_path", "audit_verdicts")
PAGES = {"table_audit", "table_page", *(f"figure_{name}" for name in FIGURES), "make_audit_report", "audit", "total"}
OWN = {*PAGES, "audit_model"}


def jobs(study: Checkout, **changes: object) -> dict[str, int]:
    """How many jobs of each rule ``snakemake audit`` would run with changed settings of the audit."""
    study.configure({**short_config(), "audit": {**AUDIT, **changes}})
    result = study.run("--dry-run", "audit")
    study.configure(short_config())
    assert result.returncode == 0, result.stdout
    return jobs_in(result.stdout)


@pytest.fixture(scope="module")
def audited(study: Checkout) -> Checkout:
    """The study with its audit."""
    assert not (study.path / "results" / "tables" / "audit.csv").exists(), "not part of the default target"
    assert study.planned() == set()
    assert jobs(study) == {**dict.fromkeys(PAGES, 1), "audit_model": 2, "total": 9}
    study.configure({**short_config(), "audit": AUDIT})
    result = study.run("audit")
    study.configure(short_config())
    assert result.returncode == 0, result.stdout[-4000:]
    return study


def test_every_switch_is_in_the_table_and_in_the_figures(audited: Checkout) -> None:
    results = audited.path / "results"
    table = pd.read_csv(results / "tables" / "audit.csv")
    for model, rows in table.groupby("model"):
        stored = json.loads((results / str(model) / "audit.json").read_text())
        missing = set(stored["missing"])
        for direction, of_direction in rows.groupby("direction"):
            assert {*of_direction["switch"], *missing} == set(SWITCHES), (model, direction)
        assert missing == (
            {"trained", "steps", "tuned_sets", "questions"} if model == "llama-short" else {"connection"}
        )
        assert stored["sample"] >= AUDIT["facts"]
    assert set(table["model"]) == {"gpt2-short", "llama-short"}
    page = (results / "audit.html").read_text(encoding="utf-8")
    assert "what each departure of the released code changes" in page
    assert "What the audit says" in page
    assert "explorer.html" not in page, "the audit needs no study, so that there may be no such page"
    for name in FIGURES:
        assert (results / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert imread(results / "figures" / f"{name}.png").std() > 0.05


def test_an_audit_is_made_once(audited: Checkout) -> None:
    assert jobs(audited) == {}
    assert audited.planned() == set(), "the default target neither has it nor follows from it"


def test_changed_settings_of_the_audit_rerun_the_audit_alone(audited: Checkout) -> None:
    changed = jobs(audited, facts=13)
    assert changed.keys() == OWN
    assert changed["audit_model"] == 2
