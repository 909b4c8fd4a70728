"""``python -m dkn STAGE --flag …``: one command per stage of the workflow (``dkn.stages``)."""

import importlib
import itertools
import os
import sys
from contextlib import nullcontext

import typer

from dkn.errors import UserError
from dkn.flags import command
from dkn.run.gpus import claimed_gpus
from dkn.stages import stage_module, stages


def gpus_wanted(arguments: list[str]) -> int:
    """How many GPUs a stage may use: none where its flags name the CPU, or no device, as of stages without a model."""
    flags = dict(itertools.pairwise(arguments))
    if flags.get("--device", "cpu") == "cpu":
        return 0
    stated = flags.get("--gpus", "1")
    return max(1, int(stated)) if stated.isdecimal() else 1  # the stage itself refuses what is no number


def main(arguments: list[str]) -> int:
    """Run one stage; a user's mistake is one line on standard error and exit status 1."""
    known = stages()
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: python -m dkn STAGE [--help | --flag value …]\n\nstages:")
        print("\n".join(f"  {name:22} {summary}" for name, summary in known.items()))
        return 0
    if arguments[0] not in known:
        print(f"error: unknown stage {arguments[0]!r}; stages: {', '.join(known)}", file=sys.stderr)
        return 2
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        wanted = gpus_wanted(arguments)
        with claimed_gpus(wanted) if wanted else nullcontext():  # before the stage imports torch
            module = importlib.import_module(stage_module(arguments[0]))
            app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            app.command()(command(module.main))
            app(arguments[1:], prog_name=f"python -m dkn {arguments[0]}", standalone_mode=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
