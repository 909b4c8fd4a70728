"""The study's configuration: its one schema. config.yaml holds the one set of defaults.

Light imports only: the Snakefile validates with this module before it builds the graph of jobs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from types import NoneType
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from dkn.errors import UserError
from dkn.study.experiment_sections import Claims, Experiments, Sensitivity, Statistics
from dkn.study.inputs import (
    BundledFacts,
    Facts,
    FolderModel,
    GgufModel,
    HubModel,
    PathFacts,
    TrainedModel,
    UrlFacts,
    WheelModel,
)
from dkn.study.method_sections import (
    MOST_SHARDS,
    Attribution,
    Clustering,
    Distances,
    FunctionalTest,
    Groupings,
    KnowledgeNeurons,
    Known,
    PersistenceQuantile,
)
from dkn.study.places import place_problems
from dkn.study.protocol import released_switches
from dkn.study.protocol_sections import Audit, Switches, SwitchState
from dkn.study.replicates import replicates
from dkn.study.run_sections import Compute, Estimate, Explorer, Figures
from dkn.study.trees import MOST_LINES, Location, check_tree, copy_with
from dkn.study.typed_texts import UNCHANGED, hint, meant
from dkn.study.values import FactCount, PlainPath, Section, not_null_as_text
from dkn.validation_messages import location_path, problem_message

MOST_MODELS = 100  # with all replicates
MOST_JOBS = 4_000  # of one rule, over all models; planning more takes Snakemake many minutes


class Study(Section):
    """Everything a study states."""

    seed: int = Field(
        ge=0,
        le=4_294_967_295,
        description="Every random draw is keyed by this seed, the draw's purpose and the fact.",
    )
    results: PlainPath = Field(
        description="Everything is written below this folder. An overlay should name a folder of its own, so that two "
        "studies do not undo each other. Of this path and of every other one, nothing is expanded: `$HOME` is a "
        "folder of this name, and `~`, braces, line breaks and a dash at the beginning are refused.",
    )
    facts: Facts = Field(description="This section names the facts that the study asks.")
    models: list[
        Annotated[HubModel | FolderModel | GgufModel | WheelModel | TrainedModel, Field(discriminator="source")]
    ] = Field(
        min_length=1,
        max_length=MOST_MODELS,
        description="The study asks each of these models. The key `source` of an entry decides which other keys it "
        "has; docs/models-and-facts.md says what each source does.",
    )
    minimum_known: FactCount = Field(description="A model that knows fewer facts than this ends the study.")
    protocol: SwitchState = Field(
        description="Every step does what the paper's text says (`text`), or what the released code does "
        "(`released`); docs/audit.md describes each departure. With `released`, three switches take the place of "
        "other keys: `rule` of `attribution.quadrature` and `attribution.nodes`, `facts` of `attribution.facts`, and "
        "`functional_test` of the section of that name."
    )
    switches: Switches = Field(
        description="This section sets single departures of the released code; null leaves them to `protocol`."
    )
    known: Known = Field(description="This section says when a model knows a fact.")
    attribution: Attribution = Field(description="This section sets the integrated gradients that score neurons.")
    knowledge_neurons: KnowledgeNeurons = Field(
        description="This section says which neurons are a fact's knowledge neurons."
    )
    distances: Distances = Field(
        description="This section sets the distances between a fact's knowledge neurons through the model's weights."
    )
    clustering: Clustering = Field(
        description="This section sets Neurological Topology Clustering (NTC), which finds the components of a fact's "
        "knowledge neurons."
    )
    groupings: Groupings = Field(
        description="This section sets the ways in which a fact's knowledge neurons are grouped; all groups go through "
        "the functional test."
    )
    functional_test: FunctionalTest = Field(
        description="This section sets the test that a component passes if it expresses the fact."
    )
    experiments: Experiments = Field(description="This section sets the experiments; docs/method.md describes them.")
    sensitivity: Sensitivity = Field(
        description="This section sets the grid of `snakemake sensitivity`, which repeats the degeneracy experiment "
        "with all combinations of `fractions`, `quantiles`, `tau1`, `tests` and `tau2`."
    )
    audit: Audit = Field(
        description="This section sets `snakemake audit`, which measures what each departure of the released code "
        "does to the paper's numbers; docs/audit.md says how."
    )
    statistics: Statistics = Field(description="This section sets intervals and permutation tests.")
    claims: Claims = Field(
        description="This section says when a claim of the paper counts as supported; it is stated before the run."
    )
    figures: Figures = Field(description="This section sets the figures.")
    explorer: Explorer = Field(
        description="This section sets each model's page of neurons, `explorer.html`; docs/explorer.md describes it."
    )
    estimate: Estimate = Field(
        description="This section states what `snakemake estimate` assumes, mostly as `[low, high]`; what finished "
        "stages have told replaces it. docs/paper.md says more."
    )
    compute: Compute = Field(description="This section says where and how jobs compute.")
    reference: (
        Annotated[str, Field(max_length=100, pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$"), AfterValidator(not_null_as_text)]
        | None
    ) = Field(
        description="`snakemake verify` compares the study with the outcome of this name, a folder below `reference/` "
        "in the checkout; null names none."
    )
    cache: PlainPath | None = Field(
        description="Attributions of equal content are kept in this folder and found there by any study; null keeps "
        "none. docs/caching.md says more. Changing it reruns nothing."
    )
    container: (
        Annotated[
            str,
            Field(min_length=1, max_length=1000, pattern="^[A-Za-z0-9_./][A-Za-z0-9_@%+=:,./~-]*$"),
            AfterValidator(not_null_as_text),
        ]
        | None
    ) = Field(
        description="This image, a file or an address like `docker://…`, has the conda environments in it, and jobs "
        "can run in it; null names none. docs/conda.md says how."
    )

    @property
    def released(self) -> tuple[str, ...]:
        """The switches that are as in the released code."""
        states = self.switches.model_dump()
        return released_switches(self.protocol, {name: state for name, state in states.items() if state is not None})

    @model_validator(mode="after")
    def _sections_agree(self) -> Study:
        problems = [*self._names_differ(), *self._jobs_are_few()]
        if self.attribution.floor > self.knowledge_neurons.fraction:
            problems.append("attribution.floor must not exceed knowledge_neurons.fraction: lower scores are not stored")
        elif self.attribution.floor > min(self.sensitivity.fractions):
            problems.append(
                f"sensitivity.fractions must not be below attribution.floor ({self.attribution.floor:g}): "
                "lower scores are not stored"
            )
        problems += place_problems(self.results, self.cache, self.models, self.facts)
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _names_differ(self) -> list[str]:
        """Return a complaint about every two models whose folders are one, on some file systems at least."""
        names = [replicate.name for replicate in replicates(self.models)]
        stated = [model.name for model in self.models]
        problems = [
            f"models: two entries are called {name!r}"
            if stated.count(name) > 1
            else f"models: {name!r} is the name of an entry, and of a model that another entry makes by its `seeds`"
            for name in sorted({n for n in names if names.count(n) > 1})
        ]
        small = [name.lower() for name in dict.fromkeys(names)]
        return problems + [
            f"models: the names of two models, {name!r}, differ only in capital letters"
            for name in sorted({n for n in small if small.count(n) > 1})
        ]

    def _jobs_are_few(self) -> list[str]:
        """Return a complaint about every key that makes far more jobs than can be planned."""
        models = len(replicates(self.models))
        if models > MOST_MODELS:
            return [f"models: all `seeds` together make {models} models, more than {MOST_MODELS}"]
        points = len(self.sensitivity.fractions) * len(self.sensitivity.quantiles)
        counts = {"attribution.shards": self.attribution.shards, "sensitivity": points}
        return [
            f"{key}: {count} jobs for each of {models} models are more than {MOST_JOBS}"
            for key, count in counts.items()
            if count * models > MOST_JOBS
        ]


# The names of variants in the parser's locations.
_VARIANTS: dict[str, type[Section]] = {
    "bundled": BundledFacts,
    "path": PathFacts,
    "url": UrlFacts,
    "hub": HubModel,
    "folder": FolderModel,
    "gguf": GgufModel,
    "wheel": WheelModel,
    "trained": TrainedModel,
    "(quantile)": PersistenceQuantile,
}
_TAGS = ("(number)", "(quantile)")  # of a value that is a number or a section


def _annotation(location: Location) -> Any:
    """Return the type that the schema has for a location of the parser's; None where it has none of its own."""
    found: Any = Study
    for at, part in enumerate(location):
        if (at and isinstance(location[at - 1], int)) or part == "(quantile)":
            found = _VARIANTS.get(str(part))
        elif isinstance(part, str) and part not in _TAGS:
            owner = _section(found)
            found = owner.model_fields[part].annotation if owner and part in owner.model_fields else None
    return found


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a type is, or that it may be beside null; None where it is no section."""
    kinds = [
        part for part in (annotation, *get_args(annotation)) if isinstance(part, type) and issubclass(part, BaseModel)
    ]
    return kinds[0] if len(kinds) == 1 else None


def _in_tree(location: Location) -> Location:
    """Return a location of the parser's without the names of variants, as keys and indices of the configuration."""
    return tuple(
        part
        for part, last in zip(location, ("", *location), strict=False)
        if not (part in _TAGS and last == "tau1") and not (part in _VARIANTS and isinstance(last, int))
    )


