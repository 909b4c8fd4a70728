"""Integrated gradients against the plain definition, against Captum, and against themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerIntegratedGradients
from torch import Tensor
from transformers import PreTrainedModel

from dkn.attribution.integrated_gradients import Attribution, AttributionSettings, attribute
from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.row_budget import RowBudget
from dkn.errors import UserError
from tests.unit import plain, switches
from tests.unit.quadrature_rules import CAPTUM_METHODS, FIXED_RULES

MASK = 1
BASELINES = ("amig", "zero")
MakeFact = Callable[..., EncodedFact]


def attribute_one(adapter: Adapter, fact: EncodedFact, **settings: object) -> Attribution:
    (result,) = attribute(adapter, [fact], MASK, AttributionSettings(**settings))
    return result


def plain_attribution(
    model: PreTrainedModel, fact: EncodedFact, baseline: str, rule: str, count: int
) -> plain.PlainAttribution:
    nodes, weights = plain.rule(rule, count)
    return plain.attribution(model, fact.prompt, fact.answer, fact.special, baseline, MASK, nodes, weights)


def largest_prob(found: Attribution) -> float:
    """The largest P at either end of a path: a change of P is as precise, in float32, as the P it is a change of."""
    return float(max(found.prob.max(), (found.prob[:, None] - found.change).max()))


def assert_same(found: Attribution, expected: Attribution) -> None:
    """Equal to 1e-5, and to adaptive quadrature's tolerance where rounding tips a piece over it."""
    limit = 1e-5 if (found.nodes == expected.nodes).all() else AttributionSettings().tolerance
    assert found.fact_id == expected.fact_id
    assert plain.relative_difference(found.scores, expected.scores) < limit
    assert np.abs(found.change - expected.change).max() < 1e-5 * largest_prob(expected)


@pytest.mark.parametrize("answer", [1, 3])
@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("rule", FIXED_RULES)
def test_scores_equal_the_plain_definition(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact, rule: str, baseline: str, answer: int
) -> None:
    """Scores, P, its change and its integral equal one patched float64 forward pass per token, layer and node."""
    fact, count = random_fact(6, answer), FIXED_RULES[rule]
    found = attribute_one(adapter, fact, baseline=baseline, quadrature=rule, nodes=count)
    expected = plain_attribution(model64, fact, baseline, rule, count)
    assert plain.relative_difference(found.scores, expected.scores) < 1e-5
    assert plain.relative_difference(found.prob, expected.prob) < 1e-5
    assert plain.relative_difference(found.total, expected.total) < 1e-5
    assert np.abs(found.change - expected.change).max() < 1e-5 * largest_prob(found)
    assert (found.nodes == count).all()


@pytest.mark.parametrize("baseline", BASELINES)
def test_float32_references_agree(adapter: Adapter, random_fact: MakeFact, baseline: str) -> None:
    """The plain definition in float32, the library's own precision, gives the same scores."""
    fact = random_fact(5, 2)
    found = attribute_one(adapter, fact, baseline=baseline, quadrature="gauss-legendre", nodes=3)
    expected = plain_attribution(adapter.model, fact, baseline, "gauss-legendre", 3)
    assert plain.relative_difference(found.scores, expected.scores) < 1e-5


def captum_forward(model: PreTrainedModel, fact: EncodedFact, layer: int) -> Callable[[Tensor], Tensor]:
    """P of the (only) answer token as a function of a batch of one layer's neuron vectors at the last position."""
    assert len(fact.answer) == 1
    module = plain.down_projections(model)[layer]

    def forward(vectors: Tensor) -> Tensor:
        tokens = torch.tensor([fact.prompt]).expand(len(vectors), -1)
        with plain.entering(module, lambda value: torch.cat((value[:, :-1], vectors[:, None]), dim=1)):
            return model(tokens, use_cache=False).logits[:, -1].softmax(-1)[:, fact.answer[0]]

    return forward


@pytest.mark.parametrize("rule", CAPTUM_METHODS)
def test_zero_baseline_equals_captum(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact, rule: str
) -> None:
    """Baseline zero is Captum's IntegratedGradients of P as a function of the last position's neurons."""
    fact = random_fact(6, 1)
    expected = []
    for layer, neurons in enumerate(plain.last_neurons(model64, fact.prompt)):
        explain = IntegratedGradients(captum_forward(model64, fact, layer), multiply_by_inputs=True)
        expected.append(explain.attribute(neurons[None], baselines=0, n_steps=5, method=CAPTUM_METHODS[rule])[0])
    found = attribute_one(adapter, fact, baseline="zero", quadrature=rule, nodes=5)
    assert plain.relative_difference(found.scores, torch.stack(expected)) < 1e-5


