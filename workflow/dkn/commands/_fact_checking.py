"""What both fact-checking stages begin with: the sampled facts' statements, in tokens."""

from __future__ import annotations

import pandas as pd

from dkn.encoding import EncodedFact, encode
from dkn.experiments.fact_checking import make_statements
from dkn.interventions import NeuronSet
from dkn.language_models import LanguageModel
from dkn.sampling import sample_by_subject


def sampled_statements(
    frame: pd.DataFrame, members: dict[str, NeuronSet], limit: int | None, seed: int
) -> pd.DataFrame:
    """Statements of at most about ``limit`` facts that have knowledge neurons; ``frame`` holds all facts."""
    chosen = sample_by_subject(frame.loc[sorted(members)], limit, seed, "fact-checking/sample")
    return make_statements(frame.reset_index(drop=True), chosen, seed)


def encoded_statements(model: LanguageModel, statements: pd.DataFrame) -> dict[str, EncodedFact]:
    """Every statement in tokens."""
    return {
        row.statement: encode(model, row.statement, row.prompt, row.answer)
        for row in statements.itertuples(index=False)
    }
