"""Which facts have which of the model's neurons among their knowledge neurons (KNs)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from dkn.neurons.sets import NeuronSet


@dataclass(frozen=True)
class Membership:
    """The KNs of facts as a table of facts and neurons.

    Attributes:
        fact_ids: (facts,) the facts, in the order of the rows.
        table: (facts, layers * neurons) sparse, 1 where the neuron is a KN of the fact.
        n_neurons: the number of neurons of a layer.
    """

    fact_ids: np.ndarray
    table: csr_array
    n_neurons: int

    def shared(self, neurons: NeuronSet) -> np.ndarray:
        """Return (facts,) how many neurons of a set are KNs of each fact."""
        chosen = np.zeros(self.table.shape[1], dtype=np.int64)
        chosen[neurons.layers * self.n_neurons + neurons.neurons] = 1
        return self.table @ chosen

    def facts_per_neuron(self, among: np.ndarray) -> np.ndarray:
        """Return (layers, neurons) of how many facts each neuron of the model is a KN.

        Args:
            among: (facts,) bool, the facts that count.
        """
        return (among.astype(np.int64) @ self.table).reshape(-1, self.n_neurons)


def membership(members: Mapping[str, NeuronSet], fact_ids: Sequence[str], n_layers: int, n_neurons: int) -> Membership:
    """Return the KNs of some facts as a table.

    Args:
        members: the KNs of each fact.
        fact_ids: the facts, in the order of the rows.
        n_layers, n_neurons: the numbers of layers, and of neurons in a layer.
    """
    sizes = [len(members[fact_id]) for fact_id in fact_ids]
    columns = [members[fact_id].layers * n_neurons + members[fact_id].neurons for fact_id in fact_ids]
    indices = np.concatenate([np.zeros(0, dtype=np.int64), *columns])
    pointers = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    ones = np.ones(len(indices), dtype=np.int64)
    table = csr_array((ones, indices, pointers), shape=(len(sizes), n_layers * n_neurons))
    return Membership(np.array(fact_ids, dtype=object), table, n_neurons)
