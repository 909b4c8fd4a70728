"""The paper's tables: numbers where the summaries have them, text that says what they are, LaTeX that compiles."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dkn.commands import table_setting
from dkn.errors import UserError
from dkn.study.registry import SETTINGS, of_setting
from dkn.summaries.funnel import STEPS
from dkn.summaries.wording import bracketed
from dkn.tables.funnel import wide_table as wide_funnel
from dkn.tables.reported import COLUMNS
from dkn.tables.reported import wide_table as wide_reported
from dkn.tables.saving import latex, markdown, save
from dkn.tables.settings import NUMBERS, TABLES, long_table, wide_table

from . import test_figure_fine_tuning

NOTHING: dict[str, Any] = {"estimates": [], "contrasts": [], "sets": []}


def found(mean: float | None, facts: int = 40, **where: Any) -> dict[str, Any]:
    spread = {"low": None, "high": None} if mean is None else {"low": mean - 0.1, "high": mean + 0.1}
    return {**where, "mean": mean, **spread, "facts": facts, "subjects": facts}


def contrast(difference: float, p: float | None, facts: int = 40, **where: Any) -> dict[str, Any]:
    row = found(difference, facts, **where)
    return {**row, "difference": row.pop("mean"), "p": p, "p_holm": 0.5}


def suppression(*estimates: dict[str, Any], contrasts: tuple[dict[str, Any], ...] = ()) -> dict[str, dict[str, Any]]:
    own = {"estimates": list(estimates), "contrasts": list(contrasts)}
    return {"suppression-values": own, "suppression-weights": {**NOTHING}}


def broken_latex(text: str) -> list[str]:
    """What a LaTeX compiler would stop at or print wrongly in a longtable; independent of how it was written."""
    problems = []
    body = re.sub(r"\\[&%#_{}$]", "", text)  # escaped characters are no syntax
    opened, closed = (re.findall(rf"\\{word}{{(\w+)}}", body) for word in ("begin", "end"))
    problems += [] if opened == closed == ["longtable"] else [f"environments {opened} {closed}"]
    depth = np.cumsum([(sign == "{") - (sign == "}") for sign in body])
    problems += [] if depth.min() >= 0 and depth[-1] == 0 else ["braces"]
    problems += [] if body.count("$") % 2 == 0 else ["math"]
    problems += [f"character {sign!r}" for sign in sorted(set(re.findall(r'[%#_<>|"^~]|[^\x00-\x7f]', body)))]
    columns = len(re.search(r"\\begin{longtable}{([lr]+)}", body).group(1))  # type: ignore[union-attr]
    rows = [line for line in body.splitlines() if line.endswith(r"\\") and "\\caption" not in line]
    rows = [row for row in rows if "multicolumn" not in row]
    problems += [f"row of {row.count('&') + 1} cells" for row in rows if row.count("&") != columns - 1]
    problems += [f"{word} is missing" for word in (r"\toprule", r"\midrule", r"\bottomrule") if word not in body]
    problems += ["row that starts with a bracket" for row in rows if row.lstrip().startswith("[")]
    return problems


def test_there_is_a_table_for_every_setting() -> None:
    assert tuple(TABLES) == SETTINGS


def test_numbers_stand_in_their_row_and_column() -> None:
    about = {"query": "original", "metric": "drop"}
    summaries = suppression(
        found(0.25, neuron_set="dkn", **about),
        found(0.5, neuron_set="kn", **about),
        found(9.0, neuron_set="dkn", query="original", metric="nats"),  # another metric: in no table
        found(0.125, neuron_set="dkn", query="perturbed", metric="drop"),
        contrasts=(
            contrast(-0.25, 0.00625, first="dkn", second="kn", **about),
            contrast(0.1, 0.5, first="dkn", second="kn", query="interaction", metric="drop"),  # counts for Holm alone
        ),
    )
    table = long_table("suppression", {"m": summaries})
    assert table[["query", "neurons", "measure", "value", "p", "facts"]].astype(object).fillna("").values.tolist() == [
        ["original", "D", "drop, values", 0.25, "", 40],
        ["original", "N", "drop, values", 0.5, "", 40],
        ["original", "N", "D minus it, values", -0.25, 0.0125, 40],
        ["perturbed, mean", "D", "drop, values", 0.125, "", 40],
    ]
    wide = wide_table(table)
    assert wide.index.tolist() == [("m", "original", "D"), ("m", "original", "N"), ("m", "perturbed, mean", "D")]
    assert wide.loc[("m", "original", "N")].tolist() == [
        "0.500 [0.400, 0.600]",
        "-0.250 [-0.350, -0.150], p = 0.013",
        "40",
    ]
    assert wide["D minus it, values"].isna().tolist() == [True, False, True]


def test_a_contrast_over_other_facts_says_so_and_a_missing_interval_is_left_out() -> None:
    about = {"query": "original", "metric": "drop"}
    bare = {**found(0.5, neuron_set="kn", **about), "low": None, "high": None}
    difference = contrast(0.1, None, 33, first="dkn", second="kn", **about)
    wide = wide_table(long_table("suppression", {"m": suppression(bare, contrasts=(difference,))}))
    assert wide.iloc[0].tolist() == ["0.500", "0.100 [0.000, 0.200], n = 33", "40"]
    assert bracketed(-0.0001, -0.0004, 0.0) == "0.000 [0.000, 0.000]"  # no minus before zero


def test_models_without_a_number_have_a_row_that_says_why() -> None:
    fact = found(0.25, neuron_set="dkn", query="original", metric="drop")
    empty = found(None, 0, neuron_set="dkn", query="original", metric="drop")
    why = {name: {**part, "not_run": "too few facts"} for name, part in suppression().items()}
    models = {"a": why, "b": suppression(fact), "c": suppression(empty), "d": suppression()}
    table = long_table("suppression", models)
    assert table["model"].tolist() == ["a", "b", "c", "d"]
    wide = wide_table(table)
    assert wide.index.get_level_values(1).tolist() == ["not run: too few facts", "original", "not run", "not run"]
    assert wide.columns.tolist() == ["drop, values", "n"]
    for nothing in (wide, wide_table(long_table("suppression", {"a": why}))):
        assert not broken_latex(latex(nothing, "c", "l"))
        assert markdown(nothing).count("\n") == 2 + len(nothing)


def test_two_rows_for_one_number_are_refused() -> None:
    row = found(0.25, neuron_set="dkn", query="original", metric="drop")
    with pytest.raises(ValueError, match="2 estimates match"):
        long_table("suppression", {"m": suppression(row, row)})


def test_fine_tuning_has_every_set_and_what_it_trains() -> None:
    """On the summaries that the stage itself makes; a random set's parameters are those of its first draw."""
    summaries, trainings = test_figure_fine_tuning.made("m")
    named = {
        name: {**summary, "sets": training["sets"]}
        for name, summary, training in zip(of_setting("fine-tuning"), summaries, trainings, strict=True)
    }
    table = long_table("fine-tuning", {"m": named})
    assert set(table["measure"]) == {"accuracy", "Prob", "trained parameters", "D minus it, accuracy"}
    accuracy = table[table["measure"] == "accuracy"]
    assert accuracy["value"].tolist() == pytest.approx([0.75] * 15)
    wide = wide_table(table)
    assert len(wide) == 15
    assert (wide["trained parameters"] == "1,000").all()
    assert (wide["n"] == "12").all()
    assert wide["D minus it, accuracy"].isna().sum() == 3
    assert not broken_latex(latex(wide, TABLES["fine-tuning"].title, "tab:x"))


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_line_finds_the_row_made_for_it_and_no_other(setting: str) -> None:
    """Summaries made from the lines themselves, each with a value of its own; so no two lines ask for one number."""
    names = [*of_setting(setting), *(["degeneracy"] if setting == "degeneracy" else [])]
    groupings: dict[str, dict[str, Any]] = {
        name: {"grouping": name.partition("-")[2]} if setting == "degeneracy" else {} for name in names
    }
    summaries: dict[str, dict[str, Any]] = {
        name: {**groupings[name], **json.loads(json.dumps(NOTHING))} for name in names
    }
    lines = list(TABLES[setting].lines(summaries))
    made = {}
    for number, line in enumerate(lines):
        key = line.experiment, line.part, tuple(sorted(line.where.items()))
        if line.part != "sets" and key not in made:
            made[key] = number / 8
            row = found(number / 8, 40, **line.where)
            summaries[line.experiment][line.part].append({**row, line.value: row["mean"]})
    table = long_table(setting, {"m_1": summaries})
    assert table["value"].tolist() == list(made.values())
    wide = wide_table(table)
    assert not broken_latex(latex(wide, TABLES[setting].title, "tab:x"))
    for row in table.itertuples(index=False):
        labels = tuple(row[: table.columns.get_loc("measure")])
        assert str(wide.loc[labels, row.measure]).startswith(f"{row.value:.3f} [")


