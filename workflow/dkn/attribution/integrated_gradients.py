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
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dkn.attribution.path_gradients import Paths
from dkn.attribution.path_integrals import Integral, integrate, integrate_adaptively
from dkn.attribution.quadrature import RULES
from dkn.decoder.adapters import Adapter
from dkn.decoder.answer_probabilities import log_odds_against, log_prob
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.prefix import Prefix, read_prompts, read_with_masked
from dkn.decoder.row_budget import RowBudget
from dkn.errors import UserError

BASELINES = ("amig", "zero")
SITES = ("neurons", "preactivation")


@dataclass(frozen=True)
class AttributionSettings:
    """How attribution is computed.

    The *largest layer change* of a fact, which errors are relative to, is the largest change of P over all layers when
    a layer's neurons go from the baseline to their own values; changes are summed over the answer tokens.

    Attributes:
        baseline: ``zero``, or ``amig``: the mean over the prompt's positions of the neurons when that position is
            masked.
        quadrature: one of ``dkn.attribution.quadrature.RULES``.
        nodes: the number of nodes of the rule. For ``adaptive`` it is the number of nodes of every piece of a path, odd
            and at least 3, so that the middle of a piece is a node.
        tolerance: for ``adaptive``, the largest completeness error, relative to the fact's largest layer change.
        max_nodes: for ``adaptive``, the most nodes for one token and layer.
        site: ``neurons``, or ``preactivation``, what enters the activation function, where the released codes of the
            paper and the package knowledge-neurons attribute; the latter takes the zero baseline only.
    """

    baseline: str = "amig"
    quadrature: str = "adaptive"
    nodes: int = 3
    tolerance: float = 1e-3
    max_nodes: int = 192
    site: str = "neurons"

    def __post_init__(self) -> None:
        if self.baseline not in BASELINES:
            raise UserError(f"unknown baseline {self.baseline!r}; allowed: {', '.join(BASELINES)}")
        if self.site not in SITES:
            raise UserError(f"unknown site {self.site!r}; allowed: {', '.join(SITES)}")
        if self.site == "preactivation" and self.baseline != "zero":
            raise UserError("attribution before the activation function has the zero baseline only")
        if self.quadrature not in RULES:
            raise UserError(f"unknown quadrature {self.quadrature!r}; allowed: {', '.join(RULES)}")
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
        change: (T, layers), P_t(a) - P_t(b), to which the scores of a token and layer must sum.
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


def _read(
    adapter: Adapter, facts: Sequence[EncodedFact], baseline: str, mask_token: int, budget: RowBudget
) -> tuple[Prefix, list[Tensor]]:
    """Return the prefix of the facts' prompts, and the baseline's neurons per layer, (F, T, neurons) float32.

    Args:
        baseline: ``zero`` or ``amig``, see ``AttributionSettings``.
    """
    contexts, positions = [fact.context for fact in facts], [fact.answer_positions for fact in facts]
    if baseline == "zero":
        prefix = read_prompts(adapter, contexts, positions)
        return prefix, [torch.zeros_like(neurons, dtype=torch.float32) for neurons in prefix.neurons]
    maskable = [range(fact.special, len(fact.prompt)) for fact in facts]
    return read_with_masked(adapter, contexts, positions, maskable, mask_token, budget)


def _end_points(
    adapter: Adapter, facts: Sequence[EncodedFact], mask_token: int, settings: AttributionSettings, budget: RowBudget
) -> tuple[Paths, list[Tensor], np.ndarray]:
    """Return a batch's paths, the baseline's neurons per layer, and P of the answer tokens, (F, T)."""
    prefix, baseline = _read(adapter, facts, settings.baseline, mask_token, budget)
    answers = torch.tensor([fact.answer for fact in facts], device=adapter.device)
    with torch.no_grad():
        odds = log_odds_against(adapter.unembed(adapter.final_norm(prefix.final)), answers)
        if settings.site == "preactivation":
            end = [adapter.preactivation(layer, middle) for layer, middle in enumerate(prefix.middle)]
            start = [torch.zeros_like(value) for value in end]
        else:
            dtype = adapter.model.dtype
            start = [adapter.mlp_output(layer, neurons.to(dtype)) for layer, neurons in enumerate(baseline)]
            end = prefix.outputs
    delta = [upper - lower for lower, upper in zip(start, end, strict=True)]
    prob = log_prob(odds.double()).exp().cpu().numpy()
    site = "preactivation" if settings.site == "preactivation" else "output"
    return Paths(adapter, prefix, start, delta, answers, budget, site), baseline, prob


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
    paths, baseline, prob = _end_points(adapter, facts, mask_token, settings, budget)
    shape = (len(facts), len(facts[0].answer), adapter.n_layers)
    if settings.quadrature == "adaptive":
        integral = integrate_adaptively(paths, shape, prob, settings.nodes, settings.tolerance, settings.max_nodes)
    else:
        integral = integrate(paths, shape, settings.quadrature, settings.nodes)
    return _collect(paths, facts, integral, baseline, prob)


@torch.no_grad()
def _collect(
    paths: Paths, facts: Sequence[EncodedFact], integral: Integral, baseline: list[Tensor], prob: np.ndarray
) -> list[Attribution]:
    """Return the attribution of each fact from the integrals over its paths.

    Gradients with respect to the MLP's output become those with respect to the neurons, and answer tokens are summed.

    Args:
        baseline: the baseline's neurons per layer, (F, T, neurons).
        prob: (F, T), P of the answer tokens.
    """
    change = np.where(paths.still(), 0.0, prob[:, :, None] - integral.prob_lower)
    scores = []
    for layer in range(paths.adapter.n_layers):
        gradient = paths.adapter.enter(layer, integral.gradient[:, :, layer])
        if paths.site == "preactivation":
            step = paths.delta[layer].float()
        else:
            step = paths.prefix.neurons[layer].float() - baseline[layer]
            gradient = gradient @ paths.adapter.writing(layer).float().T
        scores.append((step * gradient).sum(1).cpu())
    dense = torch.stack(scores, dim=1)
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
