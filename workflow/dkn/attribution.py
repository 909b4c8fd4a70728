"""Integrated gradients of the answer's probability with respect to MLP neurons (METHOD section 3).

For a layer l and an answer token t, the neurons at the last position are moved in a straight line from a baseline b
to their values a, all later layers free to react:

    attr_t(l, i) = (a_i - b_i) * integral_0^1  dP_t / dn_i  at  n = b + alpha (a - b)

(Dai et al. 2022; Chen et al. 2024). Every (target, layer, node) is one branch of one token that starts at the output
of its own layer's MLP, so layer j sees the branches of layers < j only. Two facts keep this cheap: the
down-projection is affine, so a branch needs only the MLP's two outputs at a and b; and the gradient with respect to
the neurons is the writing matrix times the gradient with respect to the MLP's output, so nodes are summed before
the matrix is applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dkn.branches import Prefix, attend, read_prompts, visible_prefix
from dkn.encoding import EncodedFact
from dkn.errors import UserError
from dkn.language_models import Adapter
from dkn.probabilities import log_odds_against, log_prob
from dkn.quadrature import RULES, nodes_and_weights

BASELINES = ("amig", "zero")


@dataclass(frozen=True)
class AttributionSettings:
    """How attribution is computed.

    Attributes:
        baseline: ``amig`` (mean over prompt positions with that position masked) or ``zero``.
        quadrature: a rule of ``dkn.quadrature``.
        nodes: nodes of the rule; of the first round for ``adaptive`` (odd, so that an interval's middle is a node).
        tolerance: for ``adaptive``, the largest completeness error, relative to the fact's largest layer change.
        max_nodes: for ``adaptive``, the most nodes for one (token, layer).
        max_rows: the most branches computed at once.
        masked_tokens: the most tokens of masked prompts read at once.
    """

    baseline: str = "amig"
    quadrature: str = "adaptive"
    nodes: int = 3
    tolerance: float = 1e-3
    max_nodes: int = 192
    max_rows: int = 2048
    masked_tokens: int = 8192

    def __post_init__(self) -> None:
        if self.baseline not in BASELINES:
            raise UserError(f"unknown baseline {self.baseline!r}; allowed: {', '.join(BASELINES)}")
        if self.quadrature not in RULES:
            raise UserError(f"unknown quadrature {self.quadrature!r}; allowed: {', '.join(RULES)}")
        if self.nodes < 1:
            raise UserError(f"a quadrature needs at least one node, not {self.nodes}")
        if self.quadrature == "adaptive" and self.nodes % 2 == 0:
            raise UserError(f"adaptive quadrature needs an odd number of first nodes, not {self.nodes}")


@dataclass(frozen=True)
class Attribution:
    """One fact's result.

    Attributes:
        scores: (layers, neurons), summed over answer tokens, float32 on the CPU.
        prob: (T,) probability of each answer token.
        change: (T, layers) P_t(a) - P_t(b): what the scores of (token, layer) must sum to.
        total: (T, layers) what they do sum to.
        error: (T, layers) |total - change| relative to the fact's largest layer change.
        nodes: (T, layers) gradient evaluations spent.
    """

    fact_id: str
    scores: Tensor
    prob: np.ndarray
    change: np.ndarray
    total: np.ndarray
    error: np.ndarray
    nodes: np.ndarray


@dataclass(frozen=True)
class _Paths:
    """The straight lines of a batch, as the MLP's outputs at both ends: per layer (F, T, width)."""

    adapter: Adapter
    prefix: Prefix
    start: list[Tensor]
    delta: list[Tensor]
    answers: Tensor  # (F, T)
    max_rows: int


@dataclass(frozen=True)
class _Rows:
    """Branches to evaluate, as flat arrays of one length."""

    fact: np.ndarray
    target: np.ndarray
    layer: np.ndarray
    alpha: np.ndarray

    def __len__(self) -> int:
        return len(self.fact)


@torch.no_grad()
def baseline_neurons(
    adapter: Adapter, facts: Sequence[EncodedFact], baseline: str, mask_token: int, masked_tokens: int
) -> list[Tensor]:
    """Baseline neuron values at the answer-predicting positions, per layer (F, T, neurons).

    ``amig``: one prompt copy per position, with that position's token replaced by the mask token; all copies are
    read in batches, all layers and all answer tokens at once, and averaged in float32.
    """
    shape = (len(facts), len(facts[0].answer), adapter.n_neurons)
    sums = [torch.zeros(shape, device=adapter.device) for _ in range(adapter.n_layers)]
    if baseline == "zero":
        return sums
    jobs = [(row, place) for row, fact in enumerate(facts) for place in range(fact.special, len(fact.prompt))]
    per_batch = max(1, masked_tokens // max(len(fact.context) for fact in facts))
    for first in range(0, len(jobs), per_batch):
        batch = jobs[first : first + per_batch]
        copies = [list(facts[row].context) for row, _ in batch]
        for copy, (_, place) in zip(copies, batch, strict=True):
            copy[place] = mask_token
        masked = read_prompts(adapter, copies, [facts[row].answer_positions for row, _ in batch], cache=False)
        owner = torch.tensor([row for row, _ in batch], device=adapter.device)
        for layer, neurons in enumerate(masked.neurons):
            sums[layer].index_add_(0, owner, neurons.float())
    counts = torch.tensor([len(fact.prompt) - fact.special for fact in facts], device=adapter.device)
    return [total / counts[:, None, None] for total in sums]


def _tables(rows: _Rows, facts: int, layers: int, max_rows: int) -> Iterator[list[np.ndarray]]:
    """Chunks of rows as one (facts, count) table of row indices per layer; -1 pads facts that have fewer."""
    order = np.lexsort((rows.fact, rows.layer))
    group = rows.layer[order] * facts + rows.fact[order]
    starts = np.searchsorted(group, group)
    rank = np.arange(len(order)) - starts
    per_group = max(1, max_rows // (facts * layers))
    for first in range(0, int(rank.max()) + 1, per_group):
        tables = []
        for layer in range(layers):
            chosen = (rows.layer[order] == layer) & (rank >= first) & (rank < first + per_group)
            width = int(rank[chosen].max()) - first + 1 if chosen.any() else 0
            table = np.full((facts, width), -1)
            table[rows.fact[order][chosen], rank[chosen] - first] = order[chosen]
            tables.append(table)
        yield tables


def _answer_gradient(adapter: Adapter, hidden: Tensor, answers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Answer log-probabilities of branches, and their gradient with respect to the normed final stream.

    Args:
        hidden: (F, R, 1, width) in the graph. answers: (F, R) token ids.
    Returns:
        The normed stream (in the graph), its gradient of log P, and log P (F, R) in float64. The vocabulary-wide
        tensors live for one chunk only.
    """
    normed = adapter.final_norm(hidden)
    flat = normed.detach().flatten(0, 2)
    log_probs, gradients = [], []
    for part, answer in zip(flat.split(512), answers.flatten().split(512), strict=True):
        leaf = part.requires_grad_()
        with torch.enable_grad():
            odds = log_odds_against(adapter.unembed(leaf), answer)
            gradients.append(torch.autograd.grad(log_prob(odds).sum(), leaf)[0])
        log_probs.append(log_prob(odds.detach().double()))
    return normed, torch.cat(gradients).view(normed.shape), torch.cat(log_probs).view(answers.shape)


def _evaluate_tables(
    paths: _Paths, rows: _Rows, tables: list[np.ndarray]
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """One chunk: per layer the row indices, P, and the gradient of P with respect to the MLP's output."""
    adapter, prefix, device = paths.adapter, paths.prefix, paths.answers.device
    index = torch.from_numpy(np.concatenate(tables, axis=1)).to(device)
    real = index >= 0
    index = index.clamp(min=0)
    target = torch.from_numpy(rows.target).to(device)[index]
    alpha = torch.from_numpy(rows.alpha.astype(np.float32)).to(device)[index]
    fact = torch.arange(index.shape[0], device=device)[:, None].expand_as(index)
    position = prefix.positions[fact, target]
    visible = visible_prefix(prefix, position)
    rotation = adapter.rotation(position[..., None])

    hidden: Tensor | None = None
    leaves, done = [], 0
    for layer, table in enumerate(tables):
        if hidden is not None:
            turned = rotation and (rotation[0][:, :done], rotation[1][:, :done])
            hidden = attend(adapter, layer, prefix, hidden, visible[:, :done], turned)
            hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, adapter.neurons(layer, hidden)))
        if not table.shape[1]:
            continue
        new = slice(done, done + table.shape[1])
        where = fact[:, new], target[:, new]
        output = paths.start[layer][where] + alpha[:, new, None] * paths.delta[layer][where]
        leaves.append(output[:, :, None].requires_grad_())
        entering = adapter.add_mlp(layer, prefix.middle[layer][where][:, :, None], leaves[-1])
        hidden = entering if hidden is None else torch.cat((hidden, entering), dim=1)
        done = new.stop
    assert hidden is not None
    normed, gradient, log_prob = _answer_gradient(adapter, hidden, paths.answers[fact, target])
    gradients = torch.autograd.grad(normed, leaves, gradient)
    # The gradient of P is P times that of log P: the network carries numbers of order one, whatever P is.
    probability = log_prob.exp()
    done = 0
    for leaf in gradients:
        new = slice(done, done + leaf.shape[1])
        keep = real[:, new]
        yield (
            index[:, new][keep].cpu().numpy(),
            probability[:, new][keep],
            probability[:, new][keep][:, None].float() * leaf[:, :, 0].float()[keep],
        )
        done = new.stop


def _evaluate(paths: _Paths, rows: _Rows) -> tuple[np.ndarray, np.ndarray, Tensor]:
    """P (n,), its derivative along the path (n,), and its gradient at the MLP's output (n, width) for n branches."""
    device = paths.answers.device
    probability = np.zeros(len(rows))
    gradient = torch.zeros(len(rows), paths.adapter.width, device=device)
    facts = len(paths.answers)
    with torch.enable_grad():
        for tables in _tables(rows, facts, paths.adapter.n_layers, paths.max_rows):
            for index, prob, grad in _evaluate_tables(paths, rows, tables):
                probability[index] = prob.cpu().numpy()
                gradient[torch.from_numpy(index).to(device)] = grad
    delta = torch.stack(paths.delta)  # (layers, F, T, width)
    layer, fact, target = (torch.from_numpy(part).to(device) for part in (rows.layer, rows.fact, rows.target))
    derivative = torch.linalg.vecdot(delta[layer, fact, target].float(), gradient)
    return probability, derivative.double().cpu().numpy(), gradient


@dataclass(frozen=True)
class _Intervals:
    """Pieces of the paths, as flat arrays of one length, with what the rule made of each."""

    rows: _Rows  # alpha: the piece's lower end
    upper: np.ndarray
    prob_lower: np.ndarray
    prob_upper: np.ndarray
    prob_middle: np.ndarray
    integral: np.ndarray
    gradient: Tensor  # (n, width), integrated over the piece

    @property
    def error(self) -> np.ndarray:
        """How far each piece is from completeness."""
        return np.abs(self.integral - (self.prob_upper - self.prob_lower))

    def take(self, chosen: np.ndarray) -> _Intervals:
        rows = _Rows(*(getattr(self.rows, name)[chosen] for name in ("fact", "target", "layer", "alpha")))
        kept = {
            name: getattr(self, name)[chosen]
            for name in ("upper", "prob_lower", "prob_upper", "prob_middle", "integral")
        }
        return _Intervals(rows=rows, gradient=self.gradient[torch.from_numpy(chosen)], **kept)


def _join(first: _Intervals, second: _Intervals) -> _Intervals:
    rows = _Rows(
        *(
            np.concatenate((getattr(first.rows, name), getattr(second.rows, name)))
            for name in ("fact", "target", "layer", "alpha")
        )
    )
    joined = {
        name: np.concatenate((getattr(first, name), getattr(second, name)))
        for name in ("upper", "prob_lower", "prob_upper", "prob_middle", "integral")
    }
    return _Intervals(rows=rows, gradient=torch.cat((first.gradient, second.gradient)), **joined)


def _integrate(
    paths: _Paths, pieces: _Rows, upper: np.ndarray, ends: tuple[np.ndarray, np.ndarray], rule: str, count: int
) -> _Intervals:
    """Apply a rule to every piece. ``ends`` are P at the lower and upper ends."""
    nodes, weights = nodes_and_weights(rule, count)
    length = upper - pieces.alpha
    alpha = pieces.alpha[:, None] + length[:, None] * nodes
    fact, target, layer = (np.repeat(part, count) for part in (pieces.fact, pieces.target, pieces.layer))
    rows = _Rows(fact, target, layer, alpha.ravel())
    probability, derivative, gradient = _evaluate(paths, rows)
    scaled = torch.from_numpy((length[:, None] * weights).astype(np.float32)).to(gradient.device)
    return _Intervals(
        rows=pieces,
        upper=upper,
        prob_lower=ends[0],
        prob_upper=ends[1],
        prob_middle=probability.reshape(-1, count)[:, count // 2],
        integral=(derivative.reshape(-1, count) * weights).sum(1) * length,
        gradient=torch.einsum("ij,ijw->iw", scaled, gradient.view(len(upper), count, -1)),
    )


def _rank_by_error(group: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(pieces,) place of each piece within its group, the largest error first."""
    order = np.lexsort((-error, group))
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    return ranks


def _refine(
    paths: _Paths, pieces: _Intervals, shape: tuple[int, int, int], limit: np.ndarray, settings: AttributionSettings
) -> tuple[_Intervals, np.ndarray]:
    """Halve the pieces that keep their (fact, token, layer) from completeness, until none does or nodes run out.

    ``limit`` is the allowed error per fact, (F,). A piece's exact error is known, because P at both its ends is; its
    middle is a node, so halving costs no extra evaluation of P.
    """
    nodes = np.full(shape, settings.nodes)
    cost = 2 * settings.nodes  # of halving one piece
    while True:
        group = np.ravel_multi_index((pieces.rows.fact, pieces.rows.target, pieces.rows.layer), shape)
        size = int(np.prod(shape))
        total = np.bincount(group, pieces.error, minlength=size)
        count = np.bincount(group, minlength=size)
        allowed = np.broadcast_to(limit[:, None, None], shape).ravel()
        wanted = (total > allowed)[group] & (pieces.error > (allowed / np.maximum(count, 1))[group])
        split = wanted & (_rank_by_error(group, pieces.error) < ((settings.max_nodes - nodes.ravel()) // cost)[group])
        if not split.any():
            return pieces, nodes
        nodes += cost * np.bincount(group[split], minlength=size).reshape(shape)
        halved = pieces.take(np.flatnonzero(split))
        middle = (halved.rows.alpha + halved.upper) / 2
        lower = _integrate(
            paths, halved.rows, middle, (halved.prob_lower, halved.prob_middle), "adaptive", settings.nodes
        )
        upper = _integrate(
            paths,
            replace(halved.rows, alpha=middle),
            halved.upper,
            (halved.prob_middle, halved.prob_upper),
            "adaptive",
            settings.nodes,
        )
        pieces = _join(pieces.take(np.flatnonzero(~split)), _join(lower, upper))


def attribute(
    adapter: Adapter, facts: Sequence[EncodedFact], mask_token: int, settings: AttributionSettings
) -> list[Attribution]:
    """Integrated gradients of a batch of facts whose answers have the same number of tokens.

    Raises:
        UserError: answers of no tokens or of different lengths, a prompt beyond the context, scores not finite.
    """
    if not facts or len({len(fact.answer) for fact in facts}) != 1 or not facts[0].answer:
        raise UserError("a batch of facts needs answers of one and the same length, at least one token")
    n_layers, n_targets = adapter.n_layers, len(facts[0].answer)
    prefix = read_prompts(adapter, [fact.context for fact in facts], [fact.answer_positions for fact in facts])
    baseline = baseline_neurons(adapter, facts, settings.baseline, mask_token, settings.masked_tokens)
    answers = torch.tensor([fact.answer for fact in facts], device=adapter.device)
    with torch.no_grad():
        odds = log_odds_against(adapter.unembed(adapter.final_norm(prefix.final)), answers)
        prob = log_prob(odds.double()).exp().cpu().numpy()
        start = [adapter.mlp_output(layer, baseline[layer].to(adapter.model.dtype)) for layer in range(n_layers)]
        end = [adapter.mlp_output(layer, prefix.neurons[layer]) for layer in range(n_layers)]
    paths = _Paths(adapter, prefix, start, [b - a for a, b in zip(start, end, strict=True)], answers, settings.max_rows)

    shape = (len(facts), n_targets, n_layers)
    fact, target, layer = (part.ravel() for part in np.indices(shape))
    whole = _Rows(fact, target, layer, np.zeros(fact.size))
    prob_start, _, _ = _evaluate(paths, whole)
    ends = prob_start, np.broadcast_to(prob[:, :, None], shape).ravel()
    pieces = _integrate(paths, whole, np.ones(fact.size), ends, settings.quadrature, settings.nodes)
    change = prob[:, :, None] - prob_start.reshape(shape)
    scale = np.abs(change.sum(1)).max(-1)  # (F,): the fact's largest layer change
    nodes = np.full(shape, settings.nodes)
    if settings.quadrature == "adaptive":
        pieces, nodes = _refine(paths, pieces, shape, settings.tolerance * scale / n_targets, settings)
    return _collect(paths, facts, pieces, baseline, prob, change, scale, nodes)


@torch.no_grad()
def _collect(
    paths: _Paths,
    facts: Sequence[EncodedFact],
    pieces: _Intervals,
    baseline: list[Tensor],
    prob: np.ndarray,
    change: np.ndarray,
    scale: np.ndarray,
    nodes: np.ndarray,
) -> list[Attribution]:
    """Sum pieces, apply the writing matrices once per (token, layer), and sum answer tokens."""
    shape = change.shape
    group = np.ravel_multi_index((pieces.rows.fact, pieces.rows.target, pieces.rows.layer), shape)
    gradient = torch.zeros(int(np.prod(shape)), paths.adapter.width, device=pieces.gradient.device)
    gradient.index_add_(0, torch.from_numpy(group).to(gradient.device), pieces.gradient)
    gradient = gradient.view(*shape, -1)
    total = np.bincount(group, pieces.integral, minlength=gradient[..., 0].numel()).reshape(shape)
    scores = []
    for layer in range(paths.adapter.n_layers):
        step = paths.prefix.neurons[layer].float() - baseline[layer]
        scores.append((step * (gradient[:, :, layer] @ paths.adapter.writing(layer).float().T)).sum(1))
    dense = torch.stack(scores, dim=1).cpu()
    error = np.abs(total - change) / np.maximum(scale, np.finfo(np.float32).tiny)[:, None, None]
    results = []
    for row, fact in enumerate(facts):
        if not torch.isfinite(dense[row]).all():
            raise UserError(f"fact {fact.fact_id}: attribution gave scores that are not finite (NaN or infinite)")
        results.append(
            Attribution(fact.fact_id, dense[row], prob[row], change[row], total[row], error[row], nodes[row])
        )
    return results
