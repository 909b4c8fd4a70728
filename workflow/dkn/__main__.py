"""The command line ``python -m dkn STAGE --flag …``, which runs one stage of the workflow (``dkn.stages``)."""

import gc
import importlib
import itertools
import os
import sys
from contextlib import nullcontext
from types import ModuleType

import typer

from dkn.errors import UserError, lacks_memory
from dkn.flags import command
from dkn.run.gpus import claimed_gpus
from dkn.run.problems import in_one_line
from dkn.stages import stage_module, stages, summary_of

OUT_OF_MEMORY = 12  # the exit status, which is the number of the error ENOMEM


def gpus_wanted(arguments: list[str]) -> int:
    """Return how many GPUs a stage may use, from its flags.

    It is none where they name the CPU, or no device, as those of stages without a model do.

    Args:
        arguments: the stage's flags and their values, after its name.
    """
    flags = dict(itertools.pairwise(arguments))
    if flags.get("--device", "cpu") == "cpu":
        return 0
    gpus = flags.get("--gpus", "1")
    return max(1, int(gpus)) if gpus.isdecimal() else 1  # the stage itself refuses what is no number


def imported(stage: str) -> ModuleType:
    """Import and return the module of a stage, without looking for garbage meanwhile, and never in what it made.

    Imports make some hundred thousand objects that stay until the end. To look through them took a fifth of the start
    of a stage with a model, and a second at its end.
    """
    name = stage_module(stage)
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def main(arguments: list[str]) -> int:
    """Run one stage and return the exit status.

    A mistake of the user, a machine without memory or room, and an input that cannot be read give one line on standard
    error and status 1, or 12 for memory; an unknown stage gives status 2. Any other error is a bug, and passes with its
    traceback.

    Args:
        arguments: the stage's name, its flags and their values; none, or ``--help``, prints the list of stages.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: python -m dkn STAGE [--help | --flag value …]\n\nstages:")
        print("\n".join(f"  {name:22} {summary}" for name, summary in stages().items()))
        return 0
    if summary_of(arguments[0]) is None:
        print(f"error: unknown stage {arguments[0]!r}; stages: {', '.join(stages())}", file=sys.stderr)
        return 2
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        wanted = gpus_wanted(arguments)
        with claimed_gpus(wanted) if wanted else nullcontext():  # before the stage imports torch
            module = imported(arguments[0])
            app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            app.command()(command(module.main))
            app(arguments[1:], prog_name=f"python -m dkn {arguments[0]}", standalone_mode=True)
    except UserError as error:
        print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except Exception as error:
        line = in_one_line(error, arguments)
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        return OUT_OF_MEMORY if lacks_memory(error) else 1
    return 0


def run() -> None:
    """Run the stage that the command line names, and end the process with its exit status."""
    status = main(sys.argv[1:])
    gc.freeze()  # what is left goes with the process
    if status == OUT_OF_MEMORY:  # what libraries do at the end would need memory again
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    run()
