"""Flags that several stages share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.errors import UserError

ModelFlag = Annotated[Path, Option(help="Prepared model folder.")]
FactsFlag = Annotated[Path, Option(help="facts.parquet")]
KnownFlag = Annotated[Path, Option(help="known.parquet")]
FoldersFlag = Annotated[list[Path], Option(help="A model's folder of results; repeatable.")]
ExperimentsFlag = Annotated[list[str], Option(help="Name of an experiment of the study; repeatable.")]
ModelNameFlag = Annotated[str, Option(help="The model's name in this study.")]
ExperimentFlag = Annotated[str, Option(help="The experiment's name.")]
ResamplesFlag = Annotated[int, Option(help="Bootstrap and permutation resamples.")]
ConfidenceFlag = Annotated[float, Option(help="Confidence of intervals.")]
SeedFlag = Annotated[int, Option(help="The study's seed.")]
OutputFlag = Annotated[Path, Option(help="File to write.")]
PdfFlag = Annotated[Path, Option(help="The PDF; PNG and CSV go beside it.")]
DeviceFlag = Annotated[str, Option(help="cpu, cuda, or auto for a GPU where there is one.")]
DtypeFlag = Annotated[str, Option(help="Type of the weights: float32, bfloat16 or float16.")]
ThreadsFlag = Annotated[int, Option(help="CPU threads.")]
GpusFlag = Annotated[int, Option(min=0, help="The most GPUs that the model is spread over; 0 as 1.")]
BatchFlag = Annotated[int, Option(help="Facts computed at once.")]
OutputsFlag = Annotated[list[Path], Option(help="File to write for each, in the same order; repeatable.")]


def one_output_each(outputs: Sequence[Path], **given: Sequence[object]) -> None:
    """Raise unless repeatable flags were given as often as ``--output``."""
    for flag, values in given.items():
        if len(values) != len(outputs):
            raise UserError(f"--{flag} is given {len(values)} times, --output {len(outputs)} times; each needs its own")
