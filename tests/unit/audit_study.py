"""A tiny random model that is asked about made-up facts, and the settings of a short audit of it."""

from __future__ import annotations

import copy
from typing import Any

import pandas as pd
import torch

from dkn.decoder.adapters import Adapter
from dkn.decoder.loading import LanguageModel
from dkn.study.config import parse_config
from dkn.study.protocol_sections import Audited, audited
from tests.unit.default_study import DEFAULT

FACTS = 16
CHANGED: dict[str, dict[str, Any]] = {
    "audit": {"facts": None, "rival_facts": None, "checked_facts": None, "complex_facts": 4, "draws": 2},
    "attribution": {"quadrature": "gauss-legendre", "nodes": 2},
    "knowledge_neurons": {"cap": 10},
    "functional_test": {"test": "compensation", "tau2": 0.5},
}
TUNING = {"new_facts": 4, "old_facts": 4, "minimum": 4, "epochs": 2, "ask_every": 1, "learning_rates": [0.01, 0.03]}


def settings(**changes: dict[str, Any]) -> Audited:
    """The default study's settings with a few made short, and others changed, by section."""
    tree = copy.deepcopy(DEFAULT)
    tree["experiments"]["fine_tuning"] |= {**TUNING, "extensions": 0, "development": 0.5}
    tree["experiments"]["overlap"] |= {"draws": 2}
    for name, section in (*CHANGED.items(), *changes.items()):
        tree[name] |= section
    tree["audit"] |= {"resamples": 100, **changes.get("audit", {})}
    return audited(parse_config(tree).model_dump_json(include=set(Audited.model_fields)))


def first_word(adapter: Adapter, tokenizer: Any, prompt: str) -> str:
    """The model's own first choice of forty words after a prompt."""
    tokens = torch.tensor([tokenizer(prompt)["input_ids"]])
    return f"w{int(adapter.model(tokens).logits[0, -1, 1:41].argmax())}"


@torch.no_grad()
def study_facts(adapter: Adapter, tokenizer: Any, known: bool = True) -> pd.DataFrame:
    """Facts of which the model knows five in six: two a subject, and of two relations; some answers have two tokens.

    Args:
        known: whether it knows any.
    """
    rows = []
    for number in range(FACTS):
        subject, relation = f"{'abcde'[number // 2 % 5]}{number // 2}", f"P{number % 2}"
        prompt = f"w{7 + number % 2} {subject} w{3 + number % 3} w1"
        answer = first_word(adapter, tokenizer, prompt)
        answer += f" {first_word(adapter, tokenizer, f'{prompt} {answer}')}" if number % 3 == 0 else ""
        rows.append(
            {
                **{"fact_id": f"f{number:02}", "subject": subject, "relation": relation, "date": None},
                **{"answers": [answer], "answer_ids": [""], "query": f"w2 {subject} w5 _X_.", "prompt": prompt},
                "paraphrases": [f"w{9 + place} {prompt}" for place in range(4)],
                **{"complex": f"w6 w2 {subject} w4", "split": ("train", "test")[number // 2 % 2], "source": "made"},
                **{"answer": answer, "answered": True, "answered_unseen": True, "known": known and number % 6 != 5},
                **{"log_prob": -0.1, "prob": 0.9, "geometric_mean_prob": 0.9, "first_token_rank": 0},
                **{"prompt_tokens": 4, "answer_tokens": 1 + (number % 3 == 0)},
            }
        )
    return pd.DataFrame(rows).set_index("fact_id", drop=False)


def language_model(adapter: Adapter, tokenizer: Any) -> LanguageModel:
    """The model with its tokenizer."""
    return LanguageModel(adapter, tokenizer)
