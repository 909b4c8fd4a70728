"""The study's configuration: its one schema. config.yaml holds the one set of defaults.

Light imports only: the Snakefile validates with this module before it builds the graph of jobs.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dkn.errors import UserError
from dkn.study.inputs import (
    BundledFacts,
    Facts,
    FolderModel,
    HubModel,
    PathFacts,
    Positive,
    Section,
    Share,
    TrainedModel,
    UrlFacts,
    WheelModel,
)
from dkn.validation_messages import place, what


class Attribution(Section):
    facts: Literal["known", "unknown", "all"]
    baseline: Literal["amig", "zero"]
    quadrature: Literal["adaptive", "gauss-lobatto", "gauss-legendre", "midpoint", "left-riemann"]
    nodes: Positive
    tolerance: Annotated[float, Field(gt=0)]
    max_nodes: Positive
    floor: Share
    shards: Positive

    @model_validator(mode="after")
    def _odd_nodes(self) -> Attribution:
        if self.quadrature == "adaptive" and (self.nodes < 3 or self.nodes % 2 == 0):
            raise ValueError(f"adaptive quadrature needs an odd number of nodes, at least 3, not {self.nodes}")
        if self.quadrature == "gauss-lobatto" and self.nodes < 2:
            raise ValueError("gauss-lobatto quadrature needs at least 2 nodes")
        if self.max_nodes < self.nodes:
            raise ValueError(f"max_nodes ({self.max_nodes}) must not be below nodes ({self.nodes})")
        return self


class KnowledgeNeurons(Section):
    fraction: Share
    cap: Positive | None


class Distances(Section):
    max_span: Positive | None
    fold_norm: bool


class PersistenceQuantile(Section):
    quantile: Annotated[float, Field(ge=0, lt=1)]


def _kind_of_tau1(value: Any) -> str:
    return "(quantile)" if isinstance(value, dict | PersistenceQuantile) else "(number)"


# A number, or a quantile of the fact's own persistences. The parser puts the tag into an error's location.
Tau1 = Annotated[
    Annotated[float, Field(ge=0), Tag("(number)")] | Annotated[PersistenceQuantile, Tag("(quantile)")],
    Discriminator(_kind_of_tau1),
]


class Clustering(Section):
    persistence: Literal["difference", "ratio"]
    tau1: Tau1
    quantile: Annotated[float, Field(gt=0, le=1)]
    min_size: Annotated[int, Field(ge=2)]


class Dbscan(Section):
    min_samples: Annotated[int, Field(ge=2)]


class Hdbscan(Section):
    min_samples: Positive


class Kmeans(Section):
    variance: Annotated[float, Field(gt=0, lt=1)]
    restarts: Positive


class Amig(Section):
    neurons: Annotated[int, Field(ge=2)]
    matters: Annotated[float, Field(gt=0, lt=1)]


class RandomGroups(Section):
    repeats: Positive


class Groupings(Section):
    methods: list[Literal["ntc", "dbscan", "hierarchical", "kmeans", "hdbscan", "amig"]]
    max_groups: Annotated[int, Field(ge=2)]
    dbscan: Dbscan
    hdbscan: Hdbscan
    kmeans: Kmeans
    amig: Amig
    random: RandomGroups

    @field_validator("methods")
    @classmethod
    def _ntc_and_others(cls, methods: list[str]) -> list[str]:
        if "ntc" not in methods:
            raise ValueError("must hold ntc: the others are compared with it")
        if twice := sorted({method for method in methods if methods.count(method) > 1}):
            raise ValueError(f"given twice: {', '.join(twice)}")
        return methods


class FunctionalTest(Section):
    test: Literal["sufficiency", "compensation"]
    tau2: float


class Degeneracy(Section):
    max_subsets: Annotated[int, Field(ge=2)]
    partitions: Positive


class FineTuning(Section):
    new_facts: Positive
    old_facts: Positive
    development: Annotated[float, Field(gt=0, lt=1)]
    minimum: Annotated[int, Field(ge=4)]
    epochs: Positive
    ask_every: Positive
    batch: Positive
    draws: Annotated[int, Field(ge=2)]
    learning_rates: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]

    @field_validator("ask_every")
    @classmethod
    def _divides(cls, ask_every: int, info: ValidationInfo) -> int:
        if info.data.get("epochs", 0) % ask_every:
            raise ValueError("must divide epochs, so that the last one is asked too")
        return ask_every


class Overlap(Section):
    draws: Positive


class Perturbation(Section):
    random_sets: Positive


class FactChecking(Section):
    facts: Positive | None
    relation_neurons: Positive
    shots: Annotated[int, Field(ge=0)]


class Experiments(Section):
    degeneracy: Degeneracy
    suppression: Perturbation
    enhancement: Perturbation
    fact_checking: FactChecking
    fine_tuning: FineTuning
    overlap: Overlap


def _different(values: list[float]) -> list[float]:
    if len(set(values)) < len(values):
        raise ValueError("a value is given twice")
    return values


class Sensitivity(Section):
    fractions: Annotated[list[Share], Field(min_length=1), AfterValidator(_different)]
    quantiles: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1), AfterValidator(_different)]
    tau1: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1), AfterValidator(_different)]
    tau2: Annotated[list[float], Field(min_length=1), AfterValidator(_different)]
    facts: Positive | None
    max_subsets: Annotated[int, Field(ge=2)]
    partitions: Positive


class Statistics(Section):
    resamples: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]


class Claims(Section):
    alpha: Annotated[float, Field(gt=0, lt=1)]
    margin: Annotated[float, Field(ge=0, lt=1)]
    minimum_subjects: Annotated[int, Field(ge=5)]


class Figures(Section):
    example_fact: str | None


class Explorer(Section):
    facts: Positive | None


class Compute(Section):
    device: Literal["auto", "cpu", "cuda"]
    threads: Positive
    batch: Positive
    jobs_per_gpu: Positive


def _rising(values: list[float]) -> list[float]:
    if values[0] > values[1]:
        raise ValueError("must be [low, high]")
    return values


Interval = Annotated[
    list[Annotated[float, Field(gt=0)]], Field(min_length=2, max_length=2), AfterValidator(_rising)
]  # [low, high]
ShareInterval = Annotated[
    list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=2, max_length=2), AfterValidator(_rising)
]


class PeakRates(Section):
    float32: Annotated[float, Field(gt=0)]
    bfloat16: Annotated[float, Field(gt=0)]
    float16: Annotated[float, Field(gt=0)]


class Gpu(Section):
    peak_tflops: PeakRates
    utilisation: ShareInterval


class Estimate(Section):
    facts: Positive | None
    known: ShareInterval
    answers: Interval
    prompt_tokens: Interval
    answer_tokens: Interval
    candidates: Interval
    subsets: Interval
    with_dkn: ShareInterval
    cpu_gflops: Interval
    gpu: Gpu


class Study(Section):
    """Everything a study states."""

    seed: Annotated[int, Field(ge=0)]
    results: Annotated[str, Field(min_length=1)]
    facts: Facts
    models: Annotated[
        list[Annotated[HubModel | FolderModel | WheelModel | TrainedModel, Field(discriminator="source")]],
        Field(min_length=1),
    ]
    minimum_known: Positive
    attribution: Attribution
    knowledge_neurons: KnowledgeNeurons
    distances: Distances
    clustering: Clustering
    groupings: Groupings
    functional_test: FunctionalTest
    experiments: Experiments
    sensitivity: Sensitivity
    statistics: Statistics
    claims: Claims
    figures: Figures
    explorer: Explorer
    estimate: Estimate
    compute: Compute
    cache: Annotated[str, Field(min_length=1)] | None
    container: Annotated[str, Field(min_length=1)] | None

    @model_validator(mode="after")
    def _sections_agree(self) -> Study:
        names = [model.name for model in self.models]
        problems = [
            f"models: two entries are called {name!r}" for name in sorted({n for n in names if names.count(n) > 1})
        ]
        if self.attribution.floor > self.knowledge_neurons.fraction:
            problems.append("attribution.floor must not exceed knowledge_neurons.fraction: lower scores are not stored")
        elif self.attribution.floor > min(self.sensitivity.fractions):
            problems.append(
                f"sensitivity.fractions must not be below attribution.floor ({self.attribution.floor:g}): "
                "lower scores are not stored"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self


# The names of variants in the parser's locations.
_VARIANTS: dict[str, type[Section]] = {
    "bundled": BundledFacts,
    "path": PathFacts,
    "url": UrlFacts,
    "hub": HubModel,
    "folder": FolderModel,
    "wheel": WheelModel,
    "trained": TrainedModel,
    "(quantile)": PersistenceQuantile,
}


def _section(location: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The section that a key lies in, from its location without the key itself."""
    section: Any = Study
    for at, part in enumerate(location):
        if (at and isinstance(location[at - 1], int)) or part == "(quantile)":
            section = _VARIANTS[str(part)]
        elif isinstance(part, str):
            section = section.model_fields[part].annotation
    return section if isinstance(section, type) and issubclass(section, BaseModel) else None


def _sentences(problem: Any) -> list[str]:
    """One complaint as ``config: where: what``; a check of the whole study may hold several."""
    location = problem["loc"]
    where = place(tuple(part for part in location if part not in ("(number)", "(quantile)")), _VARIANTS)
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return [f"config: {where}.source: must be one of hub, folder, wheel, trained"]
    owner = _section(location[:-1]) if problem["type"] == "extra_forbidden" else None
    prefix = f"config: {where}: " if where else "config: "
    return [prefix + line for line in what(problem, owner).split("\n")]


def parse_config(tree: dict[str, Any]) -> Study:
    """A validated study.

    Raises:
        UserError: one line per mistake, each with the key and what is allowed there.
    """
    try:
        return Study.model_validate(tree)
    except ValidationError as error:
        lines = [line for problem in error.errors(include_url=False) for line in _sentences(problem)]
        raise UserError("\n".join(lines)) from None