@pytest.mark.parametrize("rule", CAPTUM_METHODS)
def test_masked_baseline_equals_captum_on_the_model(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact, rule: str
) -> None:
    """LayerIntegratedGradients of the untouched model, with the prompt's last token masked as baseline input.

    Only the last position can differ between the two inputs, so this is amig where all other tokens are special.
    """
    fact = random_fact(6, 1)
    fact = EncodedFact(fact.fact_id, fact.prompt, fact.answer, special=5)

    def forward(tokens: Tensor) -> Tensor:
        return model64(tokens, use_cache=False).logits[:, -1].softmax(-1)[:, fact.answer[0]]

    expected = []
    for module in plain.down_projections(model64):
        explain = LayerIntegratedGradients(forward, module, multiply_by_inputs=True)
        attributed = explain.attribute(
            torch.tensor([fact.prompt]),
            baselines=torch.tensor([[*fact.prompt[:-1], MASK]]),
            n_steps=5,
            method=CAPTUM_METHODS[rule],
            attribute_to_layer_input=True,
        )
        assert (attributed[0, :-1] == 0).all()
        expected.append(attributed[0, -1])
    found = attribute_one(adapter, fact, baseline="amig", quadrature=rule, nodes=5)
    assert plain.relative_difference(found.scores, torch.stack(expected)) < 1e-5


@pytest.mark.parametrize("quadrature", ["gauss-legendre", "adaptive"])
@pytest.mark.parametrize("baseline", BASELINES)
def test_batch_equals_each_fact_alone(adapter: Adapter, random_fact: MakeFact, baseline: str, quadrature: str) -> None:
    """Facts of different prompt lengths do not feel each other."""
    facts = [random_fact(length, 2, seed) for length, seed in ((3, 0), (9, 1), (6, 2), (1, 3))]
    settings = AttributionSettings(baseline=baseline, quadrature=quadrature)
    for fact, found in zip(facts, attribute(adapter, facts, MASK, settings), strict=True):
        (alone,) = attribute(adapter, [fact], MASK, settings)
        assert_same(found, alone)


@pytest.mark.parametrize("quadrature", ["left-riemann", "adaptive"])
@pytest.mark.parametrize("rows", [1, 13, 40])
def test_chunks_change_nothing(adapter: Adapter, random_fact: MakeFact, rows: int, quadrature: str) -> None:
    """Few branches at a time give what all at once give."""
    facts = [random_fact(4, 2, 0), random_fact(7, 2, 1)]
    settings = AttributionSettings(quadrature=quadrature, nodes=5)
    whole = attribute(adapter, facts, MASK, settings, RowBudget(10**6))
    parts = attribute(adapter, facts, MASK, settings, RowBudget(rows))
    for one, other in zip(whole, parts, strict=True):
        assert_same(other, one)


def test_special_tokens_are_not_masked(adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact) -> None:
    """Leading special tokens stay out of the amig mean, and that makes a difference."""
    fact = random_fact(6, 2, special=2)
    assert fact.prompt[:2] == [0, 0]
    ordinary = EncodedFact(fact.fact_id, fact.prompt, fact.answer, special=0)
    found = attribute_one(adapter, fact, quadrature="gauss-legendre", nodes=3)
    expected = plain_attribution(model64, fact, "amig", "gauss-legendre", 3)
    assert plain.relative_difference(found.scores, expected.scores) < 1e-5
    masked_too = attribute_one(adapter, ordinary, quadrature="gauss-legendre", nodes=3)
    assert plain.relative_difference(found.scores, masked_too.scores) > 1e-2


def test_default_settings_are_adaptive_with_three_nodes() -> None:
    """What the other tests call the default is the default."""
    settings = AttributionSettings()
    assert (settings.quadrature, settings.nodes, settings.tolerance, settings.baseline) == ("adaptive", 3, 1e-3, "amig")


