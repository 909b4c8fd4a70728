"""Log-probabilities from odds against float64 softmax, at both ends of the scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from dkn.decoder.answer_probabilities import log_odds_against, log_prob, odds_and_others

unhurried = settings(deadline=None, database=None)

others = st_numpy.arrays(np.float32, st.integers(1, 40), elements=st.floats(-20, 20, width=32, allow_subnormal=False))


def with_answer(rest: np.ndarray, lead: float, place: int) -> tuple[torch.Tensor, int]:
    """Logits whose answer stands ``lead`` above the largest other, and the answer's place."""
    place %= len(rest) + 1
    return torch.from_numpy(np.insert(rest, place, np.float32(rest.max() + lead))), place


def odds_against(logits: torch.Tensor, answer: int) -> float:
    """(1 - P) / P, each term in float64 and the sum exact."""
    values = logits.double().tolist()
    return math.fsum(math.exp(value - values[answer]) for place, value in enumerate(values) if place != answer)


def found_log_prob(logits: torch.Tensor, answer: int) -> float:
    return float(log_prob(log_odds_against(logits, torch.tensor(answer)).double()))


@unhurried
@given(rest=others, lead=st.floats(-80, 80), place=st.integers(0, 40))
def test_log_prob_equals_float64_log_softmax(rest: np.ndarray, lead: float, place: int) -> None:
    """Within a few float32 roundings of the logits, wherever the answer stands."""
    logits, answer = with_answer(rest, lead, place)
    expected = float(logits.double().log_softmax(-1)[answer])
    assert found_log_prob(logits, answer) == pytest.approx(expected, rel=2e-6, abs=2e-6)


@unhurried
@given(rest=others, lead=st.floats(10, 80), place=st.integers(0, 40))
def test_digits_survive_near_one(rest: np.ndarray, lead: float, place: int) -> None:
    """With P above 0.998, log P itself, about P - 1, keeps its digits, where a float32 P is exactly one."""
    logits, answer = with_answer(rest, lead, place)
    assert float(logits.softmax(-1)[answer]) > 0.998
    expected = -math.log1p(odds_against(logits, answer))
    assert expected < 0
    assert found_log_prob(logits, answer) == pytest.approx(expected, rel=5e-5, abs=0)


@unhurried
@given(rest=others, lead=st.floats(-80, -10), place=st.integers(0, 40))
def test_digits_survive_near_zero(rest: np.ndarray, lead: float, place: int) -> None:
    """With P below 5e-5, log P keeps its digits."""
    logits, answer = with_answer(rest, lead, place)
    expected = float(logits.double().log_softmax(-1)[answer])
    assert expected < -9.9
    assert found_log_prob(logits, answer) == pytest.approx(expected, rel=1e-6, abs=0)


@unhurried
@given(rest=others, lead=st.floats(-40, 40), place=st.integers(0, 40))
def test_log_odds_by_hand(rest: np.ndarray, lead: float, place: int) -> None:
    """The odds themselves, in float32."""
    logits, answer = with_answer(rest, lead, place)
    odds = log_odds_against(logits, torch.tensor(answer))
    assert odds.dtype == torch.float32
    assert float(odds) == pytest.approx(math.log(odds_against(logits, answer)), rel=1e-5, abs=2e-5)


@unhurried
@given(rest=others, lead=st.floats(-40, 40), place=st.integers(0, 40))
def test_gradient_of_log_prob(rest: np.ndarray, lead: float, place: int) -> None:
    """The gradient with respect to the logits is one-hot minus softmax, its answer part to full relative precision."""
    logits, answer = with_answer(rest, lead, place)
    logits.requires_grad_()
    (found,) = torch.autograd.grad(log_prob(log_odds_against(logits, torch.tensor(answer))), logits)
    expected = -logits.detach().double().softmax(-1)
    expected[answer] = 1 / (1 + 1 / odds_against(logits.detach(), answer))
    assert torch.allclose(found.double(), expected, rtol=5e-5, atol=1e-37)


def test_leading_axes_are_free() -> None:
    """(2, 3, vocabulary) logits and (2, 3) answers give each what it gives alone."""
    generator = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(2, 3, 11, generator=generator)
    answers = torch.randint(11, (2, 3), generator=generator)
    expected = logits.double().log_softmax(-1).gather(-1, answers[..., None])[..., 0]
    found = log_prob(log_odds_against(logits, answers).double())
    assert found.dtype == torch.float64
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_odds_and_others_give_autograds_gradient() -> None:
    """Of log P with respect to the logits, also where P is very near one, and where it is tiny."""
    torch.manual_seed(0)
    logits = torch.randn(6, 30) * 4
    answers = torch.tensor([3, 0, 29, 7, 7, 12])
    logits[1, 0] += 30
    logits[2, 29] -= 60
    leaf = logits.double().requires_grad_()
    expected_odds = log_odds_against(leaf, answers)
    log_prob(expected_odds).sum().backward()
    odds, others = odds_and_others(logits, answers)
    gradient = (-others).scatter(1, answers[:, None], odds.sigmoid()[:, None])
    torch.testing.assert_close(odds.double(), expected_odds.detach(), rtol=1e-5, atol=1e-5)
    assert leaf.grad is not None
    torch.testing.assert_close(gradient.double(), leaf.grad, rtol=1e-5, atol=1e-30)
