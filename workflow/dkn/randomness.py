"""Random generators keyed by purpose and fact, so that no draw depends on the order of the work."""

import hashlib

import numpy as np


def generator(seed: int, purpose: str, key: str = "") -> np.random.Generator:
    """A NumPy generator for one purpose and one key (a fact id, a subject, …).

    The same (seed, purpose, key) gives the same stream on every machine and in every process.
    """
    digest = hashlib.sha256(f"{seed}\x1f{purpose}\x1f{key}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))
