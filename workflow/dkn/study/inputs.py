"""The sections of the configuration that name what goes into a study: facts and models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Dtype = Literal["float32", "bfloat16", "float16"]
RESERVED_NAMES = ("facts", "figures", "tables", "logs", "benchmarks")


class Section(BaseModel):
    """A part of the configuration; unknown keys and loose types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class BundledFacts(Section):
    bundled: Literal["temporal", "static"]


class PathFacts(Section):
    path: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class UrlFacts(Section):
    url: Annotated[str, Field(pattern="^https?://")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


def _kind_of_source(source: Any) -> str | None:
    """Which of its three keys a facts source has, if exactly one."""
    found = [kind for kind in ("bundled", "path", "url") if isinstance(source, dict) and kind in source]
    return found[0] if len(found) == 1 else None


FactsSource = Annotated[
    Annotated[BundledFacts, Tag("bundled")] | Annotated[PathFacts, Tag("path")] | Annotated[UrlFacts, Tag("url")],
    Discriminator(
        _kind_of_source,
        custom_error_type="facts_source",
        custom_error_message="needs exactly one of bundled, path, url",
    ),
]


class Facts(Section):
    sources: Annotated[list[FactsSource], Field(min_length=1)]
    templates: list[str]


class Sizes(Section):
    architecture: Literal["gpt2", "llama"]
    layers: Positive
    width: Positive
    heads: Positive
    kv_heads: Positive
    neurons: Positive
    vocabulary: Positive


class Shape(Sizes):
    """All that is needed to count operations; ``tied`` means that the unembedding is the embedding."""

    context: Positive
    tied: bool


class Model(Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    dtype: Dtype = "float32"
    gpus: Positive = 1
    training_gpus: Positive = 1

    @property
    def full_tuning_gpus(self) -> int:
        """GPUs of the job that trains all parameters."""
        return max(self.gpus, self.training_gpus)

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
    shape: Shape | None = None


class FolderModel(Model):
    source: Literal["folder"]
    path: Annotated[str, Field(min_length=1)]


class WheelModel(Model):
    source: Literal["wheel"]
    package: Annotated[str, Field(min_length=1)]
    version: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    shape: Shape | None = None


class TrainedModel(Model, Sizes):
    source: Literal["trained"]
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
