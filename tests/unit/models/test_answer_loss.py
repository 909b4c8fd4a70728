"""The loss of answers, against one sentence at a time."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from dkn.decoder.adapters import Adapter
from dkn.models.answer_loss import IGNORED, Sentence, answer_loss, padded

SENTENCES = [Sentence([5, 6, 7, 8], 2), Sentence([9, 10, 11, 12, 13, 14], 5), Sentence([15, 16], 1)]


def test_padding_stands_to_the_right_and_no_prompt_is_asked() -> None:
    tokens, labels = padded(SENTENCES)
    assert tokens.tolist() == [[5, 6, 7, 8, 0, 0], [9, 10, 11, 12, 13, 14], [15, 16, 0, 0, 0, 0]]
    none = IGNORED
    assert labels.tolist() == [
        [none, none, 7, 8, none, none],
        [none, none, none, none, none, 14],
        [none, 16, none, none, none, none],
    ]


def test_the_loss_is_the_mean_over_all_answer_tokens(adapter: Adapter) -> None:
    """Not over sentences: a longer answer counts more. Each sentence alone, without padding."""
    losses = []
    for sentence in SENTENCES:
        logits = adapter.model(torch.tensor([sentence.tokens])).logits[0]
        for place in range(sentence.answer_start, len(sentence.tokens)):
            losses.append(functional.cross_entropy(logits[place - 1], torch.tensor(sentence.tokens[place])))
    assert len(losses) == 2 + 1 + 1
    expected = float(torch.stack(losses).mean())
    assert float(answer_loss(adapter.model, SENTENCES)) == pytest.approx(expected, rel=1e-4)


def test_smoothing_spreads_a_share_of_the_label_evenly(adapter: Adapter) -> None:
    sentence, share = Sentence([5, 6, 7], 2), 0.2
    log_probs = torch.log_softmax(adapter.model(torch.tensor([sentence.tokens])).logits[0, 1], -1)
    expected = -((1 - share) * log_probs[7] + share * log_probs.mean())
    assert float(answer_loss(adapter.model, [sentence], share)) == pytest.approx(float(expected), rel=1e-4)


def test_a_prompt_is_context_and_is_not_asked(adapter: Adapter) -> None:
    """A sentence twice has the loss of one; the same answer after another prompt has another loss."""
    asked, other = Sentence([5, 6, 7], 2), Sentence([50, 6, 7], 2)
    assert float(answer_loss(adapter.model, [asked, asked])) == pytest.approx(
        float(answer_loss(adapter.model, [asked])), rel=1e-5
    )
    assert float(answer_loss(adapter.model, [other])) != pytest.approx(
        float(answer_loss(adapter.model, [asked])), rel=1e-3
    )


def test_the_loss_of_half_precision_weights_is_in_float32(own_adapter: Adapter) -> None:
    """Sums of many small losses would lose their digits."""
    exact = float(answer_loss(own_adapter.model, SENTENCES))
    loss = answer_loss(own_adapter.model.to(torch.bfloat16), SENTENCES)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(exact, rel=0.1)
