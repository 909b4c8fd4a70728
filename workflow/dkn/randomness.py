"""Random generators that are keyed by purpose and fact, so that no draw depends on the order of the work."""

import hashlib

import numpy as np


def generator(seed: int, purpose: str, key: str = "") -> np.random.Generator:
    """Return a random generator for one purpose and one key.

    Equal seeds, purposes and keys give the same stream of numbers on every machine and in every process.

    Args:
        seed: the study's seed.
        purpose: what is drawn.
        key: what it is drawn for: a fact id, a subject, ….
    """
    digest = hashlib.sha256(f"{seed}\x1f{purpose}\x1f{key}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))
