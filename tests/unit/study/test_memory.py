"""The memory that jobs ask for: at least what finished jobs took, and it grows with the sizes that it rests on."""

from __future__ import annotations

import itertools

import pytest

from dkn.decoder.adapters import Adapter
from dkn.decoder.row_budget import MOST_ROWS, bytes_per_branch
from dkn.study.inputs import Shape
from dkn.study.memory import BRANCHES, Work, branch_bytes, job_bytes
from dkn.study.operations import mlp_vectors, parameters, shape_of
from tests.unit.default_study import PAPER

SHAPES = {entry["name"]: Shape(**entry["shape"]) for entry in PAPER["models"]}


def test_a_branch_is_as_large_as_the_decoder_takes_it_to_be(adapter: Adapter) -> None:
    assert branch_bytes(shape_of(adapter.model.config.to_dict()), "float32") == bytes_per_branch(adapter)
    assert BRANCHES == MOST_ROWS


def test_the_vectors_of_neurons_are_counted(adapter: Adapter) -> None:
    expected = sum(
        weights.numel()
        for layer in range(adapter.n_layers)
        for weights in (adapter.reading(layer), adapter.writing(layer))
    )
    assert mlp_vectors(shape_of(adapter.model.config.to_dict())) == expected


@pytest.mark.parametrize("work", Work, ids=lambda work: work.value)
@pytest.mark.parametrize("size", ["layers", "width", "neurons", "vocabulary"])
def test_larger_models_ask_for_more(work: Work, size: str) -> None:
    small = SHAPES["llama2-7b"]
    large = small.model_copy(update={size: 2 * getattr(small, size)})
    assert job_bytes(large, "float32", 1e9, work) > job_bytes(small, "float32", 1e9, work) + 1e8


@pytest.mark.parametrize("work", Work, ids=lambda work: work.value)
def test_wider_weights_and_larger_files_ask_for_more(work: Work) -> None:
    shape = SHAPES["llama2-7b"]
    asked = [
        job_bytes(shape, dtype, stored, work) for dtype, stored in itertools.product(("bfloat16", "float32"), (0, 3e9))
    ]
    assert asked[1] - asked[0] == asked[3] - asked[2] == 3e9
    wider = asked[2] - asked[0]
    assert wider == 0 if work is Work.FULL_TUNING else wider >= 2 * parameters(shape)


def test_weights_that_are_not_converted_stay_in_their_mapped_files() -> None:
    shape = SHAPES["llama2-7b"]
    weights = 2 * parameters(shape)
    alone, mapped, others = (job_bytes(shape, "bfloat16", stored, Work.PASSES) for stored in (0, weights, 2 * weights))
    assert mapped == alone
    assert others == alone + 2 * weights


def test_training_all_parameters_counts_every_copy_of_them() -> None:
    """Weights, gradients, two moments and the values from before: five times four bytes, whatever the model's type."""
    shape = SHAPES["llama2-7b"]
    for dtype in ("float32", "bfloat16"):
        assert job_bytes(shape, dtype, 0, Work.FULL_TUNING) > 20 * parameters(shape) + 4 * mlp_vectors(shape)
