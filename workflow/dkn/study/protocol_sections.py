"""The sections of the configuration that choose between the two protocols, and that audit what lies between them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError, create_model

from dkn.errors import UserError
from dkn.study.experiment_sections import Claims, Experiments, Statistics
from dkn.study.method_sections import (
    Attribution,
    Clustering,
    Distances,
    FunctionalTest,
    Groupings,
    KnowledgeNeurons,
)
from dkn.study.protocol import SWITCHES
from dkn.study.values import FactCount, Repeats, Section

SwitchState = Literal["text", "released"]


def _meaning(name: str) -> str:
    switch = SWITCHES[name]
    return f"With `text`, {switch.text}. With `released`, {switch.released}."


Switches = create_model(
    "Switches",
    __base__=Section,
    **{name: (SwitchState | None, Field(description=_meaning(name))) for name in SWITCHES},
)  # type: ignore[call-overload]


class Audit(Section):
    facts: FactCount | None = Field(
        description="The audit takes about this many facts, whole subjects at a time; null takes all."
    )
    rival_facts: FactCount | None = Field(
        description="The groupings other than NTC, which claim C2 compares with it, take about this many facts of the "
        "sample; null takes all."
    )
    checked_facts: FactCount | None = Field(
        description="Fact-checking states about this many facts of the sample; null states all that have knowledge "
        "neurons."
    )
    complex_facts: FactCount = Field(
        description="Of the facts that fact-checking states, about so many are stated in their complex wording too."
    )
    draws: Repeats = Field(
        description="Every control and every random set of the audit takes this many draws, and fine-tuning this many "
        "trainings."
    )
    resamples: int = Field(
        ge=100, le=100_000, description="A bootstrap interval of the audit takes this many resamples."
    )


class Audited(Section):
    """The part of a study's configuration that its audit takes: what the stages take, without their places."""

    seed: int = Field(ge=0, description="As in the study.")
    attribution: Attribution = Field(description="As in the study.")
    knowledge_neurons: KnowledgeNeurons = Field(description="As in the study.")
    distances: Distances = Field(description="As in the study.")
    clustering: Clustering = Field(description="As in the study.")
    groupings: Groupings = Field(description="As in the study.")
    functional_test: FunctionalTest = Field(description="As in the study.")
    experiments: Experiments = Field(description="As in the study.")
    audit: Audit = Field(description="As in the study.")
    statistics: Statistics = Field(description="As in the study.")
    claims: Claims = Field(description="As in the study.")


def audited(text: str) -> Audited:
    """Return what an audit takes of a study's configuration.

    Args:
        text: the settings as JSON.
    Raises:
        UserError: it is no JSON, or a setting is missing or wrong.
    """
    try:
        return Audited.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"])) or "JSON"
        raise UserError(f"settings of the audit: {place}: {problem['msg']}") from None
