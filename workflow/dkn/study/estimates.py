"""What a study will cost, as ranges: hours, memory and disk of every model and stage, extrapolated by operations.

Work is counted (``dkn.work``); rates of the CPU are measured on models from 1 to 135 million parameters, rates of a GPU
are assumed (docs/paper.md states all of it). Every number is a range, from the favourable end of every assumption to
the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from dkn.study.config import Study
from dkn.study.inputs import Shape
from dkn.study.operations import Workload, flops_of_stages, parameters

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
ALL_IN_FULL = "fine-tuning-all"  # in float32 whatever the model's type
ANALYSIS = "analysis"


@dataclass(frozen=True)
class Range:
    """From the favourable end to the other."""

    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def __mul__(self, factor: float) -> Range:
        return Range(self.low * factor, self.high * factor)

    def over(self, rates: Range) -> Range:
        """This work at these rates: the least at the fastest."""
        return Range(self.low / rates.high, self.high / rates.low)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


NOTHING = Range(0.0, 0.0)
# Measured on the default study and SmolLM2 (2 cores, no GPU; docs/paper.md), with room on both sides.
STARTUP = Range(2.0, 8.0)  # seconds of a job that imports PyTorch
STARTUP_OF_ANALYSIS = Range(0.5, 5.0)  # of one that mostly does not
LOADING = Range(0.2e9, 2e9)  # bytes of weights per second, onto the device
ANALYSIS_OF_A_FACT = Range(0.01, 0.2)  # seconds: distances, clustering, summaries
BYTES_OF_A_FACT = Range(10e3, 100e3)  # of results, per known fact
NANO_WIDTH = 96  # a model of this width waits for Python and kernels' starts more than for products

# Stage -> its jobs for one model (None: as many as shards), and its benchmark files below results/benchmarks/{model}/.
STAGES: dict[str, tuple[int | None, tuple[str, ...]]] = {
    "known": (1, ("known",)),
    "attribution": (None, ("attribution/*",)),
    "components": (2, ("components", "candidates_amig")),
    "degeneracy": (1, ("degeneracy",)),
    "suppression": (2, ("suppression_*",)),
    "enhancement": (2, ("enhancement_*",)),
    "fact-checking": (2, ("fact_checking", "fact_checking_plm")),
    "fine-tuning": (3, ("fine_tuning_dkn", "fine_tuning_kn", "fine_tuning_random")),
    ALL_IN_FULL: (1, ("fine_tuning_all",)),
    ANALYSIS: (
        19,
        (
            *("knowledge_neurons", "distances", "candidates_ntc", "candidates_groupings", "candidates_random"),
            *("overlap", "summary_*"),
        ),
    ),
}


@dataclass(frozen=True)
class Seen:
    """What finished stages of a study have told about a model: known facts, mean tokens of prompts and answers."""

    known: int
    prompt: float
    answer: float


@dataclass(frozen=True)
class StageEstimate:
    """One stage of one model: operations, and seconds on one CPU thread and on one GPU.

    The analysis runs on the CPU in either case; ``gpu`` is None for it.
    """

    stage: str
    flops: Range
    cpu: Range
    gpu: Range | None


@dataclass(frozen=True)
class Space:
    """Bytes: of the model as downloaded, of results, and of memory.

    ``device`` is what a stage needs at least where the model computes, ``device_in_full`` the same for training all
    parameters; on a CPU both are main memory. Chunks grow into 40 % of what is free beyond that.
    """

    download: Range
    results: Range
    device: float
    device_in_full: float


def workloads(study: Study, facts: int, answers: float | None, seen: Seen | None) -> tuple[Workload, Workload]:
    """The least and the most that the study may have to do for a model.

    Args:
        facts: all facts of the study.
        answers: mean accepted answers of a fact, where facts have been read.
        seen: what the model's finished stages have told.
    """
    assumed = study.estimate

    def end(place: int) -> Workload:
        return Workload(
            facts=facts,
            known=seen.known if seen else round(facts * assumed.known[place]),
            answers=answers or assumed.answers[place],
            prompt=round(seen.prompt if seen else assumed.prompt_tokens[place]),
            answer=round(seen.answer if seen else assumed.answer_tokens[place]),
            candidates=assumed.candidates[place],
            subsets=assumed.subsets[place],
            with_dkn=assumed.with_dkn[place],
        )

    return end(0), end(1)


def narrow(shape: Shape) -> Shape:
    """As many layers at a nano model's width: work that takes as long as starting the kernels of the wide ones does."""
    sizes = {"width": NANO_WIDTH, "heads": 1, "kv_heads": 1, "neurons": 4 * NANO_WIDTH, "vocabulary": 4000}
    return shape.model_copy(update=sizes)


def estimate_stages(
    shape: Shape, dtype: str, study: Study, loads: tuple[Workload, Workload], shards: int
) -> list[StageEstimate]:
    """Every stage of a model."""
    cpu_rate = Range(*study.estimate.cpu_gflops) * 1e9
    utilisation, peak = Range(*study.estimate.gpu.utilisation), study.estimate.gpu.peak_tflops
    work, starts = _work(shape, study, loads), _work(narrow(shape), study, loads)
    found = []
    for stage, flops in work.items():
        jobs = STAGES[stage][0] or shards
        kind = "float32" if stage == ALL_IN_FULL else dtype
        size = BYTES[kind] * parameters(shape)
        begin = (STARTUP + Range(size, size).over(LOADING)) * jobs
        on_gpu = flops.over(utilisation * (getattr(peak, kind) * 1e12)) + starts[stage].over(cpu_rate)
        found.append(StageEstimate(stage, flops, begin + flops.over(cpu_rate), begin + on_gpu))
    jobs = STAGES[ANALYSIS][0] or 0
    known = Range(loads[0].known * ANALYSIS_OF_A_FACT.low, loads[1].known * ANALYSIS_OF_A_FACT.high)
    return [*found, StageEstimate(ANALYSIS, NOTHING, STARTUP_OF_ANALYSIS * jobs + known, None)]


def _work(shape: Shape, study: Study, loads: tuple[Workload, Workload]) -> dict[str, Range]:
    """Operations of the least and the most work, by stage."""
    low, high = (flops_of_stages(shape, study, load) for load in loads)
    return {stage: Range(low[stage], high[stage]) for stage in low}


def estimate_space(shape: Shape, dtype: str, loads: tuple[Workload, Workload]) -> Space:
    """Memory and disk of a model."""
    count = parameters(shape)
    return Space(
        download=Range(2.0 * count, 4.0 * count),  # stored in 16 or in 32 bits
        results=Range(loads[0].known * BYTES_OF_A_FACT.low, loads[1].known * BYTES_OF_A_FACT.high),
        device=1.1 * BYTES[dtype] * count + 1e9,
        device_in_full=1.1 * 16 * count + 1e9,  # weights, gradients and AdamW's two moments, four bytes each
    )


def total(stages: list[StageEstimate]) -> StageEstimate:
    """All stages of a model in one; the analysis adds nothing to the GPU."""
    flops, cpu, gpu = NOTHING, NOTHING, NOTHING
    for one in stages:
        flops, cpu, gpu = flops + one.flops, cpu + one.cpu, gpu + (one.gpu or NOTHING)
    return StageEstimate("all", flops, cpu, gpu)
