"""The two protocols: what the paper's text says, ``text``, and what the released code does, ``released``.

A *switch* is one departure of the released code from the text. It changes fields of the *choices* of some steps; a
choice is the parameter object that such a step takes (``AttributionSettings``, ``NTCSettings``, …), and here it goes by
a short name. So a departure lives where its step lives, and this module says which fields make it: the table
``SWITCHES`` is all that the two protocols differ in. docs/audit.md describes every switch.

Light imports only: the Snakefile reads this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from dkn.errors import UserError

TEXT, RELEASED = "text", "released"
PROTOCOLS = (TEXT, RELEASED)
GROUPS = ("attribution", "structure", "degeneracy", "suppression and enhancement", "fact-checking", "fine-tuning")

Changes = Mapping[str, Mapping[str, Any]]  # by choice, the fields that change and their values
Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Switch:
    """A departure of the released code from the paper's text.

    Attributes:
        name: its name in the configuration.
        group: the part of the analysis that it belongs to, one of ``GROUPS``.
        text: what the text says, in words.
        released: what the released code does, in words.
        changes: the fields of choices that it changes.
        gated: the same in models whose MLP has a gate, such as LLaMA; None where there is no difference, and empty
            where the released code has nothing for such models.
        note: why it does not exist for gated models, or for those without a gate; empty where it does.
    """

    name: str
    group: str
    text: str
    released: str
    changes: Changes
    gated: Changes | None = field(default=None)
    note: str = ""

    def of_family(self, gated: bool) -> Changes:
        """Return the fields that it changes in a model.

        Args:
            gated: whether the model's MLP has a gate.
        """
        return self.gated if gated and self.gated is not None else self.changes


ATTRIBUTION, STRUCTURE, DEGENERACY, PERTURBATION, FACT_CHECKING, FINE_TUNING = GROUPS
NO_GATED_TUNING = "the released fine-tuning does not run on models with a gate"
SWITCHES: dict[str, Switch] = {
    switch.name: switch
    for switch in (
        Switch(
            "site",
            ATTRIBUTION,
            "a neuron is what enters the down-projection: after the activation, and after the gate",
            "a neuron is what enters the activation function; interventions act there, at the last position alone",
            {"attribution": {"site": "preactivation"}, "edits": {"site": "preactivation", "positions": "last"}},
        ),
        Switch(
            "multiplier",
            ATTRIBUTION,
            "the integrated gradient is multiplied by the neuron's distance from the baseline",
            "it is multiplied by the neuron's value after the bare prompt, for later answer tokens too",
            {"attribution": {"multiplier": "value"}},
        ),
        Switch(
            "answer_text",
            ATTRIBUTION,
            "the answer is tokenised as the continuation of the prompt",
            "the answer is tokenised by itself, without a leading space; in lower case where neurons are attributed",
            {
                "attributed answer": {"answer_text": "alone-lowercase"},
                "evaluated answer": {"answer_text": "alone"},
            },
        ),
        Switch(
            "answer_path",
            ATTRIBUTION,
            "later answer tokens follow the answer's own tokens",
            "they follow the model's own choices: one and the same token where neurons are attributed",
            {
                "attribution": {"answer_path": "first-choice"},
                "edits": {"answer_path": "first-choice"},
                "weight edits": {"answer_path": "first-choice"},
            },
        ),
        Switch(
            "masked_positions",
            ATTRIBUTION,
            "the baseline masks the positions of the prompt",
            "it masks every position of the current context, answer tokens included",
            {"attribution": {"masked": "context"}},
        ),
        Switch(
            "rule",
            ATTRIBUTION,
            "the quadrature that `attribution.quadrature` and `attribution.nodes` state",
            "the left Riemann sum with 10 nodes, with 1 for models with a gate, with 5 in fact-checking",
            {
                "attribution": {"quadrature": "left-riemann", "nodes": 10},
                "statement attribution": {"quadrature": "left-riemann", "nodes": 5},
            },
            {
                "attribution": {"quadrature": "left-riemann", "nodes": 1},
                "statement attribution": {"quadrature": "left-riemann", "nodes": 5},
            },
        ),
        Switch(
            "wording",
            ATTRIBUTION,
            "a wording in which the gap for the answer comes last, with the year",
            "the source's own query; where its gap comes first, the literal `_X_` stays in the prompt",
            {"asked facts": {"wording": "original"}},
        ),
        Switch(
            "facts",
            ATTRIBUTION,
            "the facts that `attribution.facts` states, by default the known ones",
            "all facts",
            {"asked facts": {"which": "all"}},
        ),
        Switch(
            "connection",
            STRUCTURE,
            "the lower neuron's writing vector times the upper neuron's reading vector",
            "models with a gate: the lower neuron's row of `gate_proj` times the upper neuron's column of `down_proj`",
            {},
            {"distances": {"connection": "gate-down"}},
            note="models without a gate are treated as the text says",
        ),
        Switch(
            "paths",
            STRUCTURE,
            "a path visits one knowledge neuron of the fact in every layer between",
            "over two or three layers, exactly two knowledge neurons between; no path over more",
            {"distances": {"paths": "two-between"}},
        ),
        Switch(
            "clustering",
            STRUCTURE,
            "persistent homology in dimension 0, and the antichain of the largest total persistence",
            "union-find over the shorter half of the edges below the 0.2 quantile, with a weak test of birth",
            {"clustering": {"clustering": "short-edges"}},
        ),
        Switch(
            "rivals",
            STRUCTURE,
            "the other groupings as `groupings` states them",
            "unreachable pairs count as 1000, other parameters, AMIG's pairs first come first taken",
            {"groupings": {"rivals": "filled"}, "pairs": {"pairing": "first"}},
        ),
        Switch(
            "functional_test",
            STRUCTURE,
            "the test that `functional_test` states, by default sufficiency",
            "compensation: without the component Prob drops by less than 5 %; nothing is kept of a lone candidate",
            {"functional test": {"test": "compensation", "tau2": 0.05, "lone": "left-out"}},
        ),
        Switch(
            "sign",
            DEGENERACY,
            "a drop is (before - after) / before",
            "its negative is averaged and called drop",
            {"averages": {"sign": "gain"}},
        ),
        Switch(
            "outliers",
            DEGENERACY,
            "every suppression counts",
            "drops beyond a limit do not count: 2,000 and 8,000 for NTC's partial and full ones, 10,000 for rivals'",
            {"averages": {"limit": 4000.0, "rival_limit": 10000.0}},
        ),
        Switch(
            "average",
            DEGENERACY,
            "partial drops are averaged within a fact, then over facts",
            "over all subsets of all facts alike, so that a fact with many subsets weighs more",
            {"averages": {"average": "subsets"}},
        ),
        Switch(
            "perturbation",
            PERTURBATION,
            "a word of the study's vocabulary is put in, and no word of the subject or the date is touched",
            "the literal words `[REPLACED]` and `[ADDED]`; inner words may be the subject's",
            {"perturbation": {"put_in": "markers", "queries": "any"}},
        ),
        Switch(
            "weights_probability",
            PERTURBATION,
            "Prob of the answer, each token after those before it",
            "with changed weights, all answer tokens are read off the last position of the bare prompt",
            {"weight edits": {"weights_context": "bare"}},
        ),
        Switch(
            "kept_facts",
            PERTURBATION,
            "all facts",
            "those whose Prob after the intervention is below 1e-5 (values) or 1e-6 (weights; with a gate 2e-10)",
            {"perturbed averages": {"below_values": 1e-5, "below_weights": 1e-6}},
            {"perturbed averages": {"below_weights": 2e-10}},
        ),
        Switch(
            "reduction",
            PERTURBATION,
            "per fact, before the intervention against after it",
            "the mean Prob of perturbed queries against the mean of the original ones, both after the intervention",
            {"perturbed averages": {"reduction": "means"}},
        ),
        Switch(
            "compared",
            PERTURBATION,
            "D, N, as many of N, random neurons and none",
            "D alone; N and random neurons are numbers in a figure script",
            {"perturbation": {"compared": "dkn"}},
        ),
        Switch(
            "threshold",
            FACT_CHECKING,
            "the threshold is chosen on training subjects",
            "a mean attribution below 5e-7 (D) or 5e-6 (N) says false",
            {"threshold": {"attribution": "fixed"}},
        ),
        Switch(
            "test_facts",
            FACT_CHECKING,
            "test facts are of subjects that are held out",
            "1 % of each relation's facts at random; subjects are shared",
            {"statements": {"test_facts": "at-random"}},
        ),
        Switch(
            "false_answer",
            FACT_CHECKING,
            "an answer that no fact of the subject and date accepts",
            "any other object of the relation, though it may be an accepted answer",
            {"statements": {"false_answer": "any-other"}},
        ),
        Switch(
            "wording_complex",
            FACT_CHECKING,
            "the complex wording names the subject",
            "it does not, so that a relation and year have one sentence",
            {"statements": {"wording_complex": "unnamed"}},
        ),
        Switch(
            "plm",
            FACT_CHECKING,
            "the model's judgement is log P(true) - log P(false)",
            "a true statement counts as accepted if the text that follows has “true” in it, a false one as rejected if "
            "it has “false”",
            {"judge": {"judge": "generated"}, "threshold": {"judgement": "fixed"}},
        ),
        Switch(
            "trained",
            FINE_TUNING,
            "reading and writing vectors of the set",
            "reading vectors and biases of the set, and all embeddings and the last norm",
            {"tuning": {"trained": "reading-and-embeddings"}},
            {},
            note=NO_GATED_TUNING,
        ),
        Switch(
            "steps",
            FINE_TUNING,
            "one optimiser step a batch",
            "two: the trainer's own follows a manual one",
            {"tuning": {"steps": 2}},
            {},
            note=NO_GATED_TUNING,
        ),
        Switch(
            "tuned_sets",
            FINE_TUNING,
            "the set that is named is trained",
            "D is trained under the names of N and of random neurons too",
            {"plan": {"tuned_sets": "dkn"}},
            {},
            note=NO_GATED_TUNING,
        ),
        Switch(
            "questions",
            FINE_TUNING,
            "all questions count",
            "those that a filter on the answers of D and N leaves",
            {"questions": {"questions": "filtered"}},
            {},
            note=NO_GATED_TUNING,
        ),
    )
}

# The choices that each stage takes; a stage that has several targets may take others for each of them. A stage reruns
# when a switch that changes one of its choices is set otherwise.
CHOICES: dict[str, tuple[str, ...]] = {
    "attribution": ("asked facts", "attributed answer", "attribution"),
    "distances": ("distances",),
    "candidates-ntc": ("clustering",),
    "candidates-groupings": ("groupings",),
    "candidates-amig": ("asked facts", "evaluated answer", "edits", "pairs"),
    "components": ("asked facts", "evaluated answer", "edits", "functional test"),
    "experiment-degeneracy": ("asked facts", "evaluated answer", "edits"),
    "summary-degeneracy": ("averages",),
    "experiment-suppression-values": ("asked facts", "evaluated answer", "edits", "perturbation"),
    "experiment-suppression-weights": ("asked facts", "evaluated answer", "weight edits", "perturbation"),
    "experiment-enhancement-values": ("asked facts", "evaluated answer", "edits", "perturbation"),
    "experiment-enhancement-weights": ("asked facts", "evaluated answer", "weight edits", "perturbation"),
    "summary-perturbation": ("perturbed averages",),
    "experiment-fact-checking": ("attributed answer", "statement attribution", "attribution", "statements"),
    "experiment-fact-checking-plm": ("statements", "judge"),
    "summary-fact-checking": ("threshold",),
    "experiment-fine-tuning": ("tuning", "plan"),
    "summary-fine-tuning": ("questions",),
    "experiment-sensitivity": ("asked facts", "evaluated answer", "edits", "distances", "clustering"),
    "figure-fact-checking": ("threshold",),
    "table-fact-checking": ("threshold",),
    "explorer": ("asked facts", "clustering", "functional test"),
}

# Departures that are no switch, because the released code does not define what it does, or does nothing.
STATED: dict[str, str] = {
    "enhancement of models with a gate": "the neurons asked for do not exist in such models, so that nothing is "
    "enhanced; there is nothing to measure",
    "fine-tuning of models with a gate": "the released scripts do not run; their switches exist for models without a "
    "gate only",
    "overlap": "for N and random neurons the released code takes the overlap with D instead of that with the neurons "
    "that training changed most; D's own 99.95 % is a constant of the figure script",
    "N and random neurons under suppression and enhancement": "their numbers are constants of the figure scripts; the "
    "switch `compared` leaves them out",
}


def reaches(switch: str, stage: str) -> bool:
    """Tell whether a switch changes a choice that a stage takes, in any family of models."""
    stated = SWITCHES[switch]
    changed = {*stated.changes, *(stated.gated or {})}
    return not changed.isdisjoint(CHOICES.get(stage, ()))


def flags(stage: str, released: Iterable[str]) -> list[str]:
    """Return the flags of a stage that name the switches which reach it, in the order of ``SWITCHES``.

    Args:
        stage: the name of the stage, as ``CHOICES`` has it.
        released: the switches of the study that are as in the released code.
    """
    chosen = set(released)
    return [f"--released={name}" for name in SWITCHES if name in chosen and reaches(name, stage)]


def applied(choice: str, settings: Choice, released: Iterable[str] | None, gated: bool = False) -> Choice:
    """Return a choice with the fields changed that switches change.

    Args:
        choice: the name of the choice.
        settings: the choice as the text and the configuration have it, a dataclass.
        released: the switches that are as in the released code; None stands for none.
        gated: whether the model's MLP has a gate.
    Raises:
        UserError: there is no switch of such a name.
    """
    names = list(released or ())
    if unknown := [name for name in names if name not in SWITCHES]:
        raise UserError(f"unknown switch {unknown[0]!r}; allowed: {', '.join(SWITCHES)}")
    changes: dict[str, Any] = {}
    for name in SWITCHES:
        if name in names:
            changes |= SWITCHES[name].of_family(gated).get(choice, {})
    return replace(settings, **changes) if changes else settings  # type: ignore[type-var]


def released_switches(protocol: str, switches: Mapping[str, str]) -> tuple[str, ...]:
    """Return the switches that a study has as in the released code, in the order of ``SWITCHES``.

    Args:
        protocol: what all switches are, ``text`` or ``released``.
        switches: those that are otherwise.
    """
    return tuple(name for name in SWITCHES if switches.get(name, protocol) == RELEASED)
