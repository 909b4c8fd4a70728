"""Products with tall matrices, in blocks and whole."""

from __future__ import annotations

import pytest
import torch

from dkn.decoder.products import BLOCK, times_rows


@pytest.mark.parametrize("rows", [1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
@pytest.mark.parametrize("leading", [(1,), (4,), (2, 3)])
@pytest.mark.parametrize("transposed", [False, True])
def test_blocks_give_the_whole_product(rows: int, leading: tuple[int, ...], transposed: bool) -> None:
    torch.manual_seed(0)
    left = torch.randn(*leading, 16)
    matrix = torch.randn(16, rows).T if transposed else torch.randn(rows, 16)
    expected, out = (left.double() @ matrix.double().T).float(), torch.full((*leading, rows), float("nan"))
    assert times_rows(left, matrix, out) is out
    for found in (out, times_rows(left, matrix)):
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("left", "right", "products"),
    [(torch.float32, torch.float32, 3), (torch.bfloat16, torch.bfloat16, 1), (torch.float64, torch.float64, 1)],
)
def test_only_float32_is_cut(
    left: torch.dtype, right: torch.dtype, products: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, whole, part = [], torch.matmul, torch.mm
    monkeypatch.setattr(torch, "matmul", lambda *inputs, **named: calls.append(1) or whole(*inputs, **named))
    monkeypatch.setattr(torch, "mm", lambda *inputs, **named: calls.append(1) or part(*inputs, **named))
    found = times_rows(torch.ones(2, 4, dtype=left), torch.ones(2 * BLOCK + 1, 4, dtype=right))
    assert len(calls) == products
    assert found.dtype == left
    assert (found == 4).all()


def test_no_gradient_is_kept() -> None:
    """Not even of weights that are being trained."""
    assert not times_rows(torch.ones(2, 4), torch.ones(BLOCK + 1, 4, requires_grad=True)).requires_grad