def _without_credentials(message: str) -> str:
    """Return a message without the parts of addresses in it that may hold a password or a token."""
    message = re.sub(r"(://)[^/\s'\"]*@", r"\1***@", message)
    return re.sub(r"(://[^?\s'\"]*\?)[^\s'\"]*", r"\1***", message)


def _sentences(problem: Any) -> list[str]:
    """Return one complaint as ``config: where: what``; a check of the whole study may hold several."""
    location, kind = problem["loc"], problem["type"]
    where = location_path(_in_tree(location))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return [f"config: {where}.source: must be one of hub, folder, gguf, wheel, trained"]
    prefix = f"config: {where}: " if where else "config: "
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        problem = {**problem, "msg": "must be a section, keys with their values"}
    owner = _section(_annotation(location[:-1])) if kind == "extra_forbidden" else None
    nullable = NoneType in get_args(_annotation(location))
    lines = _without_credentials(problem_message(problem, owner)).split("\n")
    return [prefix + line + hint(kind, problem["input"], nullable) for line in lines]


def _with_typed_texts(tree: Mapping[str, Any], problems: list[Any]) -> Mapping[str, Any]:
    """Return the configuration with texts replaced by the numbers, booleans and nulls that they mean."""
    changes = {}
    for problem in problems:
        if isinstance(problem["input"], str):
            nullable = NoneType in get_args(_annotation(problem["loc"]))
            value = meant(problem["type"], problem["input"], nullable)
            if value is not UNCHANGED:
                changes[_in_tree(problem["loc"])] = value
    return copy_with(tree, changes) if changes else tree


