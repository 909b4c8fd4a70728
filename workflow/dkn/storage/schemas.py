"""The schema of every table the workflow stores."""

from __future__ import annotations

import pyarrow as pa


def _schema(**columns: pa.DataType) -> pa.Schema:
    """Columns as given; a name that ends in ``__optional`` may hold nulls."""
    return pa.schema(
        [
            pa.field(name.removesuffix("__optional"), kind, nullable=name.endswith("__optional"))
            for name, kind in columns.items()
        ]
    )


TEXT, INT, FLOAT, BOOL = pa.string(), pa.int32(), pa.float64(), pa.bool_()

FACTS = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    date__optional=TEXT,
    answers=pa.list_(TEXT),
    query=TEXT,
    prompt=TEXT,
    paraphrases=pa.list_(TEXT),
    complex=TEXT,
    split=TEXT,
    source=TEXT,
)

# One row per fact. answer: the accepted answer the study uses for this model; rank: of its first token (0 is greedy).
KNOWN = _schema(
    fact_id=TEXT,
    answer=TEXT,
    known=BOOL,
    log_prob=FLOAT,
    prob=FLOAT,
    geometric_mean_prob=FLOAT,
    first_token_rank=INT,
    prompt_tokens=INT,
    answer_tokens=INT,
)

# One row per (fact, layer, neuron) whose score exceeds the floor.
SCORES = _schema(fact_id=TEXT, layer=INT, neuron=INT, score=pa.float32())

# One row per (fact, answer token, layer). error is relative to the fact's largest layer change.
COMPLETENESS = _schema(
    fact_id=TEXT, token=INT, layer=INT, prob=FLOAT, change=FLOAT, total=FLOAT, error=FLOAT, nodes=INT, converged=BOOL
)

# One row per knowledge neuron; place counts a fact's neurons from 0 and is what components refer to.
KNOWLEDGE_NEURONS = _schema(fact_id=TEXT, place=INT, layer=INT, neuron=INT, score=pa.float32())

# One row per pair of a fact's knowledge neurons (by place) at a finite distance.
DISTANCES = _schema(fact_id=TEXT, first=INT, second=INT, distance=pa.float32())

# One row per point of a fact's persistence diagram; death is infinite where the class never dies.
DIAGRAMS = _schema(fact_id=TEXT, dimension=INT, birth=FLOAT, death=FLOAT)

# One row per candidate component of a fact, before the functional test. repeat counts a control's random partitions and
# is 0 for every other grouping; only NTC's components have a birth, a death and a persistence.
CANDIDATES = _schema(
    fact_id=TEXT,
    repeat=INT,
    component=INT,
    places=pa.list_(INT),
    birth__optional=FLOAT,
    death__optional=FLOAT,
    persistence__optional=FLOAT,
)

# The same with the functional test. recovery is null where suppressing all KNs does not lower Prob.
COMPONENTS = _schema(
    fact_id=TEXT,
    repeat=INT,
    component=INT,
    places=pa.list_(INT),
    birth__optional=FLOAT,
    death__optional=FLOAT,
    persistence__optional=FLOAT,
    prob_intact=FLOAT,
    prob_all_suppressed=FLOAT,
    prob_only_component=FLOAT,
    prob_without_component=FLOAT,
    recovery__optional=FLOAT,
    drop=FLOAT,
    kept=BOOL,
)

# One row per fact, selection (bdc: components that passed the functional test; candidate: all), grouping (the method
# or its control), repeat and suppressed subset of components. Log-probabilities are natural, of the whole answer.
DEGENERACY = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    selection=TEXT,
    grouping=TEXT,
    repeat=INT,
    components=INT,
    suppressed=pa.list_(INT),
    suppressed_components=INT,
    suppressed_neurons=INT,
    log_prob_before=FLOAT,
    log_prob_after=FLOAT,
)

# One row per sampled fact and grid point. selection as above; tau2 is null for ``candidate``, which has no functional
# test. candidates: before the test; components: of the selection. The gaps (full minus mean partial drop, relative and
# in nats) are null where the fact has fewer than two components.
SENSITIVITY = _schema(
    model=TEXT,
    fact_id=TEXT,
    subject=TEXT,
    fraction=FLOAT,
    quantile=FLOAT,
    tau1=FLOAT,
    selection=TEXT,
    tau2__optional=FLOAT,
    candidates=INT,
    components=INT,
    drop_gap__optional=FLOAT,
    nats_gap__optional=FLOAT,
    control_drop_gap__optional=FLOAT,
    control_nats_gap__optional=FLOAT,
)

# One row per neuron set, draw (of random sets), asked epoch (0: before training) and question. chosen: the epoch that
# the facts of development chose, as they did the learning rate; correct: greedy decoding gives exactly the answer;
# wording: which of the split's prompts.
FINE_TUNING = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    role=TEXT,
    split=TEXT,
    wording=INT,
    answer=TEXT,
    neuron_set=TEXT,
    draw=INT,
    learning_rate=FLOAT,
    epoch=INT,
    chosen=BOOL,
    correct=BOOL,
    log_prob=FLOAT,
)

# One row per neuron set, draw and trained neuron, at the chosen epoch. activation: mean absolute value on the new
# facts; reading, writing, both: norm of the change relative to the norm of the vector; absolute: norm of both's change.
CHANGES = _schema(
    neuron_set=TEXT,
    draw=INT,
    layer=INT,
    neuron=INT,
    activation=FLOAT,
    reading=FLOAT,
    writing=FLOAT,
    both=FLOAT,
    absolute=FLOAT,
)

# One row per new fact, neuron set, draw and part (a column of CHANGES). auroc: of the change as a detector of the
# fact's set among all neurons; share: of the set among the most changed neurons, as many as the union of all DKNs.
OVERLAP = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    neuron_set=TEXT,
    draw=INT,
    part=TEXT,
    neurons=INT,
    auroc=FLOAT,
    share=FLOAT,
)

# One row per union of the facts' sets, draw, part and number of most changed neurons (top) out of all.
OVERLAP_CURVES = _schema(
    neuron_set=TEXT, draw=INT, part=TEXT, neurons=INT, total=INT, auroc=FLOAT, top=INT, overlap=INT
)

# One row per neuron that is in a set of the new facts: in how many facts' DKNs and knowledge neurons it is.
OVERLAP_MEMBERS = _schema(layer=INT, neuron=INT, dkn=INT, kn=INT)

# One row per fact, query (original, or a perturbation of it) and neuron set (none, dkn, kn, and several draws of
# kn-matched and random). before: nothing is intervened on, same query. greedy: greedy decoding gives the answer.
PERTURBATION = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    components=INT,
    query=TEXT,
    prompt=TEXT,
    neuron_set=TEXT,
    repeat=INT,
    neurons=INT,
    log_prob_before=FLOAT,
    log_prob_after=FLOAT,
    greedy_before=BOOL,
    greedy_after=BOOL,
)

# One row per statement (a fact, a wording, a stated answer) and detector (dkn, kn, random, plm, answer-prob). neurons:
# whose (own: the fact's, which were found with its true answer; relation: of training subjects; none); size: how many.
FACT_CHECKING = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    split=TEXT,
    wording=TEXT,
    answer=TEXT,
    truth=BOOL,
    detector=TEXT,
    neurons=TEXT,
    size=INT,
    score=FLOAT,
)
