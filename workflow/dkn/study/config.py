"""The study's configuration: its one schema. config.yaml holds the one set of defaults.

Light imports only: the Snakefile validates with this module before it builds the graph of jobs.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from dkn.errors import UserError
from dkn.study.experiment_sections import Claims, Experiments, Sensitivity, Statistics
from dkn.study.inputs import (
    BundledFacts,
    Facts,
    FolderModel,
    HubModel,
    PathFacts,
    Positive,
    Section,
    TrainedModel,
    UrlFacts,
    WheelModel,
)
from dkn.study.method_sections import (
    Attribution,
    Clustering,
    Distances,
    FunctionalTest,
    Groupings,
    KnowledgeNeurons,
    PersistenceQuantile,
)
from dkn.study.run_sections import Compute, Estimate, Explorer, Figures
from dkn.validation_messages import location_path, problem_message


class Study(Section):
    """Everything a study states."""

    seed: int = Field(
        ge=0,
        description="Every random draw is keyed by this seed, the draw's purpose and the fact.",
    )
    results: str = Field(
        min_length=1,
        description="Everything is written below this folder. An overlay should name a folder of its own, so that two "
        "studies do not undo each other.",
    )
    facts: Facts = Field(description="This section names the facts that the study asks.")
    models: list[Annotated[HubModel | FolderModel | WheelModel | TrainedModel, Field(discriminator="source")]] = Field(
        min_length=1,
        description="The study asks each of these models. The key `source` of an entry decides which other keys it "
        "has; docs/models-and-facts.md says what each source does.",
    )
    minimum_known: Positive = Field(description="A model that knows fewer facts than this ends the study.")
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
        "with all combinations of `fractions`, `quantiles`, `tau1` and `tau2`."
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
    cache: Annotated[str, Field(min_length=1)] | None = Field(
        description="Attributions of equal content are kept in this folder and found there by any study; null keeps "
        "none. docs/caching.md says more. Changing it reruns nothing."
    )
    container: Annotated[str, Field(min_length=1)] | None = Field(
        description="This image, a file or an address like `docker://…`, has the conda environments in it, and jobs "
        "can run in it; null names none. docs/conda.md says how."
    )

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
    """Return the section that a key lies in, from its location without the key itself; None where it is no section."""
    section: Any = Study
    for at, part in enumerate(location):
        if (at and isinstance(location[at - 1], int)) or part == "(quantile)":
            section = _VARIANTS[str(part)]
        elif isinstance(part, str):
            section = section.model_fields[part].annotation
    return section if isinstance(section, type) and issubclass(section, BaseModel) else None


def _sentences(problem: Any) -> list[str]:
    """Return one complaint as ``config: where: what``; a check of the whole study may hold several."""
    location = problem["loc"]
    where = location_path(tuple(part for part in location if part not in ("(number)", "(quantile)")), _VARIANTS)
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return [f"config: {where}.source: must be one of hub, folder, wheel, trained"]
    owner = _section(location[:-1]) if problem["type"] == "extra_forbidden" else None
    prefix = f"config: {where}: " if where else "config: "
    return [prefix + line for line in problem_message(problem, owner).split("\n")]


def parse_config(tree: dict[str, Any]) -> Study:
    """Return the validated study of a whole configuration.

    Raises:
        UserError: one line per mistake, each with the key and what is allowed there.
    """
    try:
        return Study.model_validate(tree)
    except ValidationError as error:
        lines = [line for problem in error.errors(include_url=False) for line in _sentences(problem)]
        raise UserError("\n".join(lines)) from None