def parse_config(tree: Any) -> Study:
    """Return the validated study of a whole configuration, which is not changed.

    A text like ``4``, ``1e-3`` or ``true`` is taken for the number or boolean that the schema has there.

    Raises:
        UserError: one line per mistake, each with the key and what is allowed there.
    """
    check_tree(tree)
    try:
        return Study.model_validate(tree)
    except ValidationError as error:
        tree = _with_typed_texts(tree, error.errors(include_url=False))
    try:
        return Study.model_validate(tree)
    except ValidationError as error:
        lines = (line for problem in error.errors(include_url=False) for line in _sentences(problem))
        raise UserError("\n".join(islice(lines, MOST_LINES))) from None


def check_scatter(study: Study, scatter: Mapping[str, int]) -> None:
    """Raise where ``--set-scatter`` cuts attribution into more jobs than the key ``attribution.shards`` may.

    Args:
        scatter: how many jobs it states, by the name of what is cut.
    Raises:
        UserError: the name is unknown, or there are too many jobs.
    """
    for name, count in scatter.items():
        if name != "facts":
            raise UserError(f"--set-scatter {name}={count}: unknown name; allowed: facts")
        most = min(MOST_SHARDS, MOST_JOBS // len(replicates(study.models)))
        if not 1 <= count <= most:
            raise UserError(f"--set-scatter facts={count}: must be from 1 to {most}")
