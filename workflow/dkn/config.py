"""The study's configuration: its one schema. config.yaml holds the one set of defaults.

Light imports only: the Snakefile validates with this module before it builds the graph of jobs.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dkn.errors import UserError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Dtype = Literal["float32", "bfloat16", "float16"]
RESERVED_NAMES = ("facts", "figures", "tables", "logs", "benchmarks")


class Section(BaseModel):
    """A part of the configuration; unknown keys and loose types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)


class BundledFacts(Section):
    bundled: Literal["temporal", "static"]


class PathFacts(Section):
    path: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class UrlFacts(Section):
    url: Annotated[str, Field(pattern="^https?://")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class Facts(Section):
    sources: Annotated[list[BundledFacts | PathFacts | UrlFacts], Field(min_length=1)]
    templates: list[str]

    @field_validator("sources", mode="before")
    @classmethod
    def _one_kind(cls, sources: Any) -> Any:
        kinds = ("bundled", "path", "url")
        for place, source in enumerate(sources if isinstance(sources, list) else []):
            if not isinstance(source, dict) or sum(kind in source for kind in kinds) != 1:
                raise ValueError(f"entry {place + 1} needs exactly one of {', '.join(kinds)}")
        return sources


class Model(Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    dtype: Dtype = "float32"

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED_NAMES:
            raise ValueError(f"{name!r} is a folder of the results; choose another name")
        return name


class HubModel(Model):
    source: Literal["hub"]
    repo: Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$")]
    revision: Annotated[str, Field(min_length=1)]


class FolderModel(Model):
    source: Literal["folder"]
    path: Annotated[str, Field(min_length=1)]


class WheelModel(Model):
    source: Literal["wheel"]
    package: Annotated[str, Field(min_length=1)]
    version: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class TrainedModel(Model):
    source: Literal["trained"]
    architecture: Literal["gpt2", "llama"]
    layers: Positive
    width: Positive
    heads: Positive
    kv_heads: Positive
    neurons: Positive
    vocabulary: Annotated[int, Field(ge=300)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    epochs: Positive
    batch: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    target: Share

    @model_validator(mode="after")
    def _heads_divide(self) -> TrainedModel:
        if self.width % (2 * self.heads) or self.heads % self.kv_heads:
            raise ValueError("width must be a multiple of 2 * heads, and heads of kv_heads")
        return self


class Attribution(Section):
    facts: Literal["known", "unknown", "all"]
    baseline: Literal["amig", "zero"]
    quadrature: Literal["adaptive", "gauss-legendre", "midpoint", "left-riemann"]
    nodes: Positive
    tolerance: Annotated[float, Field(gt=0)]
    max_nodes: Positive
    floor: Share
    shards: Positive

    @model_validator(mode="after")
    def _odd_nodes(self) -> Attribution:
        if self.quadrature == "adaptive" and self.nodes % 2 == 0:
            raise ValueError(f"adaptive quadrature needs an odd number of nodes, not {self.nodes}")
        return self


class KnowledgeNeurons(Section):
    fraction: Share
    cap: Positive | None


class Distances(Section):
    max_span: Positive | None
    fold_norm: bool


class Clustering(Section):
    persistence: Literal["difference", "ratio"]
    tau1: Annotated[float, Field(ge=0)]
    quantile: Annotated[float, Field(gt=0, le=1)]
    min_size: Annotated[int, Field(ge=2)]


class FunctionalTest(Section):
    test: Literal["sufficiency", "compensation"]
    tau2: float


class Degeneracy(Section):
    max_subsets: Annotated[int, Field(ge=2)]
    partitions: Positive


class Experiments(Section):
    degeneracy: Degeneracy


class Statistics(Section):
    resamples: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]


class Figures(Section):
    example_fact: str | None


class Compute(Section):
    device: Literal["auto", "cpu", "cuda"]
    threads: Positive
    batch: Positive


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
    functional_test: FunctionalTest
    experiments: Experiments
    statistics: Statistics
    figures: Figures
    compute: Compute

    @model_validator(mode="after")
    def _different_names(self) -> Study:
        names = [model.name for model in self.models]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"models: two entries are called {repeated[0]!r}")
        if self.attribution.floor > self.knowledge_neurons.fraction:
            raise ValueError(
                "attribution.floor must not exceed knowledge_neurons.fraction: lower scores are not stored"
            )
        return self


# How the parser's kinds of complaint read to a person; the rest keep pydantic's words.
_KINDS = {"extra_forbidden": "unknown key", "missing": "missing"}
_TAGS = ("hub", "folder", "wheel", "trained", "BundledFacts", "PathFacts", "UrlFacts")


def _section(location: list[str | int]) -> type[BaseModel] | None:
    """The section that a location like ["attribution", "nods"] lies in, to name its allowed keys."""
    section: Any = Study
    for part in location:
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            return None
        field = section.model_fields.get(str(part))
        if field is None:
            return section
        section = field.annotation
    return section if isinstance(section, type) and issubclass(section, BaseModel) else None


def _sentence(problem: Any) -> str:
    """One complaint as ``config: where: what (allowed: …)``."""
    location = [part for part in problem["loc"] if part not in _TAGS]
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in location)
    what = _KINDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    if problem["type"] == "extra_forbidden":
        owner = _section(location[:-1]) if location[0] != "models" else None
        if location[0] == "models":
            kinds = {kind.model_fields["source"].annotation.__args__[0]: kind for kind in Model.__subclasses__()}  # type: ignore[union-attr]
            owner = next((kinds[part] for part in problem["loc"] if part in kinds), None)
        if owner:
            what += f"; allowed: {', '.join(owner.model_fields)}"
    elif problem["type"] not in ("missing", "value_error"):
        what += f" (found {problem['input']!r})"
    return f"config: {where}: {what}" if where else f"config: {what}"


def parse_config(tree: dict[str, Any]) -> Study:
    """A validated study.

    Raises:
        UserError: one line per mistake, each with the key and what is allowed there.
    """
    try:
        return Study.model_validate(tree)
    except ValidationError as error:
        raise UserError("\n".join(_sentence(problem) for problem in error.errors(include_url=False))) from None