def test_latex_escapes_what_it_must() -> None:
    index = pd.MultiIndex.from_tuples([("a_1", "50 % & #2"), ("a_1", "{x} ~ ^ \\ $"), ("b_2", "50 % & #2")])
    frame = pd.DataFrame({"100 %_x": ["-0.5 [-0.6, -0.4]", None, "gpt-2 5e-05"]}, index=index.set_names(["m_o", "w"]))
    text = latex(frame, "95 % of_it", "tab:x")
    assert not broken_latex(re.sub(r"\\(textasciitilde|textasciicircum|textbackslash)", "", text))
    rows = [line for line in text.splitlines() if line.endswith(r"\\")][-3:]
    assert rows[0] == r"a\_1 & 50 \% \& \#2 & $-$0.5 [$-$0.6, $-$0.4] \\"
    assert rows[1].startswith(r" & \{x\} ")
    assert rows[1].endswith(r"& -- \\")
    assert rows[2] == r"b\_2 & 50 \% \& \#2 & gpt-2 5e-05 \\"  # the same label under another model stands again
    assert r"m\_o & w & 100 \%\_x \\" in text
    assert r"\caption{95 \% of\_it} \label{tab:x}" in text


def test_the_check_of_latex_can_fail() -> None:
    good = latex(pd.DataFrame({"a": ["1"]}, index=pd.Index(["x"], name="m")), "c", "l")
    assert not broken_latex(good)
    for bad in (
        good.replace(r"\end{longtable}", ""),
        good.replace("x & 1", "x & 1 & 2"),
        good.replace("x & 1", "50 % & 1"),
        good.replace("x & 1", "x_1 & 1"),
        good.replace("x & 1", "{x & 1"),
        good.replace("x & 1", "[x & 1"),
        good.replace(r"\bottomrule", ""),
    ):
        assert broken_latex(bad)


