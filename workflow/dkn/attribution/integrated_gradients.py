"""Integrated gradients of the answer's probability with respect to MLP neurons.

For a layer l and an answer token t, the layer's neurons at the position that predicts the token are moved in a straight
line, the *path*, from a *baseline* b to their own values a, while all later layers react:

    attr_t(l, i) = (a_i - b_i) * integral_0^1 dP_t / dn_i d alpha   at n = b + alpha (a - b)

(Dai et al. 2022; Chen et al. 2024). The *score* of a neuron is the sum over the answer tokens. By *completeness* the
scores of a token and layer must sum to P_t(a) - P_t(b), which measures the error of the quadrature.

``dkn.attribution.path_gradients`` evaluates points of the paths and ``dkn.attribution.path_integrals`` integrates over
them; this module has the baseline, the settings and the sums. The gradient with respect to the neurons is the writing
matrix times the gradient with respect to the MLP's output, so the matrix is applied once, after the integration.

Shapes name these axes: facts F, answer tokens T.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dkn.attribution.path_gradients import Paths
from dkn.attribution.path_integrals import Integral, integrate, integrate_adaptively
from dkn.attribution.quadrature import RULES
from dkn.decoder.adapters import NEURON_SITES, Adapter
from dkn.decoder.answer_probabilities import log_odds_against, log_prob
from dkn.decoder.encoded_facts import ANSWER_PATHS, EncodedFact
from dkn.decoder.prefix import Prefix, read_prompts, read_with_masked
from dkn.decoder.products import times_rows
from dkn.decoder.row_budget import RowBudget
from dkn.errors import UserError

BASELINES = ("amig", "zero")
MULTIPLIERS = ("difference", "value")
MASKED = ("prompt", "context")


@dataclass(frozen=True)
class AttributionSettings:
    """How attribution is computed.

    The *largest layer change* of a fact, which errors are relative to, is the largest change of P over all layers when
    a layer's neurons go from the baseline to their own values; changes are summed over the answer tokens.

    Attributes:
        baseline: ``zero``, or ``amig``: the mean over positions of the neurons when that position is masked.
        quadrature: one of ``dkn.attribution.quadrature.RULES``.
        nodes: the number of nodes of the rule. For ``adaptive`` it is the number of nodes of every piece of a path, odd
            and at least 3, so that the middle of a piece is a node.
        tolerance: for ``adaptive``, the largest completeness error, relative to the fact's largest layer change.
        max_nodes: for ``adaptive``, the most nodes for one token and layer.
        site: ``neurons``, or ``preactivation``, what enters the activation function, where the released codes of the
            paper and the package knowledge-neurons attribute. What a gated MLP multiplies the activation by stays as it
            is.
        multiplier: what the mean gradient along a path is multiplied by: ``difference``, a - b, or ``value``, as the
            released code does, for every answer token a at the prompt's last position. Scores then do not add up to
            a difference of P; the records of completeness are about the path all the same.
        masked: the positions that ``amig`` masks: the ``prompt``'s, or, as the released code does, those of the
            ``context``, which are all positions up to the one that predicts the answer token. Special tokens at the
            beginning are never masked.
        answer_path: how the context goes on from one answer token to the next: with the ``answer``'s own tokens, or,
            as in the released code, each time with one and the same token, the model's ``first-choice`` after the
            prompt.
    """

    baseline: str = "amig"
    quadrature: str = "adaptive"
    nodes: int = 3
    tolerance: float = 1e-3
    max_nodes: int = 192
    site: str = "neurons"
    multiplier: str = "difference"
    masked: str = "prompt"
    answer_path: str = "answer"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("baseline", self.baseline, BASELINES),
            ("site", self.site, NEURON_SITES),
            ("multiplier", self.multiplier, MULTIPLIERS),
            ("masked", self.masked, MASKED),
            ("answer_path", self.answer_path, ANSWER_PATHS),
            ("quadrature", self.quadrature, RULES),
        ):
            if value not in allowed:
                raise UserError(f"unknown {name} {value!r}; allowed: {', '.join(allowed)}")
        fewest = {"adaptive": 3, "gauss-lobatto": 2}.get(self.quadrature, 1)
        if self.nodes < fewest:
            raise UserError(f"quadrature {self.quadrature!r} needs at least {fewest} nodes, not {self.nodes}")
        if self.quadrature == "adaptive" and self.nodes % 2 == 0:
            raise UserError(f"adaptive quadrature needs an odd number of nodes, not {self.nodes}")


@dataclass(frozen=True)
class Attribution:
    """The attribution of one fact.

    Attributes:
        scores: (layers, neurons), the scores, float32 on the CPU.
        prob: (T,), the probability of each answer token.
        change: (T, layers), P_t(a) - P_t(b), to which the scores of a token and layer must sum where mean gradients are
            multiplied by the difference.
        total: (T, layers), the sums that the quadrature gave.
        error: (T, layers), |total - change| relative to the fact's largest layer change.
        nodes: (T, layers), the number of gradient evaluations.
    """

    fact_id: str
    scores: Tensor
    prob: np.ndarray
    change: np.ndarray
    total: np.ndarray
    error: np.ndarray
    nodes: np.ndarray


@torch.no_grad()
def _on_first_choices(adapter: Adapter, facts: Sequence[EncodedFact]) -> list[EncodedFact]:
    """Return the facts with the model's first choice after the prompt in the place of all answer tokens but the last.

    Raises:
        UserError: a prompt is longer than the model's context.
    """
    prefix = read_prompts(
        adapter, [fact.prompt for fact in facts], [[len(fact.prompt) - 1] for fact in facts], cache=False
    )
    choices = adapter.unembed(adapter.final_norm(prefix.final))[:, 0].argmax(-1).tolist()
    return [
        replace(fact, extension=[choice] * (len(fact.answer) - 1)) for fact, choice in zip(facts, choices, strict=True)
    ]


def _read(
    adapter: Adapter, facts: Sequence[EncodedFact], mask_token: int, settings: AttributionSettings, budget: RowBudget
) -> tuple[Prefix, list[Tensor]]:
    """Return the prefix of the facts' contexts, and the baseline's values per layer, (F, T, neurons) float32."""
    contexts, positions = [fact.context for fact in facts], [fact.answer_positions for fact in facts]
    if settings.baseline == "zero":
        prefix = read_prompts(adapter, contexts, positions)
        return prefix, [torch.zeros_like(neurons, dtype=torch.float32) for neurons in prefix.neurons]
    maskable = [
        range(fact.special, len(fact.prompt if settings.masked == "prompt" else fact.context)) for fact in facts
    ]
    return read_with_masked(adapter, contexts, positions, maskable, mask_token, budget, settings.site)


@torch.no_grad()
def _end_points(
    adapter: Adapter, facts: Sequence[EncodedFact], mask_token: int, settings: AttributionSettings, budget: RowBudget
) -> tuple[Paths, list[Tensor], np.ndarray]:
    """Return a batch's paths, what mean gradients are multiplied by, and P of the answer tokens, (F, T).

    The multipliers are float32 tensors per layer, (F, T, neurons), or (F, 1, neurons) for all answer tokens alike.
    """
    prefix, baseline = _read(adapter, facts, mask_token, settings, budget)
    answers = torch.tensor([fact.answer for fact in facts], device=adapter.device)
    odds = log_odds_against(adapter.unembed(adapter.final_norm(prefix.final)), answers)
    start = [lower.to(adapter.model.dtype) for lower in baseline]
    if settings.site == "preactivation":
        site, own = "preactivation", [adapter.preactivation(*layer) for layer in enumerate(prefix.middle)]
        end = own
    else:
        site, own, end = "output", prefix.neurons, prefix.outputs
        if settings.baseline == "zero":
            start = [adapter.silent_output(layer).expand_as(output) for layer, output in enumerate(end)]
        else:
            start = [adapter.mlp_output(*layer) for layer in enumerate(start)]
    delta = [upper - lower for lower, upper in zip(start, end, strict=True)]
    if settings.multiplier == "value":
        multipliers = [value[:, :1].float() for value in own]
    else:
        multipliers = [value.float() - lower for lower, value in zip(baseline, own, strict=True)]
    prob = log_prob(odds.double()).exp().cpu().numpy()
    return Paths(adapter, prefix, start, delta, answers, budget, site), multipliers, prob


def attribute(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    mask_token: int,
    settings: AttributionSettings,
    budget: RowBudget | None = None,
) -> list[Attribution]:
    """Compute the integrated gradients of a batch of facts whose answers have the same number of tokens.

    Args:
        mask_token: the token id that masks a position for the ``amig`` baseline.
        budget: how many branches are computed at once; pass the same budget for all batches of a shard.
    Raises:
        UserError: answers have no tokens or different numbers of them, a prompt with its answer is longer than the
            model's context, memory runs out, or scores are NaN or infinite.
    """
    if not facts or len({len(fact.answer) for fact in facts}) != 1 or not facts[0].answer:
        raise UserError("a batch of facts needs answers of one and the same length, at least one token")
    budget = budget or RowBudget.for_model(adapter)
    if settings.answer_path == "first-choice":
        facts = _on_first_choices(adapter, facts)
    paths, multipliers, prob = _end_points(adapter, facts, mask_token, settings, budget)
    shape = (len(facts), len(facts[0].answer), adapter.n_layers)
    if settings.quadrature == "adaptive":
        integral = integrate_adaptively(paths, shape, prob, settings.nodes, settings.tolerance, settings.max_nodes)
    else:
        integral = integrate(paths, shape, settings.quadrature, settings.nodes)
    return _collect(paths, facts, integral, multipliers, prob)


@torch.no_grad()
def _collect(
    paths: Paths, facts: Sequence[EncodedFact], integral: Integral, multipliers: list[Tensor], prob: np.ndarray
) -> list[Attribution]:
    """Return the attribution of each fact from the integrals over its paths.

    Gradients with respect to the MLP's output become those with respect to the neurons, and answer tokens are summed.

    Args:
        multipliers: what mean gradients are multiplied by, (F, T or 1, neurons) per layer.
        prob: (F, T), P of the answer tokens.
    """
    change = np.where(paths.still(), 0.0, prob[:, :, None] - integral.prob_lower)
    scores = []
    for layer, multiplier in enumerate(multipliers):
        gradient = paths.adapter.enter(layer, integral.gradient[:, :, layer])
        if paths.site == "output":
            gradient = times_rows(gradient, paths.adapter.writing(layer).float())
        scores.append((multiplier * gradient).sum(1).to(paths.answers.device))
    dense = torch.stack(scores, dim=1).cpu()
    scale = np.abs(change.sum(1)).max(-1)  # (F,), each fact's largest layer change
    error = np.abs(integral.total - change) / np.maximum(scale, np.finfo(np.float32).tiny)[:, None, None]
    results = []
    for row, fact in enumerate(facts):
        if not torch.isfinite(dense[row]).all():
            raise UserError(f"{fact.label}: attribution gave scores that are not finite (NaN or infinite)")
        results.append(
            Attribution(
                fact.fact_id, dense[row], prob[row], change[row], integral.total[row], error[row], integral.nodes[row]
            )
        )
    return results


def score_rows(result: Attribution, floor: float) -> pd.DataFrame:
    """Return the positive scores of a fact that exceed a fraction of its largest score.

    Args:
        floor: the fraction, from 0 to 1.
    Returns:
        One row per neuron, sorted by layer and neuron; columns as in ``schemas.SCORES``.
    """
    largest = float(result.scores.max())
    layer, neuron = np.nonzero(result.scores.numpy() > max(floor * largest, 0.0))
    score = result.scores.numpy()[layer, neuron]
    return pd.DataFrame({"fact_id": result.fact_id, "layer": layer, "neuron": neuron, "score": score})


def completeness_rows(result: Attribution, tolerance: float) -> pd.DataFrame:
    """Return how far a fact's attribution is from completeness.

    Args:
        tolerance: the largest error, relative to the fact's largest layer change, of what counts as converged.
    Returns:
        One row per answer token and layer; columns as in ``schemas.COMPLETENESS``.
    """
    token, layer = (part.ravel() for part in np.indices(result.change.shape))
    return pd.DataFrame(
        {
            "fact_id": result.fact_id,
            "token": token,
            "layer": layer,
            "prob": np.repeat(result.prob, result.change.shape[1]),
            "change": result.change.ravel(),
            "total": result.total.ravel(),
            "error": result.error.ravel(),
            "nodes": result.nodes.ravel(),
            "converged": result.error.ravel() <= tolerance,
        }
    )