# With these wild models a zero baseline lies where RMSNorm turns sharply: one (token, layer) needs 99 nodes.
@pytest.mark.parametrize("answer", [1, 3])
@pytest.mark.parametrize(("baseline", "limit"), [("amig", {}), ("zero", {"max_nodes": 400})])
def test_default_nodes_reach_completeness(
    adapter: Adapter,
    model64: PreTrainedModel,
    random_fact: MakeFact,
    baseline: str,
    limit: dict[str, int],
    answer: int,
) -> None:
    """Adaptive quadrature meets its tolerance, and its record agrees with the scores and with plain passes."""
    settings = AttributionSettings(baseline=baseline, **limit)
    facts = [random_fact(length, answer, seed) for seed, length in enumerate((5, 8, 6, 7))]
    spent = []
    for fact, found in zip(facts, attribute(adapter, facts, MASK, settings), strict=True):
        expected = plain_attribution(model64, fact, baseline, "midpoint", 1)  # for P and its change only
        largest = np.abs(expected.change.sum(0)).max()
        assert plain.relative_difference(found.prob, expected.prob) < 1e-5
        assert np.abs(found.change - expected.change).max() < 1e-5 * largest_prob(found)
        assert np.abs(found.total.sum(0) - found.scores.double().sum(1).numpy()).max() < 1e-5 * largest
        error = np.abs(found.total - expected.change) / largest
        assert found.error.max() <= 1e-3
        assert np.abs(found.error - error).max() < 1e-4
        spent.append(found.nodes.max())
    assert max(spent) <= min(settings.max_nodes, 200), "nodes are spent on pieces that are complete already"
    if baseline == "zero":
        assert max(spent) > settings.nodes, "no refinement was needed, so the test shows nothing"


@pytest.mark.parametrize("baseline", BASELINES)
def test_adaptive_scores_converge_to_the_integral(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact, baseline: str
) -> None:
    """Neuron by neuron, tightly adapted nodes give what sixty Gauss-Legendre nodes give."""
    fact = random_fact(5, 1)
    found = attribute_one(adapter, fact, baseline=baseline, tolerance=1e-6, max_nodes=400)
    expected = plain_attribution(model64, fact, baseline, "gauss-legendre", 60)
    assert plain.relative_difference(found.scores, expected.scores) < 1e-4


@pytest.mark.parametrize("nodes", [3, 5])
def test_too_few_nodes_are_reported(adapter: Adapter, random_fact: MakeFact, nodes: int) -> None:
    """Where the node limit forbids refinement, the record shows the true error, above the tolerance."""
    tolerance = 1e-7
    found = attribute_one(
        adapter, random_fact(6, 2), baseline="zero", nodes=nodes, max_nodes=nodes, tolerance=tolerance
    )
    assert (found.nodes == nodes).all()
    assert found.error.max() > tolerance
    largest = np.abs(found.change.sum(0)).max()
    assert np.allclose(found.error, np.abs(found.total - found.change) / largest, rtol=1e-6, atol=0)


def test_node_limit_holds(adapter: Adapter, random_fact: MakeFact) -> None:
    """An unreachable tolerance spends no more than ``max_nodes`` for any (token, layer)."""
    found = attribute_one(adapter, random_fact(6, 2), tolerance=1e-12, max_nodes=20)
    assert 3 < found.nodes.max() <= 20
    assert found.error.max() > 1e-12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nodes": 4}, "odd number"),
        ({"nodes": 1}, "'adaptive' needs at least 3 nodes, not 1"),
        ({"baseline": "mean"}, r"unknown baseline 'mean'.*amig, zero"),
        ({"site": "output"}, r"unknown site 'output'; allowed: neurons, preactivation"),
        ({"multiplier": "own"}, r"unknown multiplier 'own'; allowed: difference, value"),
        ({"masked": "all"}, r"unknown masked 'all'; allowed: prompt, context"),
        ({"answer_path": "greedy"}, r"unknown answer_path 'greedy'; allowed: answer, first-choice"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], message: str) -> None:
    """An even first node count with adaptive, and choices that there are not."""
    with pytest.raises(UserError, match=message):
        AttributionSettings(**settings)


@pytest.mark.parametrize("answers", [(1, 2), (0,), (0, 0), ()])
def test_wrong_answers_are_named(adapter: Adapter, random_fact: MakeFact, answers: tuple[int, ...]) -> None:
    """Answers of different lengths, of no tokens, and no facts at all."""
    with pytest.raises(UserError, match=r"one and the same length, at least one token"):
        attribute(adapter, [random_fact(5, answer) for answer in answers], MASK, AttributionSettings())


@pytest.mark.parametrize(("length", "fits"), [(31, True), (32, False)])
def test_context_limit(adapter: Adapter, random_fact: MakeFact, length: int, fits: bool) -> None:
    """Prompt and all answer tokens but the last must fit into the context of 32."""
    fact = random_fact(length, 2)
    if fits:
        attribute_one(adapter, fact, quadrature="midpoint", nodes=1)
        return
    with pytest.raises(UserError, match="33 tokens exceeds the model's context of 32"):
        attribute_one(adapter, fact)


@pytest.mark.parametrize("quadrature", ["adaptive", "left-riemann"])
@pytest.mark.parametrize("baseline", BASELINES)
def test_not_finite_scores_name_the_fact(
    own_adapter: Adapter, random_fact: MakeFact, baseline: str, quadrature: str
) -> None:
    """A NaN in a writing weight ends in an error with the fact's id."""
    own_adapter.writing(1)[3, 5] = float("nan")
    with pytest.raises(UserError, match=r"fact fact-5-2-0: .* not finite"):
        attribute_one(own_adapter, random_fact(5, 2), baseline=baseline, quadrature=quadrature)


