"""The sections of the configuration that say how each fact is analysed: attribution, neurons, groups, their test."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from dkn.study.values import Repeats, Section, Share

MOST_SHARDS = 1_000  # Snakemake plans this many jobs per model in a minute


class Known(Section):
    wording: Literal["seen", "unseen"] = Field(
        description="A model knows a fact if it answers the fact's left-to-right wording (`seen`), or if it also "
        "answers the paraphrases that trained models have not seen in training (`unseen`). It is meant for trained "
        "models, of which `unseen` keeps the facts that are more than a learnt string; what other models have seen "
        "nobody knows, and it asks them for the fact in two wordings."
    )


class Attribution(Section):
    facts: Literal["known", "unknown", "all"] = Field(
        description="The value `known` attributes the facts that the model knows, `unknown` those that it does not "
        "know, and `all` attributes both."
    )
    baseline: Literal["amig", "zero"] = Field(
        description="The path of an integrated gradient starts here: `amig` takes the neuron's mean value over copies "
        "of the prompt with one token masked each, `zero` takes zero. docs/method.md says more."
    )
    quadrature: Literal["adaptive", "gauss-lobatto", "gauss-legendre", "midpoint", "left-riemann"] = Field(
        description="This rule integrates the gradient along the path: `adaptive` halves the pieces of the path "
        "whose completeness error is too large, and every other rule takes its `nodes` once. docs/method.md says more."
    )
    nodes: int = Field(
        ge=1,
        le=1_000,
        description="The rule has this many nodes; with `adaptive` every piece of the path has this many, an odd "
        "number of at least 3. `gauss-lobatto` needs at least 2.",
    )
    tolerance: float = Field(
        gt=0,
        le=1,
        description="Adaptive quadrature refines the path until the completeness error is below this, relative to the "
        "fact's largest layer change.",
    )
    max_nodes: int = Field(
        ge=1,
        le=100_000,
        description="Adaptive quadrature takes at most this many nodes per answer token and layer. It must not be "
        "below `nodes`.",
    )
    floor: Share = Field(
        description="Scores below this fraction of a fact's largest are not stored. It must not exceed "
        "`knowledge_neurons.fraction` or any of `sensitivity.fractions`."
    )
    shards: int = Field(
        ge=1,
        le=MOST_SHARDS,
        description="The attribution of each model is cut into this many jobs; `--set-scatter facts=16` does the "
        "same for one run.",
    )

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
    fraction: Share = Field(
        description="A neuron is a knowledge neuron of a fact if its score exceeds this fraction of the fact's largest "
        "score over all layers."
    )
    cap: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        description="A fact has at most this many knowledge neurons, those of the largest scores; null sets no limit. "
        "Facts whose neurons it cuts are listed in the provenance of the table of knowledge neurons."
    )


class Distances(Section):
    max_span: Annotated[int, Field(ge=1, le=1_000)] | None = Field(
        description="A path between two neurons climbs at most this many layers; null sets no limit."
    )
    fold_norm: bool = Field(
        description="The value true multiplies reading vectors by the gain of the norm before the MLP."
    )


class PersistenceQuantile(Section):
    quantile: float = Field(
        ge=0,
        lt=1,
        description="A component needs more persistence than this quantile of the persistences of the fact's own "
        "components; `{quantile: 0.5}` takes their median.",
    )


def _kind_of_tau1(value: Any) -> str:
    return "(quantile)" if isinstance(value, dict | PersistenceQuantile) else "(number)"


# A number, or a quantile of the fact's own persistences. The parser puts the tag into an error's location.
Tau1 = Annotated[
    Annotated[float, Field(ge=0, le=1_000), Tag("(number)")] | Annotated[PersistenceQuantile, Tag("(quantile)")],
    Discriminator(_kind_of_tau1),
]


class Clustering(Section):
    persistence: Literal["difference", "ratio"] = Field(
        description="The persistence of a component is (death - birth) / limit with `difference`, where the limit is "
        "the filtration's, and log(death / birth) with `ratio`."
    )
    tau1: Tau1 = Field(
        description="A component needs more persistence than this; `{quantile: …}` states it relative to the fact's "
        "own components."
    )
    quantile: float = Field(
        gt=0, le=1, description="The filtration stops at this quantile of a fact's finite distances."
    )
    min_size: int = Field(ge=2, le=1_000, description="A component or group has at least this many neurons.")


class Dbscan(Section):
    min_samples: int = Field(
        ge=2,
        le=1_000,
        description="This many neurons within eps make a core, the neuron itself included. Here eps is the median of a "
        "fact's finite nearest-neighbour distances.",
    )


class Hdbscan(Section):
    min_samples: int = Field(
        ge=1, le=1_000, description="This many neurons lie within a neuron's core distance, the neuron itself included."
    )


class Kmeans(Section):
    variance: float = Field(
        gt=0, lt=1, description="The principal components keep this share of the variance of the distance rows."
    )
    restarts: Repeats = Field(
        description="This many random starts are made, and the one with the smallest distortion is kept."
    )


class Amig(Section):
    neurons: int = Field(
        ge=2,
        le=1_000,
        description="This many neurons of a fact are tried, the largest scores first, and all pairs of those that do "
        "not matter alone.",
    )
    matters: float = Field(
        gt=0,
        lt=1,
        description="A suppression matters if its drop in Prob exceeds this share of the drop without any knowledge "
        "neuron.",
    )


class RandomGroups(Section):
    repeats: Repeats = Field(description="Each tested control takes this many draws of a fact's groups.")


Method = Literal["ntc", "dbscan", "hierarchical", "kmeans", "hdbscan", "amig"]


class Groupings(Section):
    methods: list[Method] = Field(
        max_length=len(get_args(Method)),
        json_schema_extra={"uniqueItems": True},
        description="The study groups knowledge neurons in each of these ways; `ntc` (Neurological Topology "
        "Clustering) must be one of them, and none is given twice.",
    )
    max_groups: int = Field(
        ge=2,
        le=1_000,
        description="The methods `hierarchical` and `kmeans` try at most this many groups in one linked part of a "
        "fact's neurons.",
    )
    dbscan: Dbscan = Field(description="This section sets the method `dbscan`.")
    hdbscan: Hdbscan = Field(description="This section sets the method `hdbscan`.")
    kmeans: Kmeans = Field(description="This section sets the method `kmeans`.")
    amig: Amig = Field(description="This section sets the method `amig`, which takes pairs of neurons.")
    random: RandomGroups = Field(
        description="This section sets the tested controls: random groups of the sizes of NTC's candidates, and NTC's "
        "groups after the neurons of each layer have exchanged their weight vectors. Both go through the same "
        "functional test."
    )

    @field_validator("methods")
    @classmethod
    def _ntc_and_others(cls, methods: list[str]) -> list[str]:
        if "ntc" not in methods:
            raise ValueError("must hold ntc: the others are compared with it")
        if twice := sorted({method for method in methods if methods.count(method) > 1}):
            raise ValueError(f"given twice: {', '.join(twice)}")
        return methods


TestName = Literal["sufficiency", "absolute", "compensation"]


class FunctionalTest(Section):
    test: TestName = Field(
        description="The test is `sufficiency`, the paper's definition, `absolute`, the inequality in its text, or "
        "`compensation`, the released code's."
    )
    tau2: float = Field(
        ge=-1_000,
        le=1_000,
        description="With `sufficiency` a component passes if it alone brings back more than this share of Prob, from "
        "all of the fact's knowledge neurons suppressed to none; with `absolute` it passes if Prob with it alone "
        "exceeds this; with `compensation` it passes if the drop in Prob without it is smaller than this.",
    )
