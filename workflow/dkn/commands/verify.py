"""Compare what a study found with the kept outcome of the same study, its reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.errors import UserError
from dkn.paper.reproduction import BOUNDS, EQUAL, VERDICT_KEY, compared_numbers, compared_verdicts, differing, sentence
from dkn.storage.files import atomic_file, read_json
from dkn.tables.saving import markdown

SHOWN = 20  # rows in the table for readers; the CSV has all


def _require_same_study(reference: Path, outcome: Path) -> list[str]:
    """Return what differs between the two that is no setting: weights, versions, processor; one line each.

    Raises:
        UserError: the settings differ, so that there is nothing to compare.
    """
    kept, here = (read_json(folder / "study.json") for folder in (reference, outcome))
    if keys := differing(kept["settings"], here["settings"]):
        raise UserError(
            f"this study is not the one of {reference}: other settings of {', '.join(keys[:8])}"
            f"{' and more' if len(keys) > 8 else ''}; `reference` names the one to compare with"
        )
    lines = [
        f"{model}: {'the same weights, bit for bit' if here['weights'].get(model) == weights else 'other weights'}"
        for model, weights in kept["weights"].items()
    ]
    made = [{key: study[key] for key in ("versions", "machine")} for study in (kept, here)]
    for key in differing(made[0], made[1]):
        section, name = key.split(".")
        lines.append(f"{name}: {here[section].get(name)} here, {kept[section].get(name)} in the reference")
    return lines


def main(
    study: Annotated[Path, Option(help="The study.json of this study; numbers.csv and verdicts.csv lie beside it.")],
    output: flags.Csv,
    reference: Annotated[Path | None, Option(help="The folder with the same three files of the reference.")] = None,
) -> None:
    """Write every number beside its reference as CSV, the ones that differ most in Markdown, and print one sentence."""
    if reference is None:
        raise UserError("this study names no reference; set `reference` to a folder's name below reference/")
    if not reference.is_dir():
        kept = sorted(path.name for path in reference.parent.glob("*/")) or ["none"]
        raise UserError(f"reference: no outcome is kept as {reference.name!r}; kept: {', '.join(kept)}")
    outcome = study.parent
    lines = _require_same_study(reference, outcome)
    numbers = compared_numbers(*(pd.read_csv(folder / "numbers.csv") for folder in (reference, outcome)))
    kept_verdicts, found_verdicts = (pd.read_csv(folder / "verdicts.csv") for folder in (reference, outcome))
    verdicts = compared_verdicts(kept_verdicts, found_verdicts)
    said = sentence(reference.name, numbers, verdicts, len(kept_verdicts))
    with atomic_file(output) as path:
        numbers.to_csv(path, index=False, float_format="%.6g", encoding="utf-8")
    shown = numbers[numbers["outcome"] != EQUAL].head(SHOWN)
    text = [said, "", *(f"- {line}" for line in lines), ""]
    if len(verdicts):
        text += ["Verdicts that differ:", "", markdown(verdicts.set_index(VERDICT_KEY).astype(object))]
    if len(shown):
        keyed = shown.set_index(["table", "model", "what", "measure"])[["value", *BOUNDS, "value_here", "outcome"]]
        text += ["Numbers that differ, those that depart most first:", "", markdown(keyed.map(_short).astype(object))]
    with atomic_file(output.with_suffix(".md")) as path:
        path.write_text("\n".join(text), encoding="utf-8")
    print("\n".join([*lines, said]))


def _short(cell: object) -> object:
    return f"{cell:.4g}" if isinstance(cell, float) and cell == cell else cell
