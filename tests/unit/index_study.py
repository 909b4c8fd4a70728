"""The stored results of a small study, made by hand, for the tests of its front page; its texts are hostile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd

from dkn.stages import PACKAGE
from dkn.storage.files import write_json
from dkn.summaries.wording import bullets
from dkn.tables.saving import save
from tests.unit.explorer_study import HOSTILE
from tests.unit.stage_runs import status_of
from tests.unit.verdict_rows import rows

REASON = f"2 facts, fewer than the minimum of 6 {HOSTILE}"
FIGURES = {"Degeneracy": ("groupings",), "Neurons": ("persistence", "kn_graph")}
ROWS = 30
FACTS = ["Paris $x_1$", "العربية 12", HOSTILE]


def contents(**changes: Any) -> dict[str, Any]:
    """What the configuration of the study says of the page."""
    about = {"title": f"numbers of {HOSTILE}", "note": "A note on it."}
    stated = {
        "study": {
            "models": [{"name": "one"}, {"name": "two"}],
            "statistics": {"confidence": 0.95},
            "claims": {"alpha": 0.05, "margins": {"drop": 0.01}, "minimum_subjects": 10},
            "seed": 7,
        },
        "models": {"one": {"repo": None}, "two": {"repo": "openai-community/gpt2"}},
        "experiments": ["degeneracy-ntc", "fine-tuning-dkn"],
        "released": [],
        "sections": [
            {"title": title, "figures": {name: f"figure {name}" for name in names}, "tables": {}}
            for title, names in FIGURES.items()
        ],
    }
    stated["sections"][0]["tables"] = {"numbers": about}
    stated["sections"] += [{"title": "Nothing of it", "figures": {}, "tables": {}}]
    return {**stated, **changes}


def _write_parts(folder: Path) -> None:
    for place in ("figures", "tables"):
        (folder / place).mkdir(parents=True)
    for names in FIGURES.values():
        for name in names:
            noise = np.random.default_rng(0).random((60, 80, 3))
            matplotlib.image.imsave(folder / "figures" / f"{name}.png", noise)
            (folder / "figures" / f"{name}.rst").write_text(bullets([f"{name}: 42 % (40 … 44)", HOSTILE]), "utf-8")
    value = [f"{(-1) ** n * n * 150:,}.5 [0.1, 0.2]" if n else None for n in range(ROWS)]
    table = pd.DataFrame({"model": ["one", "two"] * (ROWS // 2), "fact": FACTS * (ROWS // 3), "value": value})
    save(table, table.set_index(["model", "fact"]), "Numbers.", folder / "tables" / "numbers.csv")
    left = pd.DataFrame({"model": ["one", "one"], "grouping": ["ntc", "dbscan"], "facts": ["24", "24"]})
    left = left.assign(known=["20", "20"], degenerate=["5", "6"])
    save(left, left.set_index(["model", "grouping"]), "Funnel.", folder / "tables" / "funnel.csv")


def write_study(folder: Path) -> None:
    """Write what the page is made of."""
    _write_parts(folder)
    write_json(folder / "verdicts.json", {"verdicts": rows(), "thresholds": {}, "provenance": {}})
    write_json(folder / "complexity.json", {"sizes": {"one": 1234567}, "note": None, "rows": []})
    for model in ("one", "two"):
        for experiment in contents()["experiments"]:
            not_run = {"not_run": REASON} if (model, experiment) == ("two", "fine-tuning-dkn") else {"sets": []}
            content = {"experiment": experiment, "model": model, **not_run, "estimates": [], "contrasts": []}
            write_json(folder / model / "experiments" / experiment / "summary.json", content)


def write_page(folder: Path, **changes: Any) -> str:
    """Run the stage on the study of a folder, and return the page."""
    stated = contents(**changes)
    arguments = [f"--model={folder / name}" for name in stated["models"]]
    arguments += [f"--experiment={name}" for name in stated["experiments"]]
    arguments += [f"--contents={json.dumps(stated)}", f"--verdicts={folder / 'verdicts.json'}"]
    arguments += [f"--complexity={folder / 'complexity.json'}", f"--template={PACKAGE / 'pages' / 'index.html'}"]
    arguments += [f"--words={PACKAGE.parent / 'report' / 'table.rst'}", f"--output={folder / 'index.html'}"]
    assert status_of(["index", *arguments]) == 0
    return (folder / "index.html").read_text("utf-8")
