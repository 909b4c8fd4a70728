"""A shortened study in a copy of the workflow of its own, and what Snakemake says of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
COPIED = ("Snakefile", "config.yaml", "config", "workflow", "resources", "envs", "profiles")


def short_config(architectures: tuple[str, ...] = ("gpt2", "llama")) -> dict:
    """The default study on every twelfth bundled fact, with models of a tenth of the size."""
    model = {
        "source": "trained",
        "layers": 5,
        "width": 48,
        "heads": 4,
        "kv_heads": 2,
        "neurons": 128,
        "vocabulary": 1000,
        "dropout": 0.05,
        "epochs": 45,
        "batch": 16,
        "learning_rate": 0.005,
        "target": 0.6,
    }
    return {
        "facts": {"sources": [{"path": "short.jsonl"}]},
        "models": [{**model, "name": f"{name}-short", "architecture": name} for name in architectures],
        "minimum_known": 10,
        "experiments": {
            "fine_tuning": {
                "new_facts": 12,
                "old_facts": 12,
                "minimum": 4,
                "epochs": 2,
                "draws": 2,
                "trainings": 2,
                "extensions": 1,
            }
        },
        "statistics": {"resamples": 200},
    }


def jobs_in(output: str) -> dict[str, int]:
    """How many jobs of each rule Snakemake's table has; empty only where it says that there is nothing to be done."""
    table = re.search(r"^job +count\n-+ +-+\n((?:\w+ +\d+\n)+)", output, flags=re.MULTILINE)
    if table is None:
        assert "Nothing to be done" in output, output
        return {}
    return {rule: int(count) for rule, count in (line.split() for line in table[1].splitlines())}


def rules_in(output: str) -> set[str]:
    """The rules in Snakemake's table of jobs."""
    return jobs_in(output).keys() - {"all", "total"}


@dataclass(frozen=True)
class Checkout:
    """A working copy of the workflow."""

    path: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", "short.yaml"]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake here; its output, standard error included, is in ``stdout``."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=900,
            check=False,
        )

    def planned(self, *arguments: str) -> set[str]:
        """The rules that a dry run would run."""
        result = self.run("--dry-run", *arguments)
        assert result.returncode == 0, result.stdout
        return rules_in(result.stdout)

    def configure(self, content: dict) -> None:
        (self.path / "short.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def make_checkout(path: Path, content: dict) -> Checkout:
    """Put the workflow, a configuration and short facts into an empty folder."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, path / name)
    lines = [
        line
        for name in ("temporal", "static")
        for line in (ROOT / "resources" / "facts" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[::12]
    ]
    (path / "short.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    checkout = Checkout(path)
    checkout.configure(content)
    return checkout
