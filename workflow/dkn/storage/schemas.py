"""The schema of every table that the workflow stores.

Log probabilities are natural logarithms of the probability of a whole answer (Prob). KNs are a fact's knowledge
neurons, and DKNs its degenerate knowledge neurons: the union of its base degenerate components (BDCs). A *place* is the
number of a neuron among the fact's KNs, from 0.
"""

from __future__ import annotations

import pyarrow as pa


def _schema(**columns: pa.DataType) -> pa.Schema:
    """Return a schema of the given columns; a column may hold nulls if ``__optional`` is added to its name."""
    return pa.schema(
        [
            pa.field(name.removesuffix("__optional"), kind, nullable=name.endswith("__optional"))
            for name, kind in columns.items()
        ]
    )


TEXT, INT, FLOAT, BOOL = pa.string(), pa.int32(), pa.float64(), pa.bool_()

# One row per fact of the study, as in ``dkn.facts.schema.Fact``. answer_ids: the answers' Wikidata ids, empty where an
# answer has none.
FACTS = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    date__optional=TEXT,
    answers=pa.list_(TEXT),
    answer_ids=pa.list_(TEXT),
    query=TEXT,
    prompt=TEXT,
    paraphrases=pa.list_(TEXT),
    complex=TEXT,
    split=TEXT,
    source=TEXT,
)

# One row per fact, in a table per model. answer: the accepted answer that the study uses for this model; answered:
# whether greedy decoding gives it after the fact's prompt; answered_unseen: whether it does so in every unseen wording
# too; known: that one of these two that the study takes; geometric_mean_prob: that of the answer's tokens;
# first_token_rank: the rank of its first token among all tokens (0 is the model's first choice).
KNOWN = _schema(
    fact_id=TEXT,
    answer=TEXT,
    answered=BOOL,
    answered_unseen=BOOL,
    known=BOOL,
    log_prob=FLOAT,
    prob=FLOAT,
    geometric_mean_prob=FLOAT,
    first_token_rank=INT,
    prompt_tokens=INT,
    answer_tokens=INT,
)

# One row per neuron of a fact whose attribution score exceeds the floor.
SCORES = _schema(fact_id=TEXT, layer=INT, neuron=INT, score=pa.float32())

# One row per fact, answer token and layer. change: the change of the token's probability from the baseline to the
# layer's own values, to which its scores must sum; total: their sum; error: the difference, relative to the fact's
# largest layer change; nodes: gradient evaluations; converged: whether the error is within the tolerance.
COMPLETENESS = _schema(
    fact_id=TEXT, token=INT, layer=INT, prob=FLOAT, change=FLOAT, total=FLOAT, error=FLOAT, nodes=INT, converged=BOOL
)

# One row per KN of a fact. Components refer to its place.
KNOWLEDGE_NEURONS = _schema(fact_id=TEXT, place=INT, layer=INT, neuron=INT, score=pa.float32())

# One row per pair of a fact's KNs at a finite distance. first, second: their places.
DISTANCES = _schema(fact_id=TEXT, first=INT, second=INT, distance=pa.float32())

# One row per point of a fact's persistence diagram. death: infinite where the feature lives until the filtration stops.
DIAGRAMS = _schema(fact_id=TEXT, dimension=INT, birth=FLOAT, death=FLOAT)

# One row per candidate component of a fact, before the functional test. repeat: the number of a tested control's draw,
# and 0 for every other grouping. Only NTC's components have a birth, a death and a persistence.
CANDIDATES = _schema(
    fact_id=TEXT,
    repeat=INT,
    component=INT,
    places=pa.list_(INT),
    birth__optional=FLOAT,
    death__optional=FLOAT,
    persistence__optional=FLOAT,
)

# One row per candidate component of a fact, after the functional test; the first columns are those of CANDIDATES.
# recovery is null where suppressing all KNs does not lower Prob; kept: whether the component passes the test.
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

# One row per fact, selection (bdc: components that pass the functional test; candidate: all components), grouping (the
# method, its control, or DKNs of other facts, which count as one component), repeat and suppressed subset of
# components.
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

# One row per sampled fact and point of the grid. selection: bdc or candidate, as in DEGENERACY; test and tau2 are null
# for candidate, which has no functional test. candidates: the number of components before the test; components: that of
# the selection. The gaps (full minus mean partial drop, relative and in nats) are null where the fact has fewer than
# two components.
SENSITIVITY = _schema(
    model=TEXT,
    fact_id=TEXT,
    subject=TEXT,
    fraction=FLOAT,
    quantile=FLOAT,
    tau1=FLOAT,
    selection=TEXT,
    test__optional=TEXT,
    tau2__optional=FLOAT,
    candidates=INT,
    components=INT,
    drop_gap__optional=FLOAT,
    nats_gap__optional=FLOAT,
    control_drop_gap__optional=FLOAT,
    control_nats_gap__optional=FLOAT,
)

