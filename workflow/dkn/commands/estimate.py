"""Estimate what the study will cost before it runs: the time of every stage, the memory and the disk space."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import ValidationError
from typer import Option

from dkn import flags
from dkn.errors import UserError
from dkn.facts.sources import FactsSource, read_source
from dkn.models.families import require_config
from dkn.run.benchmarks import job_seconds
from dkn.run.durations import duration
from dkn.storage.completeness import completeness_files, converged_facts, read_completeness
from dkn.storage.files import read_table
from dkn.storage.schemas import FACTS, KNOWN
from dkn.study.config import Study, parse_config
from dkn.study.estimates import (
    NOTHING,
    STAGES,
    KnownFacts,
    Range,
    Space,
    StageEstimate,
    estimate_space,
    estimate_stages,
    nodes_per_path,
    total,
    workloads,
)
from dkn.study.inputs import FolderModel, Shape, Sizes, TrainedModel
from dkn.study.operations import shape_of
from dkn.study.replicates import replicates

TRAINED_CONTEXT = 128  # the length of a nano model's context, in tokens


def _shape_of_folder(folder: Path) -> Shape:
    """Return the shape of the model in a folder, from its config.json.

    Raises:
        UserError: no adapter reads the model, or its config.json states no sizes that one can have.
    """
    config = require_config(folder / "config.json", str(folder))
    try:
        return shape_of(config)
    except KeyError as error:
        raise UserError(f"{folder}: config.json does not state {error}") from None
    except ValidationError as error:
        found = error.errors()[0]
        reason = ": ".join((*map(str, found["loc"]), found["msg"].removeprefix("Value error, ")))
        raise UserError(f"{folder}: config.json states no sizes of a model ({reason})") from None
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UserError(f"{folder}: config.json states no sizes of a model ({error})") from None


def _shape(model: object, prepared: Path) -> Shape:
    """Return a model's shape: from its prepared folder, from the folder it comes from, or from the configuration."""
    name = getattr(model, "name", "")
    folders = [prepared, *([Path(model.path)] if isinstance(model, FolderModel) else [])]
    for folder in folders:
        if (folder / "config.json").is_file():
            return _shape_of_folder(folder)
    if isinstance(model, TrainedModel):
        sizes = {key: getattr(model, key) for key in ("architecture", *Sizes.model_fields)}
        return Shape(**sizes, context=TRAINED_CONTEXT, tied=True)
    shape = getattr(model, "shape", None)
    if shape is None:
        raise UserError(f"model {name}: its size is not known before it is downloaded; state it as `shape:`")
    return shape


def _count_facts(study: Study, results: Path, sources: list[str]) -> tuple[int, float | None]:
    """Return how many facts the study has, and their mean number of accepted answers (None before they are read)."""
    stored = results / "facts" / "facts.parquet"
    if stored.is_file():
        answers = read_table(stored, FACTS)["answers"]
        return len(answers), float(answers.map(len).mean())
    if study.estimate.facts is not None:
        return study.estimate.facts, None
    parsed = [FactsSource.parse(text) for text in sources]
    if remote := [source.location for source in parsed if source.is_url]:
        raise UserError(f"{remote[0]} has not been read yet: state the number of facts as estimate.facts")
    count = sum(len(read_source(source).text.splitlines()) for source in parsed)
    return min(count, study.facts.most or count), None


def _seen(folder: Path) -> KnownFacts | None:
    """Return how many facts the model knows, and how long they are in tokens; None if it has not been asked."""
    if not (folder / "known.parquet").is_file():
        return None
    asked = read_table(folder / "known.parquet", KNOWN)
    known = asked[asked["known"]]
    measured = known if len(known) else asked  # how long the known facts are, if there are any
    return KnownFacts(len(known), float(measured["prompt_tokens"].mean()), float(measured["answer_tokens"].mean()))


def _measured(stage: str, folder: Path) -> float | None:
    """Return how many seconds a stage took by its benchmark files, or None unless all its jobs have a sound one."""
    jobs, patterns = STAGES[stage]
    files = [path for pattern in patterns for path in sorted(folder.glob(f"{pattern}.tsv"))]
    if not files or (jobs is not None and len(files) < jobs):
        return None
    seconds = [value for value in map(job_seconds, files) if value is not None]
    return sum(seconds) if len(seconds) == len(files) else None


def _converged(model: str, folder: Path, shards: int) -> str | None:
    """Return the row of a model whose attribution is finished: what of it converged, and at how many nodes."""
    files = completeness_files(folder, shards)
    if not all(path.is_file() for path in files):
        return None
    paths = read_completeness(files)
    facts, nodes = paths["fact_id"].nunique(), paths["nodes"]
    spent = f"{nodes.mean():.3g}, at most {nodes.max()}" if len(paths) else "-"
    whole, reached = converged_facts(paths), int(paths["converged"].sum())
    return f"| {model} | {whole} of {facts} | {reached} of {len(paths)} | {spent} |"


def _amount(value: Range | None, unit: float) -> str:
    return "-" if value is None else f"{value.low / unit:.3g} – {value.high / unit:.3g}"


def _time(value: Range | None) -> str:
    return "-" if value is None else f"{duration(value.low)} – {duration(value.high)}"


