"""Flags that several stages share."""

from pathlib import Path
from typing import Annotated

from typer import Option

ModelFlag = Annotated[Path, Option(help="Prepared model folder.")]
FactsFlag = Annotated[Path, Option(help="facts.parquet")]
KnownFlag = Annotated[Path, Option(help="known.parquet")]
FoldersFlag = Annotated[list[Path], Option(help="A model's folder of results; repeatable.")]
SeedFlag = Annotated[int, Option(help="The study's seed.")]
OutputFlag = Annotated[Path, Option(help="File to write.")]
PdfFlag = Annotated[Path, Option(help="The PDF; PNG and CSV go beside it.")]
DeviceFlag = Annotated[str, Option(help="cpu, cuda, or auto for a GPU where there is one.")]
DtypeFlag = Annotated[str, Option(help="Type of the weights: float32, bfloat16 or float16.")]
ThreadsFlag = Annotated[int, Option(help="CPU threads.")]
BatchFlag = Annotated[int, Option(help="Facts computed at once.")]
