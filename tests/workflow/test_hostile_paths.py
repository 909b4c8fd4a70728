"""Studies in folders with odd names, which work and execute nothing, and finished studies that are moved."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.short_study import Checkout, rules_in, short_config

ODD = "it's (2) é☃ & co #1 $(touch ran) `touch ran`"


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder; its output, standard error included, is in ``stdout``."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )


def planned(folder: Path, *arguments: str) -> set[str]:
    """The rules that a dry run in a folder would run."""
    result = snakemake(folder, "--dry-run", *arguments)
    assert result.returncode == 0, result.stdout[-3000:]
    return rules_in(result.stdout)


def test_a_finished_study_that_is_moved_plans_nothing(study: Checkout, tmp_path: Path) -> None:
    """A whole study, in another folder, seen through a link, and asked for from elsewhere."""
    moved = tmp_path / "elsewhere" / ODD
    shutil.copytree(study.path, moved, symlinks=True)
    assert planned(moved, "--configfile", "short.yaml") == set()
    link = tmp_path / "link"
    link.symlink_to(moved)
    assert planned(link, "--configfile", "short.yaml") == set()
    places = ("--snakefile", str(link / "Snakefile"), "--directory", str(link))
    assert planned(tmp_path, *places, "--configfile", str(link / "short.yaml")) == set()
    assert not list(tmp_path.rglob("ran"))


def test_a_study_beside_its_checkout_can_be_moved_as_can_the_checkout(
    new_checkout: Callable[[dict], Checkout], tmp_path: Path
) -> None:
    checkout = new_checkout({})
    folder = tmp_path / "study"
    folder.mkdir()
    shutil.copy2(checkout.path / "short.jsonl", folder)
    facts = {"sources": [{"bundled": "static"}, {"path": "short.jsonl"}], "templates": []}
    lines = (folder / "short.jsonl").read_text().splitlines()
    temporal = [line for line in lines if '"date": "' in line]
    assert temporal
    (folder / "short.jsonl").write_text("\n".join(temporal) + "\n")
    (folder / "own.yaml").write_text(yaml.safe_dump({"facts": facts}))
    flags = ("facts", "--configfile", "own.yaml")
    result = snakemake(folder, "--snakefile", str(checkout.path / "Snakefile"), *flags)
    assert result.returncode == 0, result.stdout[-3000:]
    folder = folder.rename(tmp_path / "moved")
    assert planned(folder, "--snakefile", str(checkout.path / "Snakefile"), *flags) == set()
    workflow = shutil.copytree(checkout.path, tmp_path / ODD)
    assert planned(folder, "--snakefile", str(workflow / "Snakefile"), *flags) == set()
    templates = workflow / "resources" / "facts" / "templates.yaml"
    templates.write_text(templates.read_text() + "\n# an edit\n")
    assert "make_facts" in planned(folder, "--snakefile", str(workflow / "Snakefile"), *flags)


def test_odd_names_work_to_the_end(new_checkout: Callable[[dict], Checkout], tmp_path: Path) -> None:
    """Of the checkout, of the results, of facts and templates, and of a model's folder."""
    content = short_config(("gpt2",))
    content |= {"results": f"results {ODD}"}
    content["facts"] = {"sources": [{"path": f"f {ODD}.jsonl"}, {"path": "facts#sha256=ab"}], "templates": [f"t {ODD}"]}
    content["models"][0] |= {"epochs": 2, "target": 0.0}
    content["minimum_known"] = 1
    made = new_checkout(content)
    checkout = Checkout(made.path.rename(tmp_path / ODD))
    *lines, last = (checkout.path / "short.jsonl").read_text().splitlines()
    (checkout.path / f"f {ODD}.jsonl").write_text("\n".join(lines) + "\n")
    (checkout.path / "facts#sha256=ab").write_text(last + "\n")
    templates = yaml.safe_load((checkout.path / "resources" / "facts" / "templates.yaml").read_text())
    (checkout.path / f"t {ODD}").write_text(yaml.safe_dump({"P0": next(iter(templates.values()))}))
    model = f"results {ODD}/gpt2-short/model"
    result = checkout.run(model)
    assert result.returncode == 0, result.stdout[-3000:]
    (checkout.path / model).rename(checkout.path / f"m {ODD}")
    content["models"] = [{"name": "linked", "source": "folder", "path": f"m {ODD}"}]
    checkout.configure(content)
    target = f"results {ODD}/linked/known.parquet"
    result = checkout.run(target)
    if "the study needs at least" not in result.stdout:  # two epochs may teach too little: then it says so
        assert result.returncode == 0, result.stdout[-3000:]
        assert (checkout.path / target).is_file()
        assert checkout.planned(target) == set()
    assert "Traceback" not in result.stdout
    moved = checkout.path.rename(tmp_path / "moved")
    weights = moved / f"results {ODD}" / "linked" / "model" / "model.safetensors"
    assert weights.is_symlink()
    assert weights.is_file(), "a model in the study moves along with it"
    checkout = Checkout(moved.rename(checkout.path))
    assert not [path for path in tmp_path.rglob("*") if path.name == "ran"]
    (checkout.path / "facts#sha256=ab").write_text("{}\n")
    assert "error: facts#sha256=ab:1: " in checkout.run("facts").stdout, "an edit of it is seen"


@pytest.mark.parametrize("name", ["{x}", "a:b", "a\nb"])
def test_a_checkout_that_nothing_carries_is_refused_in_one_line(
    name: str, new_checkout: Callable[[dict], Checkout], tmp_path: Path
) -> None:
    made = new_checkout({})
    checkout = Checkout(made.path.rename(tmp_path / name))
    result = checkout.run("facts")
    assert result.returncode == 1
    (error,) = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    assert "move or rename the folder" in error
    assert "Traceback" not in result.stdout
