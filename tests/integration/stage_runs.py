"""Stages of the command line, run in this process on the files of a small study."""

from __future__ import annotations

from pathlib import Path

from dkn.__main__ import main


def run_stage(name: str, *repeated: str, **flags: object) -> int:
    """Run a stage and return its exit status; ``repeated`` are further arguments, for flags that occur again."""
    arguments = [part for flag, value in flags.items() for part in (f"--{flag.replace('_', '-')}", str(value))]
    try:
        return main([name, *arguments, *repeated])
    except SystemExit as stop:
        return int(stop.code or 0)


def attribute(folder: Path, output: str, **changes: object) -> int:
    """Attribute all facts of a study's folder, with some flags changed, and return the stage's exit status."""
    flags: dict[str, object] = {
        "model": folder / "model",
        "facts": folder / "facts.parquet",
        "known": folder / "known.parquet",
        "shard": "1-of-1",
        "which": "all",
        "baseline": "amig",
        "quadrature": "adaptive",
        "nodes": 3,
        "tolerance": 1e-3,
        "max_nodes": 96,
        "floor": 0.05,
        "batch": 4,
        "device": "cpu",
        "output": folder / output,
        "completeness": folder / f"{output}.completeness",
    }
    return run_stage("attribution", **{**flags, **changes})