@pytest.mark.parametrize("adapter", ["llama-grouped"], indirect=True)  # a tied embedding would spoil every fact
def test_not_finite_scores_name_the_right_fact(own_adapter: Adapter) -> None:
    """A NaN that only the second fact's prompt meets is blamed on the second fact."""
    facts = [EncodedFact("sound", [5, 6, 7], [8]), EncodedFact("spoilt", [5, 99, 7, 9], [8])]
    own_adapter.model.get_input_embeddings().weight[99] = float("nan")
    with pytest.raises(UserError, match="fact spoilt: "):
        attribute(own_adapter, facts, MASK, AttributionSettings())


def test_before_the_activation_function_completeness_holds_too(adapter: Adapter, random_fact: MakeFact) -> None:
    """The released codes' site: another path between the same ends as the zero baseline, where act(0) is 0."""
    fact = random_fact(6, 2)
    neurons = attribute_one(adapter, fact, baseline="zero", max_nodes=400)
    found = attribute_one(adapter, fact, baseline="zero", site="preactivation", max_nodes=400)
    assert found.error.max() <= 1e-3
    assert np.abs(found.change - neurons.change).max() < 1e-5 * largest_prob(found)
    assert plain.relative_difference(found.scores, neurons.scores) > 1e-2


RELEASED = {
    "site": "preactivation",
    "multiplier": "value",
    "masked": "context",
    "answer_path": "first-choice",
    "quadrature": "left-riemann",
    "nodes": 10,
}


@pytest.mark.parametrize(
    "switched",
    [*({name: value} for name, value in list(RELEASED.items())[:4]), RELEASED],
    ids=[*list(RELEASED)[:4], "all"],
)
@pytest.mark.parametrize("baseline", BASELINES)
def test_every_setting_equals_hooks_on_the_model(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact, baseline: str, switched: dict[str, object]
) -> None:
    """Several answer tokens, facts of several lengths at once: one patched float64 pass per token, layer and node."""
    facts = [random_fact(length, 3, seed, special) for seed, (length, special) in enumerate(((3, 0), (6, 2), (1, 0)))]
    settings = {"baseline": baseline, "quadrature": "midpoint", "nodes": 2, **switched}
    nodes, weights = plain.rule(settings.pop("quadrature"), settings.pop("nodes"))
    rule = {"quadrature": switched.get("quadrature", "midpoint"), "nodes": len(nodes)}
    results = attribute(adapter, facts, MASK, AttributionSettings(**rule, **settings), RowBudget(30))
    as_text = attribute(adapter, facts, MASK, AttributionSettings(**rule, baseline=baseline))
    for fact, found, other in zip(facts, results, as_text, strict=True):
        expected = switches.attribution(
            model64, fact.prompt, fact.answer, fact.special, MASK, nodes, weights, **settings
        )
        assert plain.relative_difference(found.scores, expected.scores) < 1e-5
        assert plain.relative_difference(found.prob, expected.prob) < 1e-5
        assert plain.relative_difference(found.total, expected.total) < 2e-5
        assert np.abs(found.change - expected.change).max() < 1e-5 * largest_prob(found)
        if (baseline, *switched) != ("zero", "masked"):  # nothing is masked for a baseline of zero
            assert plain.relative_difference(found.scores, other.scores) > 1e-2


def test_a_path_of_first_choices_must_fit_into_the_context(adapter: Adapter, random_fact: MakeFact) -> None:
    settings = {"answer_path": "first-choice", "quadrature": "midpoint", "nodes": 1}
    attribute_one(adapter, random_fact(31, 2), **settings)
    with pytest.raises(UserError, match="33 tokens exceeds the model's context of 32"):
        attribute_one(adapter, random_fact(32, 2), **settings)


def test_convergence_is_judged_by_the_recorded_error(adapter: Adapter, random_fact: MakeFact) -> None:
    """A tolerance just below a recorded error makes that (token, layer) refine, however close it is."""
    fact = random_fact(6, 1)
    first = attribute_one(adapter, fact, tolerance=1.0, baseline="zero")
    token, layer = np.unravel_index(first.error.argmax(), first.error.shape)
    worst = first.error[token, layer]
    below, above = (
        attribute_one(adapter, fact, tolerance=worst * part, baseline="zero") for part in (1 - 1e-9, 1 + 1e-9)
    )
    assert below.nodes[token, layer] > 3
    assert above.nodes[token, layer] == 3
