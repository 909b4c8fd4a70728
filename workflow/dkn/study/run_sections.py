"""The sections of the configuration that set what is shown, what an estimate assumes, and how jobs compute."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dkn.study.values import Batch, FactCount, Section, plain_name


class Figures(Section):
    example_fact: Annotated[str, Field(min_length=1), AfterValidator(plain_name)] | None = Field(
        description="The figures `persistence` and `kn_graph` show the fact with this id; null picks the one with the "
        "most components of those that lose at least half of their Prob without their knowledge neurons."
    )


class Explorer(Section):
    facts: FactCount | None = Field(
        description="The page shows this many facts, half of them degenerate if there are as many; null shows all."
    )


class Compute(Section):
    device: Literal["auto", "cpu", "cuda"] = Field(
        description="Jobs that load a model run here: `auto` takes a GPU where there is one, `cuda` insists on one, "
        "and `cpu` keeps off. docs/gpus.md says more."
    )
    threads: int = Field(ge=1, le=1_024, description="A job that loads a model has this many CPU threads.")
    batch: Batch = Field(description="A job that loads a model computes this many facts at once.")
    jobs_per_gpu: int = Field(
        ge=1,
        le=1_000,
        description="At most this many jobs share one GPU of this machine, and further ones wait; docs/gpus.md says "
        "how. Changing it reruns nothing.",
    )


LEAST = 1e-6  # of an interval, so that no time is infinite


def _rising(values: list[float]) -> list[float]:
    if values[0] > values[1]:
        raise ValueError("must be [low, high]")
    if values[0] < LEAST:
        raise ValueError(f"must not begin below {LEAST:g}")
    return values


Interval = Annotated[
    list[Annotated[float, Field(gt=0, le=1e9)]], Field(min_length=2, max_length=2), AfterValidator(_rising)
]  # [low, high]
TokenInterval = Annotated[
    list[Annotated[float, Field(ge=1, le=10_000)]], Field(min_length=2, max_length=2), AfterValidator(_rising)
]
ShareInterval = Annotated[
    list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=2, max_length=2), AfterValidator(_rising)
]


class PeakRates(Section):
    float32: float = Field(ge=0.001, le=1e9, description="The GPU does this many 10¹² operations a second in float32.")
    bfloat16: float = Field(
        ge=0.001, le=1e9, description="The GPU does this many 10¹² operations a second in bfloat16."
    )
    float16: float = Field(ge=0.001, le=1e9, description="The GPU does this many 10¹² operations a second in float16.")


class Gpu(Section):
    peak_tflops: PeakRates = Field(description="These are the peak rates of a GPU's data sheet.")
    utilisation: ShareInterval = Field(description="A job reaches this share of the peak rate, `[low, high]`.")


class Estimate(Section):
    facts: FactCount | None = Field(
        description="The study has this many facts, where they have not been read yet; null counts local files."
    )
    known: ShareInterval = Field(description="A model knows this share of the facts, `[low, high]`.")
    answers: Interval = Field(description="A fact has this many accepted answers, `[low, high]`.")
    prompt_tokens: TokenInterval = Field(description="A prompt has this many tokens, `[low, high]`.")
    answer_tokens: TokenInterval = Field(description="An answer has this many tokens, `[low, high]`.")
    candidates: Interval = Field(
        description="This many components of a known fact are tested, all groupings together, `[low, high]`."
    )
    subsets: Interval = Field(
        description="This many subsets of a known fact's components are suppressed, controls included, `[low, high]`."
    )
    with_dkn: ShareInterval = Field(description="This share of the known facts has a DKN, `[low, high]`.")
    cpu_gflops: Interval = Field(
        description="One CPU thread does this many 10⁹ operations a second, `[low, high]`; docs/performance.md has "
        "measured rates."
    )
    gpu: Gpu = Field(description="This section assumes the rates of a GPU.")
