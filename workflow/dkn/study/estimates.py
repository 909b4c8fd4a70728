"""Estimates of what a study will cost: hours, memory and disk of every model and stage.

The floating-point operations of a stage are counted (``dkn.study.operations``) and divided by a rate. The rates of the
CPU are measured on models from 1 to 135 million parameters; the rates of a GPU are assumed (docs/paper.md). Every
number is a range, which goes from the favourable end of every assumption to the unfavourable one.
"""

from __future__ import annotations

from dataclasses import dataclass

from dkn.study.config import Study
from dkn.study.inputs import Shape
from dkn.study.memory import BYTES, Work, job_bytes
from dkn.study.operations import Workload, flops_of_stages, parameters

ALL_IN_FULL = "fine-tuning-all"  # this stage trains all parameters, in float32 whatever the model's type is
ANALYSIS = "analysis"
# How many times as many nodes as it begins with adaptive quadrature takes per path, at most: by the baseline, and for
# weights of 32 and of 16 bits. docs/performance.md has 1.03 to 1.13 (amig) and 1.7 to 2.3 (zero) for nano models and
# SmolLM2 in float32, and 1.27 for SmolLM2 in bfloat16 (amig); zero in 16 bits is assumed.
MORE_NODES = {"amig": (1.2, 1.4), "zero": (2.5, 3.0)}


@dataclass(frozen=True)
class Range:
    """A range of an amount or of a rate, ``low`` at most ``high``."""

    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def __mul__(self, factor: float) -> Range:
        return Range(self.low * factor, self.high * factor)

    def over(self, rates: Range) -> Range:
        """Return the range of times that this work takes at some rates: from the least at the fastest rate on."""
        return Range(self.low / rates.high, self.high / rates.low)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


NOTHING = Range(0.0, 0.0)
# Measured on the default study and SmolLM2 (2 cores, no GPU; docs/paper.md), with room on both sides.
STARTUP = Range(2.0, 8.0)  # seconds that a job which imports PyTorch needs to start
STARTUP_OF_ANALYSIS = Range(0.5, 5.0)  # seconds that a job of the analysis needs to start; most import no PyTorch
LOADING = Range(0.2e9, 2e9)  # bytes of weights that are loaded onto the device per second
ANALYSIS_OF_A_FACT = Range(0.01, 0.2)  # seconds of distances, clustering and summaries per known fact
BYTES_OF_A_FACT = Range(10e3, 100e3)  # bytes of results per known fact
NANO_WIDTH = 96  # a model of this width waits longer for Python and for kernels to start than for matrix products

# For each stage the number of its jobs for one model (None: as many as there are shards), and its benchmark files below
# results/benchmarks/{model}/.
STAGES: dict[str, tuple[int | None, tuple[str, ...]]] = {
    "known": (1, ("known",)),
    "attribution": (None, ("attribution/*",)),
    "components": (3, ("components", "components_of_others", "candidates_amig")),
    "degeneracy": (1, ("degeneracy",)),
    "sharing": (1, ("sharing",)),
    "suppression": (2, ("suppression_*",)),
    "enhancement": (2, ("enhancement_*",)),
    "ablation": (1, ("ablation",)),
    "fact-checking": (2, ("fact_checking", "fact_checking_plm")),
    "fine-tuning": (3, ("fine_tuning_dkn", "fine_tuning_kn", "fine_tuning_random")),
    ALL_IN_FULL: (1, ("fine_tuning_all",)),
    ANALYSIS: (
        20,
        (
            *("knowledge_neurons", "distances", "candidates_ntc", "candidates_groupings", "candidates_random"),
            *("overlap", "summary_*"),
        ),
    ),
}


@dataclass(frozen=True)
class KnownFacts:
    """The facts that a model knows: their number, and the mean tokens of their prompts and answers."""

    known: int
    prompt: float
    answer: float


@dataclass(frozen=True)
class StageEstimate:
    """The cost of one stage for one model.

    Attributes:
        stage: the name of the stage.
        flops: floating-point operations.
        cpu: seconds on one CPU thread.
        gpu: seconds on one GPU; None for the analysis, which always runs on the CPU.
    """

    stage: str
    flops: Range
    cpu: Range
    gpu: Range | None


@dataclass(frozen=True)
class Space:
    """The space that a model needs, in bytes.

    Attributes:
        download: the model as it is downloaded.
        results: the results of the study on disk.
        device: the least memory that a stage needs on the device of the model, which is main memory for a CPU. Beyond
            it, chunks of work take up to 40 % of what is free.
        device_in_full: the least memory on the device for training all parameters.
        main, main_in_full: the main memory that a job asks for, at most but for an audit, and one that trains all
            parameters (``dkn.study.memory``).
    """

    download: Range
    results: Range
    device: float
    device_in_full: float
    main: Range
    main_in_full: Range


def nodes_per_path(study: Study, dtype: str) -> tuple[float, float]:
    """Return the least and the greatest mean number of nodes that a path of an attribution is taken to need."""
    attribution = study.attribution
    if attribution.quadrature != "adaptive":
        return attribution.nodes, attribution.nodes
    more = MORE_NODES[attribution.baseline][BYTES[dtype] < BYTES["float32"]]
    return attribution.nodes, max(attribution.nodes, min(more * attribution.nodes, attribution.max_nodes))


