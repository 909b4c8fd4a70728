"""The numbers of captions: right, with interval and n, and safe as reStructuredText."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import pytest
from docutils.core import publish_parts

from dkn.figures import component_sizes, funnel, groupings, reported, sensitivity, verdicts
from dkn.paper.claims import CLAIMS
from dkn.paper.headlines import of_experiments
from dkn.summaries.wording import bullets, contrast, interval, sized

ROOT = Path(__file__).parents[3]
NUMBERS = {"low": 0.1, "high": 0.3, "facts": 1234, "subjects": 56}


def rendered(text: str) -> str:
    """The text of reStructuredText, without marks; any error ends the test."""
    html = publish_parts(text, writer="html", settings_overrides={"halt_level": 2})["body"]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).replace("&lt;", "<").replace("&gt;", ">").strip()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((0.123456, 0.1, 0.15, "drop"), "12.3 % (10 … 15)"),
        ((0.123456, 0.1, 0.15, "auroc"), "0.123 (0.1 … 0.15)"),
        ((-0.01, -0.02, 0.0, "accuracy", "points"), "-1 points (-2 … 0)"),
        ((0.5, None, None, "drop"), "50 % (no interval: too few subjects)"),
        ((0.5, float("nan"), float("nan")), "0.5 (no interval: too few subjects)"),
    ],
)
def test_a_number_has_its_interval(given: tuple[Any, ...], expected: str) -> None:
    assert interval(*given) == expected


def test_n_is_of_facts_and_subjects() -> None:
    assert sized(NUMBERS) == "n = 1,234 facts of 56 subjects"
    assert sized({"facts": 3.0}) == "n = 3 facts"


def test_names_with_marks_come_out_as_they_are() -> None:
    names = ["gpt_2_", "*Q* and Q*", "`code`", "a|b|", "<x>", "back\\slash"]
    assert rendered(bullets(names)) == " ".join(names)


def test_a_contrast_says_what_minus_what() -> None:
    row = {"experiment": "suppression-values", "first": "dkn", "second": "kn", "query": "perturbed", "metric": "drop"}
    said = contrast({**row, "difference": 0.2, **NUMBERS})
    assert said == (
        "D minus N (suppression-values: drop, perturbed): 20 points (10 … 30), n = 1,234 facts of 56 subjects"
    )
    tested = {"experiment": "degeneracy-ntc", "first": "ntc", "second": "random", "metric": "drop", "kind": "gap"}
    assert "random groups that passed the same test" in contrast({**tested, "difference": 0.2, **NUMBERS})


@pytest.mark.parametrize(
    ("experiment", "estimate"),
    [
        ("suppression-values", {"neuron_set": "dkn", "query": "perturbed", "metric": "drop"}),
        ("fact-checking-dkn", {"detector": "dkn", "neurons": "relation", "wording": "triple", "metric": "auroc"}),
        ("overlap-fine-tuning", {"neuron_set": "dkn", "part": "both", "metric": "auroc"}),
        ("fine-tuning-dkn", {"neuron_set": "dkn", "split": "new", "metric": "accuracy"}),
    ],
)
def test_an_experiment_states_its_main_number_and_the_claims_contrasts(
    experiment: str, estimate: dict[str, str]
) -> None:
    """Of many estimates and contrasts, the one and those; a model's lines stand together."""
    wanted = [evidence.where for claim in CLAIMS for evidence in claim.evidence if evidence.experiment == experiment]
    estimates = [
        {**estimate, "mean": 0.25, **NUMBERS},
        {**estimate, "metric": "other", "mean": 0.99, **NUMBERS},
    ]
    contrasts = [{**where, "difference": 0.2, **NUMBERS} for where in wanted]
    contrasts.append({**wanted[0], "metric": "other", "difference": 0.99, **NUMBERS})
    one = {"experiment": experiment, "estimates": estimates, "contrasts": contrasts}
    lines = of_experiments([{**one, "model": "a"}, {**one, "model": "b"}]).splitlines()
    assert len(lines) == 2 * (1 + len(wanted))
    assert [line[2] for line in lines] == ["a"] * (len(lines) // 2) + ["b"] * (len(lines) // 2)
    assert not any("99" in line for line in lines)
    assert "25 % (10 … 30)" in lines[0] or "0.25 (0.1 … 0.3)" in lines[0]
    assert all("n = 1,234 facts of 56 subjects" in line for line in lines)


def test_an_experiment_that_was_not_run_says_so() -> None:
    summary = {
        "experiment": "fine-tuning-dkn",
        "model": "m",
        "not_run": "2 new facts",
        "estimates": [],
        "contrasts": [],
    }
    empty = {**summary, "not_run": None, "estimates": [{"neuron_set": "kn"}]}
    assert "accuracy on new facts: no fact to measure it on, n = 0 facts" in of_experiments([empty])
    assert of_experiments([summary]) == "- m, fine-tuning-dkn: not run: 2 new facts\n"
    assert "Nothing" in of_experiments([])


def test_the_verdicts_caption_counts_and_decides() -> None:
    part = {"experiment": "suppression-values", "first": "dkn", "second": "kn", "metric": "drop", **NUMBERS}
    good, bad = ({**part, "difference": d, "verdict": v} for d, v in ((0.2, "supported"), (-0.4, "not supported")))
    rows = [
        {"claim": "C3", "text": "Q* falls", "model": "m_", "verdict": "not supported", "evidence": [good, bad]},
        {"claim": "C4", "text": "t", "model": "m_", "verdict": "not run", "evidence": [{"verdict": "not run"}]},
        {
            "claim": "C8",
            "text": "grows",
            "model": None,
            "verdict": "not run",
            "note": "1 model",
            "evidence": [{"model": "m_", "mean": 0.2, **NUMBERS}],
        },
    ]
    said = rendered(verdicts.caption(rows))
    assert said.startswith("m_: of 2 claims 0 supported, 1 not supported, 0 inconclusive, 1 not run C3: Q* falls. ")
    assert "m_: not supported. D minus N (suppression-values: drop): -40 points" in said
    assert "m_: not run. no contrast over enough subjects" in said
    assert "all models: not run. 1 model; m_ 0.2 (0.1 … 0.3), n = 1,234 facts" in said


def test_captions_of_tables_take_the_right_rows() -> None:
    steps = {step: 9 - at for at, step in enumerate(funnel.STEPS)}
    rows = [{"model": "m", "grouping": g, "step": s, "facts": n} for g in ("ntc", "kmeans") for s, n in steps.items()]
    assert rendered(funnel.caption(pd.DataFrame(rows))) == (
        "m, NTC: 8 of 9 facts are known, 5 have finite distances, 2 a BDC, 1 two or more"
    )
    sizes = {"model": "m", "kind": "bdc", "quantity": "neurons", "share": 0.4, "components": 77, **NUMBERS}
    frame = pd.DataFrame([{**sizes, "value": 2}, {**sizes, "value": 3, "share": 0.9}, {**sizes, "quantity": "layers"}])
    said = component_sizes.caption(frame.fillna({"value": 4}))
    assert said.count("\n") == 1
    assert "40 % (10 … 30) have two neurons, of the 77 components that passed" in said
    gap = {"selection": "bdc", "metric": "drop", "kind": "gap", "mean": 0.2, **NUMBERS}
    own, control = ({**gap, "grouping": name} for name in ("ntc", "random"))
    said = groupings.caption([{"model": "m", "grouping": "ntc", "estimates": [own, control, {**own, "kind": "full"}]}])
    assert said == "- m, ntc: full minus partial drop 20 % (10 … 30), n = 1,234 facts of 56 subjects\n"
    said = groupings.caption([{"model": "m", "grouping": "ntc", "estimates": [control]}])
    assert said == "- m, ntc: full minus partial drop without a degenerate fact, n = 0 facts\n"
    paper = {"kind": "reported", "model": "GPT-2", "quantity": "drop", "value": 9.0}
    ours = {"kind": "this study", "model": "m", "quantity": "drop", "value": 2.0, "low": 1.0, "high": 3.0, "facts": 7}
    said = reported.caption(pd.DataFrame([paper, ours]))
    assert said == (
        "- the paper's GPT-2: 1 numbers; drop: 9\n- m, this study's: 1 numbers; drop: 2 (1 … 3), n = 7 facts\n"
    )


def test_the_sensitivity_caption_counts_points() -> None:
    lows, highs, own = (0.1, -0.1, -0.3, None), (0.2, 0.1, -0.1, None), (False, True, False, False)
    rows = [
        {"model": "m", "selection": "bdc", "drop_gap": 0.05, "drop_gap_low": low, "drop_gap_high": high}
        for low, high in zip(lows, highs, strict=True)
    ]
    frame = pd.DataFrame(rows).assign(own_settings=own, degenerate=12, facts=40)
    said = sensitivity.caption(frame)
    assert "above zero in 1 of 4 points, below in 1" in said
    assert "the gap is 5 % (-10 … 10), n = 12 of 40 facts" in said


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "workflow" / "report").glob("*.rst")))
def test_the_words_of_every_caption_are_sound(name: str, tmp_path: Path) -> None:
    """They render without error for any study, and a figure's state intervals and models and take in its numbers."""
    numbers = tmp_path / f"{name}.rst"
    numbers.write_text("- the numbers\n")
    config = {
        "models": [{"name": "a-nano"}, {"name": "b-nano"}],
        "statistics": {"confidence": 0.95},
        "claims": {"alpha": 0.05, "margin": 0.05, "minimum_subjects": 10},
        "seed": 0,
    }
    given = {
        "config": config,
        "output": {"numbers": str(numbers)},
        "input": {"table": "t.md"},
        "params": {"title": "facts left", "note": "Counts."},
        "wildcards": {"model": "a-nano"},
    }
    options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    template = jinja2.Environment(**options)  # noqa: S701 as Snakemake makes it
    words = (ROOT / "workflow" / "report" / f"{name}.rst").read_text()
    shown = {"target": "verdicts.png", "path": tmp_path / f"{name}.png"}
    links = "\n\n.. _verdicts.png: javascript:show('verdicts.png')\n"
    said = rendered(template.from_string(words).render(snakemake=given, files=[shown]) + links)
    if name not in ("explorer", "table"):
        assert "a-nano, b-nano" in said
        assert "95 % bootstrap intervals" in said
        assert "the numbers" in said


def test_every_figure_and_the_tables_have_words_for_their_captions() -> None:
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    names = re.findall(r'\*\*figure\(\s*"(\w+)"', rules)
    assert len(names) == rules.count("rule figure_")
    missing = [name for name in (*names, "table") if not (ROOT / "workflow" / "report" / f"{name}.rst").is_file()]
    assert not missing