def _memory(size: float, gpus: int) -> str:
    return f"{size / 1e9:.1f}" + (f" (about {size / gpus / 1e9:.1f} on each of {gpus} GPUs)" if gpus > 1 else "")


def _row(model: str, stage: StageEstimate, measured: float | None) -> str:
    spent = "-" if measured is None else duration(measured)
    cells = (model, stage.stage, _amount(stage.flops, 1e15), _time(stage.gpu), _time(stage.cpu), spent)
    return f"| {' | '.join(cells)} |"


def _nodes(config: Study, dtypes: set[str]) -> str:
    """Return in words how many nodes the paths of an attribution are taken to need, for each type of weights."""
    ranges = {dtype: nodes_per_path(config, dtype) for dtype in sorted(dtypes, reverse=True)}
    needed = " and ".join(f"{low:.3g} – {high:.3g} nodes in {dtype}" for dtype, (low, high) in ranges.items())
    if config.attribution.quadrature != "adaptive":
        return f"Every path of an attribution has {config.attribution.nodes} nodes"
    return f"A path of an attribution is taken to need {needed}, as measured"


def _in_all(models: list[StageEstimate], spaces: list[Space]) -> str:
    """Return in words what all models cost together."""
    whole = total(models)
    disk = sum((space.download + space.results for space in spaces), NOTHING)
    gpu = f", or {_time(whole.gpu)} on one GPU with the analysis beside it" if whole.gpu else ""
    return (
        f"The whole study takes {_time(whole.cpu)} on one CPU thread{gpu}, and {_amount(disk, 1e9)} GB of disk space; "
        "models and shards of attribution can run side by side."
    )


def _assumptions(config: Study, facts: int, dtypes: set[str]) -> str:
    """Return in words what the estimates assume.

    Args:
        facts: the number of facts of the study.
        dtypes: the types of the models' weights.
    """
    assumed, gpu = config.estimate, config.estimate.gpu
    return (
        f"Assumed: the study has {facts} facts. A CPU thread reaches {assumed.cpu_gflops} GFLOP/s (measured with "
        f"nano models, with SmolLM2-135M and with a model of GPT-2's shape). A GPU reaches a share {gpu.utilisation} "
        f"of {gpu.peak_tflops.float32} TFLOP/s in float32 and of {gpu.peak_tflops.bfloat16} TFLOP/s in bfloat16, and "
        f"starts its kernels in the time that a nano model takes on a CPU (both are assumed, no GPU was measured). "
        f"{_nodes(config, dtypes)}. The two ends of a range take the favourable and the unfavourable end of every "
        f"assumption (keys below `estimate`). docs/paper.md says more."
    )


def main(
    study: Annotated[str, Option(help="The study's whole configuration, as JSON.")],
    source: Annotated[list[str], Option(help="Facts file or URL; repeatable.")],
    shards: flags.Shards,
) -> None:
    """Print the estimates beside what has been measured, and what the estimates assume."""
    config = parse_config(json.loads(study))
    results = Path(config.results)
    facts, answers = _count_facts(config, results, source)
    rows, spaces, totals, sizes = [], [], [], []
    models = {replicate.name: replicate.entry for replicate in replicates(config.models)}
    for name, model in models.items():
        shape = _shape(model, results / name / "model")
        seen = _seen(results / name)
        loads = workloads(config, facts, answers, seen, model.dtype)
        stages = estimate_stages(shape, model.dtype, config, loads, shards)
        spent = [_measured(stage.stage, results / "benchmarks" / name) for stage in stages]
        rows += [_row(name, stage, seconds) for stage, seconds in zip(stages, spent, strict=True)]
        totals.append(total(stages))
        rows.append(_row(name, totals[-1], None if None in spent else sum(filter(None, spent))))
        space = estimate_space(shape, model.dtype, loads)
        sizes.append(space)
        known = f"{loads[0].known} known" if seen else f"{loads[0].known} – {loads[1].known} known (assumed)"
        spaces.append(
            f"| {name} | {known} of {facts} | {_amount(space.download, 1e9)} | {_amount(space.results, 1e9)} | "
            f"{_memory(space.device, model.gpus)} | {_memory(space.device_in_full, model.full_tuning_gpus)} | "
            f"{_amount(space.main, 1e9)} | {_amount(space.main_in_full, 1e9)} |"
        )
    print(f"{_in_all(totals, sizes)}\n")
    print("| model | stage | PFLOP | one GPU | one CPU thread | measured |")
    print("|---|---|---|---|---|---|", *rows, sep="\n")
    print(
        "\n| model | facts | download (GB) | results (GB) | memory (GB) | memory, all parameters trained (GB) "
        "| main memory asked for (GB) | main memory, all parameters trained (GB) |"
    )
    print("|---|---|---|---|---|---|---|---|", *spaces, sep="\n")
    converged = [_converged(name, results / name, shards) for name in models]
    if any(converged):
        print("\n| model | facts whose attribution converged | paths that converged | nodes per path |")
        print("|---|---|---|---|", *filter(None, converged), sep="\n")
    print(f"\n{_assumptions(config, facts, {model.dtype for model in models.values()})}")