def test_all_three_formats_hold_the_table(tmp_path: Path) -> None:
    rows = [(model, "ntc", step, 10 * at) for model in ("z", "a") for at, step in enumerate(STEPS)]
    table = pd.DataFrame(rows, columns=["model", "grouping", "step", "facts"])
    save(table, wide_funnel(table), "Facts", tmp_path / "the_funnel.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "the_funnel.csv"), table, check_dtype=False)
    lines = [re.findall(r"[^|]+", line) for line in (tmp_path / "the_funnel.md").read_text().splitlines()]
    assert [cell.strip() for cell in lines[2]] == ["z", "ntc", *(str(10 * at) for at in range(len(STEPS)))]
    text = (tmp_path / "the_funnel.tex").read_text()
    assert not broken_latex(text)
    assert "a & ntc & 0 & 10 & 20 & 30 & 40 & 50 & 60 & 70 & 80" in text
    assert r"\label{tab:the-funnel}" in text


def test_reported_numbers_without_a_value_leave_their_cell_empty() -> None:
    rows = [("s", "e", "q", kind, model, value, None, None, 7.0, "") for kind, model, value in (
        ("this study", "m", None), ("reported", "GPT-2", 1.5))]  # fmt: skip
    wide = wide_reported(
        pd.DataFrame(rows, columns=list(COLUMNS)).astype({"value": float, "low": float, "high": float})
    )
    assert wide.columns.tolist() == ["paper: GPT-2", "this study: m"]
    assert wide.loc["q"].fillna("").tolist() == ["1.5", ""]


def test_the_stage_writes_a_setting_and_names_those_it_knows(tmp_path: Path) -> None:
    for name, part in suppression(found(0.25, neuron_set="dkn", query="original", metric="drop")).items():
        path = tmp_path / "my_model" / "experiments" / name / "summary.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(part))
    output = tmp_path / "suppression.csv"
    table_setting.main("suppression", [tmp_path / "my_model"], list(of_setting("suppression")), 0.9, output)
    assert pd.read_csv(output)[["model", "value"]].values.tolist() == [["my_model", 0.25]]
    assert set(NUMBERS) <= set(pd.read_csv(output).columns)
    text = output.with_suffix(".tex").read_text()
    assert not broken_latex(text)
    assert r"my\_model & original & D & 0.250 [0.150, 0.350] & 40 \\" in text
    assert r"90 \% intervals" in text
    with pytest.raises(UserError, match="suppresion"):
        table_setting.main("suppresion", [], [], 0.9, output)
