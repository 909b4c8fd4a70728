"""The flags that several stages share, and groups of flags that a stage takes as one parameter."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, get_type_hints

from typer import Option

from dkn.errors import UserError

Model = Annotated[Path, Option(help="Folder of the prepared model.")]
Facts = Annotated[Path, Option(help="Table of the study's facts, facts.parquet.")]
Known = Annotated[Path, Option(help="Table of the model's answers, known.parquet.")]
Neurons = Annotated[Path, Option(help="Table of the facts' knowledge neurons, knowledge_neurons.parquet.")]
Distances = Annotated[Path, Option(help="Table of the distances between knowledge neurons, distances.parquet.")]
Components = Annotated[Path, Option(help="Tested components of the grouping ntc.")]
Scores = Annotated[list[Path], Option(help="Table of one shard's attribution scores; repeatable.")]
Completeness = Annotated[list[Path], Option(help="Table of one shard's completeness; repeatable.")]
Folders = Annotated[list[Path], Option(help="Folder with the results of one model; repeatable.")]
Experiments = Annotated[list[str], Option(help="Name of an experiment of the study; repeatable.")]
Summaries = Annotated[list[Path], Option(help="summary.json of one model and experiment; repeatable.")]
ModelName = Annotated[str, Option(help="Name of the model in this study.")]
Experiment = Annotated[str, Option(help="Name of the experiment.")]
Confidence = Annotated[float, Option(help="Confidence of the intervals, above 0 and below 1.")]
Seed = Annotated[int, Option(help="Seed of the study.")]
Batch = Annotated[int, Option(help="Number of facts that are computed at once.")]
Threads = Annotated[int, Option(help="Number of CPU threads.")]
Fraction = Annotated[float, Option(help="Threshold of knowledge neurons, as a fraction of the fact's largest score.")]
Cap = Annotated[int | None, Option(help="The most knowledge neurons of a fact; no limit where not given.")]
MaxSpan = Annotated[int | None, Option(help="The most layers that a path may climb; no limit where not given.")]
FoldNorm = Annotated[bool, Option(help="Multiply reading vectors by the gain of the norm before the MLP.")]
MaxSubsets = Annotated[int, Option(help="The most proper subsets of components that are suppressed per fact.")]
Partitions = Annotated[int, Option(help="Number of the control's random partitions.")]
Limit = Annotated[
    int | None, Option(help="Number of facts to take; whole subjects are drawn, so the last one may exceed it.")
]
ComplexLimit = Annotated[
    int | None, Option(help="Number of these facts that are stated in their complex wording too; taken as they are.")
]
Quantile = Annotated[float, Option(help="Quantile of a fact's finite distances at which the filtration stops.")]
MinSize = Annotated[int, Option(help="The fewest neurons of a component or group.")]
Test = Annotated[str, Option(help="Functional test: sufficiency, absolute or compensation.")]
Output = Annotated[Path, Option(help="File to write.")]
Outputs = Annotated[list[Path], Option(help="File to write for each input, in the same order; repeatable.")]
Shards = Annotated[int, Option(help="Attribution jobs per model.")]
Released = Annotated[
    list[str] | None,
    Option(help="A switch that is as in the released code (docs/audit.md); repeatable."),
]
Gated = Annotated[bool, Option(help="Whether the MLP of the model has a gate.")]
Seeds = Annotated[Path | None, Option(help="seeds.json, where an entry of the study has several models.")]
Folder = Annotated[Path, Option(help="Folder to make.")]
Pdf = Annotated[Path, Option(help="PDF to write; its PNG, CSV and caption numbers are written beside it.")]
Csv = Annotated[Path, Option(help="CSV to write; the same table in Markdown and LaTeX is written beside it.")]


@dataclass(frozen=True)
class Compute:
    """The flags that say where and how a stage runs its model."""

    device: Annotated[str, Option(help="cpu, cuda, or auto for a GPU where there is one.")] = "auto"
    dtype: Annotated[str, Option(help="Type of the weights: float32, bfloat16 or float16.")] = "float32"
    threads: Threads = 1
    gpus: Annotated[int, Option(min=0, help="The most GPUs that the model is spread over; 0 counts as 1.")] = 1


@dataclass(frozen=True)
class Statistics:
    """The flags that say how a stage resamples."""

    resamples: Annotated[int, Option(help="Bootstrap resamples; permutation tests take ten times as many patterns.")]
    confidence: Confidence
    seed: Seed


@dataclass(frozen=True)
class Clustering:
    """The flags that say how NTC cuts the dendrogram."""

    persistence: Annotated[str, Option(help="Measure of persistence: difference or ratio.")]
    tau1: Annotated[float, Option(help="Persistence that a component must exceed.")]
    quantile: Quantile
    min_size: MinSize
    tau1_is_quantile: Annotated[bool, Option(help="Take tau1 as a quantile of each fact's own persistences.")] = False


def command(main: Callable[..., None]) -> Callable[..., None]:
    """Return a stage's ``main`` as the command line sees it, with single flags in place of groups of flags.

    Args:
        main: a function whose parameters are flags, or dataclasses whose fields are flags.
    """
    hints = get_type_hints(main, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint) and isinstance(hint, type)}
    single: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(main).parameters.items():
        group = groups.get(name)
        members = inspect.signature(group).parameters.values() if group else [parameter]
        types = get_type_hints(group, include_extras=True) if group else hints  # annotations may be text
        single += [flag.replace(kind=flag.KEYWORD_ONLY, annotation=types[flag.name]) for flag in members]

    def run(**given: object) -> None:
        grouped = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        main(**given, **grouped)

    run.__doc__ = main.__doc__
    run.__signature__ = inspect.Signature(single)  # type: ignore[attr-defined]
    run.__annotations__ = {flag.name: flag.annotation for flag in single}
    return run


def one_output_each(outputs: Sequence[Path], **given: Sequence[object]) -> None:
    """Raise unless every repeatable flag was given as often as ``--output``.

    Args:
        outputs: the values of ``--output``.
        given: the values of the other flags, by the flags' names.
    Raises:
        UserError: a flag was given more or less often.
    """
    for flag, values in given.items():
        if len(values) != len(outputs):
            raise UserError(f"--{flag} is given {len(values)} times, --output {len(outputs)} times; each needs its own")
