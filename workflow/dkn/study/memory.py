"""How much main memory a job that loads a model takes at most on a CPU, from the model's sizes.

It is the sum of what stands in memory: the process with its libraries, the weights, the files that they are read from
(which are mapped, so that they count, once where no weight is converted), and the largest chunk of work. Chunks have
upper limits, so that a job takes no more where more is free. A job on a GPU takes less. ``benchmarks/memory.py``
compares with finished jobs.
"""

from __future__ import annotations

from enum import Enum

from dkn.study.inputs import Shape
from dkn.study.operations import mlp_vectors, parameters

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
PROCESS = 4e9  # bytes of Python, its libraries (0.5 GB), and the tables of ten thousand facts
STATES = 4e9  # bytes of what an audit keeps of earlier states
TOKEN = 3e3  # bytes of a token in a tokenizer
SAME = 0.05  # weights and files whose sizes differ by less are of one type
LOGITS = 2048  # rows of logits at once, in float32
BRANCHES = 4096  # ``dkn.decoder.row_budget.MOST_ROWS``
TOKENS = 4096  # of interventions, which keep one layer's intermediates
TRAINED_TOKENS = 512  # of a training step, which keeps the intermediates of all layers


class Work(Enum):
    """What the jobs of a stage do with a model.

    ``PASSES`` go forwards only; ``BRANCHES`` are attributed, and keep the intermediates of the layers above their own;
    ``TUNING`` trains some neurons; ``FULL_TUNING`` trains all parameters, in float32 whatever the model's type is;
    ``AUDIT`` does all of it in one process and in the model's type.
    """

    PASSES = "passes"
    BRANCHES = "branches"
    TUNING = "tuning"
    FULL_TUNING = "full tuning"
    AUDIT = "audit"


def token_bytes(shape: Shape, dtype: str) -> int:
    """Return about how many bytes the intermediates of one token in one layer take."""
    return BYTES[dtype] * (12 * shape.width + 5 * shape.neurons)


def branch_bytes(shape: Shape, dtype: str) -> int:
    """Return about how many bytes a branch of one token keeps; see ``dkn.decoder.row_budget.bytes_per_branch``."""
    return token_bytes(shape, dtype) * (shape.layers + 1) // 2


def _chunk_bytes(shape: Shape, dtype: str, work: Work) -> float:
    """Return the bytes of the largest chunk of a job's work, without logits."""
    trained = TRAINED_TOKENS * shape.layers * token_bytes(shape, "float32")
    branches = BRANCHES * branch_bytes(shape, dtype)
    passing = TOKENS * token_bytes(shape, dtype)
    return {Work.PASSES: passing, Work.BRANCHES: branches, Work.AUDIT: max(trained, branches)}.get(work, trained)


def _weight_bytes(weights: int, stored: float) -> float:
    """Return the bytes of weights in memory and of their mapped files; where both are of one type they are the same."""
    return max(weights, stored) if abs(stored - weights) < SAME * weights else weights + stored


def job_bytes(shape: Shape, dtype: str, stored: float, work: Work) -> float:
    """Return how many bytes of main memory a job takes at most.

    Args:
        shape: the model's sizes.
        dtype: the type of the model's weights in the study: ``float32``, ``bfloat16`` or ``float16``.
        stored: the size of the files of its weights, in bytes.
        work: what the job does.
    """
    count = parameters(shape)
    kind = "float32" if work is Work.FULL_TUNING else dtype
    total = PROCESS + TOKEN * shape.vocabulary + 4 * LOGITS * shape.vocabulary
    total += _weight_bytes(BYTES[kind] * count, stored) + _chunk_bytes(shape, kind, work)
    if work in (Work.FULL_TUNING, Work.AUDIT):
        # Gradients, AdamW's two moments, and the values from before; and those of the neurons' vectors once more.
        total += BYTES[kind] * (4 * count + mlp_vectors(shape))
    return total + (STATES if work is Work.AUDIT else 0)