# One row per neuron set, draw, epoch after which questions are asked (0: before training) and question. draw: that of a
# random set, and the number of the training; wording: the number of the prompt among those of the split; chosen:
# whether the development facts chose this epoch, as they chose the learning rate; correct: whether greedy decoding
# gives exactly the answer.
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

# One row per neuron set, draw and trained neuron, at the chosen epoch. activation: the neuron's mean absolute value on
# the new facts; reading, writing, both: the norm of the change of the reading vector, of the writing vector and of both
# joined, relative to the norm of the vector; absolute: the norm of the change of both joined.
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

# One row per training of all parameters, new fact, neuron set, draw of a random set and part (a column of CHANGES).
# auroc: that of the change as a detector of the fact's set among all neurons; share: the share of the set that is among
# the most changed neurons, of which as many are taken as the union of all DKNs has.
OVERLAP = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    training=INT,
    neuron_set=TEXT,
    draw=INT,
    part=TEXT,
    neurons=INT,
    auroc=FLOAT,
    share=FLOAT,
)

# One row per union of the facts' sets, draw, part and number of most changed neurons, of the first training of all
# parameters. neurons: the size of the union; total: the number of all neurons; top: the number of most changed
# ones; overlap: how many of these are in the union.
OVERLAP_CURVES = _schema(
    neuron_set=TEXT, draw=INT, part=TEXT, neurons=INT, total=INT, auroc=FLOAT, top=INT, overlap=INT
)

# One row per neuron that is a KN of a new fact. dkn, kn: the number of new facts that have it among their DKNs and KNs.
OVERLAP_MEMBERS = _schema(layer=INT, neuron=INT, dkn=INT, kn=INT)

# One row per fact, query (the original or a perturbation of it) and neuron set (none, dkn, kn, and several draws of
# kn-matched, random, dkn-other-fact and dkn-other-relation). components: the number of the fact's BDCs; question:
# whether the query leaves the subject and the date whole (preserving) or not (changing); shared: how many of the set's
# neurons are in the fact's DKN; before, after: without and with the intervention, on the same query; greedy: whether
# greedy decoding gives the answer.
PERTURBATION = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    components=INT,
    query=TEXT,
    prompt=TEXT,
    question=TEXT,
    neuron_set=TEXT,
    repeat=INT,
    neurons=INT,
    shared=INT,
    log_prob_before=FLOAT,
    log_prob_after=FLOAT,
    greedy_before=BOOL,
    greedy_after=BOOL,
)

# One row per fact, order of all the model's neurons (attribution, magnitude, and several random ones), intervention and
# number of neurons. intervention: suppressed (the first neurons of the order are suppressed) or kept (all others are
# suppressed); neurons: how many these first ones are; kns: the number of the fact's KNs, which are the first in the
# order by attribution; scored: the number of its neurons with a stored score, behind which that order is random; total:
# the number of the model's neurons.
ABLATION = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    order=TEXT,
    repeat=INT,
    intervention=TEXT,
    neurons=INT,
    kns=INT,
    scored=INT,
    total=INT,
    log_prob_before=FLOAT,
    log_prob_after=FLOAT,
)

# One row per statement (a fact, a wording, a stated answer) and detector (dkn, kn, random, plm, answer-prob). neurons:
# own (the fact's own set, which was found with its true answer), relation (the set of the relation, from training
# subjects) or none; size: the number of neurons in the set.
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
    draw=INT,
    size=INT,
    score=FLOAT,
)

# One row per sampled fact, BDC (component), group of neurons (bdc, several draws of kn-matched and random) and kind of
# other facts. facts: how many other facts of this kind have KNs; having: in how many of them a neuron of the group is a
# KN, the mean over its neurons.
SHARING_MEMBERS = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    component=INT,
    neuron_set=TEXT,
    repeat=INT,
    neurons=INT,
    others=TEXT,
    facts=INT,
    having=FLOAT,
)

# One row per sampled fact, BDC (component), suppressed group (bdc, and several draws of random) and asked fact. others:
# the kind of the asked fact, seen from the one that has the BDC; shared: how many neurons of the BDC are its KNs.
SHARING = _schema(
    fact_id=TEXT,
    subject=TEXT,
    relation=TEXT,
    component=INT,
    neuron_set=TEXT,
    repeat=INT,
    neurons=INT,
    others=TEXT,
    asked=TEXT,
    shared=INT,
    log_prob_before=FLOAT,
    log_prob_after=FLOAT,
)
