"""The sections of the configuration that set experiments, the sensitivity grid, statistics and claims."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from dkn.study.method_sections import TestName
from dkn.study.values import Batch, Epochs, FactCount, LearningRate, Repeats, Section, Share


def _different(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError("a value is given twice")
    return values


class Degeneracy(Section):
    max_subsets: int = Field(
        ge=2,
        le=10_000,
        description="At most this many proper subsets of a fact's components are suppressed. Where there are more, "
        "this many are sampled, as many of every size.",
    )
    partitions: Repeats = Field(
        description="The size-matched control takes this many random partitions of a fact's knowledge neurons."
    )


class FineTuning(Section):
    new_facts: FactCount = Field(
        description="At most this many counterfactual facts are learnt. They replace degenerate facts, one per subject."
    )
    old_facts: FactCount = Field(
        description="At most this many known facts of other subjects are to be kept, one per subject."
    )
    development: float = Field(
        gt=0,
        lt=1,
        description="This share of new and old facts chooses each neuron set's learning rate and epoch, and is not "
        "reported.",
    )
    minimum: int = Field(
        ge=4,
        le=10_000_000,
        description="With fewer new facts, which must be degenerate, nothing is trained, and the experiment says that "
        "it was not run.",
    )
    epochs: Epochs = Field(
        description="Training passes over the new facts this many times; the budget is the same for every neuron set."
    )
    ask_every: Epochs = Field(
        description="The model is asked each time this many epochs have passed. The number must divide `epochs`, so "
        "that the last one is asked too."
    )
    batch: Batch = Field(description="A training step takes this many new facts.")
    draws: int = Field(
        ge=2,
        le=1_000,
        description="Each random neuron set is drawn this many times, and its first draw chooses the learning rate of "
        "all. More draws find smaller differences.",
    )
    trainings: int = Field(
        ge=2,
        le=1_000,
        description="Each other neuron set, and all parameters, are trained this many times, in different orders of "
        "the new facts. The first training chooses the learning rate of all. More trainings find smaller differences.",
    )
    learning_rates: Annotated[list[LearningRate], AfterValidator(_different)] = Field(
        min_length=1,
        max_length=20,
        json_schema_extra={"uniqueItems": True},
        description="Training tries all of these learning rates, the same for every neuron set, and none twice.",
    )
    extensions: int = Field(
        ge=0,
        le=20,
        description="While a set's best learning rate is the lowest or the highest one tried, the next one beyond it "
        "is tried, at most this many on either side of `learning_rates`, at the ratio of the two rates at that edge.",
    )

    @field_validator("ask_every")
    @classmethod
    def _divides(cls, ask_every: int, info: ValidationInfo) -> int:
        if info.data.get("epochs", 0) % ask_every:
            raise ValueError("must divide epochs, so that the last one is asked too")
        return ask_every


class Overlap(Section):
    draws: int = Field(
        ge=2,
        le=1_000,
        description="The neurons of each layer, and of each layer's groups by activation, are exchanged at random this "
        "many times. Each exchange gives every fact a random set as large as its DKN.",
    )


class Intervention(Section):
    random_sets: Repeats = Field(
        description="This many sets of random neurons are drawn per fact, this many sets of as many of its knowledge "
        "neurons as its DKN has, and this many of the DKNs of other facts, of the same relation and of another one."
    )


class Perturbation(Section):
    queries: Literal["preserving", "any"] = Field(
        description="With `preserving` the perturbed queries leave the fact's subject and date whole; with `any` they "
        "may change any inner word, and the records say which of them ask another question."
    )


class Ablation(Section):
    facts: FactCount | None = Field(
        description="About this many facts are taken, since whole subjects are drawn; null takes all facts that have "
        "knowledge neurons."
    )
    draws: Repeats = Field(description="A fact's neurons are put into this many random orders.")


class FactChecking(Section):
    facts: FactCount | None = Field(
        description="Statements are made of about this many facts, since whole subjects are drawn; null takes all "
        "facts."
    )
    complex_facts: FactCount | None = Field(
        description="About this many of these facts are stated in their complex wording too, which is longer; null "
        "takes all of them."
    )
    relation_neurons: int = Field(
        ge=1, le=1_000_000, description="A relation-level neuron set has at most this many neurons."
    )
    random_sets: int = Field(
        ge=2,
        le=1_000,
        description="This many sets of random neurons are drawn for each relation, to be compared with its own "
        "neurons. More draws find smaller differences.",
    )
    shots: int = Field(
        ge=0,
        le=100,
        description="The prompt that asks the model in words holds this many examples, and fewer where the "
        "model's context is short.",
    )


class Sharing(Section):
    facts: FactCount | None = Field(
        description="The BDCs of about this many facts with two or more are examined, since whole subjects are drawn; "
        "null takes all such facts."
    )
    others: Repeats = Field(
        description="While a BDC is suppressed, the model is asked for at most this many other facts of each kind."
    )
    draws: Repeats = Field(
        description="A BDC is compared with this many random sets of its fact's knowledge neurons, and with this many "
        "of random neurons."
    )


class Experiments(Section):
    degeneracy: Degeneracy = Field(
        description="This section sets the experiments that suppress some and all of a fact's components."
    )
    suppression: Intervention = Field(
        description="This section sets the experiments that suppress neurons on perturbed queries."
    )
    enhancement: Intervention = Field(
        description="This section sets the experiments that enhance neurons on perturbed queries."
    )
    perturbation: Perturbation = Field(
        description="This section sets the perturbed queries of suppression and enhancement."
    )
    fact_checking: FactChecking = Field(
        description="This section sets the experiments that tell true statements from false ones."
    )
    fine_tuning: FineTuning = Field(
        description="This section sets the experiments that teach new facts by training some neurons or all parameters."
    )
    overlap: Overlap = Field(
        description="This section sets the experiment that compares the DKNs with the neurons that full fine-tuning "
        "changes most."
    )
    ablation: Ablation = Field(
        description="This section sets the experiment that suppresses more and more neurons, in several orders."
    )
    sharing: Sharing = Field(
        description="This section sets the experiment that asks whether a fact's BDCs take part in other facts."
    )


# What makes a list an axis of the grid: it holds a value, and none twice.
_AXIS = Field(min_length=1, max_length=12, json_schema_extra={"uniqueItems": True})
_Shares = Annotated[list[Share], _AXIS, AfterValidator(_different)]
_Quantiles = Annotated[list[Annotated[float, Field(gt=0, le=1)]], _AXIS, AfterValidator(_different)]
_Persistences = Annotated[list[Annotated[float, Field(ge=0, le=1_000)]], _AXIS, AfterValidator(_different)]
_Numbers = Annotated[list[Annotated[float, Field(ge=-1_000, le=1_000)]], _AXIS, AfterValidator(_different)]


class Sensitivity(Section):
    fractions: _Shares = Field(
        description="The grid has these values of `knowledge_neurons.fraction`, none below `attribution.floor` and "
        "none twice."
    )
    quantiles: _Quantiles = Field(description="The grid has these values of `clustering.quantile`, none twice.")
    tau1: _Persistences = Field(description="The grid has these values of `clustering.tau1`, none twice.")
    tests: Annotated[list[TestName], _AXIS, AfterValidator(_different)] = Field(
        description="The grid has these values of `functional_test.test`, each with all values of `tau2`, none twice."
    )
    tau2: _Numbers = Field(description="The grid has these values of `functional_test.tau2`, none twice.")
    facts: FactCount | None = Field(
        description="Each point of the grid takes the same sample of this many facts, or a few more, since "
        "whole subjects are drawn; null takes all facts."
    )
    max_subsets: int = Field(
        ge=2,
        le=10_000,
        description="At most this many proper subsets per fact are suppressed, as in `experiments.degeneracy`.",
    )
    partitions: Repeats = Field(
        description="The control takes this many random partitions, as in `experiments.degeneracy`."
    )


class Statistics(Section):
    resamples: int = Field(
        ge=100,
        le=100_000,
        description="A bootstrap interval takes this many resamples, and a permutation test ten times as many "
        "patterns.",
    )
    confidence: float = Field(gt=0.5, lt=1, description="Every interval has this confidence.")


_Margin = Annotated[float, Field(ge=0, lt=1)]


class Margins(Section):
    drop: _Margin = Field(description="This difference in the relative drop in Prob counts as none.")
    accuracy: _Margin = Field(
        description="This difference in greedy accuracy counts as none. Where a claim says that D reaches something, "
        "the difference may lie below zero by as much."
    )
    balanced_accuracy: _Margin = Field(description="This difference in balanced accuracy counts as none.")
    auroc: _Margin = Field(description="This difference in AUROC counts as none.")
    f1: _Margin = Field(description="This difference in F1 counts as none.")
    share: _Margin = Field(description="This difference in the share of the most changed neurons counts as none.")


class Claims(Section):
    alpha: float = Field(
        gt=0,
        lt=1,
        description="The probability, at most, that anything is wrong that the verdicts of one reading say of a model.",
    )
    margins: Margins = Field(description="This section says how small a difference counts as none, by metric.")
    minimum_subjects: int = Field(ge=5, le=10_000_000, description="A contrast over fewer subjects is not judged.")