def workloads(
    study: Study, facts: int, answers: float | None, known_facts: KnownFacts | None, dtype: str = "float32"
) -> tuple[Workload, Workload]:
    """Return the least and the most that the study may have to do for a model.

    Args:
        facts: the number of all facts of the study.
        answers: the mean number of accepted answers of a fact, or None where the facts have not been read.
        known_facts: what finished stages say about the model's known facts, or None where they have not run.
        dtype: the type of the model's weights.
    """
    assumed, nodes = study.estimate, nodes_per_path(study, dtype)

    def workload_at(end: int) -> Workload:
        """Return the workload at one end of every assumption, 0 for low and 1 for high."""
        return Workload(
            facts=facts,
            known=known_facts.known if known_facts else round(facts * assumed.known[end]),
            answers=answers or assumed.answers[end],
            prompt=round(known_facts.prompt if known_facts else assumed.prompt_tokens[end]),
            answer=round(known_facts.answer if known_facts else assumed.answer_tokens[end]),
            candidates=assumed.candidates[end],
            subsets=assumed.subsets[end],
            with_dkn=assumed.with_dkn[end],
            nodes=nodes[end],
        )

    return workload_at(0), workload_at(1)


def narrow(shape: Shape) -> Shape:
    """Return a shape of as many layers at a nano model's width.

    On a CPU its work takes about as long as starting the kernels of the wide model does on a GPU.
    """
    sizes = {
        "width": NANO_WIDTH,
        "heads": 1,
        "kv_heads": 1,
        "head_size": None,
        "neurons": 4 * NANO_WIDTH,
        "vocabulary": 4000,
    }
    return shape.model_copy(update=sizes)


def estimate_stages(
    shape: Shape, dtype: str, study: Study, loads: tuple[Workload, Workload], shards: int
) -> list[StageEstimate]:
    """Return the cost of every stage for a model.

    Args:
        shape: the model's sizes.
        dtype: the type of its weights: ``float32``, ``bfloat16`` or ``float16``.
        loads: the least and the most work, see ``workloads``.
        shards: the number of attribution jobs.
    """
    cpu_rate = Range(*study.estimate.cpu_gflops) * 1e9
    utilisation, peak = Range(*study.estimate.gpu.utilisation), study.estimate.gpu.peak_tflops
    work, kernel_starts = _work(shape, study, loads), _work(narrow(shape), study, loads)
    estimates = []
    for stage, flops in work.items():
        jobs = STAGES[stage][0] or shards
        kind = "float32" if stage == ALL_IN_FULL else dtype
        size = BYTES[kind] * parameters(shape)
        startup = (STARTUP + Range(size, size).over(LOADING)) * jobs
        on_gpu = flops.over(utilisation * (getattr(peak, kind) * 1e12)) + kernel_starts[stage].over(cpu_rate)
        estimates.append(StageEstimate(stage, flops, startup + flops.over(cpu_rate), startup + on_gpu))
    jobs = STAGES[ANALYSIS][0] or 0
    weights = BYTES[dtype] * parameters(shape)
    loading = Range(weights, weights).over(LOADING)  # for the distances
    of_facts = Range(loads[0].known * ANALYSIS_OF_A_FACT.low, loads[1].known * ANALYSIS_OF_A_FACT.high)
    return [*estimates, StageEstimate(ANALYSIS, NOTHING, STARTUP_OF_ANALYSIS * jobs + loading + of_facts, None)]


def _work(shape: Shape, study: Study, loads: tuple[Workload, Workload]) -> dict[str, Range]:
    """Return by stage the floating-point operations of the least and the most work."""
    low, high = (flops_of_stages(shape, study, load) for load in loads)
    return {stage: Range(low[stage], high[stage]) for stage in low}


def estimate_space(shape: Shape, dtype: str, loads: tuple[Workload, Workload]) -> Space:
    """Return the memory and the disk space that a model needs.

    Args:
        shape: the model's sizes.
        dtype: the type of its weights: ``float32``, ``bfloat16`` or ``float16``.
        loads: the least and the most work, see ``workloads``.
    """
    count = parameters(shape)
    download = Range(2.0 * count, 4.0 * count)  # stored in 16 or in 32 bits

    def asked(work: Work) -> Range:
        """Return the main memory of a job for what may be stored."""
        return Range(*sorted(job_bytes(shape, dtype, stored, work) for stored in (download.low, download.high)))

    return Space(
        download=download,
        results=Range(loads[0].known * BYTES_OF_A_FACT.low, loads[1].known * BYTES_OF_A_FACT.high),
        device=1.1 * BYTES[dtype] * count + 1e9,
        device_in_full=1.1 * 16 * count + 1e9,  # weights, gradients and AdamW's two moments take four bytes each
        main=asked(Work.BRANCHES),
        main_in_full=asked(Work.FULL_TUNING),
    )


def total(stages: list[StageEstimate]) -> StageEstimate:
    """Return the sum over all stages of a model, named ``all``; the analysis adds nothing to the time on a GPU."""
    flops, cpu, gpu = NOTHING, NOTHING, NOTHING
    for stage in stages:
        flops, cpu, gpu = flops + stage.flops, cpu + stage.cpu, gpu + (stage.gpu or NOTHING)
    return StageEstimate("all", flops, cpu, gpu)
